// What is kept of a write that had a key (db::Once), so that whoever comes again is told the same: not the answer as it was
// sent, but what the answer was made of beside the request, which comes again anyway.
//
//   rows   := 'a' arrival:8 BE → answer          in the order in which they came, numbers without gaps
//           | 'k' key          → arrival:8 BE    the same by key
//   answer := version:1 = 1 key:bytes asked:bytes wall:varint offset:varint sequence:varint time:varint base:bytes value
//   offset    bytes of the namespace's kept answers before this one, since ever
//   value     of what the write came to, where only the tree knew: of increments. Rows as in db/model/write.h
//
// A namespace's kept answers are a queue: the newest at the end, and from the front goes what is too old, or too much.
// On disk. Never renumber. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/value.h"

namespace hearth::db {

struct KeptAnswer {
  std::string key;  // Once's
  std::string asked;
  Timestamp wall{};  // when it was kept, by the clock
  uint64_t offset = 0;
  uint64_t sequence = 0;
  Timestamp time{};  // with which server values were resolved
  Path base{};
  Value value{};

  std::string encode() const;
  static Result<KeptAnswer> decode(std::string_view bytes);  // Errors: Corruption
};

// Keys below the table and the namespace's number.
std::string answer_row(uint64_t arrival);
std::string answer_key_row(std::string_view key);
inline constexpr std::string_view kAnswersFrom = "a", kAnswersUpto = "b";  // all rows of the first kind
uint64_t arrival_of(std::string_view answer_row);

}  // namespace hearth::db
