#include "net/yjs/room.h"

#include <algorithm>

#include "net/host_namespace.h"

namespace hearth::net::yjs {
db::Result<Room> room_of(std::string_view target, std::string_view host) {
  const NamedPath place = split_namespace(target.substr(0, target.find('?')));
  ASSIGN_OR_RETURN(const http::Target parts, http::parse_target(target));
  Room room;
  const size_t begun = place.name ? 3 : 1;  // segments before the room
  if (place.name) room.space = parts.segments.at(1);
  for (size_t i = begun; i < parts.segments.size(); ++i) {
    if (i > begun) room.name += '/';
    room.name += parts.segments[i];
  }
  room.token = parts.parameter("token").value_or("");
  if (!place.name) room.space = parts.parameter("ns").value_or("");
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
