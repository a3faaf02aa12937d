// Dumps of a database that is open, as a test takes them: a piece after the other, or all in one text.
#pragma once

#include <catch2/catch.hpp>
#include <future>
#include <string>
#include <utility>

#include "db/host.h"

namespace hearth::test {

inline db::Result<db::DumpPieces> begin_dump(db::Host& database, const db::DumpRequest& request = {}) {
  std::promise<db::Result<db::DumpPieces>> begun;
  database.dump(request, [&](db::Result<db::DumpPieces> pieces) { begun.set_value(std::move(pieces)); });
  return begun.get_future().get();
}

inline std::string take_all(const db::DumpPieces& pieces) {
  std::string text;
  for (;;) {
    const auto more = pieces(text);
    REQUIRE(more.ok());
    if (!more.value()) return text;
  }
}

inline std::string dump(db::Host& database, const db::DumpRequest& request = {}) {
  const auto pieces = begin_dump(database, request);
  INFO((pieces.ok() ? "" : pieces.error().message));
  REQUIRE(pieces.ok());
  return take_all(pieces.value());
}

}  // namespace hearth::test
