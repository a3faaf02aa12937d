#include "db/story.h"

namespace hearth::db {
namespace {

size_t bytes_of(const Item& item) {
  if (const auto* event = std::get_if<Event>(&item); event != nullptr && event->body != nullptr) {
    return sizeof(Item) + event->body->byte_count();
  }
  return sizeof(Item);
}

}  // namespace

bool Story::should_wake() {
  if (woken_ || entries_.empty() || !entries_.front().item) return false;
  woken_ = true;
  return true;
}

bool Story::append(Item item) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return true;
    const size_t bytes = bytes_of(item);
    if (bytes_ + bytes > kStoryBytesMax && bytes_ > 0) {
      // What waits is dropped for the reason; the owner hears nothing else.
      entries_.clear();
      entries_.push_back({Ended{{ErrorCode::TooLarge, "The connection reads too slowly for what it listens to."}}, 0});
      closed_ = true;
      wake = should_wake();
    } else {
      bytes_ += bytes;
      entries_.push_back({std::move(item), bytes});
      wake = should_wake();
    }
    if (!closed_ && !wake) return true;
  }
  if (wake) wake_();
  const std::lock_guard lock(mutex_);
  return !closed_;
}

uint64_t Story::keep_place() {
  const std::lock_guard lock(mutex_);
  entries_.emplace_back();
  return first_ + entries_.size() - 1;
}

void Story::fill(uint64_t place, Item item) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || place < first_ || place - first_ >= entries_.size()) return;
    Entry& entry = entries_[place - first_];
    entry.bytes = bytes_of(item);
    bytes_ += entry.bytes;
    entry.item = std::move(item);
    wake = should_wake();
  }
  if (wake) wake_();
}

std::vector<Item> Story::take() {
  const std::lock_guard lock(mutex_);
  std::vector<Item> items;
  while (!entries_.empty() && entries_.front().item) {
    items.push_back(std::move(*entries_.front().item));
    bytes_ -= std::min(bytes_, entries_.front().bytes);
    entries_.pop_front();
    ++first_;
  }
  woken_ = false;
  return items;
}

void Story::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  entries_.clear();
}

}  // namespace hearth::db
