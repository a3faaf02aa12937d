// Upkeep of a data folder that nobody has open. fsck goes through it and says what in it cannot be: rows that mean
// nothing, values with children, names without a head, indexes that do not follow from the data, Yjs documents that no
// client could read or that stand where data are. In bounded memory, whatever its size.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "db/model/figures.h"

namespace hearth::db {

inline constexpr size_t kProblemsToldMax = 100;

struct FsckReport {
  uint64_t namespaces = 0;
  uint64_t rows = 0;  // of data
  uint64_t index_rows = 0;
  uint64_t expiry_rows = 0;  // since when children are
  uint64_t documents = 0;
  uint64_t updates = 0;  // of them
  uint64_t problems = 0;
  std::vector<std::string> told{};      // the first of them, a sentence each
  std::vector<std::string> repaired{};  // namespaces whose indexes and ages will be made anew
};

enum class Repair : uint8_t { No, Yes };  // Yes: what is derived is removed where it is wrong, to be made again

// `progress`: rows so far; now and then. Errors: NotFound: there is no store; as Database::open;
// Corruption where nothing can be read at all.
Result<FsckReport> fsck(const std::string& folder, Repair repair,
                        const std::function<void(uint64_t rows)>& progress = {}, void* environment = nullptr);

// Database::compact. Errors: NotFound: there is no store; as Database::open; Io.
Result<Compacted> compact_folder(const std::string& folder);

}  // namespace hearth::db
