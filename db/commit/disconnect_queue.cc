// What a session wants written at its end, as a sparse tree: paths with values, none of which lies above another.
//
//   entries_    /presence/ada = {online: false}      /rooms/r1/typing = null
//
//   put /presence/ada/since = now     the entry above covers it: its value is edited to {online: false, since: now}
//   put /rooms/r1 = {…}               covers /rooms/r1/typing, which goes
//   cancel /presence/ada/online       the entry above is split: {since: now} stays, as /presence/ada/since
//
// Two entries that overlap would be written in some order, and the second would undo part of the first. The SDK keeps
// the same tree on its side (SparseSnapshotTree), so both agree on what a cancel leaves.
//
// Every change is noted in undo_. The caller takes an operation in first and then asks whether there is room; undo()
// costs what the operation changed, not the size of the queue. The three sums are kept up by count() in every change.
#include "db/commit/disconnect_queue.h"

#include "db/model/key_order.h"
#include "db/model/tree_view.h"

namespace hearth::db {
namespace {

std::string key_of(const Path& path, Slot slot) {
  std::string key = encode_path(path);
  if (slot == Slot::Priority) key += kPriorityMark;
  return key;
}

}  // namespace

Result<std::vector<Effect>> DisconnectQueue::take(const Disconnect& disconnect) {
  std::vector<Effect> effects;
  switch (disconnect.kind) {
    case Disconnect::Kind::Put:
    case Disconnect::Kind::Merge:
      if (entries_.size() + disconnect.overwrites.size() > kDisconnectEntriesMax) {
        return Error{ErrorCode::TooLarge, "A session may queue at most " + std::to_string(kDisconnectEntriesMax) +
                                              " writes for its disconnect."};
      }
      for (const Overwrite& overwrite : disconnect.overwrites) put(overwrite, effects);
      break;
    case Disconnect::Kind::Cancel:
      cancel(disconnect.path, effects);
      break;
  }
  return effects;
}

// A path has at most kDepthMax prefixes, and at most one of them is queued.
DisconnectQueue::Entries::iterator DisconnectQueue::above(const Path& path) {
  for (size_t depth = 0; depth < path.depth(); ++depth) {
    const auto found = entries_.find(encode_path(path.prefix(depth)));
    if (found != entries_.end()) return found;
  }
  return entries_.end();
}

void DisconnectQueue::remove_at_and_below(const std::string& key, std::vector<Effect>& effects) {
  auto at = entries_.lower_bound(key);
  while (at != entries_.end() && std::string_view(at->first).starts_with(key)) {
    effects.push_back(
        {.kind = Effect::Kind::Dequeue, .path = at->second.path, .slot = at->second.slot, .name = session_});
    at = erase_entry(at);
  }
}

void DisconnectQueue::count(const Overwrite& overwrite, bool is_there) {
  const size_t rows = overwrite.value.row_count();
  const size_t bytes = overwrite.path.text().size() + overwrite.value.byte_count();
  rows_ += is_there ? rows : -rows;
  bytes_ += is_there ? bytes : -bytes;
  if (rows > 0) data_bytes_ += is_there ? bytes : -bytes;
}

void DisconnectQueue::put_entry(std::string key, Overwrite overwrite) {
  count(overwrite, true);
  const auto [at, is_new] = entries_.try_emplace(key);
  if (!is_new) count(at->second, false);
  undo_.emplace_back(std::move(key), is_new ? std::nullopt : std::optional(std::move(at->second)));
  at->second = std::move(overwrite);
}

DisconnectQueue::Entries::iterator DisconnectQueue::erase_entry(Entries::iterator at) {
  count(at->second, false);
  undo_.emplace_back(at->first, std::move(at->second));
  return entries_.erase(at);
}

// Newest first: an entry that was changed twice must end as it was before the first change.
void DisconnectQueue::undo() {
  for (; !undo_.empty(); undo_.pop_back()) {
    auto& [key, before] = undo_.back();
    const auto at = entries_.find(key);
    if (at != entries_.end()) {
      count(at->second, false);
      entries_.erase(at);
    }
    if (!before) continue;
    count(*before, true);
    entries_.emplace(std::move(key), std::move(*before));
  }
  if (undo_memo_) memo_ = std::move(*undo_memo_);
  keep();
}

// Assigned and not cleared: a queue that was edited once should not keep the memory for it.
void DisconnectQueue::keep() {
  undo_ = {};
  undo_memo_.reset();
}

void DisconnectQueue::store(Overwrite overwrite, std::vector<Effect>& effects) {
  effects.push_back({.kind = Effect::Kind::Enqueue,
                     .path = overwrite.path,
                     .value = overwrite.value,
                     .slot = overwrite.slot,
                     .name = session_});
  std::string key = key_of(overwrite.path, overwrite.slot);
  put_entry(std::move(key), std::move(overwrite));
}

void DisconnectQueue::put(const Overwrite& overwrite, std::vector<Effect>& effects) {
  auto covering = above(overwrite.path);
  if (covering == entries_.end() && overwrite.slot == Slot::Priority) {
    covering = entries_.find(encode_path(overwrite.path));  // the node itself is queued: its priority is part of that
  }
  if (covering == entries_.end()) {
    remove_at_and_below(key_of(overwrite.path, overwrite.slot), effects);
    store(overwrite, effects);
    return;
  }
  // An ancestor's value is edited: the two will be written as one.
  Overwrite edited = covering->second;
  const Path below = overwrite.path.relative_to(edited.path);
  const Value inner =
      overwrite.slot == Slot::Value ? overwrite.value : edited.value.at(below).with_priority(overwrite.value);
  edited.value = edited.value.with(below, inner);
  store(std::move(edited), effects);
}

void DisconnectQueue::cancel(const Path& path, std::vector<Effect>& effects) {
  remove_at_and_below(encode_path(path), effects);
  // Of an object that is queued above, only this part is forgotten: the object is split into its children, and the
  // other children stay. A leaf above is left alone.
  for (auto covering = above(path); covering != entries_.end(); covering = above(path)) {
    const Overwrite whole = covering->second;
    if (!whole.value.is_object()) return;
    effects.push_back({.kind = Effect::Kind::Dequeue, .path = whole.path, .slot = whole.slot, .name = session_});
    erase_entry(covering);
    for (auto child = whole.value.children(); !child.done(); child.next()) {
      const Result<Path> at = whole.path.child(child.key());
      if (at.ok() && at.value() != path) store({at.value(), Slot::Value, child.value()}, effects);
    }
  }
}

std::vector<Overwrite> DisconnectQueue::overwrites() const {
  std::vector<Overwrite> all;
  for (const auto& [key, overwrite] : entries_) all.push_back(overwrite);
  return all;
}

std::vector<Overwrite> DisconnectQueue::first(size_t most) const {
  std::vector<Overwrite> some;
  for (auto entry = entries_.begin(); entry != entries_.end() && some.size() < most; ++entry) {
    some.push_back(entry->second);
  }
  return some;
}

std::vector<Effect> DisconnectQueue::sign(const std::string& memo) {
  // An empty queue needs nobody's rights, and its memo row must go with its last entry.
  const std::string wanted = entries_.empty() ? "" : memo;
  if (wanted == memo_) return {};
  if (!undo_memo_) undo_memo_ = memo_;
  memo_ = wanted;
  return {{.kind = Effect::Kind::QueuedBy, .value = memo_.empty() ? Value() : Value::string(memo_), .name = session_}};
}

std::vector<Effect> DisconnectQueue::clear() {
  std::vector<Effect> effects;
  remove_at_and_below("", effects);
  for (Effect& effect : sign("")) effects.push_back(std::move(effect));
  return effects;
}

Result<void> DisconnectQueue::restore(std::string_view key, std::string_view rows) {
  if (key == std::string_view(&kQueuedByMark, 1)) {
    memo_ = rows;
    return {};
  }
  Overwrite overwrite;
  Result<Path> path = decode_path(key);
  if (!path.ok() && !key.empty() && key.back() == kPriorityMark) {
    overwrite.slot = Slot::Priority;
    path = decode_path(key.substr(0, key.size() - 1));
  }
  if (!path.ok()) return path.error();
  overwrite.path = std::move(path).value();
  ASSIGN_OR_RETURN(overwrite.value, decode_rows(rows));
  put_entry(std::string(key), std::move(overwrite));
  keep();
  return {};
}

}  // namespace hearth::db
