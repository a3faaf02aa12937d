// A folder: files are written as NAME.part, synced, and renamed (tools/dump_file.h).
#include "tools/backup/target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "tools/backup/s3.h"
#include "tools/dump_file.h"

namespace hearth::tools {
namespace {

constexpr size_t kCopyBytes = 1u << 20;

[[noreturn]] void fail_at(const std::string& path) {
  throw std::runtime_error(fmt::format("{}: {}", path, std::strerror(errno)));
}

class FolderTarget final : public BackupTarget {
 public:
  explicit FolderTarget(std::string folder, const std::atomic<bool>& stop) : folder_(std::move(folder)), stop_(stop) {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) throw std::runtime_error(fmt::format("{}: {}", folder_, error.message()));
  }
  ~FolderTarget() override {
    if (lock_ >= 0) close(lock_);
  }

  void lock() override {
    const std::string name = path_of("hearth-backup.lock");
    lock_ = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (lock_ < 0) fail_at(name);
    if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      throw std::runtime_error("another backup into " + folder_ + " is under way");
    }
  }

  std::unique_ptr<Writing> begin(const std::string& name) override {
    return std::make_unique<FileWriting>(path_of(name), stop_);
  }

  std::optional<std::string> read(const std::string& name, uint64_t bytes_max) override {
    const std::string from = path_of(name);
    if (access(from.c_str(), F_OK) != 0 && errno == ENOENT) return {};
    std::string all;
    copy(from, bytes_max, [&](std::string_view bytes) { all += bytes; });
    return all;
  }

  void fetch(const std::string& name, const Take& take) override { copy(path_of(name), UINT64_MAX, take); }

  std::optional<std::string> path(const std::string& name) const override { return path_of(name); }

  void remove(const std::string& name) override {
    for (const std::string& one : {path_of(name), path_of(name) + ".part"}) {
      if (unlink(one.c_str()) != 0 && errno != ENOENT) fail_at(one);
    }
  }

 private:
  class FileWriting final : public Writing {
   public:
    FileWriting(const std::string& path, const std::atomic<bool>& stop) : file_(path), stop_(stop) {}
    void write(std::string_view bytes) override {
      if (stop_) throw std::runtime_error("stopped");
      file_.write(bytes);
    }
    void finish() override { file_.finish(); }

   private:
    OutputFile file_;
    const std::atomic<bool>& stop_;
  };

  std::string path_of(const std::string& name) const { return folder_ + "/" + name; }

  void copy(const std::string& from, uint64_t bytes_max, const Take& take) const {
    const int file = open(from.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail_at(from);
    std::vector<char> buffer(kCopyBytes);
    while (bytes_max > 0) {
      const ssize_t count = ::read(file, buffer.data(), std::min<uint64_t>(buffer.size(), bytes_max));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        close(file);
        if (count < 0) fail_at(from);
        return;
      }
      bytes_max -= static_cast<uint64_t>(count);
      take({buffer.data(), static_cast<size_t>(count)});
    }
    close(file);
  }

  const std::string folder_;
  const std::atomic<bool>& stop_;
  int lock_ = -1;
};

}  // namespace

std::unique_ptr<BackupTarget> open_target(const std::string& where, const std::atomic<bool>& stop) {
  if (where.empty()) throw std::runtime_error("the target of a backup is a folder, or s3://bucket/prefix");
  if (where.starts_with("s3://")) return open_s3(where, stop);
  if (where.find("://") != std::string::npos) {
    throw std::runtime_error(where + ": backups go into a folder, or to s3://bucket/prefix");
  }
  return std::make_unique<FolderTarget>(where, stop);
}

}  // namespace hearth::tools
