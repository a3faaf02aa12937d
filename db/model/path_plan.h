// What a namespace does with the paths of its tree beside keeping them: how long children stay, how often listeners hear.
//
//   plan    := line*
//   line    := pattern ( TAB name TAB number )* [ TAB "by" TAB path ] LF
//   pattern := "/" | ( "/" key )+              a key "$" matches any that no other line has there
//   name    := "ttl"                           milliseconds; children of the path that are older are removed
//            | "throttle"                      milliseconds; listeners at or below the path hear at most so often
//            | "ephemeral"                     1; what lies at the path and below is in memory alone: an ephemeral place
//   by      := the child of each child that has its age, a server timestamp; without it, the child's last write counts
//
//   /rooms/$/messages   ttl 86400000           /rooms/lobby is a line of its own without anything: so "$" is not for it
//   /rooms/lobby
//
// It is derived from /.settings/paths.json by who sets that. No ttl is below another one, no throttle below another one, and
// neither a ttl nor an ephemeral place is at or below an ephemeral place. The root is none.
//
// A value; immutable once made. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/tree_view.h"

namespace hearth::db {

inline constexpr std::string_view kPathPlanSetting = "path_plan";
inline constexpr size_t kPathPatternsMax = 500;
inline constexpr Timestamp kTtlMax = std::chrono::hours(24 * 365 * 100);
inline constexpr Timestamp kThrottleMax = std::chrono::seconds(10);
inline constexpr std::chrono::milliseconds kEphemeralTtlMin{100};  // of a write there that no session makes
inline constexpr std::chrono::milliseconds kEphemeralTtlMax = std::chrono::seconds(60);

// Of the paths that one pattern matches.
struct PathSettings {
  std::optional<Timestamp> ttl{};
  Path ttl_by{};  // relative to a child; the root: its last write
  std::optional<Timestamp> throttle{};
  bool is_ephemeral = false;
};

class PathPlan {
 public:
  using Pattern = std::vector<std::string>;  // keys; "$": any
  PathPlan();
  PathPlan(PathPlan&&) noexcept;
  PathPlan& operator=(PathPlan&&) noexcept;
  ~PathPlan();

  static Result<PathPlan> parse(std::string_view text);  // Errors: InvalidArgument
  std::string text() const;

  PathSettings& add(std::span<const std::string> pattern);  // it is there from here on

  // The first, from the root down, of the paths above these keys (the path of all of them is not one) whose children have
  // an age; nothing: none has.
  struct Found {
    const PathSettings* settings;
    size_t depth;  // of its path
  };
  std::optional<Found> aged_above(std::span<const std::string_view> keys) const;
  // What holds at exactly this path; null: nothing.
  const PathSettings* find(std::span<const std::string_view> keys) const;
  // How often somebody hears who listens there; nothing: of each change.
  std::optional<Timestamp> throttle_of(std::span<const std::string_view> keys) const;
  bool has_throttle() const { return has_throttle_; }

  bool has_ephemeral() const { return has_ephemeral_; }
  // The encoded path of the ephemeral place at which the row lies, or below which; nothing: it is on disk. `key`: as in
  // Table::Data, or an encoded path.
  std::optional<std::string_view> ephemeral_place(std::string_view key) const;
  bool is_ephemeral(std::string_view key) const { return has_ephemeral_ && ephemeral_place(key).has_value(); }
  // Whether an ephemeral place is or could be at, above or below the path.
  bool touches_ephemeral(const Path& path) const;
  // The first ephemeral place at which the tree has something, encoded. Looks at each child of what a "$" stands for.
  Result<std::optional<std::string>> first_ephemeral(const TreeView& tree) const;

  struct Entry {
    Pattern at;
    const PathSettings* settings;
  };
  std::vector<Entry> all() const;  // in no order that means anything

 private:
  struct Node;
  static void collect(const Node& node, Pattern& at, std::vector<Entry>& to);
  static bool has_ephemeral_below(const Node& node);
  static Result<std::optional<std::string>> first_ephemeral(const Node& node, const std::string& at,
                                                            const TreeView& tree);
  std::unique_ptr<Node> root_;
  bool has_throttle_ = false;
  bool has_ephemeral_ = false;
};

// "/rooms/$/messages".
std::string pattern_text(std::span<const std::string> pattern);

}  // namespace hearth::db
