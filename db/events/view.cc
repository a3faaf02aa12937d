#include "db/events/view.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "db/model/key_order.h"
#include "db/model/select.h"

namespace hearth::db {

using BodyPointer = std::shared_ptr<const Body>;

// One child on both sides of a commit.
struct View::Moved {
  bool was_in = false;
  bool is_in = false;
  std::optional<Position> from, to;
};

Result<const std::vector<std::pair<std::string, Touched::Places>>*> Touched::places(const Query& query) {
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

Result<bool> Touched::was_leaf() {
  if (!was_leaf_) {
    ASSIGN_OR_RETURN(const auto leaf, before_.leaf(encode_path(path_)));
    was_leaf_ = leaf.has_value();
  }
  return *was_leaf_;
}

Result<Value> Touched::child(const std::string& key) {
  if (const auto known = values_.find(key); known != values_.end()) return known->second;
  ASSIGN_OR_RETURN(const Path path, path_.child(key));
  ASSIGN_OR_RETURN(Value value, after_.read(path, kReadBytesMax));
  return values_.emplace(key, std::move(value)).first->second;
}

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

Result<BodyPointer> View::change(Touched& touched, bool has_priorities) {
  const TreeView& after = touched.after();
  ASSIGN_OR_RETURN(const bool was_leaf, touched.was_leaf());
  if (touched.all || was_leaf) return change_all(touched.before(), after, has_priorities);
  ASSIGN_OR_RETURN(const auto* places, touched.places(query_));
  std::map<std::string, Moved> moved;
  for (const auto& [key, place] : *places) {
    bool was_in = place.from && in_range(*place.from, query_);
    bool is_in = place.to && in_range(*place.to, query_);
    if (is_limited()) {
      const bool is_full = window_.size() >= query_.count;
      const auto fits = [&](const Position& position) {
        return !is_full || !is_beyond(position, query_.limit == Limit::First ? *window_.rbegin() : *window_.begin());
      };
      was_in = was_in && window_.contains(*place.from);
      is_in = is_in && fits(*place.to);
    }
    if (was_in || is_in) moved.emplace(key, Moved{was_in, is_in, place.from, place.to});
  }
  if (moved.empty()) return BodyPointer();
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
  if (entries.empty()) return BodyPointer();
  if (entries.size() > 1) return Body::merge(path_, std::move(entries));
  // One alone is a put of that place.
  ASSIGN_OR_RETURN(Overwrite only, make_overwrite(path_.text() + "/" + entries.front().first, entries.front().second));
  return Body::put(only.path, only.slot, only.value);
}

}  // namespace hearth::db
