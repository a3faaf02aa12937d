// Two changes of a row as one.
#include "db/shard/withheld_rows.h"

#include <algorithm>
#include <tuple>

namespace hearth::db {
namespace {

RowKind kind_of(const Value& before, const Value& after) {
  if (before.is_null()) return RowKind::Insert;
  return after.is_null() ? RowKind::Delete : RowKind::Update;
}

bool ask_all_for(const std::vector<RowBinding>& bindings, uint64_t which, RowKind kind) {
  for (size_t i = 0; i < bindings.size(); ++i) {
    const bool is_meant = (which & uint64_t{1} << i) != 0;
    if (is_meant && (bindings[i].kinds & static_cast<uint8_t>(kind)) == 0) return false;
  }
  return true;
}

}  // namespace

void WithheldRows::count(const std::shared_ptr<const RowChange>& change, int64_t times) {
  if (change == nullptr) return;
  size_t& kept = shared_[change.get()];
  if (kept == 0) bytes_ += change->byte_count();
  kept += static_cast<size_t>(times);
  if (kept > 0) return;
  bytes_ -= change->byte_count();
  shared_.erase(change.get());
}

WithheldRows::Became WithheldRows::join(Kept& kept, const RowEvent& event, const std::vector<RowBinding>& bindings) {
  if (kept.event.bindings != event.bindings) return Became::Two;
  const std::shared_ptr<const RowChange>& first = kept.first != nullptr ? kept.first : kept.event.change;
  const Value& before = first->before;
  const Value& after = event.change->after;
  if (before == after) return Became::Nothing;
  if (!ask_all_for(bindings, event.bindings, kind_of(before, after))) return Became::Two;
  const std::shared_ptr<const RowChange> begin = first;
  count(event.change, 1);
  count(begin, 1);
  count(kept.event.change, -1);
  count(kept.first, -1);
  kept = {.event = event, .first = begin, .showed_before = kept.showed_before, .number = ++numbers_};
  return Became::One;
}

void WithheldRows::add(const Listener& listener, const RowEvent& event, const std::vector<RowBinding>& bindings) {
  const auto at = rows_.try_emplace({listener, event.change->key}).first;
  std::vector<Kept>& kept = at->second;
  if (!kept.empty()) {
    switch (join(kept.back(), event, bindings)) {
      case Became::One:
        return;
      case Became::Nothing:
        count(kept.back().event.change, -1);
        count(kept.back().first, -1);
        kept.pop_back();
        --events_;
        if (kept.empty()) rows_.erase(at);
        return;
      case Became::Two:
        break;
    }
  }
  count(event.change, 1);
  kept.push_back({.event = event, .first = {}, .showed_before = event.shows_before, .number = ++numbers_});
  ++events_;
}

void WithheldRows::forget(const Listener& listener) {
  auto at = rows_.lower_bound({listener, ""});
  while (at != rows_.end() && at->first.first == listener) {
    for (const Kept& kept : at->second) {
      count(kept.event.change, -1);
      count(kept.first, -1);
      --events_;
    }
    at = rows_.erase(at);
  }
}

std::vector<std::pair<WithheldRows::Listener, RowEvent>> WithheldRows::told() const {
  std::vector<std::pair<const Key*, const Kept*>> all;
  for (const auto& [key, row] : rows_) {
    for (const Kept& kept : row) all.emplace_back(&key, &kept);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second->number < b.second->number; });
  std::map<std::pair<const RowChange*, const RowChange*>, std::shared_ptr<const RowChange>> joined;
  std::vector<std::pair<Listener, RowEvent>> told;
  for (const auto& [key, kept] : all) {
    RowEvent event = kept->event;
    // Of a deletion the row just before it is told, as filters have judged that one.
    if (kept->first != nullptr && !event.change->after.is_null()) {
      auto& change = joined[{kept->first.get(), event.change.get()}];
      if (change == nullptr) {
        auto made = std::make_shared<RowChange>();
        std::tie(made->table, made->key) = std::tie(event.change->table, event.change->key);
        made->before = kept->first->before;
        made->after = event.change->after;
        made->sequence = event.change->sequence;
        made->time = event.change->time;
        change = std::move(made);
      }
      event.change = change;
      event.shows_before = kept->showed_before;
    }
    told.emplace_back(key->first, std::move(event));
  }
  return told;
}

}  // namespace hearth::db
