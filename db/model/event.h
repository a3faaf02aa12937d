// What a conversation with a namespace says back: answers to requests and events of listeners, in one order.
// Immutable; crosses threads freely.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "db/base/budget.h"
#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/document_updates.h"
#include "db/model/forms.h"
#include "db/model/path.h"
#include "db/model/row_change.h"
#include "db/model/topic.h"
#include "db/model/value.h"
#include "db/model/write.h"

namespace hearth::db {

// "At `path` is now this": shared by all who are told, and serialised once for each of its forms.
class Body {
 public:
  enum class Kind : uint8_t { Put, Merge };
  using Form = db::Form;

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
  // Made by `make` of the body, for the first who asks for the form. `form` outlives the body. Thread: any.
  template <typename Make>
  SharedBytes bytes(const Form& form, const Make& make) const {
    return forms_.bytes(form, [&] { return make(*this); });
  }

 private:
  Body() = default;
  Kind kind_ = Kind::Put;
  Slot slot_ = Slot::Value;
  Path path_;
  Value value_;
  std::vector<std::pair<std::string, Value>> entries_;
  Forms forms_;
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
  Result<void> status{};
  uint64_t sequence = 0;  // of the state that the answer speaks of
  Timestamp time{};       // writes: the server time they were resolved with
  Value value{};          // reads; writes that asked for it
  std::string hash{};     // reads that asked for it; of `value`, when a Stale write asked for that ("" is null's)
  // Listens: the first value (a Put at the listener's path) or, when resumed, the net change (Put or Merge); nothing
  // when the client's hash or sequence shows that it has all there is.
  std::shared_ptr<const Body> first{};
  bool resumed = false;
  Lease lease{};          // of a large value: held until the client has it (Database::Options::answer_bytes_max)
  bool no_index = false;  // of a query: no index has its order, so it may become slow
  std::shared_ptr<const DocumentUpdates> document{};  // of opening one
  bool may_speak = false;                             // the same: it may be changed
  // Of a write that was done before with the same key (Write::once): the base of that one. Null: it is done now.
  std::shared_ptr<const Path> first_base{};
};

// The conversation is over, by no wish of its owner: another connection took its session, or the namespace went.
struct Ended {
  Error reason;
};

using Item = std::variant<Answer, Event, Ended, RowEvent, TopicEvent>;

}  // namespace hearth::db
