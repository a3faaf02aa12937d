// What a conversation with a namespace says back: answers to requests and events of listeners, in one order.
// Immutable; crosses threads freely.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "db/base/budget.h"
#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/value.h"
#include "db/model/write.h"

namespace hearth::db {

using SharedBytes = std::shared_ptr<const std::string>;

// "At `path` is now this": shared by all who are told, and serialised once for each of the first kFormsMax forms that are
// asked for.
class Body {
 public:
  enum class Kind : uint8_t { Put, Merge };
  // A way to serialise a body. Each protocol has constants of its own; the address of one is what tells it from others.
  struct Form {
    const char* name = nullptr;
    bool is_one_of_many = false;  // of a protocol that has more than a few, one for each length of path or the like
  };
  static constexpr size_t kFormsMax = 4;  // and as many of those that are one of many

  static std::shared_ptr<const Body> put(Path path, Slot slot, Value value);
  static std::shared_ptr<const Body> merge(Path path, std::vector<std::pair<std::string, Value>> entries);

  Kind kind() const { return kind_; }
  const Path& path() const { return path_; }     // absolute
  Slot slot() const { return slot_; }            // Put: of the node, or of its priority alone
  const Value& value() const { return value_; }  // Put
  // Merge: paths relative to path(), each may end in "/.priority" (or be ".priority"); no one above another.
  const std::vector<std::pair<std::string, Value>>& entries() const { return entries_; }

  size_t byte_count() const;      // about what it holds in memory
  std::string told_path() const;  // path().text(), with "/.priority" behind it for that slot
  // Made by `make` for the first who asks for the form, shared from then on. `form` outlives the body. Thread: any.
  SharedBytes bytes(const Form& form, const std::function<std::string(const Body&)>& make) const;

 private:
  Body() = default;
  Kind kind_ = Kind::Put;
  Slot slot_ = Slot::Value;
  Path path_;
  Value value_;
  std::vector<std::pair<std::string, Value>> entries_;
  struct Made {
    std::atomic<const Form*> form = nullptr;  // set once, after `bytes`
    SharedBytes bytes;
  };
  mutable std::mutex mutex_;                      // Guards what is made.
  mutable std::array<Made, 2 * kFormsMax> made_;  // the second half is for those that are one of many
};

// The JSON text of the value (Put), or of the object of entries (Merge), in either style (db/model/json.h).
inline constexpr Body::Form kPlainForm{"plain"};
inline constexpr Body::Form kExportForm{"export"};

struct Event {
  enum class Kind : uint8_t {
    Changed,  // body: at, below or (from above, cut down to) the listener's path
    Revoked,  // the listener is gone; nothing follows. `error` says why
  };
  Kind kind = Kind::Changed;
  uint64_t listener = 0;  // the id given to listen()
  uint64_t sequence = 0;
  std::shared_ptr<const Body> body;
  std::optional<Error> error;
};

// To one request.
struct Answer {
  uint64_t request = 0;  // the id given with it
  Result<void> status;
  uint64_t sequence = 0;  // of the state that the answer speaks of
  Timestamp time{};       // writes: the server time they were resolved with
  Value value;            // reads; writes that asked for it
  std::string hash;       // reads that asked for it; of `value`, when a Stale write asked for that ("" is null's)
  // Listens: the first value (a Put at the listener's path) or, when resumed, the net change (Put or Merge); nothing
  // when the client's hash or sequence shows that it has all there is.
  std::shared_ptr<const Body> first;
  bool resumed = false;
  Lease lease{};          // of a large value: held until the client has it (Database::Options::answer_bytes_max)
  bool no_index = false;  // of a query: no index has its order, so it may become slow
};

// The conversation is over, by no wish of its owner: another connection took its session, or the namespace went.
struct Ended {
  Error reason;
};

using Item = std::variant<Answer, Event, Ended>;

}  // namespace hearth::db
