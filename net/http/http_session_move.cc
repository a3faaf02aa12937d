// A request that takes its connection along to another io thread.
//
//   thread A                                        thread B
//   HttpSession, Busy ─ move_to()                                      the handler wants B
//        │ after_flush: what was answered before is with the kernel
//        ▼
//      move() ─ Connection::move_to() ── Moved ──▶ arrive(): Connection, HttpSession, Busy ─▶ the handler again
//        ╎ the session ends (on_gone)                                                          answers, or opens a WebSocket
//
// Connections, sessions and all that they carry have one home for life, and much of them holds on to its loop. So nothing
// of that moves: a socket is given to a new connection, while the old one is Busy and has nothing to say. What a session knows of
// the request in its hands goes along, and so do the bytes behind it; limits and counts of the client go on as they were.
#include <utility>

#include "net/http/http_session.h"

namespace hearth::net::http {

// What the session there goes on with.
struct HttpSession::Moved {
  Request request;
  Handler then;
  HalfReceived::Owner owner{};
  std::string held{};
  size_t request_bytes = 0;
  size_t method = 0;
  IoLoop::Time asked_at{};
  const char* place = "";
  bool keep_alive = true, is_head = false, is_http_1_0 = false, accepts_gzip = false;
};

// When what was answered before has been sent, and nothing of the connection is on the stack.
void HttpSession::move_to(size_t thread, Request&& request, Handler&& then) {
  if (connection_ == nullptr || phase_ != Phase::Busy) return;
  const auto moved = std::make_shared<Moved>(Moved{.request = std::move(request), .then = std::move(then)});
  IoPool::after_flush([self = shared_from_this(), thread, moved] { self->move(thread, moved); });
}

void HttpSession::move(size_t thread, const std::shared_ptr<Moved>& moved) {
  if (connection_ == nullptr || phase_ != Phase::Busy) return;
  Connection& connection = *connection_;
  if (is_closing_ || has_ended_ || !connection.can_move()) {
    return moved->then(
        std::make_shared<Exchange>(connection.hub().io, loop_.index(), weak_from_this(), std::move(moved->request)));
  }
  moved->owner = share_.owner();
  moved->held = std::exchange(held_, {});
  moved->request_bytes = request_bytes_;
  moved->method = method_;
  moved->asked_at = asked_at_;
  moved->place = place_;
  moved->keep_alive = keep_alive_;
  moved->is_head = is_head_;
  moved->is_http_1_0 = is_http_1_0_;
  moved->accepts_gzip = accepts_gzip_;
  connection.move_to(thread, [service = &service_, moved](Connection& there) { arrive(there, *service, moved); });
}

void HttpSession::arrive(Connection& connection, const HttpService& service, const std::shared_ptr<Moved>& moved) {
  const auto session = std::make_shared<HttpSession>(connection, service);
  session->deadline_.clear();
  session->phase_ = Phase::Busy;
  session->share_.give_to(moved->owner);
  session->held_ = std::move(moved->held);
  session->request_bytes_ = moved->request_bytes;
  session->method_ = moved->method;
  session->asked_at_ = moved->asked_at;
  session->place_ = moved->place;
  session->keep_alive_ = moved->keep_alive;
  session->is_head_ = moved->is_head;
  session->is_http_1_0_ = moved->is_http_1_0;
  session->accepts_gzip_ = moved->accepts_gzip;
  connection.start(session);
  session->set_in_flight(true);
  if (session->count_held()) return connection.close();
  moved->then(std::make_shared<Exchange>(connection.hub().io, connection.loop().index(), session->weak_from_this(),
                                         std::move(moved->request)));
}

}  // namespace hearth::net::http
