// Addresses whose credentials are refused again and again: after so many none of theirs is looked at, until time has passed.
// An IPv6 address stands for its /64, which is what one customer has. Expired tokens and keys that can't be had do not count:
// they are nobody's guess. Thread: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "db/base/clock.h"

namespace hearth::net {

inline constexpr size_t kFailedLoginsPerMinute = 100;  // of one address, and at once; the default
inline constexpr size_t kFailedAddressesMax = 10'000;  // remembered; the ones that failed least are forgotten first

class LoginLimit {
 public:
  // 0: no limit. `clock`: for how long something was; outlives it.
  LoginLimit(size_t per_minute, const db::Clock& clock) : per_minute_(per_minute), clock_(clock) {}

  // `peer`: an address as text; "" is nobody's.
  bool is_blocked(std::string_view peer);
  void failed(std::string_view peer);

 private:
  // Failures that count now: each is forgotten as time passes.
  struct Failures {
    double count = 0;
    db::Timestamp at{};
  };
  double now_of(const Failures& failures) const;
  void forget_some();  // under mutex_

  const size_t per_minute_;
  const db::Clock& clock_;
  std::atomic<size_t> known_ = 0;  // failures_.size(): mostly none, and then nothing is locked
  std::mutex mutex_;               // Guards failures_.
  std::unordered_map<std::string, Failures> failures_;
};

}  // namespace hearth::net
