// One thread: wait, back up, note what came of it.
//
//   look at the target once: when was its newest dump made? ─▶ due = then + every
//     ├ not due ─▶ wait
//     ├ written ─▶ due = begin of this backup + every
//     └ failed  ─▶ wait `pause`, which doubles up to `every`; any success resets it
//
// When the next one is due follows from the target, and not from when this process began: a server that is started
// often still makes a backup each `every`, and one that was down for long makes one at once. A newest dump that lies in
// the future (the clock was set back) is due now.
//
// stop() ends a wait at once; a backup under way looks at is_stopping_ between two pieces, and ends there. take()
// blocks this thread until the dump has begun; pieces are then made as they are asked for, so a slow target slows the
// dump down, and memory holds one piece.
#include "tools/backup/schedule.h"

#include <algorithm>
#include <future>
#include <optional>
#include <stdexcept>

#include "db/base/clock.h"
#include "net/io/log.h"
#include "tools/backup/index.h"
#include "tools/backup/target.h"
#include "tools/or_throw.h"

namespace hearth::tools {
namespace {

using net::http::log;
using net::http::LogLevel;

int64_t since_1970() { return db::SystemClock().now().count(); }

}  // namespace

BackupSchedule::BackupSchedule(rules::Guard& guard, BackupFlags flags) : guard_(guard), flags_(std::move(flags)) {
  figures_.is_on = true;
  thread_ = std::thread([this] { run(); });
}

BackupSchedule::~BackupSchedule() { stop(); }

void BackupSchedule::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    stopping_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

db::BackupFigures BackupSchedule::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

bool BackupSchedule::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stopping_.wait_for(lock, time, [this] { return is_stopping_.load(); });
}

void BackupSchedule::take(const std::shared_ptr<const db::DumpBase>& since,
                          const std::function<void(std::string_view)>& piece) {
  db::DumpRequest request;
  request.since = since;
  std::promise<db::Result<db::DumpPieces>> begun;
  guard_.dump(rules::Auth::admin("backup"), std::move(request),
              [&](db::Result<db::DumpPieces> pieces) { begun.set_value(std::move(pieces)); });
  const db::DumpPieces pieces = or_throw(begun.get_future().get(), "cannot dump");
  std::string bytes;
  for (bool has_more = true; has_more;) {
    if (is_stopping_) throw std::runtime_error("stopped");
    has_more = or_throw(pieces(bytes), "cannot dump");
    piece(bytes);
    bytes.clear();
  }
}

void BackupSchedule::run() {
  const std::chrono::milliseconds pause_min = std::min<std::chrono::milliseconds>(kBackupRetryMin, flags_.every);
  std::chrono::milliseconds pause = pause_min;
  std::optional<int64_t> last;  // when the newest of the target was made; nothing: it was not looked at
  while (!is_stopping_) {
    const auto begun = std::chrono::steady_clock::now();
    try {
      const auto target = open_target(flags_.target, is_stopping_);
      if (!last) {
        const BackupIndex index = load_index(*target, flags_.target);
        const BackupFile* const tip = index.find(index.tip);
        last = tip == nullptr ? 0 : tip->info.made.count();
        const std::lock_guard lock(mutex_);
        figures_.last_ms = *last;
      }
      // A clock that was set back does not put it off for ever.
      const int64_t now = since_1970();
      const int64_t due = *last > now ? now : *last + flags_.every.count();
      if (due > now) {
        if (!wait(std::chrono::milliseconds(due - now))) return;
        continue;
      }
      const BackupDone done = run_backup(
          *target, flags_.target, [this](const auto& since, const auto& piece) { take(since, piece); }, flags_.policy,
          db::Timestamp(now));
      last = now;
      pause = pause_min;
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
      {
        const std::lock_guard lock(mutex_);
        ++figures_.done;
        figures_.bytes += done.byte_count();
        figures_.last_ms = done.written.front().info.made.count();
        figures_.is_failing = false;
      }
      log(LogLevel::Info, "backup written",
          {{"target", flags_.target},
           {"file", done.written.front().name},
           {"bytes", done.byte_count()},
           {"ms", took.count()},
           {"removed", done.removed}});
    } catch (const std::exception& error) {
      if (is_stopping_) return;
      {
        const std::lock_guard lock(mutex_);
        ++figures_.failed;
        figures_.is_failing = true;
      }
      log(LogLevel::Error, "backup failed; it is tried again",
          {{"target", flags_.target}, {"reason", error.what()}, {"again_ms", pause.count()}});
      if (!wait(pause)) return;
      pause = std::min(2 * pause, flags_.every);
    }
  }
}

}  // namespace hearth::tools
