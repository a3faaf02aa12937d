// A value as a tree, in memory.
#pragma once

#include <map>
#include <string>

#include "db/model/tree_view.h"

namespace hearth::test {

class ValueView final : public db::TreeView {
 public:
  explicit ValueView(const db::Value& value) {
    for (size_t i = 0; i < value.row_count(); ++i) rows_.emplace(value.row(i).key, value.row(i).leaf);
  }
  db::Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    ++looks;
    for (auto entry = rows_.lower_bound(from); entry != rows_.end() && entry->first < upto; ++entry) {
      if (!row(entry->first, entry->second)) break;
    }
    return {};
  }
  db::Result<std::optional<std::string>> leaf(std::string_view key) const override {
    ++looks;
    const auto entry = rows_.find(key);
    if (entry == rows_.end()) return std::optional<std::string>();
    return std::optional(entry->second);
  }
  mutable size_t looks = 0;

 private:
  std::map<std::string, std::string, std::less<>> rows_;
};

}  // namespace hearth::test
