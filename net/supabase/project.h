// Which project a Supabase client's request is for, and which of its services: from the request target. A project is a
// namespace. `createClient("http://host:9000/ns/shop", key)` puts the namespace before all that it asks.
//
//   target   := [ "/ns/" NAME ] service [ "/" rest ] [ "?" query ]
//   service  := "/realtime/v1" | "/rest/v1"
//
// Without NAME the namespace is the parameter `ns`, else what the Host names, else the default one. Paths that end in
// ".json" are Firebase's, whatever they begin with. Percent escapes are decoded after the path is cut at "/". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "net/http/request.h"
#include "net/http/target.h"

namespace hearth::net::supabase {

enum class Service : uint8_t { Realtime, Rest };

struct Project {
  Service service = Service::Rest;
  std::string space{};              // as the client names it, not checked (Guard::resolve); "": the default one
  std::vector<std::string> rest{};  // the segments behind the service: {"websocket"}, {"todos"}
  http::Target target{};            // whole: for its parameters
};

// Precondition: the target is one of those above (owner_of() in net/router.h is Supabase). Errors: InvalidPath, InvalidArgument: an escape that is none ("%zz").
db::Result<Project> project_of(std::string_view target, std::string_view host);

}  // namespace hearth::net::supabase
