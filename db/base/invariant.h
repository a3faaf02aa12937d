// What must hold unless we have a bug. Checked in release too: prints where and why, and aborts.
#pragma once

namespace hearth::db {

[[noreturn]] void invariant_failed(const char* why, const char* file, int line, const char* function);

// By the compilers' builtins: Clang 14 cannot parse the std::source_location of GCC 12's library.
inline void invariant(bool condition, const char* why_it_holds, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE(), const char* function = __builtin_FUNCTION()) {
  if (!condition) [[unlikely]]
    invariant_failed(why_it_holds, file, line, function);
}

}  // namespace hearth::db
