// Plain JSON of any size → rows of one tree, in key order: what `firebase database:get`, the console and the emulator
// export. The text is read once, as a stream, and its rows are sorted on disk (row_sorter.h); so it may have its keys
// in any order.
//
// Understood as by a PUT: `.value`, `.priority`, arrays, nulls and empty objects that are nothing, halves of
// surrogate pairs, a mark before it (BOM). Not taken, with a word why: a key that stands twice, server values
// (`.sv`), anything that no PUT could write. Thread: one.
#pragma once

#include <string>

#include "db/base/result.h"
#include "db/dump/dump_file.h"

namespace hearth::db {

// `folder`: for a temporary file. The visitor gets one namespace without a name. Errors: InvalidData (no JSON, saying
// at which byte; nothing that can be stored, saying at which path), Io, the visitor's.
Result<void> read_json(const ByteSource& source, const std::string& folder, DumpVisitor& visitor);

// A dump in either format, told apart by its first bytes. Errors: as above, and of read_dump; InvalidData when it is
// neither.
Result<void> read_any(const ByteSource& source, const std::string& folder, DumpVisitor& visitor);

}  // namespace hearth::db
