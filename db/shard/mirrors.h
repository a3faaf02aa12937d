// Yjs documents that stand in the tree as JSON too (shard_mirrors.cc): what a shard knows of those of one namespace that are
// being brought up to date, or that somebody edits. Thread: the shard's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/documents/document.h"
#include "db/model/document_plan.h"
#include "db/model/write.h"

namespace hearth::db {

inline constexpr size_t kMirrorJobsMax = 4;     // under way, of a namespace
inline constexpr size_t kMirrorSlice = 32;      // documents that a pass looks at, until it goes on
inline constexpr size_t kMirrorMarksMax = 500;  // documents left behind by a crash, above which all are gone through
// What fails for a moment (no room on the disk, a full pool) is tried again after so long, and each time after twice that.
inline constexpr std::chrono::milliseconds kMirrorRetryMin{250}, kMirrorRetryMax{60'000};
inline constexpr std::string_view kNoMirrorsPlan =
    "?";  // as the plan that was done last: what stands there is not known

// A document read up to its update of number `upto`; one job has it at a time.
struct DocumentReplica {
  documents::Document document;
  uint64_t upto = 0;
};

struct Mirror {
  Path path;
  uint64_t changes = 0;    // updates that were accepted since ever
  bool is_behind = false;  // marked on disk
  bool is_queued = false;  // among `starts`
  uint64_t job = 0;        // that is under way; 0: none
  bool is_of_pass = false;
  std::shared_ptr<DocumentReplica> replica{};  // null: the next job reads the document anew, and compares all of it
  size_t replica_bytes = 0;
};

struct Mirrors {
  DocumentPlan plan;
  std::string text;    // of the plan
  uint64_t epoch = 0;  // another one where the plan, or documents by a removal or a restore, are others than before
  std::map<std::string, Mirror, std::less<>> all{};  // by path text
  std::deque<std::string> starts{};                  // whose jobs begin when a group is durable
  size_t running = 0;
  size_t replica_bytes = 0;
  std::chrono::milliseconds retry{};  // after which what failed was tried again; 0: nothing has failed since it worked

  // All documents are gone through, some at a time, in the order of their rows.
  struct Pass {
    std::string next{};  // an encoded path; where the reader goes on
    size_t waiting = 0;  // mirrors of this slice
    bool is_reading = false;
    bool is_put_off = false;  // it could not be read, and is tried again
    bool is_at_end = false;
  };
  std::optional<Pass> pass{};
};

struct MirrorsRequest {};    // looks what is to be done, and tries again what failed
struct MirrorSliceRequest {  // what a pass goes on with
  uint64_t epoch;
  std::vector<Path> documents;
  std::optional<std::string> next;  // nothing: these were the last
  Result<void> status;
};
struct MirrorRequest {  // what a job made of a document
  Path path;
  uint64_t job;
  uint64_t epoch;
  uint64_t restores;
  uint64_t changes;  // of the Mirror as the job began
  std::shared_ptr<DocumentReplica> replica;
  Result<std::vector<Overwrite>> writes;
};

}  // namespace hearth::db
