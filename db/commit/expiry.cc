// Ages of children. For each path with a ttl, an effect lies in one of four places:
//
//   ttl at /rooms/$/messages
//
//   /rooms, /rooms/a, /rooms/a/messages    the path, or above it     replace(): its rows go, and are made anew
//   /rooms/a/messages/m1, …/m1/text        a child, or within it     touch(): since when is it now?
//   /users/ada                             elsewhere                 nothing: a walk down the plan says so
//
//   before   m1 since 12:00       c │ m1 → 12:00 │            h │ 11:58·m7 │ 12:00·m1 │ …     find_expired() reads h from
//   m1 is written at 12:07        c │ m1 → 12:07 │            h │ 11:58·m7 │ … │ 12:07·m1     the front, up to now - ttl
//
// Two rows for each child: by its path, to find the other one when it is written again; and by time. Both are in the
// write's own batch, so they are right after a kill.
//
// What must hold:
// - A child that exists has a 'c' row, unless it lies in a range that is still to be taken up, or its age is said by a
//   child of its that is no number: then it stays. A 'c' row has its 'h' row.
// - Where very many children go or come at once, their rows are not touched one by one: the 'c' rows go as one range, their
//   'h' rows are leftovers; children that came are to be taken up in the background. So a large DELETE stays cheap.
// - Whether a child is removed is decided on its 'c' row in the very step that removes it. A leftover decides nothing.
#include "db/commit/expiry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "db/commit/apply.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

// Doubles from here on are no int64; the age of such a child is of the far future.
constexpr double kTimeEnd = 9e18;

Result<std::optional<Timestamp>> time_in(const TreeView& tree, const std::string& key) {
  ASSIGN_OR_RETURN(const auto leaf, tree.leaf(key));
  if (!leaf) return std::optional<Timestamp>();
  ASSIGN_OR_RETURN(const Value value, decode_leaf(*leaf));
  if (!value.is_number()) return std::optional<Timestamp>();
  const double time = std::floor(value.as_double());
  if (time <= 0) return std::optional(Timestamp(0));
  return std::optional(Timestamp(static_cast<int64_t>(std::min(time, kTimeEnd))));
}

Result<std::optional<Timestamp>> since_in(const Overlay& rows, uint32_t id, std::string_view child) {
  ASSIGN_OR_RETURN(const auto found, rows.leaf(since_row(id, child)));
  if (!found) return std::optional<Timestamp>();
  ASSIGN_OR_RETURN(const Timestamp since, decode_since(*found));
  return std::optional(since);
}

// From here on the child is since `now`; nothing: it has no age.
void move(const ExpiryRule& rule, std::string_view child, std::optional<Timestamp> old, std::optional<Timestamp> now,
          Ages& ages) {
  if (old == now) return;
  if (old) ages.rows.erase(due_row(rule.id, *old, child));
  if (!now) return ages.rows.erase(since_row(rule.id, child));
  ages.rows.put(since_row(rule.id, child), encode_since(*now));
  ages.rows.put(due_row(rule.id, *now, child), "");
  if (const auto front = ages.fronts.find(rule.id); front != ages.fronts.end()) {
    front->second = std::min(front->second, *now);
  }
  ages.due = std::min(ages.due, due_at(*now, *rule.settings->ttl));
}

void put_plan(ExpiryPlan plan, Ages& ages) {
  ages.rows.put(std::string(kExpiryPlanRow), plan.encode());
  ages.plan = std::make_shared<const ExpiryPlan>(std::move(plan));
}

std::string encoded_prefix(const Path& path, size_t depth) { return encode_path(path.prefix(depth)); }

class FollowingAges {
 public:
  FollowingAges(Timestamp time, const TreeView& after, Ages& ages) : time_(time), after_(after), ages_(ages) {}
  Result<void> note(const Effect& effect);
  Result<void> run();

 private:
  struct Touch {
    const ExpiryRule* rule;
    bool is_there;  // for sure; else it is looked for
  };
  void touch(const ExpiryRule& rule, const Effect& effect, std::span<const std::string_view> keys, size_t depth);
  Result<void> replace(const ExpiryRule& rule, const std::string& base);
  Result<std::optional<Timestamp>> since_now(const ExpiryRule& rule, const std::string& child, bool is_there) const;

  const Timestamp time_;
  const TreeView& after_;
  Ages& ages_;
  std::map<std::string, Touch> touched_;  // by encoded path
  std::vector<std::pair<uint32_t, ExpiryRule::Range>> later_;
};

Result<void> FollowingAges::note(const Effect& effect) {
  if (effect.kind != Effect::Kind::Set && effect.kind != Effect::Kind::SetPriority &&
      effect.kind != Effect::Kind::Unleaf)
    return {};
  const std::vector<std::string_view> keys = effect.path.keys();
  if (const auto found = ages_.plan->paths->aged_above(keys)) {
    if (const ExpiryRule* rule = ages_.plan->rule_of(found->settings)) touch(*rule, effect, keys, found->depth);
    return {};  // no ttl is below another one
  }
  if (effect.kind != Effect::Kind::Set) return {};
  for (const ExpiryRule& rule : ages_.plan->rules) {
    if (rule.spec.at.size() >= keys.size() && rule.spec.matches_start(keys)) {
      RETURN_IF_ERROR(replace(rule, encode_path(effect.path)));
    }
  }
  return {};
}

void FollowingAges::touch(const ExpiryRule& rule, const Effect& effect, std::span<const std::string_view> keys,
                          size_t depth) {
  if (!rule.is_by_write()) {
    if (effect.kind == Effect::Kind::SetPriority) return;
    const std::vector<std::string_view> by = rule.spec.child.keys();
    const auto rest = keys.subspan(depth + 1);
    if (!std::equal(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(std::min(rest.size(), by.size())), by.begin()))
      return;  // it says nothing of the age
  }
  const bool is_there = effect.kind == Effect::Kind::Set && !effect.value.is_null();
  const auto [at, is_new] = touched_.try_emplace(encoded_prefix(effect.path, depth + 1), Touch{&rule, is_there});
  if (!is_new) at->second.is_there = at->second.is_there || is_there;
}

Result<std::optional<Timestamp>> FollowingAges::since_now(const ExpiryRule& rule, const std::string& child,
                                                          bool is_there) const {
  if (!rule.is_by_write()) return time_in(after_, child + encode_path(rule.spec.child));
  if (!is_there) {
    ASSIGN_OR_RETURN(is_there, after_.any(child, child + kPastChildren));
  }
  return is_there ? std::optional(time_) : std::nullopt;
}

// Everything at and below `base` was set.
Result<void> FollowingAges::replace(const ExpiryRule& rule, const std::string& base) {
  const std::string from = since_row(rule.id, base);
  std::vector<std::pair<std::string, Timestamp>> old;
  bool has_more = false;
  Result<void> read;
  RETURN_IF_ERROR(ages_.rows.scan(from, from + kPastChildren, [&](std::string_view key, std::string_view bytes) {
    has_more = old.size() == kPointRowsMax;
    if (has_more) return false;
    const auto row = read_since_row(key);
    const Result<Timestamp> since = decode_since(bytes);
    if (!since.ok()) read = since.error();
    if (row && since.ok()) old.emplace_back(row->child, since.value());
    return read.ok();
  }));
  RETURN_IF_ERROR(read);
  if (has_more) {
    ages_.rows.replace(from, from + kPastChildren, from, Value());
  } else {
    for (const auto& [child, since] : old) move(rule, child, since, std::nullopt, ages_);
  }
  std::string at = base;
  const std::string upto = base + kPastChildren;
  for (size_t count = 0;; ++count) {
    ASSIGN_OR_RETURN(const auto child, next_child(after_, rule.spec, at, upto));
    if (!child) return {};
    const std::string path = child->path();
    if (count == kPointRowsMax) {
      later_.push_back({rule.id, {path, upto}});
      return {};
    }
    at = path + kPastChildren;
    ASSIGN_OR_RETURN(const Path place, decode_path(path));
    if (ages_.plan->rule_of_child(place.keys()) != &rule) continue;
    ASSIGN_OR_RETURN(const auto now, since_now(rule, path, true));
    ASSIGN_OR_RETURN(const auto before, since_in(ages_.rows, rule.id, path));
    move(rule, path, before, now, ages_);
  }
}

Result<void> FollowingAges::run() {
  for (const auto& [child, touch] : touched_) {
    ASSIGN_OR_RETURN(const auto old, since_in(ages_.rows, touch.rule->id, child));
    ASSIGN_OR_RETURN(const auto now, since_now(*touch.rule, child, touch.is_there));
    move(*touch.rule, child, old, now, ages_);
  }
  if (later_.empty()) return {};
  ExpiryPlan plan = *ages_.plan;
  for (auto& [id, range] : later_) {
    for (ExpiryRule& rule : plan.rules) {
      if (rule.id == id) rule.take_up_later(std::move(range));
    }
  }
  put_plan(std::move(plan), ages_);
  return {};
}

}  // namespace

Timestamp due_at(Timestamp since, Timestamp ttl) {
  return since > Timestamp::max() - ttl ? Timestamp::max() : since + ttl;
}

Result<void> follow_ages(const std::vector<Effect>& effects, Timestamp time, const TreeView& after, Ages& ages) {
  if (ages.plan->rules.empty()) return {};
  FollowingAges following(time, after, ages);
  for (const Effect& effect : effects) RETURN_IF_ERROR(following.note(effect));
  return following.run();
}

void set_paths(std::shared_ptr<const PathPlan> paths, Ages& ages) {
  ExpiryPlan plan = ages.plan->for_paths(std::move(paths));
  for (const ExpiryRule& old : ages.plan->rules) {
    const bool stays =
        std::any_of(plan.rules.begin(), plan.rules.end(), [&](const ExpiryRule& one) { return one.id == old.id; });
    if (stays) continue;
    ages.rows.replace(since_row(old.id, ""), since_row(old.id + 1, ""), since_row(old.id, ""), Value());
    ages.rows.replace(due_from(old.id), due_from(old.id + 1), due_from(old.id), Value());
  }
  put_plan(std::move(plan), ages);
}

Result<void> take_up(size_t count, Timestamp time, const TreeView& tree, Ages& ages) {
  ExpiryPlan plan = *ages.plan;
  const auto rule =
      std::find_if(plan.rules.begin(), plan.rules.end(), [](const ExpiryRule& one) { return !one.untaken.empty(); });
  if (rule == plan.rules.end()) return {};
  ExpiryRule::Range& range = rule->untaken.front();
  bool is_done = false;
  for (; count > 0 && !is_done; --count) {
    ASSIGN_OR_RETURN(const auto child, next_child(tree, rule->spec, range.first, range.second));
    is_done = !child.has_value();
    if (is_done) break;
    const std::string path = child->path();
    range.first = path + kPastChildren;
    ASSIGN_OR_RETURN(const Path place, decode_path(path));
    const ExpiryRule* mine = plan.rule_of_child(place.keys());
    ASSIGN_OR_RETURN(const auto old, since_in(ages.rows, rule->id, path));
    if (mine == nullptr || mine->id != rule->id) {  // a name of its own excepts it now
      move(*rule, path, old, std::nullopt, ages);
    } else if (rule->is_by_write()) {
      if (!old) move(*rule, path, old, time, ages);
    } else {
      ASSIGN_OR_RETURN(const auto now, time_in(tree, path + encode_path(rule->spec.child)));
      move(*rule, path, old, now, ages);
    }
  }
  if (is_done) rule->untaken.erase(rule->untaken.begin());
  put_plan(std::move(plan), ages);
  return {};
}

Result<void> keep_aged(const Path& child, Timestamp since, Ages& ages) {
  const ExpiryRule* rule = ages.plan->rule_of_child(child.keys());
  if (rule == nullptr) return {};
  const std::string path = encode_path(child);
  ASSIGN_OR_RETURN(const auto old, since_in(ages.rows, rule->id, path));
  if (old) move(*rule, path, old, since, ages);
  return {};
}

Result<Expired> find_expired(Timestamp now, const ExpiryBounds& bounds, const TreeView& tree, Ages& ages) {
  Expired expired;
  size_t rows = 0, bytes = 0;
  std::vector<std::string> leftovers;
  const auto is_full = [&] {
    return expired.children.size() >= bounds.children || rows >= bounds.rows || bytes >= bounds.bytes;
  };
  for (const ExpiryRule& rule : ages.plan->rules) {
    const Timestamp ttl = *rule.settings->ttl;
    std::vector<std::pair<std::string, Timestamp>> old;  // children
    const auto front = ages.fronts.find(rule.id);
    const std::string from = front != ages.fronts.end() ? due_row(rule.id, front->second, "") : due_from(rule.id);
    bool is_first = true;
    RETURN_IF_ERROR(ages.rows.scan(from, due_from(rule.id + 1), [&](std::string_view key, std::string_view) {
      const auto row = read_due_row(key);
      if (!row) return true;
      if (std::exchange(is_first, false)) ages.fronts[rule.id] = row->since;
      const Timestamp due = due_at(row->since, ttl);
      if (due > now) {
        expired.due = std::min(expired.due, due);
        return false;
      }
      if (old.size() == bounds.children || is_full()) {
        expired.has_more = true;
        return false;
      }
      old.emplace_back(row->child, row->since);
      return true;
    }));
    for (const auto& [child, since] : old) {
      if (is_full()) {
        expired.has_more = true;
        break;
      }
      ++rows;
      ASSIGN_OR_RETURN(const auto known, since_in(ages.rows, rule.id, child));
      ASSIGN_OR_RETURN(Path place, decode_path(child));
      const bool is_excepted = ages.plan->rule_of_child(place.keys()) != &rule;
      if (known != since || is_excepted) {
        leftovers.push_back(due_row(rule.id, since, child));
        if (known == since) leftovers.push_back(since_row(rule.id, child));
        continue;
      }
      RETURN_IF_ERROR(tree.scan(child, child + kPastChildren, [&](std::string_view key, std::string_view leaf) {
        ++rows;
        bytes += key.size() + leaf.size();
        return !is_full();
      }));
      // It is what is there already. So the removal finds it in memory, and need not ask the disk for the same again.
      ages.rows.put(since_row(rule.id, child), encode_since(since));
      expired.children.push_back(std::move(place));
    }
  }
  for (std::string& row : leftovers) ages.rows.erase(std::move(row));
  return expired;
}

}  // namespace hearth::db
