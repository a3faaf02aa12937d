// Which document a client means: from a request's target, or from the name that Hocuspocus gives it. Pure.
//
//   target := [ "/ns/" NAME ] "/yjs" [ "/" room ] [ "?" query ]     room: y-websocket; without one: Hocuspocus
//   room   := key ( "/" key )*                                      percent-encoded, decoded after it is cut at "/"
//
// Without NAME the namespace is the parameter `ns`, else what the Host names, else the default one. Targets that end in
// ".json" are Firebase's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "db/model/path.h"
#include "net/http/target.h"

namespace hearth::net::yjs {

struct Room {
  std::string space{};  // as the client names it, not checked; "": the default one
  std::string name{};   // decoded, keys separated by "/"; "": none is named
  std::string token{};  // the parameter `token`; "": none
};

// Precondition: the target is one of those above (owner_of() in net/router.h is Yjs). Errors: InvalidPath, InvalidArgument: an escape that is none ("%zz").
db::Result<Room> room_of(std::string_view target, std::string_view host);

// Errors: InvalidPath: the name is no path of keys, or is empty.
db::Result<db::Path> path_of_room(std::string_view name);

}  // namespace hearth::net::yjs
