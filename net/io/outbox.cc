// What waits to be sent on one connection.
//
//   pieces_   [ - ][ - ][ shared: 1 MiB value ][ own: head chunk chunk event event ][ shared: … ]
//                       ▲ first_   ▲ offset_                                        ▲ the next small one begins a piece
//              sent            sent │ to be sent: bytes_
//
// An event goes to hundreds of listeners, so its bytes are made once and shared. A piece costs an iovec and 48 bytes
// or more of memory, so small bytes are copied into the piece at the end instead (kCopyBytesMax), unless they are shared
// and there is none yet. gather() hands up
// to 64 pieces to one sendmsg(); without TLS nothing is copied again. With TLS, front() joins small pieces so that
// they become one record.
//
// What holds:
// - The order of add() is the order of the bytes. A small piece joins only the last one, and only if that is not
//   shared.
// - largest_ is the size of the largest piece that still waits. The connection does not count it against a slow
//   reader, so it must never be too large, but may be found anew when that piece has left.
// - Sent pieces are given up at once, for they may be the last owner of a large value. The vector is shifted now and
//   then.
// - When all is sent, every piece is gone with its bytes: there are thousands of idle connections.
// - total_ is the sum over all connections of a thread, for Hub::is_crowded(). It is written by that thread alone.
#include "net/io/outbox.h"

#include <sys/uio.h>

#include <algorithm>
#include <utility>

#include "db/base/give_back.h"
#include "db/base/invariant.h"
#include "db/base/step.h"

namespace hearth::net::http {

void Outbox::add(std::string_view bytes) {
  if (bytes.empty()) return;
  // Small bytes join the last piece, so they overtake nothing. A small shared one becomes our own for that.
  if (first_ < pieces_.size() && pieces_.back().shared && pieces_.back().shared->size() <= kCopyBytesMax) {
    pieces_.back().own = *std::exchange(pieces_.back().shared, nullptr);
  }
  const bool joins = first_ < pieces_.size() && !pieces_.back().shared &&
                     pieces_.back().own.size() + bytes.size() <= kOwnPieceBytesMax;
  if (!joins) pieces_.emplace_back();
  pieces_.back().own.append(bytes);
  db::Step::here().count({0, bytes.size(), 0});
  grew(bytes.size());
}

void Outbox::add(SharedBytes bytes) {
  const bool is_alone = first_ == pieces_.size();  // mostly nothing joins it before it is sent
  if (bytes->size() <= kCopyBytesMax && !is_alone) return add(std::string_view(*bytes));
  if (bytes->empty()) return;
  const size_t size = bytes->size();
  pieces_.emplace_back();
  pieces_.back().shared = std::move(bytes);
  grew(size);
}

void Outbox::add(std::string&& bytes) {
  if (bytes.size() <= kCopyBytesMax) return add(std::string_view(bytes));
  const size_t size = bytes.size();
  pieces_.emplace_back();
  pieces_.back().own = std::move(bytes);
  grew(size);
}

void Outbox::change_total(size_t by) {
  if (total_ != nullptr) total_->store(total_->load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

void Outbox::grew(size_t by) {
  bytes_ += by;
  change_total(by);
  largest_ = std::max(largest_, pieces_.back().view().size());
}

size_t Outbox::gather(iovec* to, size_t count_max) const {
  size_t count = 0;
  for (size_t i = first_; i < pieces_.size() && count < count_max; ++i) {
    std::string_view bytes = pieces_[i].view();
    if (i == first_) bytes.remove_prefix(offset_);
    to[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
  }
  return count;
}

std::string_view Outbox::front(std::span<char> room) const {
  const size_t wanted = std::min(room.size(), bytes_);
  size_t count = 0;
  for (size_t i = first_; count < wanted; ++i) {
    std::string_view bytes = pieces_[i].view();
    if (i == first_) bytes.remove_prefix(offset_);
    bytes = bytes.substr(0, wanted - count);
    if (bytes.size() == wanted) return bytes;
    std::copy(bytes.begin(), bytes.end(), room.begin() + static_cast<ptrdiff_t>(count));
    count += bytes.size();
  }
  return {room.data(), count};
}

void Outbox::sent(size_t bytes) {
  db::invariant(bytes <= bytes_, "the kernel takes no more than it was given");
  bytes_ -= bytes;
  change_total(0 - bytes);
  if (bytes_ == 0) return clear();
  while (bytes >= pieces_[first_].view().size() - offset_) {
    bytes -= pieces_[first_].view().size() - offset_;
    // When the largest piece has left, the next largest is looked for: few pieces wait, or small ones that share a
    // piece.
    const bool was_largest = pieces_[first_].view().size() == largest_;
    db::give_back(pieces_[first_]);
    offset_ = 0;
    ++first_;
    if (was_largest) {
      largest_ = 0;
      for (size_t i = first_; i < pieces_.size(); ++i) largest_ = std::max(largest_, pieces_[i].view().size());
    }
  }
  offset_ += bytes;
  if (first_ > 64 && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
}

void Outbox::clear() {
  change_total(0 - bytes_);
  db::give_back(pieces_);
  first_ = 0;
  offset_ = 0;
  bytes_ = 0;
  largest_ = 0;
}

}  // namespace hearth::net::http
