// What a target of backups has: its file hearth-backup.json, which is written last. A dump that is not named there was
// never finished, and is not used.
//
//   {"format":1,"tip":NAME,"files":[{"name":…,"id":…,"base":…,"store":…,"made":ms,"baseMade":ms,"incremental":true,
//                                    "bytes":…,"sha256":…}, …],"trash":[NAME, …]}
//   tip: what the next incremental dump continues.  trash: files that are to go, or that a backup which was killed had begun
//
// Functions throw std::runtime_error. Thread: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/dump/chain.h"
#include "db/model/dump_request.h"
#include "tools/backup/target.h"

namespace hearth::tools {

inline constexpr std::string_view kIndexName = "hearth-backup.json";
inline constexpr uint64_t kIndexBytesMax = 64u << 20;
inline constexpr uint64_t kDumpHeadBytes = 64u << 10;     // of a dump: its first part mostly fits
inline constexpr uint64_t kDumpHeadBytesMax = 17u << 20;  // and always

struct BackupFile {
  std::string name;
  db::DumpInfo info{};  // without names and positions
  uint64_t bytes = 0;
  std::string sha256{};  // in hex
};

struct BackupIndex {
  std::vector<BackupFile> files;  // in the order in which they were made
  std::string tip{};
  std::vector<std::string> trash{};

  const BackupFile* find(std::string_view name) const;
  std::vector<db::ChainFile> chain_files() const;
  std::string to_json() const;
  static BackupIndex parse(std::string_view text, const std::string& where);
};

BackupIndex load_index(BackupTarget& target, const std::string& where);  // an empty one where there is none
void save_index(BackupTarget& target, const BackupIndex& index);

db::Result<db::DumpInfo> info_in(std::string_view head);  // of a dump's first bytes. Errors: of read_dump
// Of a file in the target, with names and positions.
db::DumpInfo read_info(BackupTarget& target, const std::string& name);

// What an incremental dump that continues the file is asked for with. `space`: of that namespace alone; "": all.
std::shared_ptr<const db::DumpBase> base_of(const db::DumpInfo& info, const std::string& space = "");
std::string base_json(const db::DumpBase& base);  // as the body of its request

}  // namespace hearth::tools
