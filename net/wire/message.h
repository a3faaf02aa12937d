// Messages of a client (net/wire/protocol.md §3, §4): text becomes a typed message with everything in it checked.
//
//   message  := {"t":"c","d":{"t":command,"d":payload}}
//             | {"t":"d","d":{"r":number,"a":action,"b":body}}
//
// Members in any order; unknown ones are ignored. Pure: a large message may be decoded on any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "db/base/error.h"
#include "db/model/path.h"
#include "db/model/read.h"
#include "db/model/write.h"
#include "net/wire/frame.h"

namespace hearth::net::wire {

struct CompoundHash;  // compound_hash.h

struct Put {
  db::Write write;  // of a put or a merge
};
struct Listen {
  db::Listen listen;
  std::optional<int64_t> tag{};                 // the client's name for it; its pushes carry it
  std::string query_json{};                     // with a tag: `q` as it was sent
  std::shared_ptr<const CompoundHash> known{};  // `ch`: what the client holds, in ranges; null: not told
};
struct Unlisten {
  db::Path path;
  std::optional<int64_t> tag{};
};
struct Get {
  db::Read read;
};
struct OnDisconnect {
  db::Disconnect disconnect;
};
struct Authenticate {
  std::string credential;
  std::optional<std::string> act_as;  // JSON: an auth variable, or null for `noauth`
};
struct Unauthenticate {};
struct Acknowledge {};  // nothing to do but to say ok: statistics, App Check
struct Refuse {
  db::Error error;
};

using Action =
    std::variant<Put, Listen, Unlisten, Get, OnDisconnect, Authenticate, Unauthenticate, Acknowledge, Refuse>;

struct ClientRequest {
  int64_t number = 0;  // `r`
  Action action;
  size_t bytes = 0;  // of its text
};
struct Ping {};
struct EndOfTransmission {};  // of this transport: the client goes on by another (§10.4)
struct Nothing {};            // a control message that asks for nothing
struct Broken {               // not answerable: it has no number
  std::string reason;
};

using Incoming = std::variant<ClientRequest, Ping, EndOfTransmission, Nothing, Broken>;

Incoming parse_message(MessageReader::Message&& message);

// The number of a request whose text is broken or was dropped, read from its two ends. Nothing: it cannot be told
// with certainty.
std::optional<int64_t> request_number(std::string_view head, std::string_view tail);

}  // namespace hearth::net::wire
