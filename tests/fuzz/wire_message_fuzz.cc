// What an SDK says: one frame a line.
#include <algorithm>

#include "net/wire/message.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::net::wire;

FUZZ_TARGET(wire_message) {
  MessageReader reader;
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view frame = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    request_number(frame, frame);
    is_whole_object(frame);
    if (auto message = reader.on_frame(std::string(frame))) parse_message(std::move(*message));
  }
}
