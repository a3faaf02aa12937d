// Connections are looked at on their own threads, one thread after the other (http::Listener::look), so no thread waits for another.
#include "net/admin/api.h"

#include <string>
#include <utility>
#include <vector>

#include "db/model/json.h"
#include "net/admin/metrics_page.h"
#include "net/io/log.h"

namespace hearth::net::admin {
namespace {

http::Response json_reply(std::string body) {
  http::Response reply;
  reply.headers = {{"Content-Type", "application/json; charset=utf-8"}, {"Cache-Control", "no-store"}};
  reply.body = std::move(body);
  return reply;
}

std::string text_of(const std::vector<http::SeenConnection>& seen, uint64_t own) {
  std::string text = R"({"yours":)" + std::to_string(own) + R"(,"connections":[)";
  for (const http::SeenConnection& one : seen) {
    text += (&one == seen.data() ? R"({"number":)" : R"(,{"number":)") + std::to_string(one.number) + R"(,"peer":)";
    db::append_json_string(one.peer, text);
    text += R"(,"kind":)";
    db::append_json_string(one.kind, text);
    text += R"(,"seconds":)" + std::to_string(one.age.count()) + R"(,"waiting":)" + std::to_string(one.waiting_bytes) +
            (one.is_secure ? R"(,"secure":true})" : R"(,"secure":false})");
  }
  return text + "]}";
}

}  // namespace

bool Api::accept(const std::shared_ptr<http::Exchange>& exchange) const {
  const http::Request& request = exchange->request();
  const bool looks = is_for(request, kConnectionsPath);
  if (!looks && !is_for(request, kCutPath)) return false;
  if (request.method != (looks ? "GET" : "POST")) {
    exchange->respond(
        http::error_response(405, std::string("Method not allowed here; use ") + (looks ? "GET." : "POST.")));
  } else if (!is_for_admin(request, guard_, verifier_)) {
    exchange->respond(http::error_response(401, "Permission denied"));
  } else if (listener_() == nullptr) {
    exchange->respond(http::error_response(503, "The server is starting."));
  } else if (looks) {
    tell_connections(exchange);
  } else {
    cut(exchange);
  }
  return true;
}

void Api::tell_connections(const std::shared_ptr<http::Exchange>& exchange) const {
  listener_()->look([exchange](const std::vector<http::SeenConnection>& seen) {
    exchange->respond(json_reply(text_of(seen, exchange->request().connection)));
  });
}

void Api::cut(const std::shared_ptr<http::Exchange>& exchange) const {
  const auto body = db::JsonDocument::parse(exchange->request().body);
  const auto field = body.ok() ? body.value().root().field("connection") : std::nullopt;
  const auto number = field ? field->integer() : std::nullopt;
  if (!number || *number < 0) {
    return exchange->respond(http::error_response(400, R"(Expected {"connection": …}, the number of one.)"));
  }
  const auto wanted = static_cast<uint64_t>(*number);
  listener_()->cut(wanted, [exchange, wanted](bool is_cut) {
    if (is_cut) {
      http::log(http::LogLevel::Info, "connection cut",
                {{"cut", static_cast<int64_t>(wanted)},
                 {"connection", static_cast<int64_t>(exchange->request().connection)},
                 {"peer", exchange->request().peer}});
    }
    exchange->respond(json_reply(is_cut ? R"({"cut":true})" : R"({"cut":false})"));
  });
}

}  // namespace hearth::net::admin
