// An item stands in two orders at a time:
//
//      by clock        Line of client 7   blocks_ [ [ 0 "Hel" | 3 "lo" | 5 a map ] [ 6 … ] ]      find(clock)
//                                                       ▲         ▲
//      as it is read   Type::start ─────────────────▶ "Hel" ⇄ "XX" ⇄ "lo"                         item.left, item.right
//                                                               └─ of client 9, in the line of client 9
//
// Document::items_ owns all items, and never moves one; lines, types and other items point at them. No item is freed
// before the document is.
//
// A Line has no gap: structs wait until those before them are there. So the item that has a clock is the last one that
// begins at or before it, and two binary searches find it: among the blocks by their first items, then in one block.
// Cutting an item puts its second half into the middle of a line. In one vector that would move all that is behind;
// here it moves a part of one block, and a block that has become longer than kBlockMax is cut in half.
//
// A Slice is bytes with a count of how many slices share them. The count is a plain number, as a document belongs to
// one thread at a time. A text that is cut in two needs no copy: both halves share its bytes. A text that is typed
// letter by letter is one item that grows (join_to_left in document.cc). append() lets its bytes grow in place, as long
// as no other slice has a part of them and the slice ends where they end. Else append() has to copy the slice: a small
// one is copied, a large one is refused, and the new letters become an item of their own.
//
// capacity() is 0 while others share the bytes: the last slice that lets go of them is the one that counts them.
#include "db/documents/item.h"

#include <algorithm>
#include <utility>

#include "db/base/invariant.h"

namespace hearth::db::documents {
namespace {

constexpr size_t kBlockMax = 256;              // items
constexpr size_t kCopiedMax = 4 << 10;         // bytes, to put some behind them
constexpr size_t kBytesMax = size_t{1} << 31;  // of what slices share

}  // namespace

struct Slice::Shared {
  size_t count = 1;  // of slices
  std::string bytes;
};

Slice::Slice(std::string_view bytes) : count_(static_cast<uint32_t>(bytes.size())) {
  if (!bytes.empty()) shared_ = new Shared{1, std::string(bytes)};
}

Slice::Slice(const Slice& other) : shared_(other.shared_), start_(other.start_), count_(other.count_) {
  if (shared_ != nullptr) ++shared_->count;
}

Slice& Slice::operator=(Slice other) noexcept {
  std::swap(shared_, other.shared_);
  std::swap(start_, other.start_);
  std::swap(count_, other.count_);
  return *this;
}

Slice::~Slice() {
  if (shared_ != nullptr && --shared_->count == 0) delete shared_;
}

std::string_view Slice::view() const {
  return shared_ == nullptr ? std::string_view() : std::string_view(shared_->bytes).substr(start_, count_);
}

Slice Slice::part(size_t start, size_t count) const {
  Slice part = *this;
  part.start_ += static_cast<uint32_t>(start);
  part.count_ = static_cast<uint32_t>(count);
  return part;
}

bool Slice::append(std::string_view bytes) {
  const bool is_alone = shared_ != nullptr && shared_->count == 1 && start_ + count_ == shared_->bytes.size();
  if (size_t{start_} + count_ + bytes.size() > kBytesMax) return false;
  if (!is_alone) {
    if (count_ > kCopiedMax) return false;
    *this = Slice(std::string(view()).append(bytes));
    return true;
  }
  shared_->bytes += bytes;
  count_ += static_cast<uint32_t>(bytes.size());
  return true;
}

size_t Slice::capacity() const { return shared_ != nullptr && shared_->count == 1 ? shared_->bytes.capacity() : 0; }

Item& Line::find(uint64_t clock) const {
  invariant(clock < end_, "what is looked for is there");
  const auto block = std::upper_bound(blocks_.begin(), blocks_.end(), clock,
                                      [](uint64_t at, const auto& items) { return at < items.front()->id.clock; });
  const auto& items = *(block - 1);
  const auto item = std::upper_bound(items.begin(), items.end(), clock,
                                     [](uint64_t at, const Item* next) { return at < next->id.clock; });
  return **(item - 1);
}

void Line::push_back(Item& item) {
  if (blocks_.empty() || blocks_.back().size() == kBlockMax) {
    blocks_.emplace_back();
  }
  blocks_.back().push_back(&item);
  end_ = item.end();
}

void Line::insert(Item& item) {
  const auto block = std::upper_bound(blocks_.begin(), blocks_.end(), item.id.clock,
                                      [](uint64_t at, const auto& items) { return at < items.front()->id.clock; }) -
                     1;
  const auto place = std::upper_bound(block->begin(), block->end(), item.id.clock,
                                      [](uint64_t at, const Item* next) { return at < next->id.clock; });
  block->insert(place, &item);
  if (block->size() <= kBlockMax) return;
  const auto middle = block->begin() + kBlockMax / 2;
  std::vector<Item*> rest(middle, block->end());
  block->erase(middle, block->end());
  blocks_.insert(block + 1, std::move(rest));
}

}  // namespace hearth::db::documents
