// Errors as values become what ends a command: one line, and exit code 1.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#include "db/base/result.h"

namespace hearth::tools {

// Throws std::runtime_error, "`doing`: what is wrong".
template <typename T>
T or_throw(db::Result<T> result, std::string_view doing) {
  if (!result.ok()) throw std::runtime_error(fmt::format("{}: {}", doing, result.error().message));
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

}  // namespace hearth::tools
