// Answers as the service gives them: headers, words of errors, JSONP, and bodies whole or in pieces.
//
// A body of up to kWholeBytesMax is made before its head is sent, so that it has a Content-Length; a longer one
// begins with those bytes and goes on in pieces as the client reads (respond_chunked). Errors of the disk say nothing
// to clients of paths or files; they are logged where they are known.
#include "net/rest/reply.h"

#include "db/base/give_back.h"
#include "net/error_reply.h"

namespace hearth::net::rest {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";
constexpr std::string_view kJavaScript = "application/javascript; charset=utf-8";
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kMethods = "GET, PUT, POST, PATCH, DELETE, HEAD, OPTIONS";

// The service's own words where it has some. What the disk said is for the operator's log only.
std::string_view words_for(const db::Error& error) {
  using db::ErrorCode;
  switch (error.code) {
    case ErrorCode::NotFound:
      return "Firebase error. Please ensure that you have the URL of your Firebase Realtime Database instance "
             "configured correctly.";
    case ErrorCode::Timeout:
      return "Request timed out.";
    case ErrorCode::Io:
    case ErrorCode::Corruption:
      return "An internal error occurred";
    case ErrorCode::InvalidPath:
    case ErrorCode::InvalidData:
    case ErrorCode::InvalidArgument:
    case ErrorCode::PermissionDenied:
    case ErrorCode::Stale:
    case ErrorCode::TooLarge:
    case ErrorCode::Unavailable:
    case ErrorCode::Locked:
    case ErrorCode::Unsupported:
    case ErrorCode::InvalidToken:
    case ErrorCode::ExpiredToken:
    case ErrorCode::KeyReused:
    case ErrorCode::NotOwner:
      return error.message;
  }
  return error.message;
}

// JSONP: a script that failed to load tells nobody why, so errors are a success (net/rest/http-api.md §11).
http::Response wrapped(http::Response response, const std::string& callback) {
  if (callback.empty()) return response;
  http::Response script = reply_head(200, kJavaScript);
  script.headers.emplace_back("X-Content-Type-Options", "nosniff");
  while (response.body.ends_with('\n')) response.body.pop_back();
  BodyText text(json_source(std::move(response.body)), Print::Compact, callback);
  while (text.next(script.body, kPieceBytes)) {
  }
  return script;
}

}  // namespace

http::Response reply_head(int status, std::string_view content_type) {
  http::Response head;
  head.status = status;
  if (!content_type.empty()) head.headers.emplace_back("Content-Type", content_type);
  head.headers.emplace_back("Access-Control-Allow-Origin", "*");
  head.headers.emplace_back("Cache-Control", "no-cache");
  return head;
}

http::Response error_reply_of(const db::Error& error, const std::string& callback) {
  http::Response response = http::error_response(error_reply(error.code).http_status, words_for(error));
  return wrapped(std::move(response), callback);
}

http::Response refusal_reply(const Refusal& refusal) {
  http::Response response;
  if (refusal.form == Refusal::Form::Json) {
    response = http::error_response(refusal.status, refusal.text);
  } else {
    response = reply_head(refusal.status, kText);
    response.body = refusal.text;
  }
  if (refusal.status == 405) response.headers.emplace_back("Allow", kMethods);
  if (refusal.form == Refusal::Form::Text) return response;
  return wrapped(std::move(response), refusal.callback);
}

// CORS. Whether a page may ask this server at all has been decided before (OriginList). The allowed headers repeat what
// was asked for.
http::Response preflight_reply(const http::Headers& asked) {
  http::Response response = reply_head(200, "");
  response.headers.emplace_back("Access-Control-Allow-Methods", kMethods);
  response.headers.emplace_back("Access-Control-Allow-Headers",
                                http::find_header(asked, "Access-Control-Request-Headers")
                                    .value_or("authorization, content-type, idempotency-key, if-match, if-none-match, "
                                              "x-firebase-etag, x-http-method-override"));
  response.headers.emplace_back("Access-Control-Max-Age", "86400");
  response.headers.emplace_back("Allow", kMethods);
  return response;
}

void respond_json(http::Exchange& exchange, const RestRequest& request, int status, JsonSource body, Etag etag,
                  std::string_view hash, Repeat repeat) {
  const bool is_silent = request.print == Print::Silent && status == 200;
  const bool has_body = !is_silent && status != 304;
  const bool is_script = !request.callback.empty();
  http::Response head = reply_head(is_silent ? 204 : status, !has_body ? "" : is_script ? kJavaScript : kJson);
  if (is_script) head.headers.emplace_back("X-Content-Type-Options", "nosniff");
  if (etag == Etag::Told) {
    head.headers.emplace_back("ETag", etag_of(hash));
  }
  if (repeat == Repeat::Yes) head.headers.emplace_back("Idempotency-Replayed", "true");
  const std::string_view shown = etag == Etag::Told      ? repeat == Repeat::Yes ? "ETag, Idempotency-Replayed" : "ETag"
                                 : repeat == Repeat::Yes ? "Idempotency-Replayed"
                                                         : "";
  if (!shown.empty()) head.headers.emplace_back("Access-Control-Expose-Headers", shown);
  if (!request.download.empty()) {
    head.headers.emplace_back("Content-Disposition", "attachment; filename=\"" + request.download + "\"");
  }
  if (!has_body) return exchange.respond(std::move(head));

  const auto text = std::make_shared<BodyText>(std::move(body), request.print, request.callback);
  std::string begin;
  bool more = true;
  while (more && begin.size() <= kWholeBytesMax) more = text->next(begin, kPieceBytes);
  if (!more) {
    head.body = std::move(begin);
    return exchange.respond(std::move(head));
  }
  exchange.respond_chunked(std::move(head), [text, begin = std::move(begin)](std::string& chunk) mutable {
    if (!begin.empty()) {
      chunk += begin;
      db::give_back(begin);
      return http::Pull::More;
    }
    return text->next(chunk, kPieceBytes) ? http::Pull::More : http::Pull::Last;
  });
}

}  // namespace hearth::net::rest
