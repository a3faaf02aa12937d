// What the commands for dumps say of a namespace, in one line. Pure.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "db/base/text.h"
#include "db/dump/dump_file.h"

namespace hearth::tools {

inline std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

inline std::string line_of(const std::string& name, const db::Path& path, uint64_t leaves, uint64_t documents,
                           const std::string& digest) {
  std::string line = name + (path.is_root() ? "" : path.slashed()) + ": " + counted(leaves, "leaf", "leaves");
  if (documents > 0) line += ", " + counted(documents, "Yjs document", "Yjs documents");
  return digest.empty() ? line : line + ", sha256 " + digest;
}

inline std::string line_of(const std::string& name, const db::Path& path, const db::DumpedRows& rows) {
  return line_of(name, path, rows.leaves, rows.documents, db::to_hex(rows.digest));
}

// Of a namespace of which an incremental dump has what happened.
inline std::string entries_line(const std::string& name, uint64_t entries) {
  return name + ": " + (entries == 0 ? "as it was" : counted(entries, "commit", "commits"));
}

}  // namespace hearth::tools
