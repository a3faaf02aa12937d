// What a client asks for when it opens a WebSocket: `GET /.ws?v=5&ns=demo&ls=…` (wire-protocol.md §1). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::net::wire {

struct Upgrade {
  std::string space;         // the namespace's name as asked for; "" for the default one
  std::string last_session;  // `ls`: the session before a reconnect; "" for none
  std::string transport_of;  // `s`: this shall be a second transport of that session; "" for none
  std::string host;          // where the client shall come back to
  uint64_t connection = 0;   // Request::connection
};

// Nothing when the target is another one. `ns` if given; else the first label of a host name with three or more.
std::optional<Upgrade> parse_upgrade(std::string_view target, std::string_view host);

}  // namespace hearth::net::wire
