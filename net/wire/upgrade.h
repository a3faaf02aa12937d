// Reads what a client asks for when it opens a connection: `GET /.ws?v=5&ns=demo&ls=…` (net/wire/protocol.md §1). Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http/origin.h"

namespace hearth::net::wire {

struct Upgrade {
  std::string space;                         // the namespace's name as asked for; "" for the default one
  std::string last_session;                  // `ls`: the session before a reconnect; "" for none
  std::string transport_of;                  // `s`: this shall be a second transport of that session; "" for none
  std::string host;                          // where the client shall come back to
  std::string peer{};                        // the client's address
  bool is_behind_stranger = false;           // as ClientRequest's
  http::Whence whence = http::Whence::Here;  // where the request came from
  uint64_t connection = 0;                   // ClientRequest::connection
};

// Nothing when the target is another one. `ns` if given; else the first label of a host name with three or more.
std::optional<Upgrade> parse_upgrade(std::string_view target, std::string_view host);

// Fills in who asks, from the head of `request`.
void set_asker(Upgrade& upgrade, const http::Request& request);

// Whether the client's WebSocket survives a ping. That of firebase-admin-java (9.10) knows only text and close
// frames, and ends its connection at any other. The SDK is known by its User-Agent,
// "Firebase/5/9.10.0/17.0.15/AdminJava".
bool answers_pings(const http::Request& request);

// Reads an Upgrade from the query string of any target.
Upgrade upgrade_of(std::string_view query, std::string_view host);

// Names and values as they stand in the query string: JavaScript encodes nothing, and what can be here needs no decoding.
template <typename Take>
void for_each_parameter(std::string_view query, Take take) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (const size_t equals = one.find('='); equals != std::string_view::npos)
      take(one.substr(0, equals), one.substr(equals + 1));
  }
}
// The first of that name, unless it is empty.
std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name);

}  // namespace hearth::net::wire
