// Words about bytes in memory that every folder of net uses. Values; thread: any.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace hearth::net::http {

// Bytes that are made once and sent to many.
using SharedBytes = std::shared_ptr<const std::string>;

// Free bytes behind every body and every message, so that simdjson can parse it in place (its SIMDJSON_PADDING).
inline constexpr size_t kBodyPaddingBytes = 64;

// What inflates asks it, before its buffer grows, whether so many bytes may be held.
using MayHold = std::function<bool(size_t bytes)>;

}  // namespace hearth::net::http
