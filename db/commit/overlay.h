// A tree as it would be: pending changes over a view that stays as it is. Overlays stack: a write is judged on an
// overlay over its group's overlay, which lies over what is on disk. overlay.cc has the drawing. Thread: its shard's.
//
// Three layers, the upper hides the lower: rows put or erased one by one; sheets (a range emptied and filled from one
// Value, for large writes); the base.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/model/tree_view.h"

namespace hearth::db {

class Overlay final : public TreeView {
 public:
  explicit Overlay(const TreeView& base) : base_(base) {}
  Overlay(const Overlay&) = delete;  // one over another is made from its TreeView
  Overlay& operator=(const Overlay&) = delete;

  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<std::optional<std::string>> leaf(std::string_view key) const override;
  Result<Row> last(std::string_view from, std::string_view upto) const override;
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override;

  void put(std::string key, std::string_view leaf);
  void erase(std::string key);
  // Everything in [from, upto) is now the rows of `value` below `prefix` (which lie in that range), and no other.
  void replace(const std::string& from, const std::string& upto, const std::string& prefix, const Value& value);
  void absorb(Overlay&& above);  // `above` was made over this one

  bool has_ranges() const { return !sheets_.empty(); }  // that were emptied
  bool empty() const { return rows_.empty() && sheets_.empty(); }
  size_t row_count() const;

  // For the store: what to empty, then what to put or erase, in order.
  std::vector<std::pair<std::string, std::string>> emptied() const;
  using PutFunction = std::function<void(std::string_view key, std::optional<std::string_view> leaf)>;
  void changes(const PutFunction& put) const { changes("", put); }
  // The same with `lead` in front of each key: who wants keys of the store need not copy each one again.
  void changes(std::string_view lead, const PutFunction& put) const;

 private:
  struct Sheet {
    std::string upto;
    std::string prefix;
    Value value;
  };
  using Sheets = std::map<std::string, Sheet, std::less<>>;  // by `from`; they never overlap
  using Rows = std::map<std::string, std::optional<std::string>, std::less<>>;

  const Sheet* sheet_over(std::string_view key) const;
  // The last row of sheets and base in [from, upto); single rows are the caller's to merge.
  Result<Row> last_below(std::string_view from, std::string_view upto) const;  // own rows aside
  static bool scan_sheet(const Sheet& sheet, std::string_view lead, std::string_view from, std::string_view upto,
                         const RowFunction& row);
  void cut_sheets(const std::string& from, const std::string& upto);

  const TreeView& base_;
  Rows rows_;
  Sheets sheets_;
};

}  // namespace hearth::db
