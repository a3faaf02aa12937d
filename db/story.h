// What one conversation is told, in order: a queue from the shard and the readers to whoever owns the conversation. A
// place may be kept for what is still being read; everything behind it waits. Thread: any.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "db/client.h"
#include "db/model/event.h"

namespace hearth::db {

class Story {
 public:
  explicit Story(std::function<void()> wake) : wake_(std::move(wake)) {}

  // False when more than kStoryBytesMax would wait: the reader is too slow, and nothing more is taken.
  bool append(Item item);
  uint64_t keep_place();
  void fill(uint64_t place, Item item);
  std::vector<Item> take();
  void close();  // what comes now is dropped, and `wake` is not called again

 private:
  struct Entry {
    std::optional<Item> item;
    size_t bytes = 0;
  };
  bool should_wake();  // under mutex_

  std::mutex mutex_;  // Guards all below; not held while wake_ is called.
  std::deque<Entry> entries_;
  uint64_t first_ = 0;  // the place of entries_.front()
  size_t bytes_ = 0;
  bool woken_ = false;
  bool closed_ = false;
  const std::function<void()> wake_;
};

}  // namespace hearth::db
