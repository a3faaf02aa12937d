// The bytes that the real packages wrote, by name: tests/data/yjs-vectors.json.
#pragma once

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "db/documents/update.h"
#include "db/model/json.h"

namespace hearth::test {

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ' || c == '|') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return bytes;
}

inline const std::map<std::string, std::string>& yjs_vectors() {
  static const std::map<std::string, std::string> vectors = [] {
    std::ifstream file(HEARTH_SOURCE_DIR "/tests/data/yjs-vectors.json");
    const auto document = db::JsonDocument::parse(std::string{std::istreambuf_iterator<char>(file), {}});
    REQUIRE(document.ok());
    std::map<std::string, std::string> found;
    for (const auto& [name, node] : document.value().root().fields()) {
      if (node.field("hex")) found.emplace(name, from_hex(node.text("hex")));
    }
    REQUIRE(found.size() > 50);
    return found;
  }();
  return vectors;
}

inline const std::string& yjs_vector(const std::string& name) {
  INFO(name);
  REQUIRE(yjs_vectors().contains(name));
  return yjs_vectors().at(name);
}

// Precondition: `bytes` is an update, and outlives what is returned.
inline db::documents::Update update_of(const std::string& bytes) {
  const auto update = db::documents::Update::parse(bytes);
  if (!update.ok()) FAIL(update.error().message);
  return update.value();
}
db::documents::Update update_of(std::string&&) = delete;

inline std::string text_of_error(std::string_view bytes) {
  const auto update = db::documents::Update::parse(bytes);
  return update.ok() ? "" : update.error().message;
}

}  // namespace hearth::test
