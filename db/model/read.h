// Reads and listens as they are asked for.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "db/model/past.h"
#include "db/model/path.h"
#include "db/model/precondition.h"
#include "db/model/projection.h"
#include "db/model/query.h"
#include "db/model/write.h"

namespace hearth::db {

// What a read answers that asks for something else than the value at a path. Thread: any; may be asked again, and has no
// effect.
class Reading {
 public:
  virtual ~Reading() = default;
  // `moment.before`: the snapshot that answers; each look at it is work of the read's turn. Errors: are the answer.
  virtual Result<Value> read(const Moment& moment, bool has_priorities, size_t bytes_max) const = 0;
};

struct Read {
  Path path;
  Slot slot = Slot::Value;       // Priority: the priority of what is there, alone
  bool shallow = false;          // TreeView::shallow instead of everything
  std::optional<Query> query{};  // of the value alone; with `shallow`, the keys of what it selects
  bool wants_hash = false;       // of what is answered
  size_t bytes_max = kReadBytesMax;
  std::optional<std::chrono::milliseconds> timeout;  // Errors: Timeout
  std::shared_ptr<const Precondition> check;         // null: allowed
  Projection projection{};                           // of each child those paths alone
  std::shared_ptr<const Reading> reading{};          // is answered instead; of the others above only the limits count
  std::shared_ptr<const PastMoment> at{};  // what was there then; a read by itself, whose `check` is of the present
  // A read by itself: if it is short and all it needs is in memory, it is answered within the call, on the thread that
  // asks.
  bool is_here_if_short = false;
  uint64_t client = 0;  // of a read by itself: whose share of the namespace's turns it takes (db/read/fair_pool.h)
  // Nobody waits for the answer any more, and nobody will: it is then not read, or not to the end. Null: somebody
  // does. Any thread, often.
  std::function<bool()> is_unwanted{};
};

struct Listen {
  SharedPath path;
  SharedQuery query{};              // a filtered one (MemoryLimits::query_bytes_max); `resume` is ignored with it
  size_t bytes_beside = 0;          // that the caller keeps in memory for this listener
  std::optional<std::string> hash;  // of what the client holds; equal: no first value
  bool is_awaiting = false;  // the client asks for the next value again and again: a throttle counts for the first, too
  bool wants_ids = false;    // the client is told the ids of events, and may come back with one
  std::optional<std::string> resume;          // an event id (event_id) that the client saw; tells what it missed
  std::shared_ptr<const Precondition> check;  // asked now, and again when what it read changes; null: allowed
};

}  // namespace hearth::db
