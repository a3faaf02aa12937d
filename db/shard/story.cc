// What a conversation is told, in order: a queue with places that are kept for later.
//
//   entries_   │ taken │ taken │ event │ answer │   kept   │ event │ event │
//                              ▲                     ▲ a first value, still being read; everything behind it waits
//                     taken_, and first_ is its number
//   take()                     └ these two, now ┘
//
// - Places are numbers that only grow; first_ is that of entries_[taken_]. So fill() finds its place however much was
//   taken meanwhile, and one that is gone (overflow, end) is before first_ or behind the end: fill() then does
//   nothing.
// - `wake` is called once when there is something to take, and not again before take(): woken_. It is called without
//   the mutex, because it belongs to the owner, who may call take() at once.
// - A reader that is too slow ends: what waits is replaced by one Ended. Events and answers are limited apart,
//   because a client decides how many answers it asks for, and not how many events there are.
#include "db/shard/story.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace hearth::db {
namespace {

static_assert(std::is_nothrow_move_constructible_v<Item>);  // or a vector of them would copy as it grows

// A body counts in full for each conversation that is told: it lives until the last of them took it.
size_t bytes_of(const Item& item) {
  if (const auto* event = std::get_if<Event>(&item)) {
    return sizeof(Item) + (event->body != nullptr ? event->body->byte_count() : 0);
  }
  if (const auto* answer = std::get_if<Answer>(&item)) {
    return sizeof(Item) + answer->value.byte_count() + (answer->first != nullptr ? answer->first->byte_count() : 0);
  }
  if (const auto* event = std::get_if<RowEvent>(&item)) {
    return sizeof(Item) + (event->change != nullptr ? event->change->byte_count() : 0);
  }
  if (const auto* event = std::get_if<TopicEvent>(&item)) return sizeof(Item) + event->message->byte_count();
  return sizeof(Item);
}

// Of what `users` share, the part of each.
template <typename Shared>
size_t part_of_shared(const std::shared_ptr<Shared>& what) {
  if (what == nullptr) return sizeof(Item);
  return sizeof(Item) + what->byte_count() / static_cast<size_t>(std::max(what.use_count(), 1L));
}

// About how much memory the item stands for: of a body its part, shared by all who have the body now.
size_t part_of(const Item& item) {
  if (const auto* event = std::get_if<Event>(&item)) return part_of_shared(event->body);
  if (const auto* event = std::get_if<RowEvent>(&item)) return part_of_shared(event->change);
  if (const auto* event = std::get_if<TopicEvent>(&item)) return part_of_shared(event->message);
  return sizeof(Item);
}

}  // namespace

bool Story::should_wake() {
  if (woken_ || waiting() == 0 || !entries_[taken_].item) return false;
  woken_ = true;
  return true;
}

size_t& Story::bytes_like(const Item& item) {
  return std::holds_alternative<Answer>(item) ? answer_bytes_ : event_bytes_;
}

bool Story::fits(const Item& item, Entry& entry) {
  const bool is_answer = std::holds_alternative<Answer>(item);
  size_t& waiting = bytes_like(item);
  entry.bytes = bytes_of(item);
  const size_t most = is_answer ? kAnswerBytesMax : kStoryBytesMax;
  if (waiting > 0 && waiting + entry.bytes > most) return false;  // one alone always fits
  if (budget_ != nullptr && !is_answer) {
    // A body told to many is in memory once. Each story counts its part, and gives back what it counted, not what it
    // is by then.
    entry.counted = part_of(item);
    const auto all = static_cast<uint64_t>(std::max<int64_t>(budget_->bytes.value(), 0));
    // When all together are too much, those who hold little are left alone: they are not the reason.
    if (counted_ > kStoryKeptBytes && all + entry.counted > budget_->bytes_max) {
      budget_->reached.add();
      return false;
    }
    budget_->bytes.add(static_cast<int64_t>(entry.counted));
    counted_ += entry.counted;
  }
  waiting += entry.bytes;
  return true;
}

// Gives back what fits() counted.
void Story::forget(size_t counted) {
  if (counted == 0) return;
  budget_->bytes.add(-static_cast<int64_t>(counted));
  counted_ -= counted;
}

// Everything that waits is replaced by the reason; the owner hears nothing else.
void Story::overflow() {
  first_ += waiting();
  forget(counted_);
  entries_.clear();
  taken_ = 0;
  entries_.emplace_back().item.emplace(
      Ended{{ErrorCode::TooLarge, "The connection reads too slowly for what it listens to."}});
  closed_ = true;
  overflowed_ = true;
}

bool Story::append(Item item) {
  bool wants_wake = false;
  const bool taken = append(std::move(item), wants_wake);
  if (wants_wake) wake_();
  return taken;
}

bool Story::append(Item item, bool& wants_wake) {
  const std::lock_guard lock(mutex_);
  if (!closed_) {
    Entry entry;
    if (fits(item, entry)) {
      entry.item = std::move(item);
      entries_.push_back(std::move(entry));
    } else {
      overflow();
    }
    wants_wake = should_wake();
  }
  return !std::exchange(overflowed_, false);
}

void Story::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (waiting() == 0) return;
  }
  wake_();
}

uint64_t Story::keep_place() {
  const std::lock_guard lock(mutex_);
  if (closed_) return first_ + waiting();  // nothing will fill it
  entries_.emplace_back();
  return first_ + waiting() - 1;
}

void Story::fill(uint64_t place, Item item) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || place < first_ || place - first_ >= waiting()) return;
    Entry& entry = entries_[taken_ + place - first_];
    if (fits(item, entry)) {
      entry.item = std::move(item);
    } else {
      overflow();
    }
    wake = should_wake();
  }
  if (wake) wake_();
}

std::vector<Item> Story::take() {
  std::vector<Item> items;
  if (take_some(items)) wake_();
  return items;
}

// Whether there is more to take.
bool Story::take_some(std::vector<Item>& items) {
  const std::lock_guard lock(mutex_);
  for (size_t bytes = 0; waiting() > 0 && entries_[taken_].item && items.size() < kTakeItemsMax;) {
    Entry& entry = entries_[taken_];
    bytes += entry.bytes;
    if (!items.empty() && bytes > kTakeBytesMax) break;
    size_t& waiting = bytes_like(*entry.item);
    waiting -= std::min(waiting, entry.bytes);
    forget(entry.counted);
    items.push_back(std::move(*entry.item));
    ++taken_;
    ++first_;
  }
  if (waiting() == 0) {
    entries_ = std::vector<Entry>();  // with {} the memory would stay
    taken_ = 0;
  } else if (taken_ > waiting()) {  // each is moved once in a while, and not at each take
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }
  woken_ = false;
  return should_wake();
}

void Story::end(Error reason) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    std::erase_if(entries_,
                  [](const Entry& entry) { return !entry.item; });  // of those taken, the moved ones stay in place
    entries_.emplace_back().item.emplace(Ended{std::move(reason)});
    wake = should_wake();
  }
  if (wake) wake_();
}

void Story::nudge() {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
  }
  wake_();
}

void Story::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  forget(counted_);
  entries_ = std::vector<Entry>();
  taken_ = 0;
}

}  // namespace hearth::db
