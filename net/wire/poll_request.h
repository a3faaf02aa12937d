// What a request of long polling asks for (net/wire/protocol.md §10):
//
//   start       /.lp?start=t&cb=1&v=5&ns=demo[&ls=…]           a new session
//   poll        /.lp?id=…&pw=…&ser=7[&seg0=0&ts0=1&d0=…]…      what there is to hear; and pieces of what is said
//   frame       /.lp?dframe=t&id=…&pw=…                        a page that tells when the client leaves
//   disconnect  /.lp?disconn=t&id=…&pw=…                       by that page: the client has left
//
//   id := SESSION [ "." NODE ]                                 NODE: in a cluster, the node that has the session
//
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "net/wire/segments.h"
#include "net/wire/upgrade.h"

namespace hearth::net::wire {

struct PollRequest {
  enum class Kind : uint8_t { Start, Poll, Frame, Disconnect };
  Kind kind = Kind::Poll;
  std::string callback;  // of a start: digits, the names of the client's functions end in them
  Upgrade upgrade;       // of a start
  std::string id;        // of the others: of the session
  std::string node;      // which node of a cluster has it; "": there is no cluster
  std::string password;
  uint64_t serial = 0;
  std::vector<Segment> segments;
};

// What clients send as `id`: the session's own, and behind a dot the node that has it, for polls come by any node.
std::string poll_id(const std::string& session, const std::string& node);

bool is_poll_target(std::string_view target);

// Precondition: is_poll_target(target). Errors: InvalidArgument.
db::Result<PollRequest> parse_poll(std::string_view target, std::string_view host);

}  // namespace hearth::net::wire
