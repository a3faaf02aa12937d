// Since when children are: rows beside the tree, of the children of those paths that have a ttl (db/model/path_plan.h).
// From them the server knows what to remove next without looking for it, and which last write a child had after a restart.
//
//   row  := 'c' id:4 BE child → time:8 BE           of each child that is there: since when it is
//         | 'h' id:4 BE time:8 BE child → ""        the same in the order of time
//         | 'p' → plan
//   plan := version:1 = 1 next id:varint rule*
//   rule := id:varint pattern:bytes by:bytes ranges:varint ( from:bytes upto:bytes )*
//
// `child` is an encoded path, `time` in milliseconds since 1970, `ranges` those of children that may have no rows yet. An
// 'h' row that no 'c' row agrees with is a leftover, of a child that went together with many others: it is erased when its
// time comes. On disk. Never renumber. Values; pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/index.h"
#include "db/model/path_plan.h"

namespace hearth::db {

inline constexpr std::string_view kExpiryPlanRow = "p";

std::string since_row(uint32_t id, std::string_view encoded_child);
std::string due_row(uint32_t id, Timestamp since, std::string_view encoded_child);
std::string due_from(
    uint32_t id);  // where the rows of one id begin, of the second kind; they end where the next one's do
std::string encode_since(Timestamp since);
Result<Timestamp> decode_since(std::string_view bytes);  // Errors: Corruption

struct SinceRow {
  uint32_t id;
  std::string_view child;
};
struct DueRow {
  uint32_t id;
  Timestamp since;
  std::string_view child;
};
std::optional<SinceRow> read_since_row(std::string_view row);  // nothing: it is none
std::optional<DueRow> read_due_row(std::string_view row);

struct ExpiryRule {
  uint32_t id = 0;  // of its namespace, never used again
  IndexSpec spec;   // `at`; `child` is what says the age, the root: the last write
  using Range = std::pair<std::string, std::string>;
  std::vector<Range> untaken{};            // ranges of children, by encoded path, that may have no rows yet
  const PathSettings* settings = nullptr;  // in ExpiryPlan::paths
  bool is_by_write() const { return spec.child.is_root(); }
  void take_up_later(Range range);  // is untaken from here on
};

inline constexpr size_t kUntakenRangesMax = 16;  // of one rule; more are one

struct ExpiryPlan {
  std::shared_ptr<const PathPlan> paths{};
  std::vector<ExpiryRule> rules{};
  uint32_t next_id = 1;

  std::string encode() const;
  static Result<ExpiryPlan> decode(std::string_view bytes);  // without paths and settings. Errors: Corruption
  // From here on it is of these paths. False: it has other rules than they ask for, and for_paths() makes the right one.
  bool attach(std::shared_ptr<const PathPlan> to);
  // The plan for other paths: rules that are in both keep their ids, all have everything to take up.
  ExpiryPlan for_paths(std::shared_ptr<const PathPlan> other) const;
  bool has_untaken() const;
  const ExpiryRule* rule_of(const PathSettings* settings) const;  // null: there is none
  // The rule of a child, by its keys; null: it has no age.
  const ExpiryRule* rule_of_child(std::span<const std::string_view> keys) const;
};

}  // namespace hearth::db
