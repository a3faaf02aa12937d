// What an operator should hear of at the moment it happens: to a log, not to clients. A value.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace hearth::db {

struct Notice {
  enum class Kind : uint8_t {
    StoreBroken,   // writes are refused until a restart; `what` says what failed
    DiskShort,     // the disk has less left than its reserve: what adds something is refused; `what` says how much
    DiskRoom,      // it has more again
    WritesHeldUp,  // by the store, whose flushes and compactions do not keep up; `what`: "slowed" or "stopped"
    WritesGoOn,    // after `time`
    IndexBegun,    // an index of `space` at the pattern `what`, by `by`, is being built
    IndexBuilt,    // after `time`
    ExpiredStays,  // a child of `space` that is older than its ttl can't be removed; `what`: where, and why
  };
  Kind kind = Kind::StoreBroken;
  std::string what{};
  std::string space{};
  std::string by{};
  std::optional<uint64_t> children{};  // IndexBuilt at a pattern without variables: how many it has
  std::chrono::milliseconds time{0};
};

// Any thread of the database, several at once; returns soon, and asks the database for nothing.
using OnNotice = std::function<void(const Notice&)>;

}  // namespace hearth::db
