// The vectors that were computed with the published JavaScript SDK (tests/data/wire-test-vectors.json).
#pragma once

#include <fstream>
#include <sstream>

#include "db/model/json.h"

namespace hearth::test {

inline db::JsonDocument vectors() {
  std::ifstream file(HEARTH_SOURCE_DIR "/tests/data/wire-test-vectors.json");
  std::stringstream text;
  text << file.rdbuf();
  return db::JsonDocument::parse(text.str()).value();
}

}  // namespace hearth::test
