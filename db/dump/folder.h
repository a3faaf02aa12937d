// Dumps of a data folder that no server has open, and into one. Thread: one. Blocks on disk.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "db/dump/dumper.h"
#include "db/dump/restore.h"

namespace hearth::db {

// The folder is locked while the dumper lives, and nothing in it changes. Errors: of open_frozen and Dumper::make.
Result<std::unique_ptr<Dumper>> dump_folder(const std::string& folder, const DumpRequest& request, Timestamp now);

// Makes the folder when it is missing; after an error it is as it was. Errors: of TreeStore::open and Restore.
Result<std::vector<RestoredSpace>> restore_folder(const std::string& folder, const ByteSource& source,
                                                  const RestoreRequest& request, const TreeStore::Options& options,
                                                  Timestamp now);

}  // namespace hearth::db
