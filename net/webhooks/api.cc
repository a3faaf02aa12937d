// A request becomes an Ask, or a refusal; who asks is settled before the namespace and the body are looked at.
//
//   accept ─▶ a target of webhooks? ─▶ which deed? ─ none: 404, 405
//     └▶ credential ─▶ Verifier ─ key not known ─▶ verify_late ─▶ back to the exchange's thread ─┐
//                         └──────────────────────────────────────────────────────────────────────┴▶ on_verdict
//   on_verdict ─▶ an administrator? ─▶ which namespace? ─▶ the body ─▶ Deliverer::ask ─▶ (its thread) respond
//
// accept() looks for the folder's name in the raw target first: nearly all requests are none of webhooks, and are not
// parsed here for that. A body is parsed only once the asker is known to be an administrator.
//
// What an administrator does is logged with the name and the address. Pausing is logged where it is done
// (HookLine::pause), because a receiver may ask for it too, by 410.
#include "net/webhooks/api.h"

#include <map>
#include <utility>

#include "db/model/json.h"
#include "net/error_reply.h"
#include "net/host_namespace.h"
#include "net/http/origin.h"
#include "net/http/target.h"
#include "net/io/log.h"
#include "net/rest/reply.h"
#include "net/rest/request.h"

namespace hearth::net::webhooks {
namespace {

using db::Error;
using db::ErrorCode;
using What = Ask::What;

constexpr std::string_view kFolder = ".webhooks";

void refuse(http::Exchange& exchange, int status, std::string text) {
  exchange.respond(rest::refusal_reply({.status = status, .text = std::move(text)}));
}

// In our own words: those of the service are about data.
void refuse(http::Exchange& exchange, const Error& error) {
  exchange.respond(http::error_response(error_reply(error.code).http_status, error.message));
}

bool is_get(const http::Request& request) { return request.method == "GET" || request.method == "HEAD"; }

// Says which deed a request asks for; nothing: none, and the request is refused.
std::optional<What> what_of(const http::Request& request, const http::Target& target) {
  const std::string& last = target.segments.back();
  if (target.segments.size() == 1) return is_get(request) ? What::List : What::Add;
  static const std::map<std::string, What, std::less<>> deeds = {
      {"test.json", What::Test},     {"pause.json", What::Pause},   {"resume.json", What::Resume},
      {"remove.json", What::Remove}, {"rotate.json", What::Rotate}, {"retry.json", What::Retry},
      {"clear.json", What::Clear}};
  if (last == "dead.json") return is_get(request) ? std::optional(What::Dead) : std::nullopt;
  const auto found = deeds.find(last);
  if (found == deeds.end() || request.method != "POST") return {};
  return found->second;
}

// Errors: InvalidData, with what is expected.
db::Result<Ask> ask_of(const http::Request& request, const http::Target& target, What what, std::string space) {
  Ask ask;
  ask.what = what;
  ask.space = std::move(space);
  if (what == What::List) return ask;
  if (what == What::Dead) {
    ask.hook = target.parameter("id").value_or("");
    return ask;
  }
  const auto body = db::JsonDocument::parse(request.body);
  const Error unreadable{ErrorCode::InvalidData,
                         what == What::Add ? R"(Expected {"url": …, "path": …}, and perhaps "since" and "before".)"
                                           : R"(Expected {"id": …}, of the webhook, and perhaps "message".)"};
  if (!body.ok() || !body.value().root().is_object()) return unreadable;
  for (const auto& [name, value] : body.value().root().fields()) {
    const bool is_of_add = name == "url" || name == "path" || name == "since";
    if (name == "before" && what == What::Add && value.boolean()) {
      ask.before = *value.boolean();
    } else if (!value.string() || is_of_add != (what == What::Add)) {
      return unreadable;
    } else if (name == "url") {
      ask.url = *value.string();
    } else if (name == "path") {
      ask.path = *value.string();
    } else if (name == "since") {
      ask.since = *value.string();
    } else if (name == "id") {
      ask.hook = *value.string();
    } else if (name == "message") {
      ask.letter = *value.string();
    } else {
      return unreadable;
    }
  }
  if (what == What::Add ? ask.url.empty() : ask.hook.empty()) return unreadable;
  return ask;
}

const char* deed_of(What what) {
  switch (what) {
    case What::Add:
      return "webhook added";
    case What::Remove:
      return "webhook removed";
    case What::Resume:
      return "webhook resumed";
    case What::Rotate:
      return "webhook has a new secret";
    case What::Clear:
      return "dead letters of a webhook cleared";
    case What::List:
    case What::Test:
    case What::Pause:  // logged where it is done, for a receiver may ask for it too
    case What::Dead:
    case What::Retry:
      break;
  }
  return nullptr;
}

}  // namespace

struct Api::Call {
  std::shared_ptr<http::Exchange> exchange;
  http::Target target;
  What what = What::List;
};

bool Api::accept(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  // What is no webhook's is decided without parsing.
  if (request.target.find(kFolder) == std::string::npos || request.method == "OPTIONS") return false;
  auto target = http::parse_target(request.target);
  if (!target.ok() || target.value().segments.empty() || target.value().segments.size() > 2) return false;
  const std::string& first = target.value().segments.front();
  const bool is_one = target.value().segments.size() == 1;
  if (first != (is_one ? ".webhooks.json" : kFolder)) return false;
  exchange->set_deed("webhooks");
  const auto call = std::make_shared<Call>();
  call->exchange = exchange;
  call->target = std::move(target).value();
  if (!is_get(request) && request.method != "POST") {
    refuse(*exchange, 405, "Method not allowed here; use GET or POST.");
    return true;
  }
  const auto what = what_of(request, call->target);
  if (!what) {
    refuse(*exchange, 404, "Not found.");
    return true;
  }
  call->what = *what;
  const auto credential = rest::credential_of(request.headers, call->target);
  if (!credential) {
    on_verdict(call, rules::Auth());
    return true;
  }
  // As in REST, the credential `owner` of development is believed of programs and of pages of this machine, and not of
  // pages that come from elsewhere.
  if (*credential == kOwner && guard_.dev()) {
    const http::Whence whence = http::whence_of(request);
    if (whence != http::Whence::Here) {
      on_verdict(call, whence == http::Whence::OtherPage ? foreign_owner() : owner_by_name());
      return true;
    }
  }
  const Asker asker(request.peer, request.is_behind_stranger);
  if (const auto verdict = verifier_.verify(*credential, "", asker)) {
    on_verdict(call, *verdict);
    return true;
  }
  verifier_.verify_late(*credential, "", asker,
                        waiting_.expect_a<db::Result<rules::Auth>>([this, call](db::Result<rules::Auth> auth) {
                          io_.post(call->exchange->thread(), [this, call, auth] { on_verdict(call, auth); });
                        }));
  return true;
}

void Api::on_verdict(const std::shared_ptr<Call>& call, const db::Result<rules::Auth>& auth) {
  const http::Request& request = call->exchange->request();
  if (!auth.ok()) {
    if (verifier_.is_guessing(request.peer, auth.error())) return refuse(*call->exchange, 429, auth.error().message);
    return call->exchange->respond(rest::error_reply_of(auth.error(), {}));
  }
  if (auth.value().kind != rules::Auth::Kind::Admin) {
    return call->exchange->respond(rest::error_reply_of({ErrorCode::PermissionDenied, "Permission denied"}, {}));
  }
  std::string name(call->target.parameter("ns").value_or(""));
  if (name.empty()) name = namespace_of_host(request.host());
  auto space = guard_.resolve(name);
  if (!space.ok()) return refuse(*call->exchange, space.error());
  auto ask = ask_of(request, call->target, call->what, std::move(space).value());
  if (!ask.ok()) return refuse(*call->exchange, ask.error());
  const std::string by = auth.value().name, hook = ask.value().hook, where = ask.value().space;
  deliverer_.ask(std::move(ask).value(), [call, by, hook, where](db::Result<std::string> told) {
    if (!told.ok()) return refuse(*call->exchange, told.error());
    if (const char* deed = deed_of(call->what)) {
      http::log(http::LogLevel::Info, deed,
                {{"ns", where}, {"webhook", hook}, {"by", by}, {"peer", call->exchange->request().peer}});
    }
    http::Response reply = rest::reply_head(200, "application/json; charset=utf-8");
    reply.body = std::move(told).value();
    call->exchange->respond(std::move(reply));
  });
}

}  // namespace hearth::net::webhooks
