// One request and its one answer.
//
//   handler ─▶ Exchange ┄┄ weak ┄┄▶ HttpSession ◀══ Connection
//      │ any thread         post() to the home thread, and only there lock()
//
// Handlers keep an exchange as long as they like: for a commit, for a token's key, for 15 minutes of `wait`. The
// client may be gone by then. So the session is held weakly, and locked on its home thread only: if another thread
// held the last owner for an instant, the session would be destroyed there, beside a loop that runs.
//
// answered_ makes "exactly once" a check: a second answer is our bug and aborts, none at all is answered 500 by the
// destructor.
#include "net/http/exchange.h"

#include <algorithm>
#include <utility>

#include "db/base/invariant.h"
#include "net/http/http_session.h"
#include "net/websocket/deflate.h"

namespace hearth::net::http {

Exchange::Exchange(IoPool& pool, size_t thread, std::weak_ptr<HttpSession> session, Request&& request)
    : pool_(pool), thread_(thread), session_(std::move(session)), request_(std::move(request)) {}

Exchange::~Exchange() {
  if (answered_.exchange(true)) return;
  pool_.post(thread_, [session = std::move(session_)] {
    if (const auto here = session.lock()) here->answer(error_response(500, "The request was not answered."));
  });
}

void Exchange::take_answer() { db::invariant(!answered_.exchange(true), "a request is answered once"); }

std::shared_ptr<HttpSession> Exchange::session_at_home() {
  db::invariant(pool_.is_home(thread_), "streams and WebSockets are opened on their home thread");
  return session_.lock();
}

void Exchange::respond(Response response) {
  if (response.status == kMisdirected && misdirected_) {
    return pool_.post(thread_,
                      [self = shared_from_this(), again = std::exchange(misdirected_, nullptr)] { again(self); });
  }
  take_answer();
  if (pool_.is_home(thread_)) {
    if (const auto session = session_.lock()) session->answer(std::move(response));
    return;
  }
  pool_.post(thread_, [session = session_, response = std::move(response)]() mutable {
    if (const auto here = session.lock()) here->answer(std::move(response));
  });
}

void Exchange::set_deed(const char* deed) {
  if (const auto session = session_at_home()) session->set_deed(deed);
}

void Exchange::set_on_leaving(std::function<void(Leaving)> on_leaving) {
  if (const auto session = session_at_home()) return session->set_on_leaving(std::move(on_leaving));
  pool_.post(thread_, [on_leaving = std::move(on_leaving)] { on_leaving(Leaving::Client); });
}

// By post() on the home thread too, so that a long answer never begins within HttpSession::read().
void Exchange::respond_chunked(Response head, ChunkSource source) {
  take_answer();
  pool_.post(thread_, [session = session_, head = std::move(head), source = std::move(source)]() mutable {
    if (const auto here = session.lock()) here->answer_long(std::move(head), std::move(source));
  });
}

void Exchange::move_to(size_t thread, Handler then) {
  take_answer();
  const auto session = session_at_home();
  if (session == nullptr) return;
  if (misdirected_ || opened_) {  // what was set for this exchange holds for the next one
    then = [then = std::move(then), misdirected = std::move(misdirected_),
            opened = std::move(opened_)](std::shared_ptr<Exchange> there) {
      there->misdirected_ = misdirected;
      there->opened_ = opened;
      then(std::move(there));
    };
  }
  session->move_to(thread, std::move(request_), std::move(then));
}

std::shared_ptr<Stream> Exchange::open_stream(int status, const Headers& headers) {
  take_answer();
  const auto session = session_at_home();
  std::shared_ptr<HttpStream> stream = session ? session->answer_stream(status, headers) : nullptr;
  if (!stream) stream = std::make_shared<HttpStream>(pool_.loop(thread_), std::weak_ptr<HttpSession>());
  return stream;
}

std::shared_ptr<PassedAnswer> Exchange::pass(int status, const Headers& headers, std::shared_ptr<AnswerSource> source) {
  take_answer();
  const auto session = session_at_home();
  return session ? session->answer_passed(status, headers, std::move(source)) : nullptr;
}

bool Exchange::hand_over(std::string head, const MakeProtocol& make) {
  take_answer();
  const auto session = session_at_home();
  return session && session->hand_over(std::move(head), make);
}

bool Exchange::wants_websocket() const { return header_has_token(request_.headers, "Upgrade", "websocket"); }

std::shared_ptr<WebSocket> Exchange::accept_websocket(std::shared_ptr<WebSocketHandler> handler,
                                                      WebSocketOptions options) {
  const auto session = session_at_home();
  const auto refuse = [&](int status, std::string_view message) {
    Response response = error_response(status, message);
    if (status == 426) {
      response.headers.emplace_back("Upgrade", "websocket");
      response.headers.emplace_back("Sec-WebSocket-Version", "13");
    }
    respond(std::move(response));
  };
  if (!wants_websocket()) {
    refuse(426, "This address speaks WebSocket.");
    return nullptr;
  }
  const auto key = request_.header("Sec-WebSocket-Key");
  if (request_.method != "GET" || !key || key->size() != 24 ||
      !header_has_token(request_.headers, "Connection", "Upgrade")) {
    refuse(400, "This is no WebSocket handshake.");
    return nullptr;
  }
  if (request_.header("Sec-WebSocket-Version") != "13") {
    refuse(426, "Version 13 of the WebSocket protocol is spoken here.");
    return nullptr;
  }
  // From here on the options say what has been agreed on, not what the server would like.
  const auto offers = [](const auto& field) {
    return equals_ignoring_case(field.first, "Sec-WebSocket-Extensions") && offers_deflate(field.second);
  };
  options.may_deflate = options.may_deflate && std::any_of(request_.headers.begin(), request_.headers.end(), offers);
  take_answer();
  const auto socket = session ? session->answer_websocket(*key, std::move(handler), options) : nullptr;
  if (socket != nullptr && opened_) std::exchange(opened_, nullptr)(socket);
  return socket;
}

}  // namespace hearth::net::http
