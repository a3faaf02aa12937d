// An entry of a namespace's log: one commit as it was settled, with what is told about it beside its effects. Entries
// are rows of the store (Table::Log), written in the batch of the commit itself: there is none without its commit, and no
// commit without it while the log is kept.
//
//   entry  := kind:1 life:varint offset:varint wall:varint told:1 base:bytes by:bytes record
//   kind   := 'R'                  a commit; record as in db/model/write.h, to the end
//           | 'F'                  `base` became what a restore brought: what that is, is not in the log; record without effects
//   told   := 0 as a set of each of its paths | 1 as an update, relative to `base`
//   life   the index of the run of the database that wrote it (TreeStore::lives)
//   offset bytes of the log's entries before this one, since it was begun
//   wall   the clock's milliseconds: by them an entry becomes too old. The record has the server time.
//   by     the user who wrote it, as far as known: `auth.uid`; empty: an administrator, the app itself, or nobody
//
//   rows   sequence → the entry's size:varint, then its first kPartBytes;  sequence, part → the next ones, from 1 on
//
// On disk, and what other machines will be sent. Never renumber. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/write.h"

namespace hearth::db {

inline constexpr size_t kPartBytes = 1u << 20;  // of a row of the log: a value of any size is read in pieces

struct LogEntryParts;

struct LogEntry {
  enum class Kind : char { Commit = 'R', Restore = 'F' };
  Kind kind = Kind::Commit;
  uint32_t life = 0;
  uint64_t offset = 0;
  Timestamp wall{};
  bool told_as_update = false;
  Path base{};
  std::string by{};
  Record record{};

  LogEntryParts parts() const;  // of this, which outlives them
  std::string encode() const;
  // `head_only`: the record's sequence, time and effects are left out. Errors: Corruption.
  enum class What : uint8_t { Whole, HeadOnly };
  static Result<LogEntry> decode(std::string_view bytes, What what = What::Whole);
};

// An entry whose parts may be elsewhere: its bytes, without a copy of them before.
struct LogEntryParts {
  LogEntry::Kind kind = LogEntry::Kind::Commit;
  uint32_t life = 0;
  uint64_t offset = 0;
  Timestamp wall{};
  bool told_as_update = false;
  const Path& base;
  std::string_view by{};
  const Record& record;

  void append_to(std::string& bytes) const;
};

// The key below Table::Log and the namespace's number. Part 0 is the first.
std::string log_row(uint64_t sequence, uint32_t part = 0);

// What the first row of an entry says: its size, and the part of it that is there. Errors: Corruption.
struct FirstPart {
  uint64_t size = 0;
  std::string_view bytes{};
};
Result<FirstPart> read_first_part(std::string_view row);

// The rows of an entry, in their order: the part of the key as log_row() makes it, and the value.
void each_log_row(uint64_t sequence, std::string_view entry,
                  const std::function<void(std::string key, std::string value)>& row);

// What stands in Table::History while a log is kept. Commits from `cut` on are in it: those after `cut`, up to the head.
//   row := version:1 = 1 cut:varint cut_offset:varint versions:1 from:varint carried:bytes
struct LogState {
  // Values by their paths (versions.h). While they are carried over, commits add theirs, and the data that stood there before
  // is copied in slices; from the end of that on they are known.
  enum class Versions : uint8_t { None, Carried, Known };

  uint64_t cut = 0;         // the last sequence that is not in it
  uint64_t cut_offset = 0;  // the offset of the entry behind it
  Versions versions = Versions::None;
  uint64_t versions_from = 0;  // Known: the first sequence that they are known of
  std::string carried{};       // Carried: the data row to go on with

  // The first moment that can be read, or nothing: the past is not known.
  std::optional<uint64_t> past_from() const {
    if (versions != Versions::Known) return {};
    return std::max(cut, versions_from);
  }

  std::string encode() const;
  static Result<LogState> decode(std::string_view bytes);  // Errors: Corruption
};

}  // namespace hearth::db
