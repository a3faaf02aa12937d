// Which namespace a request is for, before anybody has begun with it: in a cluster that decides which node serves it
// (net/peer/relay.h). Each protocol finds its own; what is said here follows them, and a test compares the two.
//
//   /.ws, /.lp?start=t             `ns`, else the host                       net/wire/upgrade.h
//   /.lp?id=…                      the node that the session's id names      net/wire/poll_request.h
//   /realtime/v1, /rest/v1, /yjs   /ns/NAME, else `ns`, else the host        net/supabase/project.h, net/yjs/room.h
//   rows of the admin API          `ns` alone; those of the server: none     net/admin/api/table.h
//   what is a namespace's in REST  `ns`, else the host                       net/rest/request.h
//   all else                       none: every node answers for itself
//
// Pure.
#pragma once

#include <cstdint>
#include <string>

#include "net/http/request.h"

namespace hearth::net {

struct RequestSpace {
  enum class Of : uint8_t {
    Nobody,  // no namespace, or a request that makes no sense: whoever is asked answers
    Space,   // that of `name`, as the client says it; "": the default one
    Node,    // the node of `name` has what it goes on with
  };
  Of of = Of::Nobody;
  std::string name{};
  bool is_sdk_socket =
      false;  // one that can be told to go elsewhere: a WebSocket of the Firebase protocol that begins anew
};

RequestSpace request_space(const http::Request& request);

}  // namespace hearth::net
