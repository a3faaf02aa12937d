// Figures of RocksDB. It calls back after each sync of a file and whenever it begins or ends to hold up writes;
// everything else is asked for when somebody wants to know, so that no write pays for it.
#include "db/store/store_watch.h"

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <chrono>
#include <mutex>
#include <vector>

namespace hearth::db {
namespace {

constexpr std::string_view kLogSuffix = ".log";  // of the write-ahead log's files

using Time = std::chrono::steady_clock::time_point;

bool is_log(std::string_view file) { return file.ends_with(kLogSuffix); }

}  // namespace

class StoreWatch::Listener final : public rocksdb::EventListener {
 public:
  // Costs two looks at the clock for each call of the file system.
  bool ShouldBeNotifiedOnFileIO() override { return true; }
  void OnFileSyncFinish(const rocksdb::FileOperationInfo& info) override {
    if (is_log(info.path)) syncs_.observe(info.duration);
  }
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    // Made under the lock and told outside of it: the callback is the app's.
    Notice notice;
    {
      const std::lock_guard lock(mutex_);
      const Time now = std::chrono::steady_clock::now();
      settle(now);
      const bool was_normal = condition_ == rocksdb::WriteStallCondition::kNormal;
      condition_ = info.condition.cur;
      since_ = now;
      if (was_normal) held_up_ = now;
      if (condition_ == rocksdb::WriteStallCondition::kNormal) {
        notice.kind = Notice::Kind::WritesGoOn;
        notice.time = std::chrono::duration_cast<std::chrono::milliseconds>(now - held_up_);
      } else {
        notice.kind = Notice::Kind::WritesHeldUp;
        notice.what = condition_ == rocksdb::WriteStallCondition::kStopped ? "stopped" : "slowed";
      }
    }
    if (on_notice) on_notice(notice);
  }

  // Behind a write that was accepted: the next one will be refused.
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    if (!on_notice || error->severity() < rocksdb::Status::Severity::kHardError) return;
    on_notice({.kind = Notice::Kind::StoreBroken,
               .what = "writes are refused until a restart, because the store could not go on: " + error->ToString()});
  }

  OnNotice on_notice;  // set before the first call

  void add_to(StoreFigures& to) {
    syncs_.add_to(to.log_sync_time);
    to.log_syncs = to.log_sync_time.count();
    const std::lock_guard lock(mutex_);
    const Time now = std::chrono::steady_clock::now();
    settle(now);
    since_ = now;
    to.is_slowed = condition_ == rocksdb::WriteStallCondition::kDelayed;
    to.is_stopped = condition_ == rocksdb::WriteStallCondition::kStopped;
    to.slowed_time = slowed_;
    to.stopped_time = stopped_;
  }

 private:
  // Adds the time since the last look to whichever state lasted until now. Called before the state changes, and
  // before it is read.
  void settle(Time now) {  // under mutex_
    if (condition_ == rocksdb::WriteStallCondition::kDelayed) slowed_ += now - since_;
    if (condition_ == rocksdb::WriteStallCondition::kStopped) stopped_ += now - since_;
  }

  alignas(kCacheLineBytes) TimeHistogram syncs_;
  std::mutex mutex_;  // Guards all below.
  rocksdb::WriteStallCondition condition_ = rocksdb::WriteStallCondition::kNormal;
  Time since_{};
  Time held_up_{};  // the last time that they were not before
  std::chrono::nanoseconds slowed_{0};
  std::chrono::nanoseconds stopped_{0};
};

void StoreWatch::tell(OnNotice on_notice) { listener_->on_notice = std::move(on_notice); }

StoreWatch::StoreWatch() : listener_(std::make_shared<Listener>()) {}

std::shared_ptr<rocksdb::EventListener> StoreWatch::listener() const { return listener_; }

StoreFigures StoreWatch::figures(rocksdb::DB& db, rocksdb::Env& environment, const std::string& folder) const {
  using Properties = rocksdb::DB::Properties;
  StoreFigures figures;
  listener_->add_to(figures);
  const auto property = [&db](const std::string& name) {
    uint64_t value = 0;
    return db.GetIntProperty(name, &value) ? value : 0;
  };
  figures.memtable_bytes = property(Properties::kSizeAllMemTables);
  figures.block_cache_bytes = property(Properties::kBlockCacheUsage);
  figures.block_cache_bytes_max = property(Properties::kBlockCacheCapacity);
  figures.sst_bytes = property(Properties::kTotalSstFilesSize);
  figures.is_flush_pending = property(Properties::kMemTableFlushPending) != 0;
  figures.is_compaction_pending = property(Properties::kCompactionPending) != 0;
  figures.flushes_running = property(Properties::kNumRunningFlushes);
  figures.compactions_running = property(Properties::kNumRunningCompactions);
  figures.compaction_bytes_pending = property(Properties::kEstimatePendingCompactionBytes);
  figures.rows = property(Properties::kEstimateNumKeys);
  figures.snapshots = property(Properties::kNumSnapshots);
  std::string files;
  if (db.GetProperty(Properties::kNumFilesAtLevelPrefix + "0", &files))
    figures.level_0_files = std::strtoull(files.c_str(), nullptr, 10);

  // Counted in the folder: GetSortedWalFiles would hold up the deleting of files and open each of them.
  std::vector<std::string> names;
  if (environment.GetChildren(folder, &names).ok()) {
    for (const std::string& name : names) {
      uint64_t bytes = 0;
      if (!is_log(name) || !environment.GetFileSize(folder + "/" + name, &bytes).ok()) continue;
      ++figures.log_files;
      figures.log_bytes += bytes;
    }
  }
  if (uint64_t bytes = 0; environment.GetFreeSpace(folder, &bytes).ok()) figures.disk_bytes_free = bytes;
  return figures;
}

}  // namespace hearth::db
