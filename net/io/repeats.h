// Limits how often something is logged: once in an interval for each key, with the number of times that were left
// out. Thread: any.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace hearth::net::http {

inline constexpr size_t kRepeatKeysMax = 1'000;  // of one Repeats; what is past it shares the key ""

class Repeats {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit Repeats(std::chrono::milliseconds interval) : interval_(interval) {}

  // Returns how many of that key were left out since the last one that was told, or nothing when this one is to be
  // left out too.
  std::optional<uint64_t> tell(std::string key, Time now = std::chrono::steady_clock::now());
  void forget();  // as if nothing had come

 private:
  struct Told {
    Time at{};
    uint64_t untold = 0;
  };
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;  // Guards told_.
  std::map<std::string, Told> told_;
};

}  // namespace hearth::net::http
