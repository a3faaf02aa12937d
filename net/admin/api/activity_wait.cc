// A long poll over the ring of activity:
//
//   start ─▶ look ─ something is wanted, or was missed ─▶ answer
//              ├─ nothing yet ─▶ a timer, kActivityLookInterval ─▶ look
//              ├─ the wait is over ─▶ answer: an empty page, with the number to go on from
//              └─ the exchange ends before that ─▶ answer
//
// Who holds whom: the timer holds the wait, the wait holds the exchange, and the exchange has a weak pointer to the
// wait, for a strong one would be a ring that nobody opens. answer() takes the exchange away first, so there is one
// answer, whichever of the ways above comes first.
//
// looked_to_ is the newest number that was looked at. While it is the newest there is, a look is one number and no
// filter. All who watch look at their own pace: a request that is recorded wakes nobody.
#include "net/admin/api/activity_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "db/base/text.h"
#include "db/model/json_members.h"

namespace hearth::net::admin {
namespace {

using Kind = rules::ActivityEntry::Kind;
using Verdict = rules::ActivityEntry::Verdict;

// "read,write" → {"read", "write"}. Errors: a word that is none of `known`.
db::Result<std::set<std::string, std::less<>>> words_of(std::string_view text, std::string_view name,
                                                        const std::vector<std::string_view>& known) {
  std::set<std::string, std::less<>> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      return db::Error{db::ErrorCode::InvalidArgument,
                       fmt::format("{} is one or more of {}, with commas between.", name, fmt::join(known, ", "))};
    }
    words.emplace(word);
  }
  return words;
}

void add_entry(const rules::ActivityEntry& entry, db::JsonMembers& to) {
  to.number("n", entry.number);
  to.number("time", entry.time.count());
  to.text_or_null("ns", entry.space);
  to.text_or_null("protocol", entry.protocol);
  to.begin("connection") += entry.connection == 0 ? "null" : std::to_string(entry.connection);
  to.text_or_null("peer", entry.peer);
  to.text_or_null("user", entry.user);
  to.truth("admin", entry.is_admin);
  to.text("kind", name_of(entry.kind));
  to.text_or_null("path", entry.path);
  to.text("verdict", name_of(entry.verdict));
  to.text_or_null("reason", entry.reason);
  if (entry.rule) {
    db::JsonMembers rule(to.begin("rule"));
    rule.text("kind", entry.rule->kind);
    rule.text("at", entry.rule->pattern);
    rule.text("path", entry.rule->path);
    rule.text("source", entry.rule->source);
    rule.number("line", entry.rule->line);
    rule.number("column", entry.rule->column);
    rule.text("why", entry.rule->why);
    rule.close();
  } else {
    to.begin("rule") += "null";
  }
  to.begin("ms") += fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(entry.took).count());
}

}  // namespace

db::Result<ActivityFilter> ActivityFilter::parse(const http::Target& target, std::string space) {
  ActivityFilter filter;
  filter.space = std::move(space);
  if (const auto since = target.parameter("since")) {
    filter.since = db::whole_number(*since);
    if (!filter.since) return db::Error{db::ErrorCode::InvalidArgument, "since is the number of an entry."};
  }
  filter.path = target.parameter("path").value_or("");
  while (filter.path.ends_with('/')) filter.path.pop_back();
  if (!filter.path.empty() && !filter.path.starts_with('/')) filter.path.insert(0, 1, '/');
  std::vector<std::string_view> kinds, verdicts;
  for (auto kind = Kind::Read; kind <= Kind::SignIn; kind = static_cast<Kind>(static_cast<int>(kind) + 1)) {
    kinds.push_back(name_of(kind));
  }
  for (const auto verdict : {Verdict::Ok, Verdict::Denied, Verdict::Failed}) verdicts.push_back(name_of(verdict));
  ASSIGN_OR_RETURN(filter.kinds, words_of(target.parameter("kind").value_or(""), "kind", kinds));
  ASSIGN_OR_RETURN(filter.verdicts, words_of(target.parameter("verdict").value_or(""), "verdict", verdicts));
  if (auto wait = target.parameter("wait")) {
    const bool is_in_seconds = wait->ends_with('s') && !wait->ends_with("ms");
    wait->remove_suffix(is_in_seconds ? 1 : wait->ends_with("ms") ? 2 : 0);
    const auto number = db::whole_number(*wait);
    const uint64_t most = static_cast<uint64_t>(kActivityWaitMax.count()) / (is_in_seconds ? 1'000 : 1);
    if (!number || *number > most) {
      return db::Error{db::ErrorCode::InvalidArgument, "wait is a time, at most 30s: \"25s\", \"500ms\"."};
    }
    filter.wait = std::chrono::milliseconds(*number * (is_in_seconds ? 1'000 : 1));
  }
  return filter;
}

bool ActivityFilter::wants(const rules::ActivityEntry& entry) const {
  if (!space.empty() && entry.space != space) return false;
  if (!kinds.empty() && !kinds.contains(name_of(entry.kind))) return false;
  if (!verdicts.empty() && !verdicts.contains(name_of(entry.verdict))) return false;
  if (path.empty()) return true;
  return entry.path.starts_with(path) && (entry.path.size() == path.size() || entry.path[path.size()] == '/');
}

std::string activity_text(const rules::Activity::Page& page) {
  std::string text;
  db::JsonMembers top(text);
  top.number("seconds", rules::kActivityTime.count());
  top.number("next", page.next);
  top.number("missed", page.missed);
  top.objects("entries", page.entries, add_entry);
  top.close();
  return text;
}

void ActivityWait::start(rules::Activity& activity, std::shared_ptr<http::Exchange> exchange, ActivityFilter filter) {
  activity.look();
  const auto wait = std::make_shared<ActivityWait>(activity, exchange, std::move(filter));
  if (wait->filter_.wait.count() > 0) {
    exchange->set_on_leaving([weak = std::weak_ptr(wait)](http::Leaving) {
      if (const auto self = weak.lock()) self->answer(self->wanted());
    });
  }
  wait->look();
}

rules::Activity::Page ActivityWait::wanted() const {
  return activity_.since(filter_.since, [this](const auto& entry) { return filter_.wants(entry); });
}

// The timer keeps this alive until it has answered.
void ActivityWait::look() {
  if (exchange_ == nullptr) return;
  if (std::chrono::steady_clock::now() >= until_) return answer(wanted());
  const uint64_t last = activity_.last();
  if (last != looked_to_) {
    looked_to_ = last;
    const auto page = wanted();
    if (!page.entries.empty() || page.missed > 0) return answer(page);
  }
  next_ = http::IoPool::schedule(kActivityLookInterval, [self = shared_from_this()] { self->look(); });
}

void ActivityWait::answer(const rules::Activity::Page& page) {
  if (exchange_ == nullptr) return;
  const auto self = shared_from_this();  // the timer may be the last that holds it
  const auto exchange = std::exchange(exchange_, nullptr);
  next_.cancel();
  http::Response reply;
  reply.headers = {{"Content-Type", "application/json; charset=utf-8"}, {"Cache-Control", "no-store"}};
  reply.body = activity_text(page);
  exchange->respond(std::move(reply));
}

}  // namespace hearth::net::admin
