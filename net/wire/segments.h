// Messages of a client by long polling, cut into pieces that fit into URLs (net/wire/protocol.md §10.2):
//
//   message := base64url(JSON), "." for padding, in pieces of at most 1840 characters
//
// Pieces are numbered through the whole session, and may come out of order. Thread: its session's; the types are values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "net/wire/frame.h"

namespace hearth::net::wire {

inline constexpr size_t kEarlySegmentsMax = 256;  // pieces that came early; SDKs have two requests on their way

struct Segment {
  uint64_t number = 0;
  uint32_t count = 0;  // of the pieces of its message
  std::string data;
};

class SegmentReader {
 public:
  explicit SegmentReader(size_t message_bytes_max = kMessageBytesMax)
      : encoded_bytes_max_((message_bytes_max + 2) / 3 * 4) {}

  // Takes a piece in, and adds the messages that are whole now. One that came before is ignored. Errors: InvalidArgument,
  // with which nothing can be understood any more.
  db::Result<void> take(Segment&& segment, std::vector<MessageReader::Message>& to);

  // Memory of a message that is not whole, and of pieces that came before their turn; 0: there is nothing of the kind.
  size_t held_bytes() const {
    return left_ == 0 && early_.empty() ? 0 : 1 + text_.capacity() + last_.capacity() + early_bytes_;
  }

 private:
  db::Result<void> append(const Segment& segment, std::vector<MessageReader::Message>& to);

  size_t encoded_bytes_max_;  // of a message, in base64
  uint64_t next_ = 0;
  std::map<uint64_t, Segment> early_;
  size_t early_bytes_ = 0;
  uint32_t left_ = 0;  // pieces of the message that has begun
  std::string text_;   // of it, as it came
  std::string last_;   // too_large_: its newest piece; text_ is the first
  bool too_large_ = false;
};

}  // namespace hearth::net::wire
