// Moments as text. Three forms, tried in this order: a time (2026-11-30T16:00:00Z), milliseconds since 1970, and the id
// of a commit (LIFE:SEQUENCE). No text is two of them: a time has "-", milliseconds have digits alone, and an id has a
// ":" behind hexadecimal digits, where a time has its first ":" behind a "T" or a blank.
//
// A time has to name its offset. "16:00" without one would be the clock of whichever machine reads it.
#include "db/model/past.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <ctime>

namespace hearth::db {
namespace {

// Reads fixed fields from the front of a text.
struct Fields {
  std::string_view left;
  bool ok = true;

  int number(size_t digits) {
    int found = 0;
    const auto [end, failed] = std::from_chars(left.data(), left.data() + std::min(digits, left.size()), found);
    if (failed != std::errc() || end != left.data() + digits || left.front() == '-') return fail();
    left.remove_prefix(digits);
    return found;
  }
  bool take(char c) {
    if (left.empty() || left.front() != c) return false;
    left.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }
  int fail() {
    ok = false;
    left = {};
    return 0;
  }
};

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  Fields in{text};
  const int y = in.number(4);
  in.expect('-');
  const int m = in.number(2);
  in.expect('-');
  const int d = in.number(2);
  if (!in.take('T') && !in.take('t')) in.expect(' ');
  const int hour = in.number(2);
  in.expect(':');
  const int minute = in.number(2);
  in.expect(':');
  const int second = in.number(2);
  int milliseconds = 0;
  if (in.take('.')) {
    int scale = 100;
    size_t digits = 0;
    for (; !in.left.empty() && in.left.front() >= '0' && in.left.front() <= '9'; ++digits) {
      milliseconds += (in.left.front() - '0') * scale;
      scale /= 10;
      in.left.remove_prefix(1);
    }
    if (digits == 0) in.fail();
  }
  int offset = 0;  // minutes
  if (!in.take('Z') && !in.take('z')) {
    const bool is_behind = in.take('-');
    if (!is_behind) in.expect('+');
    const int hours = in.number(2);
    in.expect(':');
    const int minutes = in.number(2);
    if (hours > 23 || minutes > 59) return {};
    offset = (is_behind ? -1 : 1) * (hours * 60 + minutes);
  }
  const year_month_day date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
  // A leap second is the begin of the next one.
  if (!in.ok || !in.left.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60) return {};
  return duration_cast<Timestamp>(sys_days(date).time_since_epoch()) + hours(hour) + minutes(minute - offset) +
         seconds(second) + Timestamp(milliseconds);
}

}  // namespace

std::optional<EventId> parse_event_id(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return {};
  // Lives are hexadecimal, so that no time is taken for an id.
  if (text.substr(0, colon).find_first_not_of("0123456789abcdef") != std::string_view::npos) return {};
  EventId id{std::string(text.substr(0, colon)), 0};
  const auto parsed = std::from_chars(text.data() + colon + 1, text.data() + text.size(), id.sequence);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return {};
  return id;
}

std::string rfc3339(Timestamp time) {
  const std::time_t seconds = time.count() / 1'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time.count() % 1'000);
}

Result<PastMoment> parse_moment(std::string_view text) {
  PastMoment moment;
  if (const auto time = parse_rfc3339(text)) {
    moment.time = *time;
    return moment;
  }
  int64_t milliseconds = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && milliseconds >= 0) {
    moment.time = Timestamp(milliseconds);
    return moment;
  }
  moment.id = parse_event_id(text);
  if (moment.id) return moment;
  return Error{ErrorCode::InvalidArgument,
               "at is an id of a change, milliseconds since 1970, or a time as 2026-11-30T16:00:00Z."};
}

}  // namespace hearth::db
