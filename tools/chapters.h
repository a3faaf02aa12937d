// The chapters of the manual, tools/manual/NAME.md, which the build puts into the program (cmake/chapters.cmake).
// Thread: any.
#pragma once

#include <string_view>
#include <vector>

namespace hearth::tools {

struct Chapter {
  std::string_view name;  // "serve"
  std::string_view text;  // Markdown: a title, then a paragraph that says what the chapter is for
};

const std::vector<Chapter>& chapters();  // by name

}  // namespace hearth::tools
