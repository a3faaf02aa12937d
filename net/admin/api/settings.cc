// Rules, settings and users of a namespace over HTTP. Each function is given a request whose sender is known, has the guard do
// it and says what came of it; the guard sees to rights, and what is not of the guard is asked here first. What takes long
// (compiling rules, a trial of theirs) runs on a worker.
#include "net/admin/api/settings.h"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>

#include "db/model/json.h"
#include "net/io/log.h"
#include "net/rest/past.h"
#include "net/rest/reply.h"
#include "rules/language/text.h"
#include "rules/warnings.h"

namespace hearth::net::admin {
namespace {

using db::Error;
using db::ErrorCode;
using rest::Method;

// Logs what an admin did, and which one.
void log_setting(const rest::DeskCall& call, std::string_view what) {
  http::log(http::LogLevel::Info, what,
            {{"ns", call.space},
             {"by", call.auth.name},
             {"connection", call.exchange->request().connection},
             {"peer", call.exchange->request().peer}});
}

// When too much waits for workers, the request is refused with 503.
void on_worker(const rest::Surroundings& with, const AdminCall& call, std::function<void()> task) {
  if (!with.workers.try_run(std::move(task)))
    rest::refuse(*call, {ErrorCode::Unavailable, "The server is overloaded; try again soon."});
}

void set_rules(const rest::Surroundings& with, const AdminCall& call) {
  std::string text = std::move(call->exchange->request().body);
  if (text.empty()) return rest::refuse(*call, {ErrorCode::InvalidData, "Error: No data supplied."});
  const auto install = call->request.dry_run ? rules::Install::OnlyCheck : rules::Install::Yes;
  std::string warnings;
  for (const std::string& warning : rules::warnings_of(text)) {
    warnings += warnings.empty() ? R"(,"warnings":[)" : ",";
    db::append_json_string(warning, warnings);
  }
  if (!warnings.empty()) warnings += ']';
  with.guard.set_rules(call->space, call->auth, std::move(text), install,
                       with.waiting.expect([call, install, warnings](const db::Answer& answer) {
                         if (!answer.status.ok()) return rest::refuse(*call, answer.status.error());
                         if (install == rules::Install::Yes) log_setting(*call, "rules set");
                         http::Response reply = rest::reply_head(200, "application/json; charset=utf-8");
                         reply.body = R"({"status":"ok")" + warnings + "}";
                         call->exchange->respond(std::move(reply));
                       }));
}

void explain_now(const rest::Surroundings& with, const AdminCall& call) {
  auto question = rules::read_trial(std::move(call->exchange->request().body));
  if (!question.ok()) return rest::refuse(*call, question.error());
  const auto explanation = std::make_shared<rules::Explanation>();
  with.guard.explain(call->space, call->auth, question.value().as, std::move(question.value().trial), explanation,
                     with.waiting.expect([call, explanation](const db::Answer& answer) {
                       if (!answer.status.ok()) return rest::refuse(*call, answer.status.error());
                       const bool as_text = call->request.as_text;
                       http::Response reply = rest::reply_head(
                           200, as_text ? "text/plain; charset=utf-8" : "application/json; charset=utf-8");
                       reply.body = as_text ? rules::to_text(*explanation) : rules::to_json(*explanation);
                       call->exchange->respond(std::move(reply));
                     }));
}

}  // namespace

void tell_databases(const rest::Surroundings& with, const AdminCall& call) {
  const auto names = with.guard.namespaces(call->auth);
  if (!names.ok()) return rest::refuse(*call, names.error());
  std::string text = "[";
  for (const std::string& name : names.value()) {
    text += text.size() > 1 ? R"(,{"name":)" : R"({"name":)";
    db::append_json_string(name, text);
    text += '}';
  }
  text += ']';
  rest::respond_json(*call->exchange, call->request, 200, rest::json_source(std::move(text)));
}

// net/rest/http-api.md §12.1.
void serve_rules(const rest::Surroundings& with, const AdminCall& call) {
  if (call->auth.kind != rules::Auth::Kind::Admin) {
    return rest::refuse(*call, {ErrorCode::PermissionDenied, "Permission denied"});
  }
  if (call->request.method == Method::Put) return on_worker(with, call, [&with, call] { set_rules(with, call); });
  with.guard.rules(call->space, call->auth, with.waiting.expect([call](const db::Answer& answer) {
    if (!answer.status.ok()) return rest::refuse(*call, answer.status.error());
    http::Response reply = rest::reply_head(200, "application/json; charset=utf-8");
    reply.body = answer.value.as_string();
    if (call->request.strict) {
      auto strict = rules::strict_json(reply.body);
      if (!strict.ok()) return rest::refuse(*call, strict.error());
      reply.body = std::move(strict).value();
    }
    call->exchange->respond(std::move(reply));
  }));
}

void serve_setting(const rest::Surroundings& with, const AdminCall& call) {
  const bool is_set = call->request.method == Method::Put;
  const rules::SettingKind* const kind = call->request.setting;  // null: its indexes
  auto told = with.waiting.expect([call, is_set, kind](const db::Answer& answer) {
    if (!answer.status.ok()) return rest::refuse(*call, answer.status.error());
    if (is_set) log_setting(*call, kind != nullptr ? std::string(kind->name) + " set" : "indexes set");
    http::Response reply = rest::reply_head(200, "application/json; charset=utf-8");
    reply.body = is_set ? R"({"status":"ok"})" : std::string(answer.value.as_string());
    call->exchange->respond(std::move(reply));
  });
  if (!is_set && kind != nullptr) return with.guard.setting(call->space, call->auth, *kind, std::move(told));
  if (!is_set) return with.guard.own_indexes(call->space, call->auth, std::move(told));
  std::string text = std::move(call->exchange->request().body);
  if (text.empty()) return rest::refuse(*call, {ErrorCode::InvalidData, "Error: No data supplied."});
  if (kind != nullptr) {
    return with.guard.set_setting(call->space, call->auth, *kind, std::move(text), std::move(told));
  }
  with.guard.set_own_indexes(call->space, call->auth, std::move(text), std::move(told));
}

void kick(const rest::Surroundings& with, const AdminCall& call) {
  if (call->auth.kind != rules::Auth::Kind::Admin) {
    return rest::refuse(*call, {ErrorCode::PermissionDenied, "Permission denied"});
  }
  const auto body = db::JsonDocument::parse(call->exchange->request().body);
  const auto uid = body.ok() ? body.value().root().field("uid") : std::nullopt;
  if (!uid || !uid->string())
    return rest::refuse(*call, {ErrorCode::InvalidData, R"(Expected {"uid": …}, the user to sign out.)"});
  std::string user(*uid->string());
  with.guard.kick(call->space, call->auth, user, with.waiting.expect([call, user](const db::Answer& answer) {
    if (!answer.status.ok()) return rest::refuse(*call, answer.status.error());
    http::log(http::LogLevel::Info, "user signed out",
              {{"ns", call->space},
               {"uid", user},
               {"connections", answer.value.as_integer()},
               {"by", call->auth.name},
               {"connection", call->exchange->request().connection},
               {"peer", call->exchange->request().peer}});
    http::Response reply = rest::reply_head(200, "application/json; charset=utf-8");
    reply.body = fmt::format(R"({{"kicked":{}}})", answer.value.as_integer());
    call->exchange->respond(std::move(reply));
  }));
}

void tell_coverage(const rest::Surroundings& with, const AdminCall& call) {
  if (!with.guard.dev() && call->auth.kind != rules::Auth::Kind::Admin) {
    return rest::refuse(*call, {ErrorCode::PermissionDenied, "Permission denied"});
  }
  const auto coverage = with.guard.coverage(call->space);
  if (coverage == nullptr) {
    return call->exchange->respond(
        rest::refusal_reply({404, with.guard.dev() ? "No rules of this namespace have been evaluated yet."
                                                   : "Rule coverage is counted with --dev only."}));
  }
  const bool as_page = call->request.as_text;
  http::Response reply =
      rest::reply_head(200, as_page ? "text/html; charset=utf-8" : "application/json; charset=utf-8");
  reply.body = as_page ? coverage->to_html() : coverage->to_json();
  call->exchange->respond(std::move(reply));
}

void explain(const rest::Surroundings& with, const AdminCall& call) {
  on_worker(with, call, [&with, call] { explain_now(with, call); });
}

void tell_indexes(const rest::Surroundings& with, const AdminCall& call) {
  with.guard.indexes(call->space, call->auth, with.waiting.expect([call](const db::Answer& answer) {
    if (!answer.status.ok()) return rest::refuse(*call, answer.status.error());
    rest::respond_json(*call->exchange, call->request, 200, rest::json_source(answer.value, call->request.style));
  }));
}

void undo(const rest::Surroundings& with, const AdminCall& call) {
  rest::serve_undo(with, call->exchange, call->space, call->auth);
}

void purge(const rest::Surroundings& with, const AdminCall& call) {
  rest::serve_purge(with, call->exchange, call->space, call->auth);
}

}  // namespace hearth::net::admin
