// How much of what happened in a namespace is kept: the plan of its history.
//
//   plan     := "off" | age "," size [ ",versions" ]                  as `--history` and the derived setting say it
//   age      := integer "ms" | "s" | "m" | "h" | "d"
//   size     := integer "B" | "kB" | "MB" | "GB"                      of 1, 1,000, 1,000,000 and 1,000,000,000 bytes
//
//   24h,1GB             the log of commits: what is older than a day, or more than a gigabyte ago, goes
//   24h,1GB,versions    and beside it each value that a path had, for as long
//
// Values; pure. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/result.h"

namespace hearth::db {

// The plan of a namespace, derived from /.settings/history.json by who sets that (db/model/settings.h).
inline constexpr std::string_view kHistorySetting = "history_plan";

struct HistoryPlan {
  Timestamp age{};        // zero: no history is kept
  uint64_t bytes = 0;     // of the log
  bool versions = false;  // each value by its path, too
  bool is_on() const { return age.count() > 0; }
  bool operator==(const HistoryPlan&) const = default;
};

// Errors: InvalidArgument, with what is expected.
Result<HistoryPlan> parse_history(std::string_view text);
// Of a namespace: what its setting says, or else `usual`. Errors: as parse_history.
Result<HistoryPlan> plan_of(const std::optional<std::string>& setting, const HistoryPlan& usual);
Result<Timestamp> parse_age(std::string_view text);
Result<uint64_t> parse_history_size(std::string_view text);
std::string history_text(const HistoryPlan& plan);  // that parse_history reads

}  // namespace hearth::db
