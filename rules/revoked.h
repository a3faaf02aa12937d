// Whose tokens are no longer good: of each user who was signed out by an administrator, since when. One row of settings
// for each namespace:
//
//   row := {uid: seconds since the epoch…}      JSON
//
// Thread: any.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::rules {

inline constexpr size_t kRevokedMax = 2'000;  // users of one namespace; the one signed out first is forgotten
inline constexpr size_t kRevokedUidBytesMax = 256;
inline constexpr std::chrono::hours kRevokedKept{24 * 30};  // longer than any token should live

class Revoked {
 public:
  // Tokens issued in that second count as issued before: whoever comes at once with a new one is asked for a newer one.
  // Who was signed out later than `now`, by more than db::kClockStepBackMax, was so by a clock that was ahead: from the first
  // question on it counts as done `now`, or they would stay out until that future moment.
  bool covers(std::string_view space, std::string_view uid, std::optional<std::chrono::seconds> issued,
              std::chrono::seconds now);

  // From here on it covers what was issued up to `now`. The row as it is then.
  std::string add(const std::string& space, const std::string& uid, std::chrono::seconds now);
  void forget(const std::string& space);  // it is gone
  // What add() returned once. Errors: Corruption.
  db::Result<void> load(const std::string& space, std::string_view row);

 private:
  using Users = std::map<std::string, std::chrono::seconds, std::less<>>;
  static std::string row_of(const Users& users);

  std::shared_mutex mutex_;  // Guards spaces_.
  std::map<std::string, Users, std::less<>> spaces_;
  std::atomic<bool> is_empty_ = true;
};

}  // namespace hearth::rules
