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
  // Whether a token of the user that was issued then is revoked. A token of the very second in which the user was
  // signed out counts as older: its owner is asked for a newer one. When the sign-out lies ahead of `now` by more
  // than db::kClockStepBackMax, the clock was ahead at that time: from this call on it counts as done `now`, or the
  // user would stay out until that future moment.
  bool covers(std::string_view space, std::string_view uid, std::optional<std::chrono::seconds> issued,
              std::chrono::seconds now);

  // From here on covers() is true for tokens issued up to `now`. Returns the row to be written.
  std::string add(const std::string& space, const std::string& uid, std::chrono::seconds now);
  void forget(const std::string& space);  // it is gone
  // Takes in a row that add() returned before. Errors: Corruption.
  db::Result<void> load(const std::string& space, std::string_view row);

 private:
  using Users = std::map<std::string, std::chrono::seconds, std::less<>>;
  static std::string row_of(const Users& users);

  std::shared_mutex mutex_;  // Guards spaces_.
  std::map<std::string, Users, std::less<>> spaces_;
  std::atomic<bool> is_empty_ = true;
};

}  // namespace hearth::rules
