// The window of a limited query, kept up to date without going through the collection.
//
//   from the limit's side ─▶
//
//   ┌──────── shown ────────┐┌───────── reserve ─────────┐
//   a    b    c    d    e    f    g    h    i    …    j    ?    ?    ?        positions, in the query's order
//                       ▲                             ▲    in the collection, and not known here
//                     edge_                      known_upto_
//   └────────────────────── known_ ──────────────────────┘
//
//   shown     the first query.count of known_; edge_ is the last of them, or nothing while there are fewer
//   reserve   up to 32 more. They are not told, they only wait
//   known_    every position of the collection up to known_upto_; when that is nothing, every position there is
//
// A write is then two look-ups, the child's place before and after, and no scan:
//   - beyond known_upto_:  nobody sees it, and it is not even remembered;
//   - it comes nearer than edge_:  the child at the edge moves into the reserve, though nobody wrote it;
//   - one that was shown goes:  the first of the reserve enters;
//   - the reserve is used up:  refill() asks for more behind known_upto_. Where that needs the whole collection, the
//     view shows less for a while, and wants a scan from a reader's thread.
//
//   Opening ── scan settled ──▶ Open ── a refill, or all was set, needs a scan ──▶ Refilling ── scan settled ──▶ Open
//
// The invariant: known_ has no gap up to known_upto_. A position beyond it may never be put in: between the two there
// may be others, and one of them would be missing from the window for ever.
//
// While a scan runs, the children that are written are noted (missed_), and settle() looks them up again in the tree
// as it is then. When everything was set meanwhile, the scan is worth nothing and is wanted again.
#include "db/events/view.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "db/model/key_order.h"
#include "db/model/select.h"

namespace hearth::db {

using BodyPointer = std::shared_ptr<const Body>;

namespace {

constexpr size_t kSetNodeBytes = 48;  // of what a set holds beside a thing

}  // namespace

size_t View::Known::bytes_of(const Position& position) {
  size_t bytes = kSetNodeBytes + sizeof(Position) + position.key.capacity() + position.value.byte_count();
  for (const Value& value : position.rest) bytes += sizeof(Value) + value.byte_count();
  return bytes;
}

// One child on both sides of a commit.
struct View::WindowMove {
  bool was_in = false;
  bool is_in = false;
  std::optional<Position> from, to;
};

// Cached by the order alone: views that differ in limit or range share the look-ups.
Result<const std::vector<std::pair<std::string, TouchedChildren::Places>>*> TouchedChildren::places(
    const Query& query) {
  std::string order(1, static_cast<char>(query.order));
  order += query.child.text();
  for (const Path& path : query.then) order.append(",").append(path.text());
  const auto [at, is_new] = places_.try_emplace(std::move(order));
  if (!is_new) return &at->second;
  for (const auto& [key, overwrites] : children) {
    Places places;
    ASSIGN_OR_RETURN(places.from, find_position(before_, path_, key, query));
    ASSIGN_OR_RETURN(places.to, find_position(after_, path_, key, query));
    at->second.emplace_back(key, std::move(places));
  }
  return &at->second;
}

Result<bool> TouchedChildren::was_leaf() {
  if (!was_leaf_) {
    ASSIGN_OR_RETURN(const auto leaf, before_.leaf(encode_path(path_)));
    was_leaf_ = leaf.has_value();
  }
  return *was_leaf_;
}

// Walks without using anything: the step meter in the store counts the rows, and ends the step if they are too many.
Result<void> TouchedChildren::count_rows(size_t most) {
  const std::string base = encode_path(path_);
  for (const TreeView* tree : {&before_, &after_}) {
    size_t rows = 0;
    RETURN_IF_ERROR(tree->scan(base, base + kPastChildren, [&](auto, auto) { return ++rows <= most; }));
  }
  return {};
}

Result<Value> TouchedChildren::child(const std::string& key) {
  if (const auto known = values_.find(key); known != values_.end()) return known->second;
  ASSIGN_OR_RETURN(const Path path, path_.child(key));
  ASSIGN_OR_RETURN(Value value, after_.read(path, kReadBytesMax));
  return values_.emplace(key, std::move(value)).first->second;
}

// No edge: the window is not full, and nothing lies beyond it.
bool View::is_beyond(const Position& position, const std::optional<Position>& edge) const {
  return edge && known_.key_comp()(*edge, position);
}

// The last position that a window shows, when it is full.
std::optional<Position> View::edge_of(const Known& known) const {
  if (known.size() < query_.count) return {};
  return *std::next(known.begin(), query_.count - 1);
}

// known_ begins at the limit's side; what is told is always in ascending order.
std::vector<Position> View::window() const {
  std::vector<Position> shown;
  for (const Position& position : known_) {
    if (shown.size() == query_.count) break;
    shown.push_back(position);
  }
  if (query_.limit == Limit::Last) std::reverse(shown.begin(), shown.end());
  return shown;
}

// Whether finding the positions takes a scan that is too long for the shard's thread, and is left to a reader.
// Also with an index a large window is looked up by a reader: kSeekHereMax positions are what a shard's thread may do.
Result<bool> View::must_scan(const TreeView& tree, bool has_priorities) const {
  ASSIGN_OR_RETURN(const bool seeks, selects_by_seek(tree, path_, query_, has_priorities));
  const bool counts_all = query_.counts && !query_.start && !query_.end;  // one row says how many
  if (seeks && (is_limited() ? capacity() <= kSeekHereMax : counts_all)) return false;
  const std::string base = encode_path(path_);
  size_t rows = 0;
  RETURN_IF_ERROR(tree.scan(base, base + kPastChildren,
                            [&](std::string_view, std::string_view) { return ++rows <= scan_here_rows_; }));
  return rows > scan_here_rows_;
}

void View::want_scan(State state) {
  state_ = state;
  wants_scan_ = true;
}

void View::begin_scan(uint64_t number) {
  wants_scan_ = false;
  scan_number_ = number;
  missed_all_ = false;
  missed_.clear();
  missed_bytes_ = 0;
  missed_count_ = 0;
}

Query View::scan_query() const {
  // The scan finds the reserve as well.
  Query more = query_;
  if (is_limited()) more.count = capacity();
  return more;
}

Result<View::Scanned> View::scan(const TreeView& tree, const Path& path, const Query& scan_query, bool has_priorities) {
  Scanned scanned;
  if (scan_query.limit == Limit::None) {
    ASSIGN_OR_RETURN(scanned.count, db::count(tree, path, scan_query, has_priorities));
  } else {
    ASSIGN_OR_RETURN(scanned.positions, select(tree, path, scan_query, has_priorities));
  }
  return scanned;
}

View::Known View::known_of(Scanned&& scanned, std::optional<Position>& known_upto) const {
  Known known(known_.key_comp());
  // Fewer than were asked for: the collection has no more, and everything is known.
  const bool is_all = scanned.positions.size() < capacity();
  for (Position& position : scanned.positions) known.insert(std::move(position));
  known_upto.reset();
  if (!is_all) known_upto = *known.rbegin();
  return known;
}

Result<void> View::open(const TreeView& tree, bool has_priorities) {
  state_ = State::Open;
  if (!is_limited() && !query_.counts) return {};
  ASSIGN_OR_RETURN(const bool must, must_scan(tree, has_priorities));
  if (must) {
    want_scan(State::Opening);
    return {};
  }
  ASSIGN_OR_RETURN(Scanned scanned, scan(tree, path_, scan_query(), has_priorities));
  count_ = scanned.count;
  if (!is_limited()) return {};
  known_ = known_of(std::move(scanned), known_upto_);
  edge_ = edge_of(known_);
  count_ = std::min<size_t>(known_.size(), query_.count);
  return {};
}

// The event for those who listen to a count; null when the count is the same.
BodyPointer View::tell_count(uint64_t count) {
  if (count == count_) return nullptr;
  count_ = count;
  return Body::put(path_, Slot::Value, Value::integer(static_cast<int64_t>(count)));
}

Result<Value> View::read(const TreeView& tree, bool has_priorities) const {
  if (query_.counts) return Value::integer(static_cast<int64_t>(count_));
  if (!is_limited()) return read_query(tree, path_, query_, has_priorities, kReadBytesMax);
  if (query_.keys_only) return keys_of(window());
  return read_window(tree, path_, query_, window(), kReadBytesMax);
}

Result<BodyPointer> View::whole(const TreeView& tree, bool has_priorities) const {
  if (state_ != State::Open) return BodyPointer();
  ASSIGN_OR_RETURN(const Value value, read(tree, has_priorities));
  return Body::put(path_, Slot::Value, value);
}

Result<BodyPointer> View::change_all(TouchedChildren& touched, bool has_priorities) {
  missed_all_ = true;
  if (state_ != State::Open) {
    is_stale_ = is_stale_ || state_ == State::Refilling;
    return BodyPointer();
  }
  // A view without limit keeps nothing: it compares two reads.
  const bool keeps = is_limited() || query_.counts;
  if (keeps) {
    ASSIGN_OR_RETURN(const bool must, must_scan(touched.after(), has_priorities));
    if (must) {
      is_stale_ = true;
      want_scan(State::Refilling);
      return BodyPointer();
    }
  }
  ASSIGN_OR_RETURN(const Value old, read(touched.before(), has_priorities));
  RETURN_IF_ERROR(open(touched.after(), has_priorities));
  ASSIGN_OR_RETURN(const Value value, read(touched.after(), has_priorities));
  if (old == value) return BodyPointer();
  return Body::put(path_, Slot::Value, value);
}

Result<BodyPointer> View::change_count(TouchedChildren& touched) {
  ASSIGN_OR_RETURN(const auto* places, touched.places(query_));
  int64_t gained = 0;
  for (const auto& [key, place] : *places) {
    gained += (place.to && in_range(*place.to, query_) ? 1 : 0) - (place.from && in_range(*place.from, query_) ? 1 : 0);
  }
  // A scan that is under way counts the tree of its snapshot; settle() adds this.
  missed_count_ += gained;
  if (state_ != State::Open) return BodyPointer();
  return tell_count(count_ + static_cast<uint64_t>(gained));
}

// A window that shows less than its limit takes positions that lie behind known_upto_.
Result<void> View::refill(const TreeView& after, bool has_priorities) {
  if (state_ != State::Open || known_.size() >= query_.count || !known_upto_) return {};
  ASSIGN_OR_RETURN(const bool must, must_scan(after, has_priorities));
  if (must) {
    want_scan(State::Refilling);
    return {};
  }
  Query rest = query_;
  rest.count = capacity() - static_cast<uint32_t>(known_.size());
  ASSIGN_OR_RETURN(std::vector<Position> positions, select(after, path_, rest, has_priorities, &*known_upto_));
  const bool is_all = positions.size() < rest.count;
  for (Position& position : positions) known_.insert(std::move(position));
  known_upto_.reset();
  if (!is_all) known_upto_ = *known_.rbegin();
  return {};
}

// Moves the window: old positions go, new ones come, and the edge follows. A child between the old edge and the new one
// enters or leaves the window although nobody wrote it.
Result<void> View::move_window(std::map<std::string, WindowMove>& moved, const TreeView& after, bool has_priorities) {
  const std::optional<Position> old_edge = edge_;
  for (auto& [key, child] : moved) {
    // Two loops: first all old places go, then all new ones come, or one child's new place could meet another's old
    // one.
    child.was_in = child.from && known_.contains(*child.from) && !is_beyond(*child.from, old_edge);
    if (child.from) known_.erase(*child.from);
  }
  for (auto& [key, child] : moved) {
    if (child.to && in_range(*child.to, query_) && !is_beyond(*child.to, known_upto_)) known_.insert(*child.to);
  }
  const auto cross = [&](const Position& position, bool was_in, bool is_in) {
    if (was_in != is_in) moved.try_emplace(position.key, WindowMove{was_in, is_in, position, position});
  };
  while (known_.size() > capacity()) {
    // Too much is known: what is farthest is forgotten, and known_upto_ comes nearer with it.
    const auto worst = std::prev(known_.end());
    cross(*worst, !is_beyond(*worst, old_edge), false);
    known_.erase(worst);
    known_upto_ = *known_.rbegin();
  }
  RETURN_IF_ERROR(refill(after, has_priorities));
  edge_ = edge_of(known_);
  for (auto& [key, child] : moved) {
    child.is_in = child.to && known_.contains(*child.to) && !is_beyond(*child.to, edge_);
  }
  if (!old_edge && !edge_) return {};
  // The positions between the old edge and the new one changed sides, and nobody touched them.
  const bool is_nearer = edge_ && is_beyond(*(old_edge ? &*old_edge : &*edge_), edge_);  // the new edge
  const std::optional<Position>& inner = !old_edge || is_nearer ? edge_ : old_edge;
  for (auto at = known_.upper_bound(*inner); at != known_.end(); ++at) {
    const bool was_in = !is_beyond(*at, old_edge);
    const bool is_in = !is_beyond(*at, edge_);
    if (!was_in && !is_in) break;
    cross(*at, was_in, is_in);
  }
  return {};
}

// A single entry is told as a Put at its own place, several as a Merge.
Result<BodyPointer> View::tell(std::vector<std::pair<std::string, Value>> entries) const {
  if (entries.empty()) return BodyPointer();
  if (entries.size() > 1) return Body::merge(path_, std::move(entries));
  ASSIGN_OR_RETURN(Overwrite only, make_overwrite(path_.text() + "/" + entries.front().first, entries.front().second));
  return Body::put(only.path, only.slot, only.value);
}

Result<BodyPointer> View::change(TouchedChildren& touched, bool has_priorities) {
  ASSIGN_OR_RETURN(const bool was_leaf, touched.was_leaf());
  if (touched.all || was_leaf) return change_all(touched, has_priorities);
  if (query_.counts && !is_limited()) return change_count(touched);
  if (state_ != State::Open) {
    for (const auto& [key, overwrites] : touched.children) {
      if (missed_.insert(key).second) missed_bytes_ += kSetNodeBytes + sizeof(std::string) + key.size();
    }
    if (state_ == State::Opening || is_stale_) return BodyPointer();
  }
  ASSIGN_OR_RETURN(const auto* places, touched.places(query_));
  std::map<std::string, WindowMove> moved;
  for (const auto& [key, place] : *places) {
    const bool was_in = place.from && in_range(*place.from, query_);
    const bool is_in = place.to && in_range(*place.to, query_);
    const bool concerns =
        is_limited() ? (was_in && known_.contains(*place.from)) || (is_in && !is_beyond(*place.to, known_upto_))
                     : was_in || is_in;
    if (concerns) moved.emplace(key, WindowMove{was_in, is_in, place.from, place.to});
  }
  if (moved.empty()) return BodyPointer();
  if (is_limited()) RETURN_IF_ERROR(move_window(moved, touched.after(), has_priorities));
  if (query_.counts) return tell_count(std::min<size_t>(known_.size(), query_.count));

  std::vector<std::pair<std::string, Value>> entries;
  for (const auto& [key, child] : moved) {
    if (!child.was_in && !child.is_in) continue;
    if (!child.is_in) {
      entries.emplace_back(key, Value());
      continue;
    }
    if (query_.keys_only) {
      if (!child.was_in) entries.emplace_back(key, Value::boolean(true));
      continue;
    }
    const auto at = touched.children.find(key);
    // A child that stays in the window is told only what changed in it. Not when something in it was removed and
    // priorities exist: a client that empties a node on the way loses its priority.
    const bool is_step = child.was_in && at != touched.children.end() &&
                         !(has_priorities && std::any_of(at->second.begin(), at->second.end(),
                                                         [](const Overwrite* one) { return one->value.is_null(); }));
    if (!is_step) {
      ASSIGN_OR_RETURN(Value value, touched.child(key));
      entries.emplace_back(key, std::move(value));
      continue;
    }
    for (const Overwrite* one : at->second) {
      std::string name = one->path.relative_to(path_).text();
      if (one->slot == Slot::Priority) name += "/.priority";
      entries.emplace_back(std::move(name), one->value);
    }
  }
  return tell(std::move(entries));
}

Result<BodyPointer> View::settle(Scanned scanned, const TreeView& now, bool has_priorities) {
  // Another begin_scan() follows, which forgets what was missed.
  if (missed_all_) {
    wants_scan_ = true;
    return BodyPointer();
  }
  // In a view that opens, nobody has been told anything yet: the first value follows, and no event.
  const bool was_open = state_ == State::Refilling;
  if (query_.counts && !is_limited()) {
    state_ = State::Open;
    is_stale_ = false;
    BodyPointer body = tell_count(scanned.count + static_cast<uint64_t>(missed_count_));
    return was_open ? body : nullptr;
  }
  std::optional<Position> known_upto;
  std::map<std::string, Position> by_key;
  for (const Position& position : scanned.positions) {
    if (missed_.contains(position.key)) by_key.emplace(position.key, position);
  }
  Known known = known_of(std::move(scanned), known_upto);
  for (const std::string& key : missed_) {
    if (const auto old = by_key.find(key); old != by_key.end()) known.erase(old->second);
    ASSIGN_OR_RETURN(const auto place, find_position(now, path_, key, query_));
    if (place && in_range(*place, query_) && !is_beyond(*place, known_upto)) known.insert(*place);
  }
  while (known.size() > capacity()) {
    known.erase(std::prev(known.end()));
    known_upto = *known.rbegin();
  }
  if (known.size() < query_.count && known_upto) {  // others lie behind that were not found
    wants_scan_ = true;
    return BodyPointer();
  }
  const std::vector<Position> old = window();
  known_.swap(known);
  known_upto_ = std::move(known_upto);
  edge_ = edge_of(known_);
  state_ = State::Open;
  const bool was_stale = std::exchange(is_stale_, false);
  const std::vector<Position> shown = window();
  if (query_.counts) {
    BodyPointer body = tell_count(shown.size());
    return was_open ? body : nullptr;
  }
  if (!was_open) return BodyPointer();
  // Everything was set while the window could not be known: a difference to it means nothing, so all of it is told.
  if (was_stale) {
    ASSIGN_OR_RETURN(const Value value, read(now, has_priorities));
    return Body::put(path_, Slot::Value, value);
  }
  std::set<std::string_view> before, after;
  for (const Position& position : old) before.insert(position.key);
  for (const Position& position : shown) after.insert(position.key);
  std::vector<std::pair<std::string, Value>> entries;
  for (const std::string_view key : before) {
    if (!after.contains(key)) entries.emplace_back(key, Value());
  }
  for (const std::string_view key : after) {
    if (before.contains(key)) continue;
    if (query_.keys_only) {
      entries.emplace_back(key, Value::boolean(true));
      continue;
    }
    ASSIGN_OR_RETURN(const Path child, path_.child(key));
    ASSIGN_OR_RETURN(Value value, now.read(child, kReadBytesMax));
    entries.emplace_back(key, std::move(value));
  }
  return tell(std::move(entries));
}

}  // namespace hearth::db
