// An answer without an end, as its user sees it: a weak hand on the session that sends it.
#include <utility>

#include "net/http/http_session.h"

namespace hearth::net::http {

HttpStream::HttpStream(IoLoop& loop, std::weak_ptr<HttpSession> session)
    : loop_(loop), session_(std::move(session)), is_closed_(session_.expired()) {}

void HttpStream::send(SharedBytes bytes) {
  if (const auto session = session_.lock()) session->send_piece(std::move(bytes));
}

void HttpStream::send(std::string_view bytes) {
  if (const auto session = session_.lock()) session->send_piece(bytes);
}

void HttpStream::close() {
  if (const auto session = session_.lock()) session->end_stream();
}

size_t HttpStream::backlog_bytes() const {
  const auto session = session_.lock();
  return session ? session->backlog_bytes() : 0;
}

void HttpStream::set_on_closed(std::function<void()> on_closed) {
  on_closed_ = std::move(on_closed);
  if (is_closed_ && on_closed_) loop_.later(std::exchange(on_closed_, nullptr));
}

void HttpStream::closed() {
  is_closed_ = true;
  session_.reset();
  if (on_closed_) loop_.later(std::exchange(on_closed_, nullptr));
}

}  // namespace hearth::net::http
