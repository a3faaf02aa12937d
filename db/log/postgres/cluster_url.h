// Where the cluster's engine is, as an operator gives it. A password in an argument stands in every process list, so a file
// or the environment may have it instead. Blocks on the disk.
#pragma once

#include <string>

#include "db/base/result.h"

namespace hearth::db {

inline constexpr const char* kClusterVariable = "HEARTH_CLUSTER";

struct ClusterUrl {
  std::string url;
  std::string warning{};  // a sentence for the operator, or ""
};

// `given`: "postgresql://…", or "file:PATH", whose first line has it; "": as the variable HEARTH_CLUSTER says, in either form.
// A file that others may read is warned of. Errors: InvalidArgument; never says what stands in it.
Result<ClusterUrl> read_cluster_url(const std::string& given);

}  // namespace hearth::db
