// One request and its one answer.
//
//   handler ─▶ Exchange ┄┄ weak ┄┄▶ HttpSession ◀══ Connection
//      │ any thread         post() to the home thread, and only there lock()
//
// Handlers keep an exchange as long as they like: for a commit, for a token's key, for 15 minutes of `wait`. The
// client may be gone by then. So the session is held weakly, and locked on its home thread only: if another thread
// held the last owner for an instant, the session would be destroyed there, beside a loop that runs.
//
// state_ makes "exactly once" a check: a second answer is our bug and aborts, none at all is answered 500 by the
// destructor. Who gives up answers first, and what the handler says then is dropped (give_up).
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
  if (state_.exchange(State::Answered) != State::Open) return;
  pool_.post(thread_, [session = std::move(session_)] {
    if (const auto here = session.lock()) here->answer(error_response(500, "The request was not answered."));
  });
}

bool Exchange::take_answer() {
  State state = State::Open;
  if (state_.compare_exchange_strong(state, State::Answered)) return true;
  db::invariant(state == State::GivenUp, "a request is answered once");
  return false;
}

bool Exchange::give_up(Response response) {
  State state = State::Open;
  if (!state_.compare_exchange_strong(state, State::GivenUp)) return false;
  if (const auto session = session_at_home()) session->answer(std::move(response));
  return true;
}

std::shared_ptr<HttpSession> Exchange::session_at_home() {
  db::invariant(pool_.is_home(thread_), "streams and WebSockets are opened on their home thread");
  return session_.lock();
}

void Exchange::respond(Response response) {
  if (response.status == kMisdirected && misdirected_ && state_ == State::Open) {
    return pool_.post(thread_,
                      [self = shared_from_this(), again = std::exchange(misdirected_, nullptr)] { again(self); });
  }
  if (!take_answer()) return;
  if (!fields_.empty()) response.headers.insert(response.headers.end(), fields_.begin(), fields_.end());
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
  if (!take_answer()) return;
  if (!fields_.empty()) head.headers.insert(head.headers.end(), fields_.begin(), fields_.end());
  pool_.post(thread_, [session = session_, head = std::move(head), source = std::move(source)]() mutable {
    if (const auto here = session.lock()) here->answer_long(std::move(head), std::move(source));
  });
}

void Exchange::move_to(size_t thread, Handler then) {
  if (!take_answer()) return;
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
  const auto session = take_answer() ? session_at_home() : nullptr;
  Headers all = headers;
  all.insert(all.end(), fields_.begin(), fields_.end());
  std::shared_ptr<HttpStream> stream = session ? session->answer_stream(status, all) : nullptr;
  if (!stream) stream = std::make_shared<HttpStream>(pool_.loop(thread_), std::weak_ptr<HttpSession>());
  return stream;
}

std::shared_ptr<PassedAnswer> Exchange::pass(int status, const Headers& headers, std::shared_ptr<AnswerSource> source) {
  const auto session = take_answer() ? session_at_home() : nullptr;
  return session ? session->answer_passed(status, headers, std::move(source)) : nullptr;
}

bool Exchange::hand_over(std::string head, const MakeProtocol& make) {
  const auto session = take_answer() ? session_at_home() : nullptr;
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
  if (!take_answer()) return nullptr;
  const auto socket = session ? session->answer_websocket(*key, std::move(handler), options) : nullptr;
  if (socket != nullptr && opened_) std::exchange(opened_, nullptr)(socket);
  return socket;
}

}  // namespace hearth::net::http
