// The parts of a TreeView that follow from scan(): slow but right for every view. Views that know a shorter way (a
// store's iterator, an overlay's maps, a committer's remembered hashes) override last(), scan_down() and hash().
#include "db/model/tree_view.h"

#include "db/model/hash.h"
#include "db/model/key_order.h"

namespace hearth::db {

Result<std::string> TreeView::hash(const Path& path, size_t bytes_max) const {
  ASSIGN_OR_RETURN(const Value value, read(path, bytes_max));
  return exact_hash(value);
}

Result<void> TreeView::scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const {
  std::string end(upto);
  while (from < end) {
    ASSIGN_OR_RETURN(const Row found, last(from, end));
    if (!found || !row(found->first, found->second)) return {};
    // `end` is exclusive, so the row that was just given is not found again.
    end = found->first;
  }
  return {};
}

Result<std::optional<TreeView::IndexRows>> TreeView::index(const Path&, const Query&) const {
  return std::optional<IndexRows>();
}

Result<TreeView::Row> TreeView::last(std::string_view from, std::string_view upto) const {
  Row found;
  RETURN_IF_ERROR(scan(from, upto, [&](std::string_view key, std::string_view leaf) {
    found.emplace(key, leaf);
    return true;
  }));
  return found;
}

Result<TreeView::Row> TreeView::first_down(std::string_view from, std::string_view upto) const {
  Row found;
  RETURN_IF_ERROR(scan_down(from, upto, [&](std::string_view key, std::string_view leaf) {
    found.emplace(key, leaf);
    return false;
  }));
  return found;
}

Result<Value> TreeView::read(const Path& path, size_t bytes_max) const { return read(encode_path(path), bytes_max); }

Result<Value> TreeView::read(std::string_view encoded, size_t bytes_max) const {
  ValueBuilder builder;
  bool fits = true;
  const std::string upto = std::string(encoded) + kPastChildren;
  RETURN_IF_ERROR(scan(encoded, upto, [&](std::string_view key, std::string_view leaf) {
    // Rows are added before they are measured: at most one leaf, 10 MB, is held beyond the limit.
    builder.add(key.substr(encoded.size()), leaf);
    fits = builder.byte_count() <= bytes_max;
    return fits;
  }));
  if (!fits) {
    return Error{ErrorCode::TooLarge,
                 "Data requested exceeds the maximum size that can be accessed with a single request."};
  }
  return std::move(builder).build();
}

Result<bool> TreeView::any(std::string_view from, std::string_view upto) const {
  bool found = false;
  RETURN_IF_ERROR(scan(from, upto, [&](std::string_view, std::string_view) {
    found = true;
    return false;
  }));
  return found;
}

Result<bool> TreeView::exists(const Path& path) const {
  const std::string from = encode_path(path);
  return any(from, from + kPastChildren);
}

Result<Value> TreeView::shallow(const Path& path, size_t bytes_max) const {
  const std::string base = encode_path(path);
  const std::string upto = base + kPastChildren;
  const std::string present = encode_leaf(Value::boolean(true));
  ValueBuilder builder;
  std::string from = base;
  // One scan for each child: the next begins behind everything below the one before.
  // `done` is taken back by each child that is found: a scan that finds none was the last.
  for (bool done = false; !done;) {
    done = true;
    bool fits = true;
    RETURN_IF_ERROR(scan(from, upto, [&](std::string_view key, std::string_view leaf) {
      const std::string_view below = key.substr(base.size());
      if (below.empty()) {  // a leaf: it is all there is
        builder.add(below, leaf);
        return false;
      }
      if (below.front() == kPriorityMark) return true;
      const std::string_view segment = below.substr(0, segment_length(below));
      builder.add(segment, present);
      fits = builder.byte_count() <= bytes_max;
      from.assign(base).append(segment).push_back(kPastChildren);
      done = false;
      return false;
    }));
    if (!fits) {
      return Error{ErrorCode::TooLarge,
                   "Data requested exceeds the maximum size that can be accessed with a single request."};
    }
  }
  return std::move(builder).build();
}

}  // namespace hearth::db
