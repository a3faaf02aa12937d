// What is withheld for a while from those who listen to rows of a table with a throttle (throttle.h): of each row and listener
// one event, as a rule, from the row that it was told last to the row as it is by then.
//
//   insert, update, update   an insert of the last row           update, update   an update from the first to the last
//   insert, delete           nothing                             update, delete   the delete
//
// What two events can't be one for is kept as two: where other bindings of the listener matched, or where it did not ask for
// what the two would be (who hears of inserts and deletes alone is told no update). Then their number is bounded by
// is_full(), and all are told early. A value. Thread: the namespace's shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/model/row_change.h"

namespace hearth::db {

struct Conversation;

// Of one table.
inline constexpr size_t kWithheldRowEventsMax = 10'000;
inline constexpr size_t kWithheldRowBytesMax = 1u << 20;  // about, of the rows

class WithheldRows {
 public:
  using Listener = std::pair<std::shared_ptr<Conversation>, uint64_t>;
  bool is_empty() const { return rows_.empty(); }
  bool is_full() const { return events_ >= kWithheldRowEventsMax || bytes_ >= kWithheldRowBytesMax; }

  // An event that the listener is not told. `bindings`: the listener's. Precondition: it has a change.
  void add(const Listener& listener, const RowEvent& event, const std::vector<RowBinding>& bindings);
  void forget(const Listener& listener);  // it listens no more, or is told to read anew

  // What listeners are to be told, in the order of their last changes; the events that say the same share their change.
  std::vector<std::pair<Listener, RowEvent>> told() const;

 private:
  struct Kept {
    RowEvent event;                            // of the last change
    std::shared_ptr<const RowChange> first{};  // null: it is the last one
    bool showed_before = true;                 // the first one's
    uint64_t number = 0;                       // by the order of the last changes
  };
  using Key = std::pair<Listener, std::string>;  // and the row's key
  enum class Became : uint8_t { One, Nothing, Two };
  Became join(Kept& kept, const RowEvent& event, const std::vector<RowBinding>& bindings);
  void count(const std::shared_ptr<const RowChange>& change, int64_t times);

  std::map<Key, std::vector<Kept>> rows_;
  std::map<const RowChange*, size_t> shared_;  // how often each is kept: its bytes count once
  size_t events_ = 0;
  size_t bytes_ = 0;
  uint64_t numbers_ = 0;
};

struct ThrottledRows {
  Timestamp every{};
  Timestamp told{};  // when, by the steady clock
  WithheldRows withheld{};
  Timestamp due() const { return withheld.is_full() ? Timestamp(0) : told + every; }
};

}  // namespace hearth::db
