// Messages of y-websocket and of Hocuspocus: the same bodies, which Hocuspocus puts behind the document's name. Pure.
//
//   message := type body
//   type    := 0 sync  1 awareness  2 auth  3 query awareness     and of Hocuspocus  5 stateless  7 close  8 sync status
//   sync    := 0 var_buf(state vector)   1 var_buf(update)   2 var_buf(update)
//   frame   := message                          y-websocket
//   frame   := var_string(name) message         Hocuspocus; or one byte alone, 9 ping and 10 pong
//
// Source: the npm packages y-protocols 1.0.7, y-websocket 3.1.0 and 2.1.0, @hocuspocus/provider 4.8.0 (net/yjs/protocol.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::net::yjs {

struct Message {
  enum class Kind : uint8_t {
    Step1,           // body: a state vector
    Update,          // body: an update; the answer to our step 1, or an edit
    Awareness,       // body: an awareness update
    QueryAwareness,  //
    Token,           // body: a credential
    Close,           // the client leaves the document
    Other,           // nothing that we answer
  };
  Kind kind = Kind::Other;
  std::string_view body{};
};

// The message in `bytes`, which the result refers to. Errors: InvalidData.
db::Result<Message> parse_message(std::string_view bytes);

// Messages to clients, behind `head`: "" of y-websocket, hocuspocus_head() of Hocuspocus.
std::string step1_message(std::string_view head, std::string_view state_vector);
std::string step2_message(std::string_view head, std::string_view update);
std::string update_message(std::string_view head, std::string_view update);
std::string awareness_message(std::string_view head, std::string_view awareness);
std::string query_awareness_message(std::string_view head);
std::string denied_message(std::string_view head, std::string_view reason, bool is_hocuspocus);
// Of Hocuspocus alone.
std::string hocuspocus_head(std::string_view name);
std::string authenticated_message(std::string_view head, bool may_write);
std::string ask_token_message(std::string_view head);
std::string status_message(std::string_view head, bool is_taken);
std::string close_message(std::string_view head, std::string_view reason);

inline constexpr std::string_view kPing{"\x09", 1}, kPong{"\x0a", 1};  // whole frames of Hocuspocus

}  // namespace hearth::net::yjs
