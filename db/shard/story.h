// What one conversation is told, in order: a queue from the shard and the readers to whoever owns the conversation. A
// place may be kept for what is still being read; everything behind it waits. Thread: any.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "db/base/metrics.h"
#include "db/base/small_mutex.h"
#include "db/base/wake.h"
#include "db/model/event.h"
#include "db/model/read.h"

namespace hearth::db {

inline constexpr size_t kStoryBytesMax = 64u << 20;  // of untaken events; above, the conversation ends with TooLarge
inline constexpr size_t kAnswerBytesMax = 2 * kReadBytesMax;  // of untaken values that were asked for; likewise

// The most that one take() gives, because it is handled in one turn of a thread that serves many.
inline constexpr size_t kTakeItemsMax = 1'000;
inline constexpr size_t kTakeBytesMax = 256u << 10;  // of bodies and values; one alone may be larger

inline constexpr size_t kStoryKeptBytes = 64u << 10;  // of events: a story with no more is not ended for others' sake

// About how many bytes of untaken events all stories of a database hold. A body that is told to many is counted in
// parts: each story counts the body's bytes divided by the number of those who have it at that moment. Thread: any.
struct EventBudget {
  explicit EventBudget(uint64_t most) : bytes_max(most) {}
  const uint64_t bytes_max;
  Gauge bytes;
  Counter reached;  // stories that were ended for it
};

class Story {
 public:
  // `budget` outlives it; null: nobody counts.
  explicit Story(Wake wake, EventBudget* budget = nullptr) : budget_(budget), wake_(std::move(wake)) {}
  ~Story() { forget(counted_); }
  Story(const Story&) = delete;
  Story& operator=(const Story&) = delete;

  // Returns false exactly once, when more than kStoryBytesMax of events or kAnswerBytesMax of answers would wait, or
  // when all stories together hold too many events. The queue is then replaced by a single Ended, and later items are
  // dropped.
  bool append(Item item);
  // The same, but who wakes the owner is the caller, soon, by wake(), when `wants_wake` says so.
  bool append(Item item, bool& wants_wake);
  void wake();  // unless all was taken meanwhile
  uint64_t keep_place();
  void fill(uint64_t place, Item item);  // when this overflows the story, the next append() returns false
  // Takes what is ready, up to kTakeItemsMax and kTakeBytesMax; calls `wake` when something is left.
  std::vector<Item> take();
  void end(Error reason);  // appends Ended as the last item; places that are still kept go
  void nudge();            // calls `wake`, for an owner that has something else to look at
  void close();            // what comes now is dropped, and `wake` is not called again

 private:
  struct Entry {
    std::optional<Item> item;
    size_t bytes = 0;
    size_t counted = 0;  // in the budget
  };
  bool take_some(std::vector<Item>& items);
  bool should_wake();                                          // under mutex_
  bool fits(const Item& item, Entry& entry);                   // under mutex_; counts it when it does
  size_t& bytes_like(const Item& item);                        // under mutex_
  void forget(size_t counted);                                 // under mutex_
  void overflow();                                             // under mutex_
  size_t waiting() const { return entries_.size() - taken_; }  // under mutex_

  // A conversation that is told nothing is one of thousands, so this is small.
  SmallMutex mutex_;         // Guards all below; not held while wake_ is called.
  bool overflowed_ = false;  // and append() has not said so yet
  bool woken_ = false;
  bool closed_ = false;
  // A vector, for an empty one holds no memory; those before `taken_` are gone.
  std::vector<Entry> entries_;
  size_t taken_ = 0;
  uint64_t first_ = 0;       // the place of entries_[taken_]
  size_t event_bytes_ = 0;   // untaken
  size_t counted_ = 0;       // of the budget
  size_t answer_bytes_ = 0;  // untaken; of what was asked for, so more of it may wait
  EventBudget* const budget_;
  const Wake wake_;
};

}  // namespace hearth::db
