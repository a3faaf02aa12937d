// What the index rows of a tree must be, by definition: made anew from the whole tree, without any thrift.
#pragma once

#include <map>
#include <string>

#include "db/model/index.h"
#include "db/model/key_order.h"

namespace hearth::test {

using IndexRowMap = std::map<std::string, std::string>;

inline void add_collections(const db::Index& index, const db::Value& value, const db::Path& at, IndexRowMap& rows) {
  if (!value.is_object()) return;
  const size_t depth = at.depth();
  uint64_t count = 0;
  for (auto child = value.children(); !child.done(); child.next()) {
    const std::string key(child.key());
    const db::Path path = at.child(key).value();
    if (depth < index.spec.at.size()) {
      if (index.spec.at[depth] == "$" || index.spec.at[depth] == key) add_collections(index, child.value(), path, rows);
      continue;
    }
    if (!index.holds(db::encode_path(path))) continue;
    db::Query query;
    query.order = index.spec.order;
    query.child = index.spec.child;
    query.then = index.spec.then;
    std::string row = db::index_prefix(index.id, db::encode_path(at)) + '\0';
    db::append_index_place(db::position_of(key, child.value(), query), row);
    db::append_segment(key, row);
    rows[row] = index.spec.covers ? db::copy_of_child(child.value()) : "";
    ++count;
  }
  if (count > 0) rows[db::count_row(index.id, db::encode_path(at))] = db::encode_count(count);
}

inline IndexRowMap rows_by_definition(const db::IndexPlan& plan, const db::TreeView& tree) {
  IndexRowMap rows;
  const db::Value root = tree.read(db::Path(), db::kReadBytesMax).value();
  for (const db::Index& index : plan.indexes) add_collections(index, root, db::Path(), rows);
  return rows;
}

// Those that are there, the plan's row left out.
inline IndexRowMap rows_of(const db::TreeView& index_rows) {
  IndexRowMap rows;
  const auto done = index_rows.scan("", "\xff\xff\xff\xff\xff", [&](std::string_view key, std::string_view value) {
    if (key != db::kPlanRow) rows.emplace(key, value);
    return true;
  });
  if (!done.ok()) rows["cannot be read"] = done.error().message;
  return rows;
}

}  // namespace hearth::test
