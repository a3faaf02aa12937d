// Who is in a document, and what each says of itself (a cursor, a name): updates of "awareness". Pure.
//
//   awareness := var_uint n, n × (var_uint client, var_uint clock, var_string json)        "null": the client is gone
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"

namespace hearth::db::documents {

struct AwarenessLimits {
  size_t entries_max = 1'000;
  size_t state_bytes_max = 4 << 10;  // of one client's JSON
};

struct AwarenessEntry {
  uint64_t client;
  uint64_t clock;
  std::string_view state;  // JSON text

  bool is_gone() const { return state == "null"; }
};

// The entries are views of `bytes`. Errors: InvalidData, also when a state is no JSON; TooLarge past a limit.
Result<std::vector<AwarenessEntry>> parse_awareness(std::string_view bytes, const AwarenessLimits& limits = {});

std::string encode_awareness(std::span<const AwarenessEntry> entries);

}  // namespace hearth::db::documents
