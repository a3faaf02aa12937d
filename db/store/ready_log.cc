#include "db/store/ready_log.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace hearth::db {
namespace {

constexpr std::string_view kEndOfLogs = ".log";

class ReadyLog;

// The logs that are open, by name. Thread: any.
struct OpenLogs {
  std::mutex mutex;  // Guards what follows. Before a log's own.
  std::map<std::string, ReadyLog*> logs;
};

class ReadyLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using Options = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;
  using Status = rocksdb::IOStatus;

  ReadyLog(std::unique_ptr<rocksdb::FSWritableFile> file, std::string name, std::shared_ptr<OpenLogs> open)
      : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), open_(std::move(open)) {
    const std::lock_guard lock(open_->mutex);
    open_->logs.insert_or_assign(name_, this);
  }
  ~ReadyLog() override {
    const std::lock_guard lock(open_->mutex);
    if (const auto found = open_->logs.find(name_); found != open_->logs.end() && found->second == this)
      open_->logs.erase(found);
  }

  Status Append(const rocksdb::Slice& bytes, const Options& options, Debug* debug) override {
    const std::lock_guard lock(mutex_);
    if (size_ > synced_ && ready_ > size_) {
      may_be_ready_ = false;
      const Status status = cut(options, debug);
      if (!status.ok()) return status;
    }
    // Counted before it is done: what failed may have written some of it.
    last_ = size_;
    size_ += bytes.size();
    return target()->Append(bytes, options, debug);
  }
  Status Append(const rocksdb::Slice& bytes, const Options& options, const rocksdb::DataVerificationInfo&,
                Debug* debug) override {
    return Append(bytes, options, debug);
  }
  Status Sync(const Options& options, Debug* debug) override {
    return sync([&] { return target()->Sync(options, debug); }, options, debug);
  }
  Status Fsync(const Options& options, Debug* debug) override {
    return sync([&] { return target()->Fsync(options, debug); }, options, debug);
  }
  Status Truncate(uint64_t size, const Options& options, Debug* debug) override {
    const std::lock_guard lock(mutex_);
    size_ = ready_ = size;
    synced_ = std::min(synced_, size);
    return target()->Truncate(size, options, debug);
  }
  Status Close(const Options& options, Debug* debug) override {
    const std::lock_guard lock(mutex_);
    // A file that could not be cut ends in zeros, which are read as its end.
    if (ready_ > size_) (void)cut(options, debug);
    return target()->Close(options, debug);
  }
  uint64_t GetFileSize(const Options&, Debug*) override {
    const std::lock_guard lock(mutex_);
    return size_;
  }

 private:
  template <typename How>
  Status sync(const How& how, const Options& options, Debug* debug) {
    uint64_t upto = 0;
    {
      const std::lock_guard lock(mutex_);
      upto = size_;
      const bool is_small = upto > synced_ && upto - synced_ <= kReadySyncBytesMax;
      const bool is_one = last_ == synced_;
      if (may_be_ready_ && is_small && is_one && size_ + kReadyLow > ready_) make_ready(options, debug);
    }
    const Status status = how();
    const std::lock_guard lock(mutex_);
    // What was appended meanwhile may be on disk or not.
    if (status.ok()) synced_ = std::max(synced_, upto);
    return status;
  }

  // Under mutex_. They go to disk with the sync that follows.
  void make_ready(const Options& options, Debug* debug) {
    static const std::array<char, kReadyBytes> zeros{};
    ready_ = size_ + zeros.size();
    if (target()->PositionedAppend({zeros.data(), zeros.size()}, size_, options, debug).ok()) return;
    // No room, or a file system without it. Some may be there.
    may_be_ready_ = false;
    (void)cut(options, debug);
  }

  // Under mutex_.
  Status cut(const Options& options, Debug* debug) {
    ready_ = size_;
    return target()->Truncate(size_, options, debug);
  }

  const std::string name_;
  const std::shared_ptr<OpenLogs> open_;
  std::mutex mutex_;    // Guards what follows, and writes of the file; not its syncs.
  uint64_t size_ = 0;   // of what was appended
  uint64_t ready_ = 0;  // up to here the file has been written; not more than size_: there are no zeros
  uint64_t synced_ = 0;
  uint64_t last_ = 0;  // where the last record begins
  bool may_be_ready_ = true;
};

class ReadyLogs final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "ReadyLogs"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = target()->NewWritableFile(name, options, file, debug);
    if (status.ok() && name.ends_with(kEndOfLogs)) *file = std::make_unique<ReadyLog>(std::move(*file), name, open_);
    return status;
  }

  // Of a log that is open, without its zeros.
  rocksdb::IOStatus GetFileSize(const std::string& name, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* debug) override {
    const std::lock_guard lock(open_->mutex);
    const auto log = open_->logs.find(name);
    if (log == open_->logs.end()) return target()->GetFileSize(name, options, size, debug);
    *size = log->second->GetFileSize(options, debug);
    return rocksdb::IOStatus::OK();
  }

 private:
  const std::shared_ptr<OpenLogs> open_ = std::make_shared<OpenLogs>();
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> with_ready_logs(std::shared_ptr<rocksdb::FileSystem> files) {
  return std::make_shared<ReadyLogs>(std::move(files));
}

}  // namespace hearth::db
