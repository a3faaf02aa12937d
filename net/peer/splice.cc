// Who holds whom: each connection owns its end until on_gone(), the ends know each other weakly. The first that goes takes the
// other with it, once what waits there has left: a close frame of the owner's shall reach the client.
#include "net/peer/splice.h"

#include <utility>

#include "net/io/spread.h"

namespace hearth::net::peer {

void SpliceEnd::join(const std::shared_ptr<SpliceEnd>& one, const std::shared_ptr<SpliceEnd>& other) {
  one->other_ = other;
  other->other_ = one;
}

void SpliceEnd::on_bytes(std::string_view bytes) {
  const auto other = other_.lock();
  if (other == nullptr || other->connection_ == nullptr) return;
  passed_bytes_ += bytes.size();
  other->connection_->send(bytes);
  if (connection_ != nullptr && other->connection_->is_behind()) connection_->set_reading(false);
}

void SpliceEnd::on_drained() {
  if (const auto other = other_.lock(); other != nullptr && other->connection_ != nullptr) {
    other->connection_->set_reading(true);
  }
}

// No protocol that comes by here goes on in one direction alone.
void SpliceEnd::on_end() {
  if (connection_ != nullptr) connection_->close_after_sending();
  if (const auto other = other_.lock(); other != nullptr && other->connection_ != nullptr) {
    other->connection_->close_after_sending();
  }
}

void SpliceEnd::on_server_closing() {
  leaving_ = http::IoPool::schedule(http::some_of(http::kLeavingSpread), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->close();
  });
}

void SpliceEnd::close() {
  const auto self = shared_from_this();
  const auto other = other_.lock();
  if (connection_ != nullptr) connection_->close_after_sending();
  if (other != nullptr && other->connection_ != nullptr) other->connection_->close_after_sending();
}

void SpliceEnd::on_gone() {
  connection_ = nullptr;
  leaving_.cancel();
  const auto other = other_.lock();
  if (other != nullptr && other->connection_ != nullptr) other->connection_->close_after_sending();
  if (const auto over = std::exchange(on_over_, nullptr)) over();
}

}  // namespace hearth::net::peer
