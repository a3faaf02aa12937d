// A batch: what one group of a shard changed, as bytes. All that changes what a store keeps for its clients is in it, with
// nothing left to decide: whoever applies the batches of a shard in their order, to a store that has none, has the same
// namespaces. README.md says of everything that is kept whether it is an entry, part of one, or each store's own.
//
//   batch := format:1 = 1  shard:varint  sequence:varint  epoch:varint  prev:16  id:16  time:varint (ms)  entry*
//   entry := 'C' name:bytes sequence:varint             the namespace exists, empty; its first commit is the next one
//          | 'R' name:bytes commit:bytes                a commit, as in log_entry.h; life and offset, which are each
//                                                       store's own, are 0
//          | 'A' name:bytes answer:bytes                what a write with a key was answered (db/commit/kept_answer.h)
//          | 'B' name:bytes count ( row:bytes set:1 value:bytes )*
//                                                       rows beside the tree: cursors of webhooks; not set: erased
//          | 'F' name:bytes wall:varint at:bytes head:bytes above:count ( key:bytes leaf:bytes )* file:bytes digest:bytes
//                                                       a restore: the namespace is what the file says, at and below `at`
//          | 'P' name:bytes at:bytes                    what was there goes from the past for good; the data stay
//          | 'D' name:bytes sequence:varint             it does not exist any more; the next of that name goes on from here
//          | 'N'                                        nothing
//   file  := ( row:bytes value:bytes )*                 row := table:1 key, without a number; in the order of the rows, in parts
//                                                       that are cut between rows
//   prev     the id of the batch before, so that none is left out or taken twice. The first one: 16 zero bytes
//   digest   of a file of parts: d0 = "", d(n) = text_digest(d(n-1) part(n)); the last one
//
// Namespaces are named and never numbered, for numbers are each store's own. What other machines will be sent, and maybe
// years old: never renumber; who finds a format or a kind that it does not know stops, and does not guess. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/log/log_entry.h"
#include "db/model/path.h"

namespace hearth::db {

inline constexpr size_t kBatchIdBytes = 16;
inline constexpr size_t kBatchHeadBytesMax = 128;
inline constexpr size_t kFilePartBytes = 1u << 20;  // of a file, before a part ends: one row may be larger

// Which batch it is, and which it follows.
struct BatchHead {
  uint32_t shard = 0;
  uint64_t sequence = 0;  // of the shard, without gaps, from 1
  uint64_t epoch = 0;
  std::string prev = std::string(kBatchIdBytes, '\0');
  std::string id;
  Timestamp time{};

  void append_to(std::string& batch) const;
};

struct BatchEntry {
  enum class Kind : char {
    Create = 'C',
    Commit = 'R',
    Answer = 'A',
    Beside = 'B',
    Restore = 'F',
    Purge = 'P',
    Remove = 'D',
    Nothing = 'N'
  };
  Kind kind = Kind::Nothing;
  std::string name;
  uint64_t sequence = 0;                                       // Create, Remove: of the last commit before
  LogEntry commit{};                                           // Commit
  std::string answer{};                                        // Answer
  std::map<std::string, std::optional<std::string>> beside{};  // Beside
  Path at{};                                                   // Restore, Purge
  // Restore:
  Timestamp wall{};
  std::string head{};  // Head::encode()
  std::vector<std::pair<std::string, std::string>>
      above{};  // what still stands above `at`, all of it; below the number
  std::string file{};
  std::string digest{};

  void append_to(std::string& batch) const;
};

// The entry of a commit, without a copy of what is in it.
void append_commit(std::string_view name, const LogEntryParts& commit, std::string& batch);

// Calls `entry` for each, in order, until it answers with an error. Errors: Corruption, Unsupported (of a newer Hearth), its.
Result<BatchHead> read_batch_head(std::string_view batch);
Result<void> read_batch(std::string_view batch, const std::function<Result<void>(BatchEntry&&)>& entry);

// A row of a file. `key` is the key in the store without the number of the namespace.
void append_file_row(std::string_view key, std::string_view value, std::string& part);
Result<void> read_file_rows(std::string_view part,
                            const std::function<Result<void>(std::string_view key, std::string_view value)>& row);

}  // namespace hearth::db
