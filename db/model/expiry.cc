// Rows of ages, and the plan that says of which paths there are such rows.
//
//   /.settings/paths.json ─▶ PathPlan ─▶ for_paths() ─▶ ExpiryPlan: a rule, with an id, for each path that has a ttl
//                                                         │ kept as the row 'p'
//   a restart: the row 'p' ─▶ decode() ─▶ attach(PathPlan of the settings) ─▶ the same rules, or: make another plan
//
// A rule's rows begin with its id and not with its pattern, so a pattern that goes and comes back finds no rows of before.
// Ids are never used twice. A rule that is new, or that is in both plans when the settings change, has everything untaken:
// the shard goes through its children, a slice at a time, and gives rows to those that have none (db/shard/shard_expiry.cc).
//
// `untaken` only ever grows by what a write could not count one by one, as a large subtree that was put at once. More than
// kUntakenRangesMax ranges become the one that covers them: to look at a child again costs time and changes nothing.
#include "db/model/expiry.h"

#include <algorithm>

#include "db/base/bytes.h"

namespace hearth::db {
namespace {

constexpr char kSince = 'c';
constexpr char kDue = 'h';
constexpr char kExpiryPlanVersion = 1;
constexpr size_t kIdBytes = 4;
constexpr size_t kTimeBytes = 8;

void append_big_endian(uint64_t number, size_t bytes, std::string& to) {
  for (size_t byte = bytes; byte-- > 0;) to += static_cast<char>(number >> (8 * byte));
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

Error damaged(const std::string& what) { return {ErrorCode::Corruption, "the plan of expiry: " + what}; }

}  // namespace

std::string since_row(uint32_t id, std::string_view encoded_child) {
  std::string row(1, kSince);
  append_big_endian(id, kIdBytes, row);
  row += encoded_child;
  return row;
}

std::string due_from(uint32_t id) {
  std::string row(1, kDue);
  append_big_endian(id, kIdBytes, row);
  return row;
}

std::string due_row(uint32_t id, Timestamp since, std::string_view encoded_child) {
  std::string row = due_from(id);
  append_big_endian(static_cast<uint64_t>(since.count()), kTimeBytes, row);
  row += encoded_child;
  return row;
}

std::string encode_since(Timestamp since) {
  std::string bytes;
  append_big_endian(static_cast<uint64_t>(since.count()), kTimeBytes, bytes);
  return bytes;
}

Result<Timestamp> decode_since(std::string_view bytes) {
  if (bytes.size() != kTimeBytes) return Error{ErrorCode::Corruption, "a row that should say since when a child is"};
  return Timestamp(static_cast<int64_t>(big_endian(bytes)));
}

std::optional<SinceRow> read_since_row(std::string_view row) {
  if (row.size() <= 1 + kIdBytes || row.front() != kSince) return {};
  return SinceRow{static_cast<uint32_t>(big_endian(row.substr(1, kIdBytes))), row.substr(1 + kIdBytes)};
}

std::optional<DueRow> read_due_row(std::string_view row) {
  if (row.size() <= 1 + kIdBytes + kTimeBytes || row.front() != kDue) return {};
  return DueRow{static_cast<uint32_t>(big_endian(row.substr(1, kIdBytes))),
                Timestamp(static_cast<int64_t>(big_endian(row.substr(1 + kIdBytes, kTimeBytes)))),
                row.substr(1 + kIdBytes + kTimeBytes)};
}

void ExpiryRule::take_up_later(Range range) {
  std::erase_if(untaken, [&](const Range& one) { return range.first <= one.first && one.second <= range.second; });
  const bool is_in = std::any_of(untaken.begin(), untaken.end(), [&](const Range& one) {
    return one.first <= range.first && range.second <= one.second;
  });
  if (is_in) return;
  untaken.push_back(std::move(range));
  if (untaken.size() <= kUntakenRangesMax) return;
  Range all = untaken.front();
  for (const Range& one : untaken) {
    all.first = std::min(all.first, one.first);
    all.second = std::max(all.second, one.second);
  }
  untaken = {std::move(all)};
}

std::string ExpiryPlan::encode() const {
  std::string bytes(1, kExpiryPlanVersion);
  append_varint(next_id, bytes);
  for (const ExpiryRule& rule : rules) {
    append_varint(rule.id, bytes);
    append_bytes(rule.spec.pattern(), bytes);
    append_bytes(rule.spec.child.text(), bytes);
    append_varint(rule.untaken.size(), bytes);
    for (const auto& [from, upto] : rule.untaken) {
      append_bytes(from, bytes);
      append_bytes(upto, bytes);
    }
  }
  return bytes;
}

Result<ExpiryPlan> ExpiryPlan::decode(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.byte() != kExpiryPlanVersion) return damaged("its version");
  ExpiryPlan plan;
  plan.next_id = static_cast<uint32_t>(in.varint());
  while (in.ok() && !in.done()) {
    ExpiryRule rule;
    rule.id = static_cast<uint32_t>(in.varint());
    std::string_view pattern = in.bytes();
    while (pattern.size() > 1) {
      pattern.remove_prefix(1);
      const size_t end = std::min(pattern.find('/'), pattern.size());
      rule.spec.at.emplace_back(pattern.substr(0, end));
      pattern.remove_prefix(end);
    }
    ASSIGN_OR_RETURN(rule.spec.child, Path::parse(in.bytes()));
    for (uint64_t ranges = in.varint(); in.ok() && ranges > 0; --ranges) {
      std::string from(in.bytes());
      rule.untaken.emplace_back(std::move(from), in.bytes());
    }
    plan.rules.push_back(std::move(rule));
  }
  if (!in.ok()) return damaged("it is cut short");
  return plan;
}

ExpiryPlan ExpiryPlan::for_paths(std::shared_ptr<const PathPlan> other) const {
  ExpiryPlan plan;
  plan.next_id = next_id;
  plan.paths = std::move(other);
  if (plan.paths == nullptr) return plan;
  for (const PathPlan::Entry& entry : plan.paths->all()) {
    if (!entry.settings->ttl) continue;
    ExpiryRule rule;
    rule.spec.at = entry.at;
    rule.spec.child = entry.settings->ttl_by;
    rule.settings = entry.settings;
    const auto old = std::find_if(rules.begin(), rules.end(), [&](const ExpiryRule& one) {
      return one.spec.at == rule.spec.at && one.spec.child == rule.spec.child;
    });
    rule.id = old != rules.end() ? old->id : plan.next_id++;
    rule.untaken = {{std::string(), std::string(1, kPastChildren)}};
    plan.rules.push_back(std::move(rule));
  }
  return plan;
}

bool ExpiryPlan::attach(std::shared_ptr<const PathPlan> to) {
  paths = std::move(to);
  for (ExpiryRule& rule : rules) rule.settings = nullptr;
  size_t wanted = 0;
  for (const PathPlan::Entry& entry : paths->all()) {
    if (!entry.settings->ttl) continue;
    ++wanted;
    for (ExpiryRule& rule : rules) {
      if (rule.spec.at == entry.at && rule.spec.child == entry.settings->ttl_by) rule.settings = entry.settings;
    }
  }
  return wanted == rules.size() &&
         std::all_of(rules.begin(), rules.end(), [](const ExpiryRule& rule) { return rule.settings != nullptr; });
}

bool ExpiryPlan::has_untaken() const {
  return std::any_of(rules.begin(), rules.end(), [](const ExpiryRule& rule) { return !rule.untaken.empty(); });
}

const ExpiryRule* ExpiryPlan::rule_of(const PathSettings* settings) const {
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const ExpiryRule& rule) { return rule.settings == settings; });
  return found != rules.end() ? &*found : nullptr;
}

const ExpiryRule* ExpiryPlan::rule_of_child(std::span<const std::string_view> keys) const {
  const auto found = paths->aged_above(keys);
  return found && found->depth + 1 == keys.size() ? rule_of(found->settings) : nullptr;
}

}  // namespace hearth::db
