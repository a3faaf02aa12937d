// A text as a ByteSource that gives it in pieces.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "db/dump/block.h"

namespace hearth::test {

inline db::ByteSource source_of(std::string text, size_t piece = 4096) {
  const auto left = std::make_shared<std::pair<std::string, size_t>>(std::move(text), 0);
  return [left, piece](char* to, size_t bytes) -> db::Result<size_t> {
    const size_t count = std::min({bytes, piece, left->first.size() - left->second});
    std::memcpy(to, left->first.data() + left->second, count);
    left->second += count;
    return count;
  };
}

}  // namespace hearth::test
