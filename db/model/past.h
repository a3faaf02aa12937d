// Moments of a namespace's past as they are asked for, and what is told of them.
//
//   moment := "LIFE:SEQUENCE"                      an event id: after that commit
//           | milliseconds since 1970              as the server's time had it: after the last commit up to then
//           | RFC 3339: 2026-11-30T16:00:00Z, with fractions and an offset if need be
//
// Values; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/value.h"

namespace hearth::db {

// "life:sequence", which names a moment of a namespace (Host::life). Nothing: it is none.
struct EventId {
  std::string life;
  uint64_t sequence = 0;
};
std::optional<EventId> parse_event_id(std::string_view text);

struct PastMoment {
  std::optional<EventId> id;
  Timestamp time{};  // where there is no id
};
std::string rfc3339(Timestamp time);  // 2026-11-30T16:00:00.123Z
// Errors: InvalidArgument.
Result<PastMoment> parse_moment(std::string_view text);

inline constexpr size_t kPastValuesMax = 1'000;  // of one answer

// The history of a path, as it is asked for: the latest values.
struct HistoryRead {
  Path path;
  size_t values_max = 100;
  size_t bytes_max = size_t{64} << 20;  // of their rows
};
struct PastValue {
  std::string id;    // of the commit
  Timestamp time{};  // of the server
  std::string by;    // `auth.uid` of who wrote; empty: an administrator, the app itself, or not known
  Value value;       // that stood there after it
};
struct PathHistory {
  std::vector<PastValue> values;  // ascending; one where the value became another
  Value before;                   // what stood there before the first of them
  bool is_whole = false;          // there are no earlier ones that are known
};

}  // namespace hearth::db
