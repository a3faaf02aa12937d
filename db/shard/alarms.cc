// Alarms, in a set by time; the thread sleeps until the first.
#include "db/shard/alarms.h"

namespace hearth::db {
namespace {

constexpr std::chrono::milliseconds kLookAtMovedClock{5};
constexpr std::chrono::milliseconds kSleepMax = std::chrono::hours(1);

}  // namespace

void Alarms::set(const std::string& space, For what, std::chrono::milliseconds in) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  const Timestamp at = clock_.now() + in;
  const auto [found, is_new] = by_whose_.try_emplace({space, what}, at);
  if (!is_new) {
    if (found->second <= at) return;
    by_time_.erase({found->second, found->first});
    found->second = at;
  }
  const auto place = by_time_.emplace(at, found->first).first;
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  if (place == by_time_.begin()) more_.notify_one();
}

void Alarms::work() {
  std::unique_lock lock(mutex_);
  while (!is_closed_) {
    if (by_time_.empty()) {
      more_.wait(lock);
      continue;
    }
    const Timestamp left = by_time_.begin()->first - clock_.now();
    if (left.count() > 0) {
      more_.wait_for(lock, is_moved_by_hand_ ? kLookAtMovedClock : std::min(left, kSleepMax));
      continue;
    }
    const Whose whose = by_time_.begin()->second;
    by_time_.erase(by_time_.begin());
    by_whose_.erase(whose);
    lock.unlock();
    ring_(whose.first, whose.second);
    lock.lock();
  }
}

void Alarms::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  more_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace hearth::db
