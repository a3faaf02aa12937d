// Reads what the query string of /.ws and /.lp asks for. Nothing is decoded: JavaScript does not encode, and what can
// stand here needs no encoding. The namespace may stand in `ns`, or in the first label of the host.
#include "net/wire/upgrade.h"

#include "net/host_namespace.h"

namespace hearth::net::wire {

std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name) {
  std::optional<std::string_view> found;
  for_each_parameter(query, [&](std::string_view one, std::string_view value) {
    if (!found && one == name && !value.empty()) found = value;
  });
  return found;
}

Upgrade upgrade_of(std::string_view query, std::string_view host) {
  const auto text = [query](std::string_view name) { return std::string(query_parameter(query, name).value_or("")); };
  Upgrade upgrade{text("ns"), text("ls"), text("s"), std::string(host)};
  if (upgrade.space.empty()) upgrade.space = namespace_of_host(host);
  return upgrade;
}

void set_asker(Upgrade& upgrade, const http::Request& request) {
  upgrade.peer = request.peer;
  upgrade.connection = request.connection;
  upgrade.is_behind_stranger = request.is_behind_stranger;
  upgrade.whence = http::whence_of(request);
}

bool answers_pings(const http::Request& request) {
  const std::string_view agent = request.header("User-Agent").value_or("");
  return !(agent.starts_with("Firebase/") && agent.ends_with("/AdminJava"));
}

std::optional<Upgrade> parse_upgrade(std::string_view target, std::string_view host) {
  const size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  if (path != "/.ws" && path != "/.ws/") return std::nullopt;
  return upgrade_of(question == std::string_view::npos ? "" : target.substr(question + 1), host);
}

}  // namespace hearth::net::wire
