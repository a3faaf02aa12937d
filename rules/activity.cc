// How a denial finds its request. Rules are asked deep below, by a shard or a reader, and the request is answered
// somewhere else; nothing that both have in hand says which request it is. So the denial waits:
//
//   note_denial(space, user, path, why) ─▶ denials_ (the latest kDenialsNotedMax)
//   add(entry, denied)                  ─▶ take_denial: the latest one of the same namespace and user,
//                                          first of the same path; topics and rows take one of another path as well
//
// A denial is taken by one request at most. One that nobody takes is pushed out by later ones. Two requests that are
// alike in all three get the same rule in either order.
//
// Off and on. is_on() is one relaxed load, and the only thing that a request costs while nobody looks. look() turns it
// on; nothing turns it off by itself: the first add() or note_denial() after the time drops everything, under the same
// lock that the entries have. Numbers go on counting over that, so a reader that comes back learns how much it has
// missed.
//
// Limits: entries, their bytes, and the bytes of each text, which is cut at the end of a character.
#include "rules/activity.h"

#include <algorithm>
#include <utility>

#include "rules/language/types.h"

namespace hearth::rules {
namespace {

// At a character of UTF-8.
void cut(std::string& text) {
  if (text.size() <= kActivityTextBytesMax) return;
  size_t end = kActivityTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  text += "…";
  text.shrink_to_fit();
}

// The last rule that did not hold: the one nearest to what was asked for.
std::optional<DenyingRule> rule_of(const Explanation& why) {
  const auto found = std::find_if(why.rules.rbegin(), why.rules.rend(),
                                  [](const auto& rule) { return rule.outcome != Outcome::True; });
  if (found == why.rules.rend()) return {};
  DenyingRule rule;
  rule.kind = name_of(found->kind);
  rule.pattern = found->pattern;
  rule.path = found->path;
  rule.source = found->source;
  rule.why = found->why;
  rule.line = found->line;
  rule.column = found->column;
  for (std::string* text : {&rule.pattern, &rule.path, &rule.source, &rule.why}) cut(*text);
  return rule;
}

}  // namespace

std::string_view name_of(ActivityEntry::Kind kind) {
  switch (kind) {
    case ActivityEntry::Kind::Read:
      return "read";
    case ActivityEntry::Kind::Write:
      return "write";
    case ActivityEntry::Kind::Listen:
      return "listen";
    case ActivityEntry::Kind::OnDisconnect:
      return "onDisconnect";
    case ActivityEntry::Kind::Rows:
      return "rows";
    case ActivityEntry::Kind::Topic:
      return "topic";
    case ActivityEntry::Kind::Document:
      return "document";
    case ActivityEntry::Kind::SignIn:
      return "sign-in";
  }
  return "";
}

std::string_view name_of(ActivityEntry::Verdict verdict) {
  switch (verdict) {
    case ActivityEntry::Verdict::Ok:
      return "ok";
    case ActivityEntry::Verdict::Denied:
      return "denied";
    case ActivityEntry::Verdict::Failed:
      return "failed";
  }
  return "";
}

size_t ActivityEntry::byte_count() const {
  size_t bytes =
      sizeof *this + space.size() + protocol.size() + peer.size() + user.size() + path.size() + reason.size();
  if (rule) bytes += rule->pattern.size() + rule->path.size() + rule->source.size() + rule->why.size();
  return bytes;
}

void Activity::look() {
  const std::lock_guard lock(mutex_);
  until_ = steady_.now() + kActivityTime;
  is_on_.store(true, std::memory_order_relaxed);
}

bool Activity::is_looked_at() {
  if (!is_on()) return false;
  if (steady_.now() < until_) return true;
  is_on_.store(false, std::memory_order_relaxed);
  entries_ = {};
  denials_ = {};
  bytes_ = 0;
  return false;
}

void Activity::note_denial(std::string_view space, std::string_view user, std::string_view path,
                           const Explanation& why) {
  Denial denial{.space = std::string(space),
                .user = std::string(user),
                .path = std::string(path),
                .reason = why.reason,
                .rule = rule_of(why)};
  cut(denial.reason);
  const std::lock_guard lock(mutex_);
  if (!is_looked_at()) return;
  if (denials_.size() >= kDenialsNotedMax) denials_.pop_front();
  denials_.push_back(std::move(denial));
}

// A topic is judged by a path of the settings, which its request does not name; so for want of the same path, the latest
// denial of that user counts.
std::optional<Activity::Denial> Activity::take_denial(const ActivityEntry& entry) {
  auto found = denials_.rend();
  for (auto at = denials_.rbegin(); at != denials_.rend(); ++at) {
    if (at->space != entry.space || at->user != entry.user) continue;
    const bool is_exact = at->path == entry.path;
    if (is_exact || found == denials_.rend()) found = at;
    if (is_exact) break;
  }
  const bool needs_path = entry.kind != ActivityEntry::Kind::Topic && entry.kind != ActivityEntry::Kind::Rows;
  if (found == denials_.rend() || (needs_path && found->path != entry.path)) return {};
  Denial denial = std::move(*found);
  denials_.erase(std::next(found).base());
  return denial;
}

void Activity::add(ActivityEntry entry, const db::Result<void>& result) {
  if (!result.ok()) {
    const bool is_denied = result.error().code == db::ErrorCode::PermissionDenied ||
                           result.error().code == db::ErrorCode::InvalidToken ||
                           result.error().code == db::ErrorCode::ExpiredToken;
    entry.verdict = is_denied ? ActivityEntry::Verdict::Denied : ActivityEntry::Verdict::Failed;
    entry.reason = result.error().message;
  }
  const std::lock_guard lock(mutex_);
  if (!is_looked_at()) return;
  if (entry.verdict == ActivityEntry::Verdict::Denied) {
    if (auto denial = take_denial(entry)) {
      entry.reason = std::move(denial->reason);
      entry.rule = std::move(denial->rule);
    }
  }
  for (std::string* text : {&entry.path, &entry.reason, &entry.user}) cut(*text);
  entry.number = ++last_;
  recorded_.add();
  bytes_ += entry.byte_count();
  entries_.push_back(std::move(entry));
  while (entries_.size() > kActivityEntriesMax || (bytes_ > bytes_max_ && !entries_.empty())) {
    bytes_ -= entries_.front().byte_count();
    entries_.pop_front();
  }
}

uint64_t Activity::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

size_t Activity::byte_count() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

Activity::Page Activity::since(std::optional<uint64_t> since,
                               const std::function<bool(const ActivityEntry&)>& wanted) const {
  const std::lock_guard lock(mutex_);
  Page page;
  page.next = last_;
  const uint64_t first = entries_.empty() ? last_ + 1 : entries_.front().number;
  if (since && *since + 1 < first) page.missed = first - *since - 1;
  for (const ActivityEntry& entry : entries_) {
    if ((!since || entry.number > *since) && wanted(entry)) page.entries.push_back(entry);
  }
  return page;
}

}  // namespace hearth::rules
