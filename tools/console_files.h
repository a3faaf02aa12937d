// The console's files, which are in the program (tools/cmake/console.cmake makes the source that defines this). libhearth
// has none of them.
#pragma once

#include <vector>

#include "net/admin/console.h"

namespace hearth::tools {

const std::vector<net::admin::ConsoleFile>& console_files();

}  // namespace hearth::tools
