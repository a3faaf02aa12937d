// Each function reads what is asked, has the guard do it, and says what came of it. Answers come through PendingAnswers, on
// threads of the database; a long one is made into text by a worker.
#include "net/rest/past.h"

#include <fmt/format.h>

#include <utility>

#include "db/model/json.h"
#include "net/io/log.h"
#include "net/rest/change_feed.h"
#include "net/rest/reply.h"

namespace hearth::net::rest {
namespace {

using db::Error;
using db::ErrorCode;
using PastExchange = std::shared_ptr<http::Exchange>;

void refuse_with(const PastExchange& exchange, const Error& error) { exchange->respond(error_reply_of(error, {})); }

void tell_json(const PastExchange& exchange, std::string json) {
  http::Response reply = reply_head(200, "application/json; charset=utf-8");
  reply.body = std::move(json);
  exchange->respond(std::move(reply));
}

void log_deed(const PastExchange& exchange, const std::string& space, const rules::Auth& auth, std::string_view what) {
  http::log(http::LogLevel::Info, what,
            {{"ns", space},
             {"by", auth.name},
             {"connection", exchange->request().connection},
             {"peer", exchange->request().peer}});
}

// The one text that a body of JSON has under that name; nothing: it has none.
std::optional<std::string> body_text_of(const PastExchange& exchange, std::string_view name) {
  const auto body = db::JsonDocument::parse(exchange->request().body);
  const auto field = body.ok() ? body.value().root().field(name) : std::nullopt;
  if (!field || !field->string()) return {};
  return std::string(*field->string());
}

}  // namespace

std::string history_text(const db::PathHistory& history, db::JsonStyle style) {
  std::string text = R"({"before":)" + db::to_json(history.before, style) + R"(,"complete":)" +
                     (history.is_whole ? "true" : "false") + R"(,"values":[)";
  for (const db::PastValue& one : history.values) {
    if (text.back() != '[') text += ',';
    append_commit(one.id, one.time, one.by, text);
    text += R"(,"value":)" + db::to_json(one.value, style) + '}';
  }
  return text += "]}";
}

void serve_history(const Surroundings& with, const PastExchange& exchange, const RestRequest& request,
                   const std::string& space, const rules::Auth& auth) {
  db::HistoryRead read;
  read.path = request.path;
  read.values_max = request.past_values;
  with.guard.history(space, auth, std::move(read),
                     with.waiting.expect_a<db::Result<db::PathHistory>>(
                         [&workers = with.workers, exchange, request](db::Result<db::PathHistory> found) {
                           if (!found.ok()) return refuse_with(exchange, found.error());
                           const auto history = std::make_shared<const db::PathHistory>(std::move(found).value());
                           workers.run([exchange, request, history] {
                             respond_json(*exchange, request, 200, json_source(history_text(*history, request.style)));
                           });
                         }));
}

void serve_undo(const Surroundings& with, const PastExchange& exchange, const std::string& space,
                const rules::Auth& auth) {
  const auto text = body_text_of(exchange, "id");
  const auto id = text ? db::parse_event_id(*text) : std::nullopt;
  if (!id) return refuse_with(exchange, {ErrorCode::InvalidData, R"(Expected {"id": …}, of the commit to take back.)"});
  with.guard.undo(
      space, auth, *id, with.waiting.expect([&guard = with.guard, exchange, space, auth](const db::Answer& answer) {
        if (answer.status.ok()) {
          log_deed(exchange, space, auth, "commit taken back");
          return tell_json(exchange, R"({"id":")" + guard.event_id(answer.sequence) + R"("})");
        }
        if (answer.status.error().code != ErrorCode::Stale) return refuse_with(exchange, answer.status.error());
        exchange->respond(refusal_reply(
            {.status = 412, .text = "Something that this commit changed has been changed again since, so it stays."}));
      }));
}

void serve_purge(const Surroundings& with, const PastExchange& exchange, const std::string& space,
                 const rules::Auth& auth) {
  const auto text = body_text_of(exchange, "path");
  if (!text) return refuse_with(exchange, {ErrorCode::InvalidData, R"(Expected {"path": …}, whose past is to go.)"});
  auto path = db::Path::parse(*text);
  if (!path.ok()) return refuse_with(exchange, path.error());
  with.guard.purge(space, auth, std::move(path).value(),
                   with.waiting.expect([exchange, space, auth](const db::Answer& answer) {
                     if (!answer.status.ok()) return refuse_with(exchange, answer.status.error());
                     log_deed(exchange, space, auth, "history purged");
                     tell_json(exchange, fmt::format(R"({{"commits":{}}})", answer.value.as_integer()));
                   }));
}

}  // namespace hearth::net::rest
