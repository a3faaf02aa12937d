// Rows in any order → rows in key order, of any number in bounded memory: sorted runs in one temporary file, merged.
// Equal keys come one behind the other. The file has no name, so it goes with the process however that ends. Memory:
// kSortBytes, then a block of each run. Thread: one. Blocks on disk.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/result.h"

namespace hearth::db {

inline constexpr size_t kSortBytes = 64u << 20;       // of rows in memory; more go to a run
inline constexpr size_t kSortBlockBytes = 64u << 10;  // of a run, read at once

class RowSorter {
 public:
  // `folder`: where the file is made, when there is need for one.
  explicit RowSorter(std::string folder, size_t bytes_max = kSortBytes)
      : folder_(std::move(folder)), bytes_max_(bytes_max) {}
  ~RowSorter();
  RowSorter(const RowSorter&) = delete;
  RowSorter& operator=(const RowSorter&) = delete;

  Result<void> add(std::string_view key, std::string_view leaf);  // Errors: Io
  // Passes all rows on, once. Errors: Io, Corruption (of the file), `row`'s.
  using RowFunction = std::function<Result<void>(std::string_view key, std::string_view leaf)>;
  Result<void> drain(const RowFunction& row);
  size_t run_count() const { return runs_.size(); }

 private:
  struct Place {
    size_t key, leaf, end;  // in bytes_
  };
  struct Run {
    size_t from, upto;  // in the file
  };
  std::string_view key_of(const Place& place) const {
    return std::string_view(bytes_).substr(place.key, place.leaf - place.key);
  }
  std::string_view leaf_of(const Place& place) const {
    return std::string_view(bytes_).substr(place.leaf, place.end - place.leaf);
  }
  void sort();
  Result<void> write_run();
  Result<void> write(std::string& text);
  Result<void> merge(const RowFunction& row);

  const std::string folder_;
  const size_t bytes_max_;
  std::string bytes_;
  std::vector<Place> places_;
  int file_ = -1;
  size_t file_bytes_ = 0;
  std::vector<Run> runs_;
};

}  // namespace hearth::db
