// What each address has used up lately, and whether that is too much: guesses at secrets, or time that its tokens
// took. What was used is forgotten as time passes. An IPv6 address stands for its /64, which is what one customer
// has. Thread: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "db/base/clock.h"

namespace hearth::net {

inline constexpr size_t kLimitedAddressesMax = 10'000;  // remembered; the ones that used least are forgotten first

class AddressLimit {
 public:
  // An address may use `per_minute` in the long run, and `at_once` in a burst. `per_minute` 0: no limit. `clock`
  // outlives this.
  AddressLimit(double per_minute, double at_once, const db::Clock& clock)
      : per_minute_(per_minute), at_once_(at_once), clock_(clock) {}

  // Whether the address cannot use 1 more. `peer`: an address as text; "" is nobody's and never over.
  bool is_over(std::string_view peer) const;
  void add(std::string_view peer, double amount = 1);

 private:
  struct Used {
    double amount = 0;
    db::Timestamp at{};
  };
  double now_of(const Used& used) const;
  void forget_some();  // under mutex_

  const double per_minute_;
  const double at_once_;
  const db::Clock& clock_;
  std::atomic<size_t> known_ = 0;  // used_.size(): mostly none, and then nothing is locked
  mutable std::mutex mutex_;       // Guards used_.
  std::unordered_map<std::string, Used> used_;
};

}  // namespace hearth::net
