// What one conversation is told, in order: a queue from the shard and the readers to whoever owns the conversation. A
// place may be kept for what is still being read; everything behind it waits. Thread: any.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "db/client.h"
#include "db/model/event.h"

namespace hearth::db {

// What one take() gives: so much is made of it in one turn of a thread that serves many.
inline constexpr size_t kTakeItemsMax = 1'000;
inline constexpr size_t kTakeBytesMax = 256u << 10;  // of bodies and values; one alone may be larger

class Story {
 public:
  explicit Story(std::function<void()> wake) : wake_(std::move(wake)) {}

  // False, once, when more than kStoryBytesMax of events or kAnswerBytesMax of answers would wait: the reader is too
  // slow, nothing more is taken, and the story is now one Ended.
  bool append(Item item);
  uint64_t keep_place();
  void fill(uint64_t place, Item item);  // what is too much here, the next append() says
  // What is there, up to a bound; `wake` is called when that was not all.
  std::vector<Item> take();
  void end(Error reason);  // the last item is Ended: what is still being read is not waited for
  void nudge();  // calls `wake`, for an owner that has something else to look at
  void close();  // what comes now is dropped, and `wake` is not called again

 private:
  struct Entry {
    std::optional<Item> item;
    size_t bytes = 0;
  };
  bool take_some(std::vector<Item>& items);
  bool should_wake();                         // under mutex_
  bool fits(const Item& item, size_t bytes);  // under mutex_; counts it when it does
  size_t& bytes_like(const Item& item);       // under mutex_
  void overflow();                            // under mutex_
  size_t waiting() const { return entries_.size() - taken_; }  // under mutex_

  std::mutex mutex_;  // Guards all below; not held while wake_ is called.
  // A vector, for an empty one holds no memory; those before `taken_` are gone.
  std::vector<Entry> entries_;
  size_t taken_ = 0;
  uint64_t first_ = 0;       // the place of entries_[taken_]
  size_t event_bytes_ = 0;   // untaken
  size_t answer_bytes_ = 0;  // untaken; of what was asked for, so more of it may wait
  bool overflowed_ = false;  // and append() has not said so yet
  bool woken_ = false;
  bool closed_ = false;
  const std::function<void()> wake_;
};

}  // namespace hearth::db
