// Writes that are done once, however often they are sent: the Idempotency-Key of a request (draft-ietf-httpapi-idempotency-key-header).
//
//   key := 1 to 255 printable ASCII characters, or the same as a quoted string of RFC 8941 §3.3.3: the quotes are none of it
//
//   request ─▶ once_of()         what the key is scoped to: who asks, namespace, method, path, query without credentials
//           ─▶ KeysUnderWay      another one with the key is between here and its answer: 409
//           ─▶ digest_of_asked() the body, after inflating, and if-match: another one with the key is refused, 422
//           ─▶ db::Once          from here on it is the database's (db/commit/kept_answer.h)
//
// Thread: any.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "db/model/write.h"
#include "net/http/request.h"
#include "net/rest/request.h"
#include "rules/auth.h"

namespace hearth::net::rest {

inline constexpr size_t kIdempotencyKeyMax = 255;  // characters

// Nothing: the request has no key. Errors: InvalidArgument: more than one, or none that can be one.
db::Result<std::optional<std::string>> idempotency_key_of(const http::Headers& headers);

// Precondition: the request has a key, and its target can be parsed. `asked` is for who has the body.
std::shared_ptr<db::Once> once_of(const RestRequest& request, const http::Request& from, const std::string& space,
                                  const rules::Auth& auth);
http::Response under_way_reply();  // 409: another one with the key is under way
std::string digest_of_asked(const RestRequest& request, std::string_view body);

// The keys of requests that are between their arrival and their answer. As many as there are such requests, 16 bytes each.
class KeysUnderWay {
 public:
  KeysUnderWay();
  // The key is under way as long as what is returned is held. Null: it is already.
  std::shared_ptr<const void> take(const std::string& key);

 private:
  struct State;
  const std::shared_ptr<State> state_;  // what is held may outlive this
};

}  // namespace hearth::net::rest
