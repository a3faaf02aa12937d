#include "net/yjs/room.h"

#include <algorithm>

#include "net/host_namespace.h"

namespace hearth::net::yjs {
namespace {

struct Place {
  bool names_space;
  std::string_view path;  // from "/yjs" on
};

Place place_of(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  constexpr std::string_view start = "/ns/";
  if (!path.starts_with(start)) return {false, path};
  const size_t end = path.find('/', start.size());
  if (end == std::string_view::npos || end == start.size()) return {false, path};
  return {true, path.substr(end)};
}

}  // namespace

bool is_for_room(std::string_view target) {
  const std::string_view path = place_of(target).path;
  return path == "/yjs" || (path.starts_with("/yjs/") && !path.ends_with(".json"));
}

db::Result<Room> room_of(std::string_view target, std::string_view host) {
  const Place place = place_of(target);
  ASSIGN_OR_RETURN(const http::Target parts, http::parse_target(target));
  Room room;
  const size_t begun = place.names_space ? 3 : 1;  // segments before the room
  if (place.names_space) room.space = parts.segments.at(1);
  for (size_t i = begun; i < parts.segments.size(); ++i) {
    if (i > begun) room.name += '/';
    room.name += parts.segments[i];
  }
  room.token = parts.parameter("token").value_or("");
  if (!place.names_space) room.space = parts.parameter("ns").value_or("");
  if (room.space.empty()) room.space = namespace_of_host(host);
  return room;
}

db::Result<db::Path> path_of_room(std::string_view name) {
  db::Path path;
  for (size_t from = 0; from <= name.size();) {
    const size_t end = std::min(name.find('/', from), name.size());
    ASSIGN_OR_RETURN(path, path.child(name.substr(from, end - from)));
    from = end + 1;
  }
  return path;
}

}  // namespace hearth::net::yjs
