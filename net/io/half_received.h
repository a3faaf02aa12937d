// A limit on the memory of what clients have sent and what has led to nothing yet: bodies of requests until they are
// answered, WebSocket messages and messages of several frames until they are whole, segments of long polls, requests
// of SDKs until they are answered. All of them share one budget. Each address may use a part of it, so that no client
// alone can use it up. The budget counts bytes that have come and are kept, not bytes that were announced. The head
// of half_received.cc tells why.
//
//   held := one Share's bytes  ─▶ its address' account ─▶ the whole
//
// Thread: any; a Share belongs to one thread at a time.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "net/io/ip_address.h"

namespace hearth::net::http {

// About what a connection costs anyway. A Share that holds no more counts as nothing.
inline constexpr size_t kUncountedBytes = 4u << 10;

class HalfReceived {
  // What one address holds. `bytes` changes without the lock, `users` under it.
  struct Account {
    std::atomic<size_t> bytes = 0;
    size_t users = 0;
  };

 public:
  // Why there is no room. TooSlow: see LeastPace.
  enum class Refusal : uint8_t { AllFull, AddressFull, TooSlow };
  static constexpr size_t kRefusals = 3;
  // For the client: what was full, or too slow.
  static const char* text_of(Refusal refusal);

  // The address that the bytes are charged to. Nothing: a trusted proxy that names no client; only the whole budget
  // limits it.
  using Owner = std::optional<uint64_t>;
  static Owner owner_of(const IpAddress& address);
  static Owner owner_of(std::string_view address);  // nothing when the text is no address

  HalfReceived(size_t bytes_max, size_t address_bytes_max)
      : bytes_max_(bytes_max), address_bytes_max_(address_bytes_max) {}

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  size_t accounts() const;  // addresses that have a Share now
  // Whether a body that announces so many bytes could fit into an empty budget. If not, it is refused before it comes.
  bool could_hold(uint64_t bytes, Owner owner) const {
    return bytes <= bytes_max_ && (!owner || bytes <= address_bytes_max_);
  }

  // Counts and logs one refusal.
  void count(Refusal refusal);
  uint64_t refused(Refusal refusal) const {
    return refused_[static_cast<size_t>(refusal)].load(std::memory_order_relaxed);
  }

  // What one body or message holds of the budget. Its destructor gives the bytes back.
  class Share {
   public:
    explicit Share(std::shared_ptr<HalfReceived> budget, Owner owner = std::nullopt)
        : budget_(std::move(budget)), owner_(owner) {}
    ~Share() { leave(); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Changes what the Share holds to `bytes` in all. When that is refused, the refusal has been counted and the
    // Share holds what it held before.
    std::optional<Refusal> hold(size_t bytes);
    void let_go() { (void)hold(0); }

    // Gives back what the Share holds. From here on its bytes are charged to `owner`.
    void give_to(Owner owner);
    Owner owner() const { return owner_; }

   private:
    friend class HalfReceived;
    void leave();

    const std::shared_ptr<HalfReceived> budget_;
    Account* account_ = nullptr;  // null until it is needed
    Owner owner_;
    size_t bytes_ = 0;
  };

 private:
  const size_t bytes_max_;
  const size_t address_bytes_max_;
  std::atomic<size_t> bytes_ = 0;
  std::array<std::atomic<uint64_t>, kRefusals> refused_{};
  mutable std::mutex mutex_;  // Guards accounts_ and their `users`.
  std::unordered_map<uint64_t, Account> accounts_;
};

// The least average pace of something that has begun to come. It has a time to live, which is `grace` at first and at
// most; every byte prolongs it by the time that a byte may take. So silence for `grace` ends it, and a pace below the
// least one ends it too, however fast it was before. A value.
class LeastPace {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Milliseconds = std::chrono::milliseconds;

  // `bytes_per_second` 0: any pace, as long as some come.
  LeastPace(Milliseconds grace, size_t bytes_per_second) : grace_(grace), bytes_per_second_(bytes_per_second) {}

  void begin(Time now) {
    due_ = now + grace_;
    heard_ = now;
  }
  void came(size_t bytes, Time now);

  bool is_over(Time now) const { return now >= due_; }
  bool is_silent(Time now) const { return now - heard_ >= grace_; }  // not a byte
  Milliseconds left(Time now) const;                                 // at least 1 ms

 private:
  Milliseconds grace_;
  size_t bytes_per_second_;
  Time due_{};
  Time heard_{};
};

}  // namespace hearth::net::http
