// The target is looked at twice: as it came, to see whose it is (net/router.h, and which service here), and taken apart.
// Both looks must agree. The first one goes by raw text, so an escape within "rest", "v1" or "ns" makes it somebody else's.
#include "net/supabase/project.h"

#include "net/host_namespace.h"

namespace hearth::net::supabase {
namespace {

// What stands behind `start` and an "/" or nothing; nothing: it does not begin so.
std::optional<std::string_view> behind(std::string_view path, std::string_view start) {
  if (!path.starts_with(start)) return std::nullopt;
  path.remove_prefix(start.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  return path;
}

std::optional<Service> service_of(std::string_view path) {
  if (behind(path, "/realtime/v1")) return Service::Realtime;
  if (behind(path, "/rest/v1")) return Service::Rest;
  return std::nullopt;
}

}  // namespace

db::Result<Project> project_of(std::string_view target, std::string_view host) {
  Project project;
  const NamedPath place = split_namespace(target.substr(0, target.find('?')));
  project.service = service_of(place.path).value_or(Service::Rest);
  ASSIGN_OR_RETURN(project.target, http::parse_target(target));
  auto& segments = project.target.segments;
  const size_t begun = place.name ? 2 : 0;  // of these segments the raw text has said that they are there
  if (place.name) project.space = segments[1];
  project.rest.assign(segments.begin() + static_cast<std::ptrdiff_t>(begun + 2), segments.end());
  if (!place.name) project.space = project.target.parameter("ns").value_or("");
  if (project.space.empty()) project.space = namespace_of_host(host);
  return project;
}

}  // namespace hearth::net::supabase
