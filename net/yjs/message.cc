// Messages of both kinds of clients differ by what is in front (Hocuspocus: the document's name) and in one number: a
// refusal is 0 behind "auth" for y-websocket, and 1 for Hocuspocus, where 0 is the client's token. A kind that is not
// known is left alone, as clients do with what they do not know: a newer client is not closed for saying more.
#include "net/yjs/message.h"

#include "db/documents/coding.h"

namespace hearth::net::yjs {
namespace {

using db::documents::append_var_buf;
using db::documents::append_var_uint;

constexpr uint64_t kSync = 0, kAwareness = 1, kAuth = 2, kQueryAwareness = 3, kClose = 7, kStatus = 8;
constexpr uint64_t kStep1 = 0, kStep2 = 1, kUpdate = 2;
constexpr uint64_t kAuthToken = 0, kAuthDenied = 1, kAuthenticated = 2;

std::string message(std::string_view head, uint64_t type) {
  std::string bytes(head);
  append_var_uint(type, bytes);
  return bytes;
}

std::string sync(std::string_view head, uint64_t step, std::string_view body) {
  std::string bytes;
  bytes.reserve(head.size() + body.size() + 12);
  bytes += head;
  append_var_uint(kSync, bytes);
  append_var_uint(step, bytes);
  append_var_buf(body, bytes);
  return bytes;
}

}  // namespace

db::Result<Message> parse_message(std::string_view bytes) {
  db::documents::Reader from(bytes);
  Message found;
  switch (from.var_uint()) {
    case kSync: {
      const uint64_t step = from.var_uint();
      found.body = from.var_buf();
      if (from.ok() && step > kUpdate) from.fail("there is no such step of a sync");
      // A step 2 is an update like any other: what the client has and the server lacks.
      found.kind = step == kStep1 ? Message::Kind::Step1 : Message::Kind::Update;
      break;
    }
    case kAwareness:
      found.kind = Message::Kind::Awareness;
      found.body = from.var_buf();
      break;
    case kAuth:
      if (from.var_uint() == kAuthToken) {
        found.kind = Message::Kind::Token;
        found.body = from.var_string();
      }
      break;
    case kQueryAwareness:
      found.kind = Message::Kind::QueryAwareness;
      break;
    case kClose:
      found.kind = Message::Kind::Close;
      break;
    default:
      break;  // newer than this server: left alone, as clients do
  }
  if (!from.ok()) return from.error();
  return found;
}

std::string step1_message(std::string_view head, std::string_view state_vector) {
  return sync(head, kStep1, state_vector);
}
std::string step2_message(std::string_view head, std::string_view update) { return sync(head, kStep2, update); }
std::string update_message(std::string_view head, std::string_view update) { return sync(head, kUpdate, update); }

std::string awareness_message(std::string_view head, std::string_view awareness) {
  std::string bytes = message(head, kAwareness);
  append_var_buf(awareness, bytes);
  return bytes;
}

std::string query_awareness_message(std::string_view head) { return message(head, kQueryAwareness); }

std::string denied_message(std::string_view head, std::string_view reason, bool is_hocuspocus) {
  std::string bytes = message(head, kAuth);
  append_var_uint(is_hocuspocus ? kAuthDenied : kAuthToken, bytes);
  append_var_buf(reason, bytes);
  return bytes;
}

std::string hocuspocus_head(std::string_view name) {
  std::string bytes;
  append_var_buf(name, bytes);
  return bytes;
}

std::string authenticated_message(std::string_view head, bool may_write) {
  std::string bytes = message(head, kAuth);
  append_var_uint(kAuthenticated, bytes);
  append_var_buf(may_write ? "read-write" : "readonly", bytes);
  return bytes;
}

std::string ask_token_message(std::string_view head) {
  std::string bytes = message(head, kAuth);
  append_var_uint(kAuthToken, bytes);
  return bytes;
}

std::string status_message(std::string_view head, bool is_taken) {
  std::string bytes = message(head, kStatus);
  append_var_uint(is_taken ? 1 : 0, bytes);
  return bytes;
}

std::string close_message(std::string_view head, std::string_view reason) {
  std::string bytes = message(head, kClose);
  append_var_buf(reason, bytes);
  return bytes;
}

}  // namespace hearth::net::yjs
