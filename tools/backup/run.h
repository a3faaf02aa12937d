// One backup into a target: a full dump at first, and now and then; else what came since the last one. Then what no
// kept moment needs goes. run.cc has a drawing. Throws std::runtime_error. Thread: one at a time. Blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "tools/backup/index.h"
#include "tools/backup/target.h"

namespace hearth::tools {

// Makes a dump, native and of all namespaces, and gives it in pieces. `since`: null: a full one. Throws.
using TakeDump =
    std::function<void(const std::shared_ptr<const db::DumpBase>& since, const std::function<void(std::string_view)>&)>;

struct BackupPolicy {
  db::Timestamp keep{};                                   // moments that old can be restored; 0: all of them, for ever
  db::Timestamp full_every = std::chrono::hours(7 * 24);  // at the latest
  bool takes_over = false;  // a target that has backups of another store goes on with this one's, by a full dump
};

// Another full dump, when the incremental ones since the last have as many bytes as that, and at least these.
inline constexpr uint64_t kIncrementsBytesMin = 1u << 20;

struct BackupDone {
  std::vector<BackupFile> written;  // one, or a full dump and what closes the chain before it
  size_t removed = 0;               // files that no moment needs
  uint64_t byte_count() const {
    uint64_t bytes = 0;
    for (const BackupFile& file : written) bytes += file.bytes;
    return bytes;
  }
};

BackupDone run_backup(BackupTarget& target, const std::string& where, const TakeDump& take, const BackupPolicy& policy,
                      db::Timestamp now);

}  // namespace hearth::tools
