// The path of a request, and on which thread each step runs.
//
//   io thread (home)                                 workers                      shard, readers, key source
//   ────────────────────────────────────────────────────────────────────────────────────────────────────────
//   handle: parse_request ─▶ refusal
//     authenticate ─ key not known ──────────────────────────────────────────────▶ verify_late ─┐
//     on_verdict ◀───────────────── post ───────────────────────────────────────────────────────┘
//     dispatch ─▶ serve
//       read  ───────────────────────────────────────────────────────────────────▶ Guard::read ─┐
//       write ─ body > 64 kB ──────────────────────▶ write_body ─────────────────▶ Guard::write ┤
//               else write_body ─────────────────────────────────────────────────▶ Guard::write ┤
//                                     answer > 64 kB ┌─ tell_read, tell_written ◀───────────────┤
//                                                    │              answer ≤ 64 kB: right there ┘
//   HttpSession ◀─ respond: by post() ◀──────────────┴───────────────────────────
//
// One Call holds everything of a request. Only one step has it at a time, so it needs no lock. What holds:
// - A handler never blocks. Whatever may take long goes to a worker by try_run(), which may say that the server is
//   overloaded; an answer that is due goes by run(), which may not.
// - Every callback that is given away goes through waiting_ (pending_answers.h). Answers come late, on threads of others, and
//   maybe when the server is gone: then they find nothing. So `this` is safe in them.
// - Who asks is settled before any data is read. After a late verdict it is asked once more whether that user has
//   been signed out.
// - A read tells the database when its client has left (Presence), so that nobody scans for nobody. A write is not
//   given up: whether it was done must not depend on the client's patience.
#include "net/rest/handler.h"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>
#include <variant>

#include "db/base/give_back.h"
#include "db/model/hash.h"
#include "db/model/push_id.h"
#include "net/http/origin.h"
#include "net/http/pending_answers.h"
#include "net/http/presence.h"
#include "net/io/log.h"
#include "net/rest/body.h"
#include "net/rest/change_feed.h"
#include "net/rest/desk.h"
#include "net/rest/event_stream.h"
#include "net/rest/idempotency.h"
#include "net/rest/past.h"
#include "net/rest/reply.h"
#include "net/rest/request.h"
#include "net/rest/value_wait.h"

namespace hearth::net {

using rest::Endpoint;
using rest::Etag;
using rest::Method;

namespace {

using db::Error;
using db::ErrorCode;

// One request with all that its steps need: what was asked, by whom, in which namespace, and for writes the change.
struct Call : rest::DeskCall {
  rest::Change change;
  std::shared_ptr<db::Once> once{};            // null: it has no key
  std::shared_ptr<const void> is_under_way{};  // the key is; let go before the answer, so that a retry meets no 409
};

// A shallow read that wants the ETag of the whole value has to read the whole value; its keys are taken here.
db::Value shallow_of(const db::Value& value) {
  if (!value.is_object()) return value.without_priority();
  std::vector<std::pair<std::string, db::Value>> children;
  for (auto child = value.children(); !child.done(); child.next()) {
    children.emplace_back(child.key(), db::Value::boolean(true));
  }
  return db::Value::object(children);
}

// The lease counts a large value in memory. It is held by the source of the body, so it ends when the last piece has
// been made.
rest::JsonSource leased(rest::JsonSource source, db::Lease lease) {
  if (lease == nullptr) return source;
  return [source = std::move(source), lease = std::move(lease)](std::string& chunk, size_t bytes) {
    return source(chunk, bytes);
  };
}

void tell_read(const Call& call, db::Answer answer) {
  if (!answer.status.ok()) return rest::refuse(call, answer.status.error());
  const rest::RestRequest& request = call.request;
  const bool conditional = request.if_none_match.has_value();
  const Etag etag = request.wants_etag || conditional ? Etag::Told : Etag::Untold;
  const bool same = conditional && *request.if_none_match == answer.hash;
  // The ETag of a shallow read is the whole value's, so that was read.
  if (request.shallow) answer.value = shallow_of(answer.value);
  rest::respond_json(*call.exchange, request, same ? 304 : 200,
                     leased(rest::json_source(std::move(answer.value), request.style), std::move(answer.lease)), etag,
                     answer.hash);
}

void tell_written(Call& call, const db::Answer& answer) {
  const rest::RestRequest& request = call.request;
  rest::Change& change = call.change;
  constexpr db::JsonStyle kPlain = db::JsonStyle::Plain;
  if (!answer.status.ok()) {
    // What stands at a PATCH's path may be large, and is not what its condition was about.
    if (answer.status.error().code != ErrorCode::Stale || request.if_match_at)
      return rest::refuse(call, answer.status.error());
    // REST docs, "Conditional requests": 412 carries the current value and its ETag.
    return rest::respond_json(*call.exchange, request, 412, rest::json_source(answer.value, kPlain), Etag::Told,
                              answer.hash);
  }
  const auto repeat = answer.first_base != nullptr ? rest::Repeat::Yes : rest::Repeat::No;
  if (repeat == rest::Repeat::Yes && request.method == Method::Post) change.key = answer.first_base->last();
  rest::settle(change, request, answer);
  const Etag etag = request.wants_etag ? Etag::Told : Etag::Untold;
  rest::JsonSource body;
  if (request.endpoint == Endpoint::Upload) {
    body = rest::json_source(R"({"status":"ok"})");
  } else if (request.method == Method::Post) {
    body = rest::json_source(R"({"name":")" + change.key + R"("})");
  } else if (change.is_update) {
    body = rest::json_source(std::move(change.entries), kPlain);
  } else {
    body = rest::json_source(std::move(change.value), kPlain);
  }
  rest::respond_json(*call.exchange, request, 200, std::move(body), etag, change.hash, repeat);
}

}  // namespace

class RestHandler::Core {
 public:
  Core(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers, Options options)
      : verifier_(verifier),
        desk_(options.desk),
        with_{.guard = guard,
              .io = io,
              .workers = workers,
              .clock = options.clock != nullptr ? *options.clock : system_clock_,
              .waiting = waiting_,
              .keep_alive = options.keep_alive,
              .serialised = options.serialised} {}

  void handle(std::shared_ptr<http::Exchange> exchange);

 private:
  void authenticate(const std::shared_ptr<Call>& call);
  void on_verdict(const std::shared_ptr<Call>& call, db::Result<rules::Auth> auth);
  void dispatch(const std::shared_ptr<Call>& call);
  void tell_health(Call& call);
  void tell_info(Call& call);
  void serve(const std::shared_ptr<Call>& call);
  void hand_over(const std::shared_ptr<Call>& call);
  void work(const std::shared_ptr<Call>& call, std::function<void()> task);
  void read(const std::shared_ptr<Call>& call);
  void write(const std::shared_ptr<Call>& call);
  void write_body(const std::shared_ptr<Call>& call);
  void answer(size_t bytes, std::function<void()> task);

  const Verifier& verifier_;
  rest::Desk* const desk_;  // null: there is none
  const db::SystemClock system_clock_;
  db::PushIdGenerator push_ids_;
  rest::KeysUnderWay keys_;
  http::PendingAnswers waiting_;
  const rest::Surroundings with_;
};

void RestHandler::Core::handle(std::shared_ptr<http::Exchange> exchange) {
  auto parsed = rest::parse_request(exchange->request());
  if (const auto* refusal = std::get_if<rest::Refusal>(&parsed))
    return exchange->respond(rest::refusal_reply(*refusal));
  const auto call = std::make_shared<Call>();
  call->exchange = std::move(exchange);
  call->request = std::move(std::get<rest::RestRequest>(parsed));
  call->exchange->set_deed(rest::deed_of(call->request));
  if (call->request.endpoint == Endpoint::Preflight) {
    return call->exchange->respond(rest::preflight_reply(call->exchange->request().headers));
  }
  if (call->request.endpoint == Endpoint::Health) return tell_health(*call);
  authenticate(call);
}

// Settles who asks. When the key of a token has to be fetched, the request waits for it; in any case it goes on on the
// connection's home thread. `owner` is believed of this machine's own pages and of programs only (net/http/origin.h).
void RestHandler::Core::authenticate(const std::shared_ptr<Call>& call) {
  const auto& credential = call->request.credential;
  if (!credential) return on_verdict(call, rules::Auth());
  const http::Request& request = call->exchange->request();
  if (*credential == kOwner && with_.guard.dev()) {
    const http::Whence whence = http::whence_of(request);
    if (whence == http::Whence::OtherPage) return on_verdict(call, foreign_owner());
    if (whence == http::Whence::OtherHost) return on_verdict(call, owner_by_name());
  }
  const auto resolved = with_.guard.resolve(call->request.space);
  const std::string space = resolved.ok() ? resolved.value() : std::string();
  const Asker asker(request.peer, request.is_behind_stranger);
  if (auto verdict = verifier_.verify(*credential, space, asker)) return on_verdict(call, std::move(*verdict));
  verifier_.verify_late(*credential, space, asker,
                        waiting_.expect_a<db::Result<rules::Auth>>([this, call, space](db::Result<rules::Auth> auth) {
                          with_.io.post(
                              call->exchange->thread(), [this, call, space, auth = std::move(auth)]() mutable {
                                // The user may have been signed out while the verdict was on its way.
                                if (auth.ok()) {
                                  if (const auto still = verifier_.still_good(auth.value(), space); !still.ok())
                                    auth = still.error();
                                }
                                on_verdict(call, std::move(auth));
                              });
                        }));
}

void RestHandler::Core::on_verdict(const std::shared_ptr<Call>& call, db::Result<rules::Auth> auth) {
  if (auth.ok() && call->request.auth_variable) auth = act_as(std::move(auth).value(), *call->request.auth_variable);
  if (!auth.ok()) {
    http::log(http::LogLevel::Debug, "credential refused",
              {{"connection", call->exchange->request().connection},
               {"peer", call->exchange->request().peer},
               {"reason", auth.error().message}});
    if (verifier_.is_guessing(call->exchange->request().peer, auth.error())) {
      http::Response reply =
          rest::refusal_reply({.status = 429, .text = auth.error().message, .callback = call->request.callback});
      reply.headers.emplace_back("Retry-After", "60");
      return call->exchange->respond(std::move(reply));
    }
    return rest::refuse(*call, auth.error());
  }
  call->auth = std::move(auth).value();
  dispatch(call);
}

void RestHandler::Core::dispatch(const std::shared_ptr<Call>& call) {
  const Endpoint endpoint = call->request.endpoint;
  if (endpoint == Endpoint::Info) return tell_info(*call);
  if (rest::is_of_one_namespace(endpoint)) return serve(call);
  hand_over(call);
}

// What is for administrators. Without a desk there is nothing of the kind.
void RestHandler::Core::hand_over(const std::shared_ptr<Call>& call) {
  if (desk_ != nullptr && desk_->serves(call->request.endpoint)) return desk_->serve(with_, call);
  call->exchange->respond(
      rest::refusal_reply({.status = 404, .text = "Not found.", .callback = call->request.callback}));
}

void RestHandler::Core::tell_health(Call& call) {
  const db::Result<void> health = with_.guard.health();
  std::string text = R"({"status":)";
  db::append_json_string(health.ok() ? "ok" : "unavailable", text);
  text += R"(,"version":)";
  db::append_json_string(HEARTH_VERSION, text);
  text += R"(,"sync":)";
  db::append_json_string(with_.guard.sync_mode(), text);
  if (!health.ok()) {
    text += R"(,"reason":)";
    db::append_json_string(health.error().message, text);
  }
  text += '}';
  rest::respond_json(*call.exchange, call.request, health.ok() ? 200 : 503, rest::json_source(std::move(text)));
}

// Clients make these up for themselves (net/rest/http-api.md §12.5).
void RestHandler::Core::tell_info(Call& call) {
  const db::Value info =
      db::Value::object({{"connected", db::Value::boolean(true)}, {"serverTimeOffset", db::Value::integer(0)}});
  rest::respond_json(*call.exchange, call.request, 200,
                     rest::json_source(info.at(call.request.path), call.request.style));
}

// Everything that is about one namespace. Its name is resolved first: a name that cannot be one has words of the
// service.
void RestHandler::Core::serve(const std::shared_ptr<Call>& call) {
  auto space = with_.guard.resolve(call->request.space);
  if (!space.ok()) {
    const bool is_bad_name = space.error().code == ErrorCode::InvalidArgument && !call->request.space.empty();
    if (!is_bad_name) return rest::refuse(*call, space.error());
    rest::Refusal refusal{.status = 403, .text = "Invalid Firebase database name", .callback = call->request.callback};
    return call->exchange->respond(rest::refusal_reply(refusal));
  }
  call->space = std::move(space).value();
  if (call->request.endpoint == Endpoint::Changes) {
    return rest::ChangeFeed::start(with_, std::move(call->exchange), std::move(call->request), call->space,
                                   std::move(call->auth));
  }
  if (call->request.streams) {
    return rest::EventStream::start(with_, std::move(call->exchange), std::move(call->request), call->space,
                                    std::move(call->auth));
  }
  const bool is_of_data = call->request.endpoint == Endpoint::Data || call->request.endpoint == Endpoint::Upload;
  if (!is_of_data) return hand_over(call);
  if (call->request.method == Method::Get) return read(call);
  write(call);
}

// Runs `task` on a worker. When too much waits for workers, the request is refused with 503.
void RestHandler::Core::work(const std::shared_ptr<Call>& call, std::function<void()> task) {
  if (!with_.workers.try_run(std::move(task))) {
    call->is_under_way.reset();
    rest::refuse(*call, {ErrorCode::Unavailable, "The server is overloaded; try again soon."});
  }
}

// Runs `task` here, or on a worker when it has much to do. Answers of the guard come on threads of shards and
// readers, for which other requests wait.
void RestHandler::Core::answer(size_t bytes, std::function<void()> task) {
  if (bytes <= rest::kInlineBytesMax) return task();
  with_.workers.run(std::move(task));
}

void RestHandler::Core::read(const std::shared_ptr<Call>& call) {
  const rest::RestRequest& request = call->request;
  if (request.past_values > 0) {
    return rest::serve_history(with_, call->exchange, call->request, call->space, call->auth);
  }
  db::Read read;
  read.path = request.path;
  read.slot = request.slot;
  read.query = request.query;
  read.projection = request.projection;
  read.wants_hash = request.wants_etag || request.if_none_match;
  read.shallow = request.shallow && !read.wants_hash;
  read.timeout = request.timeout;
  read.is_here_if_short = true;
  read.at = request.at;
  read.reading = request.reading;
  // Turns of reads are shared out by client. All connections of one address are one client, however many they are.
  read.client = std::hash<std::string>()(call->exchange->request().peer);
  const auto tell = [this, call](db::Answer answer) {
    const size_t bytes = answer.value.byte_count();
    this->answer(bytes, [call, answer = std::move(answer)] { tell_read(*call, answer); });
  };
  if (request.wait && request.if_none_match) {
    return rest::ValueWait::start(with_, call->exchange, request, std::move(read), call->space, call->auth, tell);
  }
  const auto presence = std::make_shared<http::Presence>(std::chrono::steady_clock::now());
  call->exchange->set_on_leaving([presence](http::Leaving who) {
    if (who == http::Leaving::Client) presence->leave();
  });
  read.is_unwanted = [presence] { return presence->is_over(std::chrono::steady_clock::now()); };
  with_.guard.read(call->space, call->auth, std::move(read), waiting_.expect(tell));
}

void RestHandler::Core::write(const std::shared_ptr<Call>& call) {
  if (call->request.idempotency_key) {
    call->once = rest::once_of(call->request, call->exchange->request(), call->space, call->auth);
    call->is_under_way = keys_.take(call->once->key);
    if (call->is_under_way == nullptr) return call->exchange->respond(rest::under_way_reply());
  }
  if (call->exchange->request().body.size() <= rest::kInlineBytesMax) return write_body(call);
  work(call, [this, call] { write_body(call); });
}

// The body is moved out of the exchange and freed as soon as it is parsed: the request stays until it is answered.
void RestHandler::Core::write_body(const std::shared_ptr<Call>& call) {
  http::Request& from = call->exchange->request();
  if (call->once != nullptr) call->once->asked = rest::digest_of_asked(call->request, from.body);
  const std::string push_id = call->request.method == Method::Post ? push_ids_.next(with_.clock.now()) : "";
  auto change = rest::read_body(call->request, std::move(from.body), from.header("Content-Type").value_or(""), push_id);
  db::give_back(from.body);
  if (!change.ok()) {
    call->is_under_way.reset();
    return rest::refuse(*call, change.error());
  }
  call->change = std::move(change).value();
  call->change.write.once = call->once;
  size_t bytes = 0;
  for (const db::Overwrite& overwrite : call->change.write.overwrites) bytes += overwrite.value.byte_count();
  with_.guard.write(call->space, call->auth, call->change.write,
                    waiting_.expect([this, call, bytes](db::Answer answer) {
                      call->is_under_way.reset();
                      const size_t all = bytes + answer.value.byte_count();
                      this->answer(all, [call, answer = std::move(answer)] { tell_written(*call, answer); });
                    }));
}

RestHandler::RestHandler(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers)
    : RestHandler(guard, verifier, io, workers, Options()) {}
RestHandler::RestHandler(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers,
                         Options options)
    : core_(std::make_unique<Core>(guard, verifier, io, workers, options)) {}
RestHandler::~RestHandler() = default;

void RestHandler::handle(std::shared_ptr<http::Exchange> exchange) { core_->handle(std::move(exchange)); }

}  // namespace hearth::net
