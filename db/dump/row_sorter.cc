// External sort: more rows than fit into memory, in key order.
//
//   add ─▶ bytes_ (rows, one behind the other), places_ (where each is)
//             └ 64 MB: sort the places, write a run ─▶ │ run 1 │ run 2 │ run 3 │ …    one nameless file, zstd blocks
//                                                        ▼       ▼       ▼
//   drain ◀── the smallest key of all ◀── priority queue of RunReaders, a block of each in memory
//
// Rows that already come in order are not sorted again (is_sorted), and rows that fit never touch the disk. Equal
// keys come one behind the other, which is how the reader of JSON finds keys that stand twice; their order among each
// other is none.
#include "db/dump/row_sorter.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <queue>

#include "db/base/bytes.h"
#include "db/dump/block.h"

namespace hearth::db {
namespace {

// Rows of one run, one at a time.
class RunReader {
 public:
  explicit RunReader(ByteSource source) : blocks_(std::move(source), "a temporary file"), rows_("") {}

  // False at the end.
  Result<bool> next() {
    while (rows_.done()) {
      ASSIGN_OR_RETURN(const auto block, blocks_.next());
      if (!block) return false;
      rows_ = ByteReader(*block);
    }
    key = rows_.bytes();
    leaf = rows_.bytes();
    if (!rows_.ok()) return Error{ErrorCode::Corruption, "a temporary file is damaged"};
    return true;
  }

  std::string_view key;
  std::string_view leaf;

 private:
  BlockReader blocks_;
  ByteReader rows_;
};

Error failed(const std::string& doing) { return {ErrorCode::Io, doing + ": " + std::strerror(errno)}; }

}  // namespace

RowSorter::~RowSorter() {
  if (file_ >= 0) close(file_);
}

Result<void> RowSorter::add(std::string_view key, std::string_view leaf) {
  // The places count too: with short rows they are most of it.
  if (bytes_.size() + places_.size() * sizeof(Place) >= bytes_max_) RETURN_IF_ERROR(write_run());
  const size_t start = bytes_.size();
  bytes_ += key;
  bytes_ += leaf;
  places_.push_back({start, start + key.size(), bytes_.size()});
  return {};
}

void RowSorter::sort() {
  const auto less = [this](const Place& a, const Place& b) { return key_of(a) < key_of(b); };
  if (!std::is_sorted(places_.begin(), places_.end(), less)) std::sort(places_.begin(), places_.end(), less);
}

Result<void> RowSorter::write(std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(file_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("writing a temporary file in " + folder_);
    done += static_cast<size_t>(count);
  }
  file_bytes_ += text.size();
  text.clear();
  return {};
}

Result<void> RowSorter::write_run() {
  // O_TMPFILE: the file has no name, so a killed process leaves nothing behind.
  if (file_ < 0) file_ = open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file_ < 0) return failed("making a temporary file in " + folder_);
  sort();
  const size_t from = file_bytes_;
  BlockWriter blocks;
  std::string rows;
  std::string text;
  for (const Place& place : places_) {
    append_bytes(key_of(place), rows);
    append_bytes(leaf_of(place), rows);
    if (rows.size() < kSortBlockBytes) continue;
    blocks.write(rows, text);
    rows.clear();
    if (text.size() >= (1u << 20)) RETURN_IF_ERROR(write(text));
  }
  blocks.write(rows, text);
  RETURN_IF_ERROR(write(text));
  runs_.push_back({from, file_bytes_});
  bytes_.clear();
  places_.clear();
  return {};
}

Result<void> RowSorter::merge(const RowFunction& row) {
  std::vector<std::unique_ptr<RunReader>> readers;
  const auto later = [](const RunReader* a, const RunReader* b) { return a->key > b->key; };
  std::priority_queue<RunReader*, std::vector<RunReader*>, decltype(later)> next(later);
  for (const Run& run : runs_) {
    readers.push_back(std::make_unique<RunReader>(
        [this, at = run.from, upto = run.upto](char* to, size_t bytes) mutable -> Result<size_t> {
          const ssize_t count = pread(file_, to, std::min(bytes, upto - at), static_cast<off_t>(at));
          if (count < 0) return failed("reading a temporary file in " + folder_);
          at += static_cast<size_t>(count);
          return static_cast<size_t>(count);
        }));
    ASSIGN_OR_RETURN(const bool more, readers.back()->next());
    if (more) next.push(readers.back().get());
  }
  while (!next.empty()) {
    RunReader* first = next.top();
    next.pop();
    RETURN_IF_ERROR(row(first->key, first->leaf));
    ASSIGN_OR_RETURN(const bool more, first->next());
    if (more) next.push(first);
  }
  return {};
}

Result<void> RowSorter::drain(const RowFunction& row) {
  if (runs_.empty()) {
    sort();
    for (const Place& place : places_) RETURN_IF_ERROR(row(key_of(place), leaf_of(place)));
    return {};
  }
  if (!places_.empty()) RETURN_IF_ERROR(write_run());
  // The last run is on disk, and the memory is for the readers now.
  bytes_.shrink_to_fit();
  places_.shrink_to_fit();
  return merge(row);
}

}  // namespace hearth::db
