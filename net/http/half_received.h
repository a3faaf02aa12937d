// Memory of what clients have sent and nothing has become of yet: bodies of requests until they are answered, WebSocket
// messages and messages of several frames until they are whole, segments of long polls, requests of SDKs until they are
// answered. One budget for all of them; each
// address has a share of it, so that nobody alone can use it up. It counts the bytes that have come and are kept, not those
// that were announced.
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

#include "net/http/ip_address.h"

namespace hearth::net::http {

// What a connection costs anyway: a Share that holds no more is not counted.
inline constexpr size_t kUncountedBytes = 4u << 10;

class HalfReceived {
  // Of one address. Its bytes are counted without the lock.
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

  // Whose bytes they are; nothing: a proxy's that speaks for nobody known, whose share is all.
  using Owner = std::optional<uint64_t>;
  static Owner owner_of(const IpAddress& address);
  static Owner owner_of(std::string_view address);  // as text; nothing when it is none

  HalfReceived(size_t bytes_max, size_t address_bytes_max)
      : bytes_max_(bytes_max), address_bytes_max_(address_bytes_max) {}

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  size_t accounts() const;  // addresses that a Share is there for
  // Whether so much, announced, could ever be held.
  bool could_hold(uint64_t bytes, Owner owner) const {
    return bytes <= bytes_max_ && (!owner || bytes <= address_bytes_max_);
  }

  // Something was given up for it.
  void count(Refusal refusal);
  uint64_t refused(Refusal refusal) const {
    return refused_[static_cast<size_t>(refusal)].load(std::memory_order_relaxed);
  }

  // What one body, message or the like holds. It is given back at the end.
  class Share {
   public:
    explicit Share(std::shared_ptr<HalfReceived> budget, Owner owner = std::nullopt)
        : budget_(std::move(budget)), owner_(owner) {}
    ~Share() { leave(); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // From here on it holds `bytes` in all. A refusal has been counted, and it holds what it held.
    std::optional<Refusal> hold(size_t bytes);
    void let_go() { (void)hold(0); }

    // What it holds is given back; from here on it is for another.
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
  mutable std::mutex mutex_;  // Guards accounts_: which there are, and who uses them.
  std::unordered_map<uint64_t, Account> accounts_;
};

// The least pace of something that has begun to come, on average: it has a time to live, at first and at most `grace`, that
// every byte adds to by what it may take. So silence of that length ends it, and so does less than the pace, however fast it
// was before. A value.
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
  Milliseconds left(Time now) const;                                  // at least 1 ms

 private:
  Milliseconds grace_;
  size_t bytes_per_second_;
  Time due_{};
  Time heard_{};
};

}  // namespace hearth::net::http
