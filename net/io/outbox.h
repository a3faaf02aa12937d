// What waits to be sent on a connection, in order: shared bytes by reference, small ones by copy, so that many small
// messages are one piece. All of it goes to the kernel with one gathering send per turn of the loop. Thread: the
// connection's home. Empty, it holds no memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/io/bytes.h"

struct iovec;

namespace hearth::net::http {

class Outbox {
 public:
  // `total`: the sum of what waits in all outboxes of a thread; null: nobody counts.
  explicit Outbox(std::atomic<uint64_t>* total = nullptr) : total_(total) {}

  static constexpr size_t kCopyBytesMax = 4096;  // up to this, copying is cheaper than a piece of its own
  static constexpr size_t kOwnPieceBytesMax = 64u << 10;

  void add(std::string_view bytes);
  void add(SharedBytes bytes);
  void add(std::string&& bytes);

  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

  // What waits, without the largest piece: one large first value does not make a slow reader.
  size_t bytes_but_largest() const { return bytes_ + offset_ - largest_; }

  // Writes the first pieces to `to`, at most `count_max`. Returns how many.
  size_t gather(iovec* to, size_t count_max) const;

  // The first bytes as one view: as many as `room` holds, or all that wait. Bytes of several pieces are joined in
  // `room`.
  std::string_view front(std::span<char> room) const;

  // The kernel took so much.
  void sent(size_t bytes);

  void clear();

 private:
  // Either owned or shared.
  struct Piece {
    std::string own{};
    SharedBytes shared{};
    std::string_view view() const { return shared ? std::string_view(*shared) : std::string_view(own); }
  };

  void grew(size_t by);
  void change_total(size_t by);  // modulo 2^64

  std::atomic<uint64_t>* const total_;  // written by one thread
  std::vector<Piece> pieces_;
  size_t first_ = 0;   // pieces before it are gone
  size_t offset_ = 0;  // of the first piece, sent
  size_t bytes_ = 0;
  size_t largest_ = 0;  // the size of the largest piece that waits
};

}  // namespace hearth::net::http
