// Makes the answers to requests (net/rest/http-api.md §3, §5, §9, §11). Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "db/base/result.h"
#include "net/http/exchange.h"
#include "net/http/request.h"
#include "net/rest/body_text.h"
#include "net/rest/request.h"

namespace hearth::net::rest {

inline constexpr size_t kWholeBytesMax = 1u << 20;  // longer bodies go out in pieces, their length unsaid
inline constexpr size_t kPieceBytes = 256u << 10;

// A reply without a body yet, with the headers that all have.
http::Response reply_head(int status, std::string_view content_type);

// `{"error": …}`, in the service's own words where they are known. `callback`: the JavaScript function to call with
// it, or "".
http::Response error_reply_of(const db::Error& error, const std::string& callback);
http::Response refusal_reply(const Refusal& refusal);
http::Response preflight_reply(const http::Headers& asked);

enum class Etag : uint8_t { Untold, Told };
enum class Repeat : uint8_t { No, Yes };  // Yes: it was done before, with the same key (idempotency.h)

// Answers with JSON, or with 204 for `print=silent`. `hash`: of the value that the ETag is for.
void respond_json(http::Exchange& exchange, const RestRequest& request, int status, JsonSource body,
                  Etag etag = Etag::Untold, std::string_view hash = {}, Repeat repeat = Repeat::No);

}  // namespace hearth::net::rest
