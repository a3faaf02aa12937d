// What is withheld for a while from those who listen at a path with a throttle, or below (db/model/path_plan.h). One for
// all who listen at the same path, or with the same query there: they hear together, and share one body.
//
//   change ─▶ told at once ─── every ms ───▶ nothing came: forgotten
//                 change, change: noted ───▶ told as one, as it is by then ─── every ms ───▶ …
//
// It holds no events, but which places changed: many changes of one place are one, and past kWithheldPlacesMax or
// kWithheldBytesMax all of the path is. So what it takes does not follow the writes. Thread: the namespace's shard.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/model/event.h"
#include "db/model/path.h"
#include "db/model/write.h"

namespace hearth::db {

struct Conversation;

// Of one path, or one query there.
inline constexpr size_t kWithheldPlacesMax = 1'000;
inline constexpr size_t kWithheldBytesMax = 64u
                                            << 10;  // about, of places, and of the values that a query's listeners miss
inline constexpr size_t kWithheldAnswersMax = 1'000;  // past it, it is told early

class Withheld {
 public:
  bool is_empty() const { return !is_all_ && places_.empty(); }
  bool is_all() const { return is_all_; }
  // A change that listeners are not told. `keeps_values`: those of a query are told what the query's view said, and can't
  // be told what is in the tree by then; for others the places are enough.
  void add(const Body& body, bool keeps_values);
  // None lies below another, but for priorities.
  const std::map<std::pair<Path, Slot>, Value>& places() const { return places_; }

 private:
  void add_all();
  void add(const Path& path, Slot slot, Value value, bool keeps_values);

  bool is_all_ = false;
  size_t bytes_ = 0;
  std::map<std::pair<Path, Slot>, Value> places_;
};

struct Throttled {
  Timestamp every{};
  Timestamp told{};  // when, by the steady clock
  Path path{};
  Withheld withheld{};
  // To writes of those who listen here, and are to hear of them first.
  std::vector<std::pair<std::shared_ptr<Conversation>, Answer>> answers{};
  Timestamp due() const { return answers.size() < kWithheldAnswersMax ? told + every : Timestamp(0); }
};

// Of one namespace, by path text; and by the number of a view, 0: those without a query.
using ThrottleKey = std::pair<std::string, uint64_t>;
using Throttles = std::map<ThrottleKey, Throttled>;

}  // namespace hearth::db
