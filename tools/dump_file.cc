// Files of dumps. Whoever finds a file under its name may rely on it: it is written as NAME.part, synced, renamed,
// and then the folder is synced, in this order. A file that is renamed before its sync could be empty after a crash.
// What was not finished is removed by the destructor, also when an exception passes.
#include "tools/dump_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace hearth::tools {
namespace {

[[noreturn]] void fail(const std::string& doing) {
  throw std::runtime_error(fmt::format("{}: {}", doing, std::strerror(errno)));
}

}  // namespace

OutputFile::OutputFile(const std::string& name)
    : name_(name), part_(name == "-" ? "" : name + ".part"), file_(STDOUT_FILENO) {
  if (part_.empty()) return;
  file_ = open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file_ < 0) fail("cannot write " + part_);
}

OutputFile::~OutputFile() {
  if (part_.empty() || file_ < 0) return;
  close(file_);
  unlink(part_.c_str());
}

void OutputFile::write(std::string_view bytes) {
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot write " + (part_.empty() ? "standard output" : part_));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

// From rename() on the file is there for others; only the last fsync() makes its name survive a crash.
void OutputFile::finish() {
  if (part_.empty()) return;
  if (fsync(file_) != 0) fail("cannot write " + part_);
  if (rename(part_.c_str(), name_.c_str()) != 0) fail("cannot name " + part_ + " " + name_);
  close(file_);
  file_ = -1;
  const std::string parent = std::filesystem::absolute(name_).parent_path();
  const int folder = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || fsync(folder) != 0) fail("cannot make sure that " + name_ + " is on disk");
  close(folder);
}

InputFile::InputFile(const std::string& name) : name_(name), file_(STDIN_FILENO) {
  if (name != "-") file_ = open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) fail("cannot read " + name);
  struct stat info {};
  if (fstat(file_, &info) != 0) fail("cannot read " + name);
  if (S_ISDIR(info.st_mode)) throw std::runtime_error(name + " is a folder; a dump is a file");
  if (S_ISREG(info.st_mode)) size_ = static_cast<uint64_t>(info.st_size);
}

InputFile::~InputFile() {
  if (file_ != STDIN_FILENO) close(file_);
}

// Shows progress as it is read; of a pipe nobody knows how much is still to come.
db::ByteSource InputFile::source(Progress& progress) {
  return [this, &progress](char* to, size_t bytes) -> db::Result<size_t> {
    for (;;) {
      const ssize_t count = read(file_, to, bytes);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return db::Error{db::ErrorCode::Io, "reading " + name_ + ": " + std::strerror(errno)};
      bytes_ += static_cast<uint64_t>(count);
      const double part = size_ == 0 ? 0 : std::min(1.0, static_cast<double>(bytes_) / static_cast<double>(size_));
      progress.show(bytes_, size_ == 0 ? std::nullopt : std::optional(part));
      return static_cast<size_t>(count);
    }
  };
}

}  // namespace hearth::tools
