// A disk that loses, at a power cut, what was not synced, and that can't be read when told so. Over the real one, or over
// the store's own file system: then logs keep their size, and zeros stand where something is lost. Thread: any.
#pragma once

#include <rocksdb/env.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace hearth::test {

class LossyEnv final : public rocksdb::EnvWrapper {
 public:
  explicit LossyEnv(rocksdb::Env* over = rocksdb::Env::Default())
      : rocksdb::EnvWrapper(over), keeps_sizes_(over != rocksdb::Env::Default()) {}
  const char* Name() const { return "LossyEnv"; }

  // From here on nothing reaches the disk for good.
  void cut_power() { cut_ = true; }
  // With the database closed: what was never synced is gone.
  void lose() {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, size] : synced_) {
      if (keeps_sizes_ && name.ends_with(".log")) {
        put_zeros(name, size);
        continue;
      }
      if (::truncate(name.c_str(), static_cast<off_t>(size)) != 0) continue;  // renamed or deleted since
    }
    synced_.clear();
    cut_ = false;
    syncs_fail_ = false;
  }
  void fail_syncs() { syncs_fail_ = true; }
  void fail_reads(bool fail) { reads_fail_ = fail; }  // of data that is not in memory
  uint64_t failed_reads() const { return failed_reads_; }
  uint64_t syncs() const { return syncs_; }

  rocksdb::Status NewWritableFile(const std::string& name, std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    std::unique_ptr<rocksdb::WritableFile> real;
    const rocksdb::Status status = target()->NewWritableFile(name, &real, options);
    if (!status.ok()) return status;
    {
      const std::lock_guard lock(mutex_);
      synced_[name] = 0;
    }
    *file = std::make_unique<File>(*this, name, std::move(real));
    return status;
  }

  rocksdb::Status NewRandomAccessFile(const std::string& name, std::unique_ptr<rocksdb::RandomAccessFile>* file,
                                      const rocksdb::EnvOptions& options) override {
    std::unique_ptr<rocksdb::RandomAccessFile> real;
    const rocksdb::Status status = target()->NewRandomAccessFile(name, &real, options);
    if (status.ok()) *file = std::make_unique<ReadFile>(*this, std::move(real));
    return status;
  }

  rocksdb::Status DeleteFile(const std::string& name) override {
    return cut_ ? rocksdb::Status::OK() : target()->DeleteFile(name);
  }

  rocksdb::Status RenameFile(const std::string& from, const std::string& to) override {
    const rocksdb::Status status = target()->RenameFile(from, to);
    const std::lock_guard lock(mutex_);
    if (const auto found = synced_.find(from); status.ok() && found != synced_.end()) {
      synced_[to] = found->second;
      synced_.erase(found);
    }
    return status;
  }

 private:
  class File final : public rocksdb::WritableFile {
   public:
    File(LossyEnv& env, std::string name, std::unique_ptr<rocksdb::WritableFile> real)
        : env_(env), name_(std::move(name)), real_(std::move(real)) {}
    rocksdb::Status Append(const rocksdb::Slice& data) override {
      size_ += data.size();
      return real_->Append(data);
    }
    rocksdb::Status Append(const rocksdb::Slice& data, const rocksdb::DataVerificationInfo&) override {
      return Append(data);
    }
    rocksdb::Status Truncate(uint64_t size) override { return real_->Truncate(size); }
    rocksdb::Status Close() override { return real_->Close(); }
    rocksdb::Status Flush() override { return real_->Flush(); }
    rocksdb::Status Sync() override {
      if (env_.syncs_fail_ && name_.ends_with(".log")) return rocksdb::Status::IOError("injected: fsync failed");
      ++env_.syncs_;
      const rocksdb::Status status = real_->Sync();
      if (status.ok() && !env_.cut_) {
        const std::lock_guard lock(env_.mutex_);
        env_.synced_[name_] = size_;
      }
      return status;
    }
    rocksdb::Status Fsync() override { return Sync(); }
    bool IsSyncThreadSafe() const override { return real_->IsSyncThreadSafe(); }
    uint64_t GetFileSize() override { return size_; }

   private:
    LossyEnv& env_;
    const std::string name_;
    const std::unique_ptr<rocksdb::WritableFile> real_;
    uint64_t size_ = 0;
  };

  class ReadFile final : public rocksdb::RandomAccessFile {
   public:
    ReadFile(LossyEnv& env, std::unique_ptr<rocksdb::RandomAccessFile> real) : env_(env), real_(std::move(real)) {}
    rocksdb::Status Read(uint64_t offset, size_t count, rocksdb::Slice* result, char* to) const override {
      if (env_.reads_fail_) {
        ++env_.failed_reads_;
        return rocksdb::Status::IOError("injected: read failed");
      }
      return real_->Read(offset, count, result, to);
    }

   private:
    LossyEnv& env_;
    const std::unique_ptr<rocksdb::RandomAccessFile> real_;
  };

  // As many as there were bytes, and as many again: of the zeros that stood ahead nobody here knows.
  static void put_zeros(const std::string& name, uint64_t from) {
    std::fstream file(name, std::ios::in | std::ios::out | std::ios::binary);
    if (!file) return;
    file.seekp(0, std::ios::end);
    const auto lost = static_cast<uint64_t>(file.tellp()) - from;
    file.seekp(static_cast<std::streamoff>(from));
    file << std::string(2 * lost, '\0');
  }

  const bool keeps_sizes_;
  std::mutex mutex_;                        // Guards synced_.
  std::map<std::string, uint64_t> synced_;  // bytes of each file that a power cut leaves
  std::atomic<bool> cut_{false};
  std::atomic<bool> syncs_fail_{false};
  std::atomic<bool> reads_fail_{false};
  std::atomic<uint64_t> failed_reads_{0};
  std::atomic<uint64_t> syncs_{0};
};

}  // namespace hearth::test
