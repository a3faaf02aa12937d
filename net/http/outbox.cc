#include "net/http/outbox.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

namespace hearth::net::http {
namespace {
constexpr size_t kOwnBufferMax = 16 << 10;  // small pieces share buffers of about this size
constexpr size_t kPiecesPerSend = 64;
}  // namespace

void Outbox::add(SharedBytes bytes) {
  if (bytes->empty()) return;
  if (bytes->size() <= 256) return add(std::string_view(*bytes));  // cheaper copied than pointed at
  bytes_ += bytes->size();
  open_.reset();
  pieces_.push_back(std::move(bytes));
}

void Outbox::add(std::string_view bytes) {
  if (bytes.empty()) return;
  if (open_ == nullptr || open_->size() + bytes.size() > kOwnBufferMax) {
    open_ = std::make_shared<std::string>();
    pieces_.push_back(open_);
  }
  open_->append(bytes);
  bytes_ += bytes.size();
}

void Outbox::clear() {
  pieces_.clear();
  open_.reset();
  sent_of_first_ = 0;
  bytes_ = 0;
}

bool Outbox::send(int socket) {
  while (!pieces_.empty()) {
    iovec parts[kPiecesPerSend];
    size_t count = 0;
    for (const SharedBytes& piece : pieces_) {
      if (count == kPiecesPerSend) break;
      const size_t skip = count == 0 ? sent_of_first_ : 0;
      parts[count++] = {const_cast<char*>(piece->data()) + skip, piece->size() - skip};
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    size_t left = static_cast<size_t>(sent);
    bytes_ -= left;
    while (left > 0) {
      const size_t of_first = pieces_.front()->size() - sent_of_first_;
      if (left < of_first) {
        sent_of_first_ += left;
        break;
      }
      left -= of_first;
      sent_of_first_ = 0;
      if (pieces_.front() == open_) open_.reset();
      pieces_.pop_front();
    }
  }
  return true;
}

}  // namespace hearth::net::http
