// Where backups are kept: a folder, or a bucket of an S3 store. A file is there as a whole, or not at all. Functions
// throw std::runtime_error with what is wrong. Thread: one. Blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::tools {

class BackupTarget {
 public:
  using Take = std::function<void(std::string_view bytes)>;
  // A file that is being written. One that goes without finish() leaves nothing that counts.
  class Writing {
   public:
    virtual ~Writing() = default;
    virtual void write(std::string_view bytes) = 0;
    virtual void finish() = 0;
  };

  virtual ~BackupTarget() = default;
  virtual void lock() {}  // for as long as this lives, against another backup into it, where the store can say so
  virtual std::unique_ptr<Writing> begin(const std::string& name) = 0;
  // Up to `bytes_max` bytes of its begin. Nothing: there is no such file.
  virtual std::optional<std::string> read(const std::string& name, uint64_t bytes_max) = 0;
  virtual void fetch(const std::string& name, const Take& take) = 0;
  virtual std::optional<std::string> path(const std::string&) const { return {}; }  // of the file on this machine
  virtual void remove(const std::string& name) = 0;  // and what was begun of it; it need not be there
};

// "s3://bucket/prefix", or a folder, which is made when it is missing. When `stop` becomes true, what is under way
// throws.
std::unique_ptr<BackupTarget> open_target(const std::string& where, const std::atomic<bool>& stop);

}  // namespace hearth::tools
