// Rows of one table, of namespace after namespace, on their way into files beside the store (db/store/staged.h), which
// namespaces share: how many files there are follows the bytes. lane.cc has a drawing. Thread: one. Blocks on disk.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/result.h"
#include "db/dump/row_sorter.h"
#include "db/store/staged.h"
#include "db/store/tree_store.h"

namespace hearth::db {

// When namespaces come in no order, one that is at most this large is held in memory, and shares files with others.
inline constexpr size_t kSharedSpaceBytesMax = 1u << 20;

class Lane {
 public:
  // `folder`: for a temporary file of rows that are to be sorted.
  Lane(TreeStore& store, const std::string& folder) : sorter_(folder), staged_(store.stage()) {}

  void expect_no_order() { is_sorted_ = false; }  // namespaces do not come in the order of their numbers
  // Everything in [from, upto) will be what is put until end(). Errors of all: of Staged and RowSorter.
  Result<void> begin(std::string from, std::string upto);
  Result<void> put(std::string_view key, std::string_view value);  // ascending, in the range
  Result<void> end();
  Result<void> finish();                 // what was put is staged; nothing more is put
  Staged& staged() { return *staged_; }  // for what follows finish()
  std::unique_ptr<Staged> take() && { return std::move(staged_); }

 private:
  struct Range {
    std::string from, upto;
  };
  Result<void> stage_held();

  bool is_sorted_ = true;
  Range range_;           // that the namespace being read fills
  bool is_held_ = false;  // its rows so far are in held_, for they are few
  std::vector<std::pair<std::string, std::string>> held_;
  size_t held_bytes_ = 0;
  RowSorter sorter_;                // of the rows of small namespaces
  std::vector<Range> small_;        // that they fill
  std::vector<std::string> large_;  // where those begin that have files of their own
  std::unique_ptr<Staged> staged_;
};

}  // namespace hearth::db
