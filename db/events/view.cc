#include "db/events/view.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "db/model/key_order.h"

namespace hearth::db {

using BodyPointer = std::shared_ptr<const Body>;

// One child on both sides of a commit.
struct View::Moved {
  bool was_in = false;
  bool is_in = false;
  std::optional<Position> from, to;
};

Result<void> View::open(const TreeView& tree, bool has_priorities) {
  window_.clear();
  if (query_.counts && !is_limited()) {
    ASSIGN_OR_RETURN(count_, db::count(tree, path_, query_, has_priorities));
  }
  if (!is_limited()) return {};
  ASSIGN_OR_RETURN(std::vector<Position> positions, select(tree, path_, query_, has_priorities));
  for (Position& position : positions) window_.insert(window_.end(), std::move(position));
  count_ = window_.size();
  return {};
}

// What those who listen to a count are told, if it is another.
Result<BodyPointer> View::tell_count(uint64_t count) {
  if (count == count_) return BodyPointer();
  count_ = count;
  return Body::put(path_, Slot::Value, Value::integer(static_cast<int64_t>(count)));
}

Result<Value> View::read(const TreeView& tree, bool has_priorities) const {
  if (!is_limited()) return read_query(tree, path_, query_, has_priorities, kReadBytesMax);
  return read_children(tree, path_, {window_.begin(), window_.end()}, kReadBytesMax);
}

bool View::is_beyond(const Position& position, const Position& edge) const {
  const int order = compare_positions(position, edge);
  return query_.limit == Limit::Last ? order < 0 : order > 0;
}

Result<BodyPointer> View::change_all(const TreeView& before, const TreeView& after, bool has_priorities) {
  if (query_.counts) {
    const uint64_t old = count_;
    RETURN_IF_ERROR(open(after, has_priorities));
    return tell_count(std::exchange(count_, old));
  }
  ASSIGN_OR_RETURN(const Value old, read(before, has_priorities));
  RETURN_IF_ERROR(open(after, has_priorities));
  ASSIGN_OR_RETURN(const Value value, read(after, has_priorities));
  if (old == value) return BodyPointer();
  return Body::put(path_, Slot::Value, value);
}

// What lost its place goes, what gained one comes; a window that lost more than it gained takes what lay behind its edge.
Result<void> View::move_window(std::map<std::string, Moved>& moved, const TreeView& after, bool has_priorities) {
  const bool was_full = window_.size() >= query_.count;
  const auto edge_of = [this] { return query_.limit == Limit::First ? std::prev(window_.end()) : window_.begin(); };
  std::optional<Position> edge;
  if (was_full) edge = *edge_of();
  for (auto& [key, child] : moved) {
    child.was_in = child.from && window_.contains(*child.from);
    if (child.was_in) window_.erase(*child.from);
  }
  for (auto& [key, child] : moved) {
    if (!child.to || !in_range(*child.to, query_)) continue;
    if (edge && is_beyond(*child.to, *edge)) continue;  // what lies behind the edge is looked for below
    window_.insert(*child.to);
  }
  while (window_.size() > query_.count) {
    const auto worst = edge_of();
    moved.try_emplace(worst->key, Moved{true, false, *worst, *worst});  // one that was not touched was there
    window_.erase(worst);
  }
  if (was_full && window_.size() < query_.count) {
    Query rest = query_;
    rest.count = static_cast<uint32_t>(query_.count - window_.size());
    ASSIGN_OR_RETURN(std::vector<Position> positions, select(after, path_, rest, has_priorities, &*edge));
    for (Position& position : positions) {
      moved.try_emplace(position.key, Moved{false, true, position, position});
      window_.insert(std::move(position));
    }
  }
  for (auto& [key, child] : moved) child.is_in = child.to && window_.contains(*child.to);
  return {};
}

Result<BodyPointer> View::change(const Touched& touched, const TreeView& before, const TreeView& after,
                                 bool has_priorities) {
  ASSIGN_OR_RETURN(const auto leaf, before.leaf(encode_path(path_)));
  if (touched.all || leaf) return change_all(before, after, has_priorities);
  std::map<std::string, Moved> moved;
  bool concerns = false;
  for (const auto& [key, overwrites] : touched.children) {
    Moved child;
    ASSIGN_OR_RETURN(child.from, find_position(before, path_, key, query_));
    ASSIGN_OR_RETURN(child.to, find_position(after, path_, key, query_));
    child.was_in = child.from && in_range(*child.from, query_);
    child.is_in = child.to && in_range(*child.to, query_);
    if (is_limited()) {
      const bool is_full = window_.size() >= query_.count;
      const auto fits = [&](const Position& position) {
        return !is_full || !is_beyond(position, query_.limit == Limit::First ? *window_.rbegin() : *window_.begin());
      };
      child.was_in = child.was_in && window_.contains(*child.from);
      child.is_in = child.is_in && fits(*child.to);
    }
    if (!child.was_in && !child.is_in) continue;
    concerns = true;
    moved.emplace(key, std::move(child));
  }
  if (!concerns) return BodyPointer();
  if (is_limited()) RETURN_IF_ERROR(move_window(moved, after, has_priorities));
  if (query_.counts) {
    uint64_t count = is_limited() ? window_.size() : count_;
    for (const auto& [key, child] : moved) {
      if (is_limited()) break;
      count += (child.is_in ? 1 : 0) - (child.was_in ? 1 : 0);
    }
    return tell_count(count);
  }

  std::vector<std::pair<std::string, Value>> entries;
  const auto whole = [&](const std::string& key) -> Result<void> {
    ASSIGN_OR_RETURN(const Path child, path_.child(key));
    ASSIGN_OR_RETURN(Value value, after.read(child, kReadBytesMax));
    entries.emplace_back(key, std::move(value));
    return {};
  };
  for (const auto& [key, child] : moved) {
    if (!child.was_in && !child.is_in) continue;
    if (!child.is_in) {
      entries.emplace_back(key, Value());
      continue;
    }
    const auto at = touched.children.find(key);
    const bool is_step = child.was_in && at != touched.children.end() &&
                         !(has_priorities && std::any_of(at->second.begin(), at->second.end(),
                                                         [](const Overwrite* one) { return one->value.is_null(); }));
    if (!is_step) {
      RETURN_IF_ERROR(whole(key));
      continue;
    }
    for (const Overwrite* one : at->second) {
      std::string name = one->path.relative_to(path_).text();
      if (one->slot == Slot::Priority) name += "/.priority";
      entries.emplace_back(std::move(name), one->value);
    }
  }
  if (entries.empty()) return BodyPointer();
  if (entries.size() > 1) return Body::merge(path_, std::move(entries));
  // One alone is a put of that place.
  ASSIGN_OR_RETURN(Overwrite only, make_overwrite(path_.text() + "/" + entries.front().first, entries.front().second));
  return Body::put(only.path, only.slot, only.value);
}

}  // namespace hearth::db
