// The part of HttpSession that passes on what another server answers, and hands a connection over to another protocol.
#include "net/http/passed_answer.h"

#include <utility>

#include "db/base/invariant.h"
#include "net/http/http_session.h"

namespace hearth::net::http {

std::shared_ptr<PassedAnswer> HttpSession::answer_passed(int status, const Headers& headers,
                                                         std::shared_ptr<AnswerSource> source) {
  if (connection_ == nullptr || phase_ != Phase::Busy) return nullptr;
  // A body that ends with its connection takes ours with it.
  const bool has_body = !is_head_ && status != 204 && status != 304;
  const bool is_framed = find_header(headers, "Content-Length") || find_header(headers, "Transfer-Encoding");
  if (has_body && !is_framed) keep_alive_ = false;
  phase_ = Phase::Passing;
  on_leaving_.reset();
  source_ = std::move(source);
  count_answer(status);
  connection_->send(response_head(status, headers, {.framing = Framing::None, .keep_alive = keep_alive_}));
  auto passed = std::make_shared<PassedAnswer>(weak_from_this());
  if (is_closing_ || has_ended_) loop_.later([source = source_] { source->on_client_end(); });
  return passed;
}

void HttpSession::pass(std::string_view bytes) {
  if (phase_ == Phase::Passing) connection_->send(bytes);
}

void HttpSession::end_passing() {
  if (phase_ != Phase::Passing) return;
  const auto source = std::exchange(source_, nullptr);  // until this returns
  answered();
}

void HttpSession::cut_passing() {
  if (phase_ != Phase::Passing) return;
  const auto source = std::exchange(source_, nullptr);
  connection_->reset();
}

bool HttpSession::hand_over(std::string&& head, const MakeProtocol& make) {
  if (connection_ == nullptr || phase_ != Phase::Busy) return false;
  db::invariant(!is_reading_, "a connection is handed over by an event of its own");
  Counters::add(connection_->counters().websockets);
  count_answer(101);
  set_in_flight(false);
  connection_->send(std::move(head));
  share_.let_go();
  phase_ = Phase::Over;
  deadline_.clear();
  on_leaving_.reset();
  Connection& connection = *std::exchange(connection_, nullptr);
  const auto next = make(connection);
  connection.switch_to(next);
  connection.set_reading(true);
  // In this order, and later: who hands over hears nothing before this returns.
  loop_.later([self = shared_from_this(), next, was_closing = is_closing_, has_ended = has_ended_] {
    if (!self->held_.empty()) next->on_bytes(std::exchange(self->held_, {}));
    if (has_ended) next->on_end();
    if (was_closing) next->on_server_closing();
  });
  return true;
}

void PassedAnswer::send(std::string_view bytes) {
  if (const auto session = session_.lock()) session->pass(bytes);
}

bool PassedAnswer::is_behind() const {
  const auto session = session_.lock();
  return session != nullptr && session->is_behind();
}

void PassedAnswer::end() {
  if (const auto session = session_.lock()) session->end_passing();
}

void PassedAnswer::cut() {
  if (const auto session = session_.lock()) session->cut_passing();
}

}  // namespace hearth::net::http
