// From one commit to what each listener of rows is told.
//
//   changed paths ─▶ touched rows          a change below a row touches that row; one at a table, or above it, all rows
//                 ─▶ for each row          its value after ─▶ candidates, by table and value ─▶ none: next row
//                                          its value before, read only now ─▶ the kind, and whether anything changed
//                 ─▶ for each candidate    kind, filter; then may it read the row, after and before?
//                 ─▶ one event for each listener, with a bit for each of its bindings
//
// Finding. A binding whose filter demands that a column equals something is found by that column's value; all other
// bindings of a table are candidates for each of its rows. So 10,000 users who each listen to user_id=eq.ME cost a
// change one look at the column `user_id`, and one look for each other column by which anybody filters the table. The
// index finds and does not decide: matches() asks the whole filter of each candidate.
//
// Old and new. The values before and after decide the kind: there was no row before, an insertion; there is none after,
// a deletion; else an update, unless the two are equal. One of the two decides whether a filter matches: the value
// after, or where there is none the value before. So a row that comes to match a filter is told as an update, and a row
// that matches no longer is not told to that filter's listeners.
//
// Rights. An insertion is told to who may read the row after it, a deletion to who could read it before. An update is
// told to who may read the row now; who could not read it before learns of the old row nothing but its key. Who may not
// read a row any more hears nothing of it, as with Supabase. For each row a verdict is asked once for all listeners of
// the same asker.
//
// A commit that touches more than kRowChangesMax rows is not told row by row: each listener of those tables hears that
// it has missed something (is_missed).
//
// Nothing here changes the registry, so that a step that is over can be done again elsewhere.
#include "db/events/row_registry.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "db/base/step.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

// About what these hold in memory, with what the layers above keep of a listener.
constexpr size_t kRowListenerBytes = 1'024;
constexpr size_t kRowBindingBytes = 512;

// A table whose rows changed: all of them, perhaps, or some.
struct Touched {
  Path table;
  bool all = false;
  std::set<std::string, std::less<>> keys{};
};

// Adds the keys of the children of `path`. Stops when there are more than `most`.
Result<void> add_children(const TreeView& view, const Path& path, size_t most, std::set<std::string, std::less<>>& to) {
  const std::string base = encode_path(path);
  const std::string upto = base + kPastChildren;
  std::string from = base;
  for (bool more = true; more && to.size() <= most;) {
    more = false;
    RETURN_IF_ERROR(view.scan(from, upto, [&](std::string_view key, std::string_view) {
      const std::string_view below = key.substr(base.size());
      if (below.empty()) return false;  // a leaf
      if (below.front() == kPriorityMark) return true;
      const std::string_view segment = below.substr(0, segment_length(below));
      to.insert(decode_segment(segment));
      from.assign(base).append(segment).push_back(kPastChildren);
      more = true;
      return false;
    }));
  }
  return {};
}

}  // namespace

size_t RowSubscription::byte_count() const {
  size_t bytes = kRowListenerBytes + what.bytes_beside;
  for (const RowBinding& binding : what.bindings) {
    bytes += kRowBindingBytes + 3 * binding.table.text().size() + 2 * db::byte_count(binding.filter);
  }
  return bytes;
}

void RowRegistry::count(int64_t listeners, int64_t bytes) {
  count_ += static_cast<size_t>(listeners);
  bytes_ += static_cast<size_t>(bytes);
  for (ListenerRegistry::Count* count = counted_; count != nullptr; count = count->in_all) {
    count->listeners.add(listeners);
    count->bytes.add(bytes);
  }
}

void RowRegistry::add(RowSubscription& subscription) {
  for (unsigned i = 0; i < subscription.what.bindings.size(); ++i) {
    const RowBinding& binding = subscription.what.bindings[i];
    Table& table = (binding.is_every_table ? parents_ : tables_)[binding.table.text()];
    table.path = binding.table;
    if (const auto equal = equality(binding.filter)) {
      ByKey& keys = table.by_value[equal->column];
      for (const std::string& key : equal->keys) {
        std::vector<Bound>& bound = keys[key];
        // Two operands may have one key: "1" and "1.0".
        if (bound.empty() || bound.back().subscription != &subscription || bound.back().binding != i) {
          bound.push_back({&subscription, i});
        }
      }
    } else {
      table.all.push_back({&subscription, i});
    }
  }
  subscription.is_in_ = true;
  subscription.counted_bytes_ = subscription.byte_count();
  if (subscription.audience != nullptr) subscription.audience->listener_bytes += subscription.counted_bytes_;
  count(1, static_cast<int64_t>(subscription.counted_bytes_));
}

void RowRegistry::remove(RowSubscription& subscription) {
  if (!std::exchange(subscription.is_in_, false)) return;
  const auto take = [&](std::vector<Bound>& from) {
    std::erase_if(from, [&](const Bound& bound) { return bound.subscription == &subscription; });
  };
  for (const RowBinding& binding : subscription.what.bindings) {
    Tables& tables = binding.is_every_table ? parents_ : tables_;
    const auto table = tables.find(binding.table.text());
    if (table == tables.end()) continue;
    if (const auto equal = equality(binding.filter)) {
      const auto column = table->second.by_value.find(equal->column);
      if (column == table->second.by_value.end()) continue;
      for (const std::string& key : equal->keys) {
        const auto bound = column->second.find(key);
        if (bound == column->second.end()) continue;
        take(bound->second);
        if (bound->second.empty()) column->second.erase(bound);
      }
      if (column->second.empty()) table->second.by_value.erase(column);
    } else {
      take(table->second.all);
    }
    if (table->second.empty()) tables.erase(table);
  }
  if (subscription.audience != nullptr) subscription.audience->listener_bytes -= subscription.counted_bytes_;
  count(-1, -static_cast<int64_t>(subscription.counted_bytes_));
}

class RowRegistry::Matching {
 public:
  Matching(RowRegistry& registry, const Difference& difference, uint64_t sequence, const TreeView& before,
           const TreeView& after)
      : registry_(registry), difference_(difference), sequence_(sequence), before_(before), after_(after) {}

  Result<void> touch();
  Result<void> look();
  std::vector<RowNotification> take() && { return std::move(told_); }

 private:
  bool is_table(const Path& path) const { return registry_.tables_.contains(path.text()); }
  bool is_parent(const Path& path) const { return registry_.parents_.contains(path.text()); }
  Touched& touched(const Path& table) { return touched_.try_emplace(table.text(), Touched{table}).first->second; }
  Result<void> touch_tables_of(const Path& parent);
  Result<void> look_at(const Touched& touched, const std::string& key);
  Result<Value> read_after(const Path& row) const;
  void collect(const Path& table, const std::string& key, const Value& row, std::vector<Bound>& to) const;
  void collect_from(const Table& table, const std::string& key, const Value& row, std::vector<Bound>& to) const;
  Result<bool> may_read(const RowSubscription& subscription, const TreeView& view, const Path& row,
                        std::map<std::string, bool, std::less<>>& known) const;
  void miss(const Path& table);

  RowRegistry& registry_;
  const Difference& difference_;
  const uint64_t sequence_;
  const TreeView& before_;
  const TreeView& after_;
  std::map<std::string, Touched> touched_;  // by the table's path text
  size_t rows_ = 0;
  std::vector<RowNotification> told_;
};

// Every child of `parent` is a table, all of whose rows may have changed.
Result<void> RowRegistry::Matching::touch_tables_of(const Path& parent) {
  std::set<std::string, std::less<>> names;
  RETURN_IF_ERROR(add_children(before_, parent, kRowChangesMax, names));
  RETURN_IF_ERROR(add_children(after_, parent, kRowChangesMax, names));
  for (const std::string& name : names) {
    const Result<Path> table = parent.child(name);
    if (table.ok()) touched(table.value()).all = true;
  }
  return {};
}

Result<void> RowRegistry::Matching::touch() {
  for (const Overwrite& overwrite : difference_.changed) {
    if (overwrite.slot != Slot::Value) continue;  // a row has no priority
    const Path& path = overwrite.path;
    const std::vector<std::string_view> keys = path.keys();
    for (size_t depth = 0; depth <= keys.size(); ++depth) {
      const Path at = path.prefix(depth);
      if (is_table(at)) {
        if (depth < keys.size()) {
          touched(at).keys.emplace(keys[depth]);
        } else {
          touched(at).all = true;
        }
      }
      if (!is_parent(at)) continue;
      if (depth + 2 <= keys.size()) {
        touched(path.prefix(depth + 1)).keys.emplace(keys[depth + 1]);
      } else if (depth + 1 == keys.size()) {
        touched(path).all = true;
      } else {
        RETURN_IF_ERROR(touch_tables_of(at));
      }
    }
    // Tables below what was set.
    const std::string below = path.is_root() ? std::string() : path.text() + "/";
    for (auto at = registry_.tables_.lower_bound(below); at != registry_.tables_.end(); ++at) {
      if (!at->first.starts_with(below)) break;
      if (at->second.path.depth() > path.depth()) touched(at->second.path).all = true;
    }
    for (auto at = registry_.parents_.lower_bound(below); at != registry_.parents_.end(); ++at) {
      if (!at->first.starts_with(below)) break;
      if (at->second.path.depth() > path.depth()) RETURN_IF_ERROR(touch_tables_of(at->second.path));
    }
  }
  for (auto& [text, one] : touched_) {
    if (one.all) {
      RETURN_IF_ERROR(add_children(before_, one.table, kRowChangesMax, one.keys));
      RETURN_IF_ERROR(add_children(after_, one.table, kRowChangesMax, one.keys));
    }
    rows_ += one.keys.size();
  }
  return {};
}

Result<void> RowRegistry::Matching::look() {
  if (rows_ > kRowChangesMax) {
    for (const auto& [text, one] : touched_) miss(one.table);
    return {};
  }
  for (const auto& [text, one] : touched_) {
    for (const std::string& key : one.keys) {
      RETURN_IF_ERROR(look_at(one, key));
      if (Step::here().is_over()) return step_is_over();
    }
  }
  return {};
}

// All who listen to the table, once each.
void RowRegistry::Matching::miss(const Path& table) {
  std::set<RowSubscription*> all;
  const auto add = [&](const Tables& tables, const std::string& text) {
    const auto found = tables.find(text);
    if (found == tables.end()) return;
    for (const Bound& bound : found->second.all) all.insert(bound.subscription);
    for (const auto& [column, keys] : found->second.by_value) {
      for (const auto& [key, bounds] : keys) {
        for (const Bound& bound : bounds) all.insert(bound.subscription);
      }
    }
  };
  add(registry_.tables_, table.text());
  if (!table.is_root()) add(registry_.parents_, table.prefix(table.depth() - 1).text());
  Step::here().foresee({all.size(), 0, 0});
  for (RowSubscription* subscription : all) {
    const bool is_told = std::any_of(told_.begin(), told_.end(),
                                     [&](const RowNotification& one) { return one.subscription == subscription; });
    if (is_told) continue;
    RowEvent event;
    event.listener = subscription->id;
    event.is_missed = true;
    told_.push_back({subscription, std::move(event)});
  }
}

// The row as it is after the commit: mostly a change says it itself.
Result<Value> RowRegistry::Matching::read_after(const Path& row) const {
  if (!difference_.is_unread && difference_.changed.size() == 1) {
    const Overwrite& only = difference_.changed.front();
    if (only.slot == Slot::Value && only.path == row) return only.value;
  }
  return after_.read(row, kReadBytesMax);
}

void RowRegistry::Matching::collect_from(const Table& table, const std::string& key, const Value& row,
                                         std::vector<Bound>& to) const {
  to.insert(to.end(), table.all.begin(), table.all.end());
  for (const auto& [column, keys] : table.by_value) {
    RowColumn named;
    named.name = column;
    const std::string has = equality_key(column_of(named, key, row));
    if (has.empty()) continue;
    if (const auto bound = keys.find(has); bound != keys.end()) {
      to.insert(to.end(), bound->second.begin(), bound->second.end());
    }
  }
}

void RowRegistry::Matching::collect(const Path& table, const std::string& key, const Value& row,
                                    std::vector<Bound>& to) const {
  if (const auto found = registry_.tables_.find(table.text()); found != registry_.tables_.end()) {
    collect_from(found->second, key, row, to);
  }
  if (registry_.parents_.empty() || table.is_root()) return;
  const auto found = registry_.parents_.find(table.prefix(table.depth() - 1).text());
  if (found != registry_.parents_.end()) collect_from(found->second, key, row, to);
}

Result<bool> RowRegistry::Matching::may_read(const RowSubscription& subscription, const TreeView& view, const Path& row,
                                             std::map<std::string, bool, std::less<>>& known) const {
  const RowCheck* check = subscription.what.check.get();
  if (check == nullptr) return true;
  if (const auto verdict = known.find(check->asker()); verdict != known.end()) return verdict->second;
  ASSIGN_OR_RETURN(const bool may, check->may_read({view, difference_.now, difference_.settings}, row));
  known.emplace(check->asker(), may);
  return may;
}

Result<void> RowRegistry::Matching::look_at(const Touched& touched, const std::string& key) {
  const Result<Path> row = touched.table.child(key);
  if (!row.ok()) return {};
  auto change = std::make_shared<RowChange>();
  ASSIGN_OR_RETURN(change->after, read_after(row.value()));
  std::vector<Bound> candidates;
  if (!change->after.is_null()) {
    collect(touched.table, key, change->after, candidates);
    if (candidates.empty()) return {};
  }
  ASSIGN_OR_RETURN(change->before, before_.read(row.value(), kReadBytesMax));
  if (change->before == change->after) return {};
  if (change->after.is_null()) {
    collect(touched.table, key, change->before, candidates);
    if (candidates.empty()) return {};
  }
  Step::here().foresee({candidates.size(), 0, 0});
  if (Step::here().is_over()) return step_is_over();
  change->table = touched.table;
  change->key = key;
  change->sequence = sequence_;
  change->time = difference_.now.server;
  const auto kind = static_cast<uint8_t>(change->kind());
  const Value& judged = change->after.is_null() ? change->before : change->after;
  // Of one listener all candidates become one event.
  std::map<RowSubscription*, uint64_t> bindings;
  std::vector<RowSubscription*> order;
  for (const Bound& candidate : candidates) {
    const RowBinding& binding = candidate.subscription->what.bindings[candidate.binding];
    if ((binding.kinds & kind) == 0 || !matches(binding.filter, key, judged)) continue;
    uint64_t& bits = bindings[candidate.subscription];
    if (bits == 0) order.push_back(candidate.subscription);
    bits |= uint64_t{1} << candidate.binding;
  }
  std::map<std::string, bool, std::less<>> known_before, known_after;
  for (RowSubscription* subscription : order) {
    RowEvent event;
    if (!change->after.is_null()) {
      ASSIGN_OR_RETURN(const bool may, may_read(*subscription, after_, row.value(), known_after));
      if (!may) continue;
    }
    if (!change->before.is_null()) {
      ASSIGN_OR_RETURN(event.shows_before, may_read(*subscription, before_, row.value(), known_before));
      if (!event.shows_before && change->after.is_null()) continue;
    }
    event.listener = subscription->id;
    event.change = change;
    event.bindings = bindings[subscription];
    told_.push_back({subscription, std::move(event)});
  }
  return {};
}

Result<std::vector<RowNotification>> RowRegistry::match(const Difference& difference, uint64_t sequence,
                                                        const TreeView& before, const TreeView& after) {
  Matching matching(*this, difference, sequence, before, after);
  if (empty() || difference.changed.empty()) return std::vector<RowNotification>();
  RETURN_IF_ERROR(matching.touch());
  RETURN_IF_ERROR(matching.look());
  if (Step::here().is_over()) return step_is_over();
  return std::move(matching).take();
}

}  // namespace hearth::db
