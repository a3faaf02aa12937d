// Pieces of messages in URLs, put in order.
//
//   arrive    0  1  3  4  2          take(): next_ is 2 when 3 and 4 come, so they wait in early_
//   messages  [0 1]      [2 3 4]     count of the first piece says how many belong together
//
// Two requests may be on their way on two connections, so pieces overtake each other, and a poll that is sent again
// repeats pieces (number < next_: ignored). A message that is too large is not kept: the first and the last bytes
// tell which request it was.
#include "net/wire/segments.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "db/base/text.h"
#include "net/auth/jwt.h"

namespace hearth::net::wire {

namespace {

using db::Error;
using db::ErrorCode;

std::optional<std::string> decode(std::string text) {
  std::replace(text.begin(), text.end(), '.', '=');
  return db::decode_base64url(text);
}

}  // namespace

db::Result<void> SegmentReader::take(Segment&& segment, std::vector<MessageReader::Message>& to) {
  if (segment.number < next_) return {};
  if (segment.number > next_) {
    if (early_.size() >= kEarlySegmentsMax) {
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("Segment {} never came, and {} after it did.", next_, early_.size())};
    }
    const uint64_t number = segment.number;
    const size_t bytes = sizeof segment + segment.data.capacity();
    if (early_.emplace(number, std::move(segment)).second) early_bytes_ += bytes;
    return {};
  }
  RETURN_IF_ERROR(append(segment, to));
  while (!early_.empty() && early_.begin()->first == next_) {
    const Segment next = std::move(early_.extract(early_.begin()).mapped());
    early_bytes_ -= std::min(early_bytes_, sizeof next + next.data.capacity());
    if (early_.empty()) early_bytes_ = 0;
    RETURN_IF_ERROR(append(next, to));
  }
  return {};
}

db::Result<void> SegmentReader::append(const Segment& segment, std::vector<MessageReader::Message>& to) {
  ++next_;
  if (left_ == 0) {
    if (segment.count == 0) {
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("Segment {} is of a message of no segments.", segment.number)};
    }
    left_ = segment.count;
  }
  too_large_ = too_large_ || text_.size() + segment.data.size() > encoded_bytes_max_;
  if (too_large_) {
    // The ends are enough to say what was asked, and that it was too much.
    text_.resize(std::min(text_.size(), 2 * kDroppedEndBytes / 4 * 4));
    text_.shrink_to_fit();
    last_ = segment.data;
  } else {
    text_ += segment.data;
  }
  if (--left_ > 0) return {};

  auto text = decode(std::exchange(text_, {}));
  auto tail = decode(std::exchange(last_, {}));
  if (!text || !tail) {
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("The message that ends with segment {} is not base64url.", segment.number)};
  }
  to.push_back({.text = std::move(*text), .too_large = std::exchange(too_large_, false), .tail = std::move(*tail)});
  return {};
}

}  // namespace hearth::net::wire
