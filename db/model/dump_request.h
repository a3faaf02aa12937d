// What is asked of dumps and restores, and what is said of them. Plain values; db/dump/README.md says what they mean.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"

namespace hearth::db {

enum class DumpFormat : uint8_t { Native, Json };

// The dump that an incremental one continues. A position is an event id, LIFE:SEQUENCE: that commit, and all before it, are
// in the dump. "": it is not known.
struct DumpBase {
  std::string id;                                // of its file; "": it is known by positions alone
  Timestamp made{};                              // 0: not known
  std::map<std::string, std::string> positions;  // of its namespaces
};

struct DumpRequest {
  std::optional<std::string> space;  // nothing: all
  Path path;                         // the tree there, alone; needs a namespace
  DumpFormat format = DumpFormat::Native;
  std::string name{};  // by which Host::dump_part says how far it is; "": nobody asks
  // Only what happened since that one: the log's entries, or the whole of a namespace whose log does not tell. Null: all.
  std::shared_ptr<const DumpBase> since{};
};

// Appends the next piece of a dump, about a megabyte. False when nothing was left. Thread: one at a time. Blocks on
// disk.
using DumpPieces = std::function<Result<bool>(std::string& to)>;

enum class Existing : uint8_t { Refuse, Replace };  // what to do with data that is there

struct RestoreRequest {
  // When the file holds one namespace (a JSON file always does, without a name): the name that it gets. When the file
  // holds several: the one to take. Nothing: all of them, under their own names.
  std::optional<std::string> space;
  std::optional<Path> into;  // where its tree goes; nothing: where it was taken from. Needs one namespace
  Existing existing = Existing::Refuse;
};

// A file that comes in pieces, until it is restored or given up.
struct UploadState {
  uint64_t bytes = 0;
  std::optional<double> part{};  // how much of it is restored, 0 to 1, about; nothing: that has not begun
};

struct RestoredTree {
  std::string space;
  Path path;
  uint64_t leaves = 0;
  std::string digest;  // in hex; "" of JSON
  uint64_t documents = 0;
};

}  // namespace hearth::db
