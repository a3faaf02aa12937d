// A write as it is asked for, and the record of what it settled to.
//
//   Write   what a client asked: server values unresolved, conditions unchecked
//   Record  the effects in order, nothing left to decide; apply (db/commit/apply.h) turns it into rows
//
//   record := version:1 = 1  sequence  time  effect*
//   effect := …                                    grammar in write.cc
//
// The log keeps records (db/log), so their letters are never renumbered. Tests show that applying encoded records to an
// empty store gives the same rows: a follower could be fed that way.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/precondition.h"
#include "db/model/query.h"
#include "db/model/settings.h"
#include "db/model/value.h"

namespace hearth::db {

inline constexpr size_t kReadBytesMax = 256u << 20;  // of rows, one read (db/model/data-model.md §2.2)
inline constexpr size_t kUpdatePathsMax = 100'000;   // locations in one update

enum class Slot : uint8_t { Value, Priority };  // what of a node is set: all of it, or its `.priority` alone

// "At `path`, be `value`."
struct Overwrite {
  Path path;
  Slot slot = Slot::Value;
  Value value;
};

// What a session wants written when it ends (db/model/data-model.md §12).
struct Disconnect {
  enum class Kind : uint8_t { Put, Merge, Cancel };
  Kind kind = Kind::Put;
  Path path;                          // Put, Cancel
  std::vector<Overwrite> overwrites;  // Put: one; Merge: its locations
};

// The key of a write that is to be done once, however often it comes: the first one's answer is kept for kAnswerAge, and
// whoever comes again with the key is told that, and writes nothing. Only a write that was accepted is kept.
struct Once {
  std::string key;    // a text_digest (db/model/hash.h) of the key and of all that it is scoped to
  std::string asked;  // likewise of what is asked for: whoever comes with something else is refused (KeyReused)
  // For those who come again, instead of Write::access and preconditions: whether they may still write there. Asked of the
  // tree as it is, and where it refuses, of the tree without what stands where the write goes. Null: they may.
  std::shared_ptr<const Precondition> may_still{};
  std::shared_ptr<const Precondition> may_select{};  // of a selection, before that; null: they may
};
inline constexpr Timestamp kAnswerAge = std::chrono::hours(24);

struct Write {
  std::vector<Overwrite> overwrites;  // no path equal to or above another (check_overlap)
  bool merge = false;                 // asked for as an update: told as one
  Path base;                          // where the request was addressed; merges are told relative to it
  // Instead of overwrites: removes the children of `base` that it selects (at most kSelectionMax), as one merge.
  std::optional<Query> selection{};
  std::vector<Setting> settings;                                   // set with it
  std::vector<std::shared_ptr<const Precondition>> preconditions;  // in order, of what is found
  std::shared_ptr<const Precondition> access;  // after them, of what is found and what would be; null: allowed
  bool only_existing = false;                  // NotFound where there is no such namespace: it is not made
  // Asked before a written value is shown, because the value may tell of what stood there (an increment does); null:
  // the writer may see it. When it refuses, the answer comes without the value.
  std::shared_ptr<const Precondition> shows{};
  std::shared_ptr<Once> once{};  // null: done each time
  std::string by{};  // who writes, for the log: `auth.uid`; empty: an administrator, the app itself, or nobody
  // What the database itself keeps at the path of a Yjs document, where nobody else may write.
  bool is_mirror = false;
  // How long what it puts at ephemeral paths (db/model/path_plan.h) stays, for one that is asked for without a session; 0:
  // until the session ends. `holder`: for whom it stays (db/shard/holders.h), by the shard.
  std::chrono::milliseconds ttl{0};
  uint64_t holder = 0;
  // The answer carries a value: after Stale what stands at `base`, else what was written there. Of several overwrites
  // only those that had server values are shown; a priority is shown on a leaf `true`.
  bool wants_value = false;
};

// Makes the write of a set, or of a `.priority`. `path_text` as clients send it; may end in "/.priority".
// Errors: InvalidPath, InvalidData.
Result<Overwrite> make_overwrite(std::string_view path_text, Value value);
// The same for a path that is parsed already. Errors: InvalidData.
Result<Overwrite> make_overwrite(Path path, Slot slot, Value value);

// Errors: InvalidData "… contains a path /a that is ancestor of another path /a/b" (db/model/data-model.md §11),
// TooLarge.
Result<void> check_overlap(const std::vector<Overwrite>& overwrites);

// Whether `value` may stand at `path`: depth, path and string limits hold. Errors: InvalidData, TooLarge.
Result<void> check_fits(const Path& path, const Value& value);

// A set of the value at the path, and an update of what is below it by paths. Errors: of the three above.
Result<Write> make_write(std::string_view path, Value value);
Result<Write> make_update(std::string_view path, std::vector<std::pair<std::string, Value>> entries);

// One settled effect. Nothing but paths and rows.
struct Effect {
  enum class Kind : uint8_t {
    Set,          // everything at `path` becomes `value` (null: gone)
    SetPriority,  // the priority of `path` becomes that of `value` (a leaf that only carries it; null: none)
    Unleaf,       // the leaf at `path` makes room for children; its priority stays
    Enqueue,      // the session `name` will write `value`, server values and all, to the `slot` of `path` when it ends
    Dequeue,      // it will not
    QueuedBy,     // what the session `name` has queued is judged by what the string `value` tells of (null: by nothing)
    Configure,    // the setting `name` becomes the string `value` (null: unset)
    // Of this store alone (Committer::derive): in no record, but for those that were written before it was so.
    Reindex,     // the secondary indexes are those of the string `value` (db/model/index.h, parse_indexes)
    BuildIndex,  // the next `value` children get their rows in the first index that is not complete
    // Of a record again.
    Append,   // the document at `path` gets the update `name`, whose number is `value`
    Compact,  // what the document at `path` has up to the update of number `value` becomes the one update `name`
    Forget,   // there are no documents at `path` and below
  };
  Kind kind = Kind::Set;
  Path path{};
  Value value{};
  Slot slot = Slot::Value;  // Enqueue, Dequeue
  // Of the session (Enqueue, Dequeue, QueuedBy) or the setting (Configure); an update's bytes. Of a Set in the log
  // kPurged: what was set there, or below, was removed from history for good, and `value` says nothing.
  std::string name{};
};

inline constexpr std::string_view kPurged = "purged";

struct Record {
  uint64_t sequence = 0;  // of the namespace, without gaps, from 1
  Timestamp time{};
  std::vector<Effect> effects;

  std::string encode() const;
  void append_to(std::string& bytes) const;  // the same, behind what is there
  // The same, for who has encoded a path already: that of most effects is the write's own.
  struct EncodedPath {
    const Path& path;
    std::string_view bytes;  // encode_path()
  };
  void append_to(std::string& bytes, const EncodedPath& known) const;
  static Result<Record> decode(std::string_view bytes);  // Errors: Corruption
};

// A value as bytes: rows:varint ( key:bytes leaf:bytes )*. On disk. Errors of decode: Corruption.
std::string encode_rows(const Value& value);
Result<Value> decode_rows(std::string_view bytes);

}  // namespace hearth::db
