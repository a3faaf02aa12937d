// What the commands for data print: values and nothing else on standard output, remarks on standard error. Thread: one.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hearth::tools {

inline bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

// A remark, for people alone.
inline void note(const std::string& text) {
  if (is_terminal(STDERR_FILENO)) fmt::print(stderr, "{}\n", text);
}

// Throws when standard output is gone, as behind `| head`: the command then ends with an error and not in silence.
inline void print_bytes(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size())
    throw std::runtime_error("cannot write to standard output");
}

}  // namespace hearth::tools
