// Measures a tree without reading all of it: small parts are read; for large ones the store says how many bytes of
// its files they take, and the rows read so far say how many leaves that is. Blocks on disk; thread: any.
#pragma once

#include <cstdint>
#include <string>

#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/stats.h"
#include "db/store/tree_store.h"

namespace hearth::db {

// Everything but what is known of sessions and listeners. Errors: Io, Corruption.
Result<Stats> measure(const Snapshot& snapshot, uint32_t number, const Path& path, uint64_t steps_max = kStatsStepsMax);
// Measures a namespace of a data folder that nobody has open. Errors: NotFound; those of open_frozen.
Result<Stats> measure_folder(const std::string& folder, const std::string& name, const Path& path);

}  // namespace hearth::db
