// RocksDB's LOG, written by us. RocksDB's own logger remembers a failed write, and Debian builds it with assertions:
// the second line after a full disk would end the process. Here a line that can't be written is dropped, and nothing
// else happens.
#include "db/store/store_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/env.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <string_view>

namespace hearth::db {
namespace {

constexpr size_t kLineBytesMax = 16u << 10;

class StoreLog final : public rocksdb::Logger {
 public:
  explicit StoreLog(const std::string& folder) : path_(folder + "/LOG") { begin(); }
  ~StoreLog() override {
    if (file_ >= 0) ::close(file_);
  }

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::string line = now();
    const size_t head = line.size();
    line.resize(head + kLineBytesMax);
    // One call for each line, into a buffer of fixed size: what is longer is cut.
    const int count = std::vsnprintf(line.data() + head, kLineBytesMax, format, arguments);
    if (count < 0) return;
    line.resize(head + std::min(static_cast<size_t>(count), kLineBytesMax - 1));
    if (line.back() != '\n') line += '\n';
    write(line);
  }
  size_t GetLogFileSize() const override {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  static std::string now() {
    timeval time{};
    ::gettimeofday(&time, nullptr);
    tm parts{};
    ::gmtime_r(&time.tv_sec, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z ", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time.tv_usec);
  }

  // Precondition: nobody else has mutex_.
  void begin() {
    if (file_ >= 0) ::close(file_);
    (void)::rename(path_.c_str(), (path_ + ".old").c_str());
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    bytes_ = 0;
  }

  void write(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (bytes_ + line.size() > kStoreLogBytesMax) begin();
    if (file_ < 0) return;
    const ssize_t count = ::write(file_, line.data(), line.size());
    if (count > 0) bytes_ += static_cast<size_t>(count);
  }

  const std::string path_;
  mutable std::mutex mutex_;  // Guards all below.
  int file_ = -1;
  size_t bytes_ = 0;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> open_store_log(const std::string& folder) {
  return std::make_shared<StoreLog>(folder);
}

}  // namespace hearth::db
