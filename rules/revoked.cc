// Who was signed out, in memory for all namespaces and in one row of settings for each. It is asked for every token, so
// the usual answer, that nobody was ever signed out, costs one atomic look and no lock.
#include "rules/revoked.h"

#include <algorithm>
#include <mutex>

#include "db/base/clock.h"
#include "db/model/json.h"
#include "db/model/settings.h"

namespace hearth::rules {

std::string Revoked::row_of(const Users& users) {
  std::string row = "{";
  for (const auto& [name, since] : users) {
    if (row.size() > 1) row += ',';
    db::append_json_string(name, row);
    row += ':' + std::to_string(since.count());
  }
  row += '}';
  return row;
}

bool Revoked::covers(std::string_view space, std::string_view uid, std::optional<std::chrono::seconds> issued,
                     std::chrono::seconds now) {
  if (is_empty_.load(std::memory_order_acquire)) return false;
  {
    const std::shared_lock lock(mutex_);
    const auto users = spaces_.find(space);
    if (users == spaces_.end()) return false;
    const auto since = users->second.find(uid);
    if (since == users->second.end()) return false;
    // The usual case ends here, under the shared lock.
    if (since->second - now <= db::kClockStepBackMax) return !issued || *issued <= since->second;
  }
  const std::unique_lock lock(mutex_);
  const auto users = spaces_.find(space);
  if (users == spaces_.end()) return false;
  const auto since = users->second.find(uid);
  if (since == users->second.end()) return false;
  // Looked up again, for another thread may have changed it between the two locks.
  since->second = std::min(since->second, now);
  return !issued || *issued <= since->second;
}

std::string Revoked::add(const std::string& space, const std::string& uid, std::chrono::seconds now) {
  const std::unique_lock lock(mutex_);
  Users& users = spaces_[space];
  users[uid] = now;
  // Longer ago than any token should live.
  std::erase_if(users, [&](const auto& one) { return one.second < now - kRevokedKept; });
  is_empty_.store(false, std::memory_order_release);
  std::string row = row_of(users);
  // The row has to fit into one setting. Who was signed out first goes first: their old tokens are the likeliest to
  // have ended.
  while (users.size() > kRevokedMax || row.size() > db::kSettingBytesMax) {
    users.erase(
        std::min_element(users.begin(), users.end(), [](const auto& a, const auto& b) { return a.second < b.second; }));
    row = row_of(users);
  }
  return row;
}

void Revoked::forget(const std::string& space) {
  const std::unique_lock lock(mutex_);
  spaces_.erase(space);
}

db::Result<void> Revoked::load(const std::string& space, std::string_view row) {
  const auto document = db::JsonDocument::parse(row);
  const bool is_object = document.ok() && document.value().root().is_object();
  const std::unique_lock lock(mutex_);
  if (is_object) {
    Users& users = spaces_[space];
    bool is_whole = true;
    for (const auto& [name, since] : document.value().root().fields()) {
      if (since.integer()) {
        users[std::string(name)] = std::chrono::seconds(*since.integer());
      } else {
        is_whole = false;
      }
    }
    if (!users.empty()) is_empty_.store(false, std::memory_order_release);
    // What could be read is in force, also when another entry could not: the caller hears of the damage all the same.
    if (is_whole) return {};
  }
  return db::Error{db::ErrorCode::Corruption, "who was signed out of " + space + " can't be read"};
}

}  // namespace hearth::rules
