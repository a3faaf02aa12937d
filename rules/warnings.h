// Warnings: what a rules document says that is correct but probably not meant. They are told when it is uploaded or
// checked, and change nothing. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::rules {

// Each as "LINE:COLUMN: what", without a line's end. Nothing of a document that is wrong: that is said by
// Ruleset::compile.
std::vector<std::string> warnings_of(std::string_view document);

}  // namespace hearth::rules
