// How messages travel in WebSocket text frames (net/wire/protocol.md §2).
//
//   message   := frame                       at most kPieceUnitsMax long
//              | header frame{header}        that many pieces, each at most kPieceUnitsMax long
//   header    := digit{1,6}                  the number of pieces; "0" is a keepalive of the client, never ours
//
// Lengths are UTF-16 code units. No piece ends inside a character, for a text frame must be valid UTF-8 by itself.
// Thread: a reader belongs to its connection's; the functions are pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/wire/limits.h"

namespace hearth::net::wire {

inline constexpr size_t kPieceUnitsMax = 16384;  // SDK: realtime/Constants.ts, WEBSOCKET_MAX_FRAME_SIZE
inline constexpr size_t kFrameExtraBytes =
    1024;  // a frame larger by that than a message may be is what no SDK ever sends
inline constexpr size_t kDroppedEndBytes = 256;

// Puts pieces together.
class MessageReader {
 public:
  struct Message {
    std::string text{};
    // The message is larger than allowed: only its first and last bytes were kept, from which its number can be read.
    bool too_large = false;
    bool no_room = false;  // likewise, because there is no memory for the message at this moment
    std::string tail{};

    void drop_middle();
  };

  explicit MessageReader(size_t message_bytes_max = kMessageBytesMax) : message_bytes_max_(message_bytes_max) {}

  // Returns the message that `frame` completes, if it completes one.
  std::optional<Message> on_frame(std::string&& frame);

  // Memory that a message takes which has begun and is not whole; 0: there is none.
  size_t held_bytes() const { return begun_ == nullptr ? 0 : 1 + begun_->text.capacity() + begun_->tail.capacity(); }

 private:
  struct Begun {
    uint32_t announced;  // pieces
    uint32_t arrived = 0;
    bool all_full = true;  // every piece so far was kPieceUnitsMax bytes
    size_t total_bytes = 0;
    std::string text{};
    std::string tail{};  // of a message that is too large
  };
  Message take(Begun& begun) const;
  void add(Begun& begun, std::string&& piece) const;

  size_t message_bytes_max_;
  std::unique_ptr<Begun> begun_;  // a message of several pieces; null: none is under way
};

// The payloads to send for one message, in order: views into `message`, but for the header.
struct Pieces {
  std::string header;  // "" when there is one piece only
  std::vector<std::string_view> pieces;
};
Pieces split_message(std::string_view message);

// The pieces as WebSocket bytes, ready for any socket.
enum class Packed : uint8_t { No, Yes };  // Yes: compressed, for sockets that have agreed on that
std::string frame_message(std::string_view message, Packed packed = Packed::No);

// Whether `text` is one whole JSON object, going by its brackets and quotes.
bool is_whole_object(std::string_view text);

}  // namespace hearth::net::wire
