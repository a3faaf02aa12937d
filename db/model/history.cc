// Plans of history as text.
#include "db/model/history.h"

#include <array>
#include <charconv>
#include <limits>

namespace hearth::db {
namespace {

struct Unit {
  std::string_view name;
  uint64_t size;
};
constexpr std::array<Unit, 5> kAges{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 4> kSizes{{{"B", 1}, {"kB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}}};
constexpr uint64_t kMost = uint64_t{1} << 53;  // of either: what JSON holds exactly

// An integer above zero and a unit behind it; 0: it is not that.
uint64_t measure(std::string_view text, const auto& units) {
  uint64_t count = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (failed != std::errc()) return 0;
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const Unit& one : units) {
    if (one.name == unit && count <= kMost / one.size) return count * one.size;
  }
  return 0;
}

// In the largest unit that holds it exactly.
std::string in_units(uint64_t amount, const auto& units) {
  const Unit* best = &units.front();
  for (const Unit& one : units) {
    if (amount % one.size == 0) best = &one;
  }
  return std::to_string(amount / best->size) + std::string(best->name);
}

}  // namespace

Result<Timestamp> parse_age(std::string_view text) {
  const uint64_t age = measure(text, kAges);
  if (age == 0) {
    return Error{ErrorCode::InvalidArgument,
                 "an age is a number of seconds, minutes, hours or days, as 90s, 30m, 24h or 7d"};
  }
  return Timestamp(static_cast<int64_t>(age));
}

Result<uint64_t> parse_history_size(std::string_view text) {
  const uint64_t size = measure(text, kSizes);
  if (size == 0) return Error{ErrorCode::InvalidArgument, "a size of history is as 500kB, 100MB or 2GB"};
  return size;
}

Result<HistoryPlan> parse_history(std::string_view text) {
  HistoryPlan plan;
  if (text == "off") return plan;
  const size_t comma = text.find(',');
  if (comma == std::string_view::npos) {
    return Error{ErrorCode::InvalidArgument, "history is kept for an age and up to a size, as 24h,1GB; or it is off"};
  }
  std::string_view size = text.substr(comma + 1);
  if (const size_t more = size.find(','); more != std::string_view::npos) {
    if (size.substr(more + 1) != "versions") {
      return Error{ErrorCode::InvalidArgument,
                   "behind the age and the size of history there may be the word versions, as 24h,1GB,versions"};
    }
    plan.versions = true;
    size = size.substr(0, more);
  }
  ASSIGN_OR_RETURN(plan.age, parse_age(text.substr(0, comma)));
  ASSIGN_OR_RETURN(plan.bytes, parse_history_size(size));
  return plan;
}

Result<HistoryPlan> plan_of(const std::optional<std::string>& setting, const HistoryPlan& usual) {
  if (!setting) return usual;
  return parse_history(*setting);
}

std::string history_text(const HistoryPlan& plan) {
  if (!plan.is_on()) return "off";
  return in_units(static_cast<uint64_t>(plan.age.count()), kAges) + "," + in_units(plan.bytes, kSizes) +
         (plan.versions ? ",versions" : "");
}

}  // namespace hearth::db
