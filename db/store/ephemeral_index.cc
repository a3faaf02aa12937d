// Hidden rows, and rows that are made.
#include "db/store/ephemeral_index.h"

#include <map>
#include <utility>

#include "db/model/key_order.h"

namespace hearth::db {
namespace {

// Relative and encoded, as in a row's key below the child.
std::vector<std::string> order_paths(const IndexSpec& spec) {
  if (spec.order == Order::Value) return {""};
  std::vector<std::string> paths{encode_path(spec.child)};
  for (const Path& path : spec.then) paths.push_back(encode_path(path));
  return paths;
}

class ShownRows final : public TreeView {
 public:
  ShownRows(EphemeralIndex parts, std::vector<std::string> children)
      : parts_(std::move(parts)),
        children_(std::move(children)),
        base_(index_prefix(parts_.index.id, parts_.collection) + '\0') {}

  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    RETURN_IF_ERROR(look());
    auto own = made_.lower_bound(from);
    bool is_going = true;
    const auto show_before = [&](std::string_view key) {
      for (; is_going && own != made_.end() && own->first < key; ++own) is_going = row(own->first, own->second);
    };
    RETURN_IF_ERROR(parts_.rows->scan(from, upto, [&](std::string_view key, std::string_view copy) {
      if (hidden_.contains(key)) return true;
      show_before(key);
      is_going = is_going && row(key, copy);
      return is_going;
    }));
    show_before(upto);
    return {};
  }

  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    RETURN_IF_ERROR(look());
    auto own = made_.lower_bound(upto);  // the one before it is the next
    bool is_going = true;
    const auto show_from = [&](std::string_view key) {
      for (; is_going && own != made_.begin() && std::prev(own)->first >= key; --own) {
        is_going = row(std::prev(own)->first, std::prev(own)->second);
      }
    };
    RETURN_IF_ERROR(parts_.rows->scan_down(from, upto, [&](std::string_view key, std::string_view copy) {
      if (hidden_.contains(key)) return true;
      show_from(key);
      is_going = is_going && row(key, copy);
      return is_going;
    }));
    show_from(from);
    return {};
  }

  Result<Row> last(std::string_view from, std::string_view upto) const override { return first_down(from, upto); }

  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    RETURN_IF_ERROR(look());
    if (const auto own = made_.find(key); own != made_.end()) return std::optional(own->second);
    if (hidden_.contains(key)) return std::optional<std::string>();
    ASSIGN_OR_RETURN(auto found, parts_.rows->leaf(key));
    if (more_ == 0 || key != base_ + '\0') return found;
    uint64_t count = 0;
    if (found) {
      ASSIGN_OR_RETURN(count, decode_count(*found));
    }
    return std::optional(encode_count(count + more_));
  }

 private:
  Result<void> look() const {
    if (has_looked_) return {};
    const IndexSpec& spec = parts_.index.spec;
    const std::vector<std::string> paths = order_paths(spec);
    hidden_.clear();  // of a look that has failed
    made_.clear();
    more_ = 0;
    for (const std::string& segment : children_) {
      const std::string child = parts_.collection + segment;
      ASSIGN_OR_RETURN(const bool was_there, parts_.disk->any(child, child + kPastChildren));
      if (was_there && !spec.covers && !concerns(child, paths)) continue;
      if (was_there) {
        ASSIGN_OR_RETURN(const auto place, find_place(*parts_.disk, child, spec.order, spec.child, spec.then));
        if (place) hidden_.insert(row_at(*place, segment));
      }
      ASSIGN_OR_RETURN(const auto place, find_place(*parts_.tree, child, spec.order, spec.child, spec.then));
      if (!place) continue;
      std::string copy;
      if (spec.covers) {
        ASSIGN_OR_RETURN(copy, copy_of_child(*parts_.tree, child));
      }
      made_.emplace(row_at(*place, segment), std::move(copy));
      if (!was_there) ++more_;
    }
    has_looked_ = true;
    return {};
  }

  // Whether something in memory says what the child is ordered by: at, below or above one of these paths.
  bool concerns(const std::string& child, const std::vector<std::string>& paths) const {
    for (const std::string& path : paths) {
      const std::string at = child + path;
      if (parts_.ephemeral.any(at, at + kPastChildren)) return true;
      for (size_t length = 0; length < path.size(); length += segment_length(std::string_view(path).substr(length))) {
        if (parts_.ephemeral.find(child + path.substr(0, length)) != nullptr) return true;
      }
    }
    return false;
  }

  std::string row_at(const Position& place, const std::string& segment) const {
    std::string row = base_;
    append_index_place(place, row);
    return row + segment;
  }

  const EphemeralIndex parts_;
  const std::vector<std::string> children_;  // segments of those that have something in memory, ascending
  const std::string base_;
  mutable bool has_looked_ = false;
  mutable std::set<std::string, std::less<>> hidden_;               // of the disk's rows
  mutable std::map<std::string, std::string, std::less<>> made_{};  // instead of them
  mutable uint64_t more_ = 0;                                       // children that are in memory alone
};

}  // namespace

std::optional<TreeView::IndexRows> with_ephemeral(EphemeralIndex parts) {
  std::vector<std::string> children;
  const std::string& base = parts.collection;
  EphemeralRows::Cursor at(parts.ephemeral, base, base + kPastChildren);
  while (const EphemeralRows::Row* row = at.row()) {
    const std::string_view below = std::string_view(row->key).substr(base.size());
    if (below.empty() || children.size() == kEphemeralChildrenMax) return {};
    children.emplace_back(below.substr(0, segment_length(below)));
    at.skip_to(base + children.back() + kPastChildren);
  }
  TreeView::IndexRows shown;
  shown.base = index_prefix(parts.index.id, base) + '\0';
  shown.covers = parts.index.spec.covers;
  shown.rows = std::make_shared<const ShownRows>(std::move(parts), std::move(children));
  return shown;
}

Result<void> WithoutRows::scan(std::string_view from, std::string_view upto, const RowFunction& row) const {
  EphemeralRows::Cursor hidden(rows_, from, upto);
  return tree_.scan(from, upto, [&](std::string_view key, std::string_view leaf) {
    while (hidden.row() != nullptr && hidden.row()->key < key) hidden.next();
    return (hidden.row() != nullptr && hidden.row()->key == key) || row(key, leaf);
  });
}

Result<void> WithoutRows::scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const {
  return tree_.scan_down(from, upto, [&](std::string_view key, std::string_view leaf) {
    return rows_.find(key) != nullptr || row(key, leaf);
  });
}

Result<std::optional<std::string>> WithoutRows::leaf(std::string_view key) const {
  if (rows_.find(key) != nullptr) return std::optional<std::string>();
  return tree_.leaf(key);
}

}  // namespace hearth::db
