// A file system that waits for descriptors. A process that serves many sockets runs out of them now and then, for a
// moment; RocksDB takes a file that does not open for a failed write and stops for good. So opening is tried again
// here, below it: first with a spare descriptor, then every 10 ms until the patience of that kind of file is over.
//
//   open ─ ok ─▶ refill the spares, if they were used         others of the process compete for what is closed here:
//        └ EMFILE ─▶ close a spare, try again; none left: wait  a spare is a chance, and no promise
#include "db/store/patient_files.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "db/store/ready_log.h"

namespace hearth::db {
namespace {

constexpr std::chrono::milliseconds kPause{10};  // between two tries

// RocksDB keeps of errno its text alone.
// The texts are the system's (strerror), so they are compared with what it says in this very process.
bool is_short_of_descriptors(const rocksdb::IOStatus& status) {
  if (!status.IsIOError()) return false;
  const std::string text = status.ToString();
  return text.find(std::strerror(EMFILE)) != std::string::npos || text.find(std::strerror(ENFILE)) != std::string::npos;
}

// Descriptors of nothing, to be closed in favour of a file.
// Thread: any. `is_full_` may be read without the lock: a stale value costs a needless refill(), or one that comes a
// little later.
class Spares {
 public:
  Spares() { refill(); }

  bool give_one() {
    const std::lock_guard lock(mutex_);
    if (descriptors_.empty()) return false;
    ::close(descriptors_.back());
    descriptors_.pop_back();
    return true;
  }
  void refill() {
    const std::lock_guard lock(mutex_);
    rlimit limit{};
    const size_t all = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<size_t>(limit.rlim_cur) : 0;
    while (descriptors_.size() < std::min(kSpareDescriptors, all / kDescriptorsPerSpare)) {
      const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (descriptor < 0) return;
      descriptors_.push_back(descriptor);
    }
    is_full_ = true;
  }
  void refill_if_short() {
    if (!is_full_) refill();
  }
  void note_short() { is_full_ = false; }

 private:
  std::mutex mutex_;  // Guards descriptors_.
  std::vector<int> descriptors_;
  std::atomic<bool> is_full_ = false;
};

class PatientFiles final : public rocksdb::FileSystemWrapper {
 public:
  PatientFiles() : FileSystemWrapper(with_ready_logs(rocksdb::FileSystem::Default())) {}
  const char* Name() const override { return "PatientFiles"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    return open(kReaderPatience, [&] { return target()->NewSequentialFile(name, options, file, debug); });
  }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override {
    return open(kReaderPatience, [&] { return target()->NewRandomAccessFile(name, options, file, debug); });
  }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    return open(kWriterPatience, [&] { return target()->NewWritableFile(name, options, file, debug); });
  }
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override {
    return open(kWriterPatience, [&] { return target()->ReopenWritableFile(name, options, file, debug); });
  }
  rocksdb::IOStatus NewRandomRWFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    return open(kWriterPatience, [&] { return target()->NewRandomRWFile(name, options, file, debug); });
  }
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override {
    return open(kWriterPatience, [&] { return target()->NewDirectory(name, options, folder, debug); });
  }
  // RocksDB lists a folder to find what to delete, and to tell how large it is.
  rocksdb::IOStatus GetChildren(const std::string& folder, const rocksdb::IOOptions& options,
                                std::vector<std::string>* files, rocksdb::IODebugContext* debug) override {
    return open(kReaderPatience, [&] {
      files->clear();
      return target()->GetChildren(folder, options, files, debug);
    });
  }

 private:
  template <typename Try>
  rocksdb::IOStatus open(std::chrono::milliseconds patience, const Try& once) {
    rocksdb::IOStatus status = once();
    if (!is_short_of_descriptors(status)) {
      spares_.refill_if_short();
      return status;
    }
    spares_.note_short();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (is_short_of_descriptors(status)) {
      // A spare makes another try worth while at any time, even past the deadline.
      const bool has_spare = spares_.give_one();
      if (!has_spare && std::chrono::steady_clock::now() >= deadline) return status;
      if (!has_spare) std::this_thread::sleep_for(kPause);
      status = once();
    }
    return status;
  }

  Spares spares_;
};

}  // namespace

// Never destroyed: RocksDB's threads end after what has static storage.
rocksdb::Env* patient_environment() {
  static rocksdb::Env* const environment = rocksdb::NewCompositeEnv(std::make_shared<PatientFiles>()).release();
  return environment;
}

}  // namespace hearth::db
