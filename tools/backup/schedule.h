// Backups of the database that this process serves, one after the other, on a thread of their own. What the target has
// says when the next one is due, so a restart changes nothing. Thread: the owner's, but figures(): any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "db/model/figures.h"
#include "rules/guard.h"
#include "tools/backup/run.h"

namespace hearth::tools {

// After a failure: this long, then twice as long each time, and at most as long as between two backups.
inline constexpr std::chrono::seconds kBackupRetryMin{15};

struct BackupFlags {
  std::string target;  // "": none are made
  std::chrono::milliseconds every = std::chrono::hours(1);
  BackupPolicy policy;
};

class BackupSchedule {
 public:
  BackupSchedule(rules::Guard& guard, BackupFlags flags);
  ~BackupSchedule();  // stop()s
  void stop();        // a backup that is under way is given up; what it had begun does not count
  db::BackupFigures figures() const;

 private:
  void run();
  void take(const std::shared_ptr<const db::DumpBase>& since, const std::function<void(std::string_view)>& piece);
  bool wait(std::chrono::milliseconds time);  // false: it is to stop

  rules::Guard& guard_;
  const BackupFlags flags_;
  std::atomic<bool> is_stopping_{false};
  mutable std::mutex mutex_;  // Guards figures_.
  std::condition_variable stopping_;
  db::BackupFigures figures_;
  std::thread thread_;
};

}  // namespace hearth::tools
