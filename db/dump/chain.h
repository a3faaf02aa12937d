// Dumps that continue each other: which of them make a moment, and which are not needed any more.
//
//   F1 ◀─ i2 ◀─ i3 ◀─ i5        F full, i incremental; ◀─ is continued by; the numbers are times
//   F4 ◀─ i6                    moment 4.5: F4 i6.   moment 3.5: F1 i2 i3 i5.   From 4 on: F1, i2, i3 and i5 may go.
//
// A moment may be in a file or in the one behind it, for a commit gets its time a little before it is durable. So one
// more is taken than times alone ask for.
//
// Pure. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "db/dump/dump_file.h"
#include "db/model/past.h"

namespace hearth::db {

struct ChainFile {
  std::string name;  // for people
  DumpInfo info;     // `positions` may be left out where no moment is an id
};

// Which files are to be restored, in order: a full one, and those that continue it. Without a moment, up to the newest.
// `space`: whose commit an id names; "": that of the only namespace. Errors: InvalidArgument, naming files, with what
// is missing.
Result<std::vector<size_t>> chain_of(const std::vector<ChainFile>& files, const std::optional<PastMoment>& to,
                                     const std::string& space = "");

// Whether each continues the one before it, as it stands. Errors: InvalidArgument, naming the two.
Result<void> check_chain(const std::vector<ChainFile>& files);

// Which files no moment from `from` on needs. What is left is a full dump that is at least as old, newer ones, and all
// that continues them.
std::vector<size_t> unneeded(const std::vector<ChainFile>& files, Timestamp from);

}  // namespace hearth::db
