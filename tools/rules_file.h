// Files that commands are given: rules, and JSON with comments. Errors are exceptions with one line for each mistake,
// "FILE:LINE:COLUMN: text", for main to print.
#pragma once

#include <memory>
#include <string>

#include "rules/ruleset.h"

namespace hearth::tools {

std::string read_file(const std::string& path);
std::shared_ptr<const rules::Ruleset> load_rules(const std::string& path);
std::string load_json(const std::string& path);  // comments and trailing commas taken out

}  // namespace hearth::tools
