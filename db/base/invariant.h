// What must hold unless we have a bug. Checked in release too: prints where and why, and aborts.
#pragma once

#include <source_location>

namespace hearth::db {

[[noreturn]] void invariant_failed(const char* why, const std::source_location& where);

inline void invariant(bool condition, const char* why_it_holds,
                      const std::source_location& where = std::source_location::current()) {
  if (!condition) [[unlikely]] invariant_failed(why_it_holds, where);
}

}  // namespace hearth::db
