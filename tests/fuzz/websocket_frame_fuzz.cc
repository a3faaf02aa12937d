// WebSocket frames, whole and in pieces.
#include "net/websocket/frame.h"

#include <vector>

#include "db/model/json.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::net::http;
using hearth::test::invariant;
using Found = FrameReader::Found;

namespace {

constexpr size_t kMessageBytesMax = 300;

std::vector<std::string> read(std::string_view bytes, size_t piece_bytes, bool inflates) {
  FrameReader reader(kMessageBytesMax, inflates);
  std::vector<std::string> seen;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, piece_bytes);
    const size_t before = piece.size();
    const Found found = reader.next(piece);
    bytes.remove_prefix(before - piece.size());
    switch (found) {
      case Found::Nothing:
        invariant(piece.empty(), "all is taken when more is needed");
        break;
      case Found::More:
        break;
      case Found::Message: {
        const bool is_text = reader.kind() == MessageKind::Text;
        seen.push_back((is_text ? "text " : "binary ") + reader.take_message());
        invariant(seen.back().size() <= kMessageBytesMax + 7, "a message has a limit");
        invariant(!is_text || hearth::db::is_utf8(seen.back()), "text is UTF-8");
        break;
      }
      case Found::Ping:
      case Found::Pong:
        seen.push_back("control " + std::string(reader.control()));
        break;
      case Found::Close:
      case Found::Error:
        seen.push_back("end " + std::to_string(static_cast<int>(reader.close_code())));
        return seen;
    }
  }
  return seen;
}

}  // namespace

FUZZ_TARGET(websocket_frame) {
  for (const bool inflates : {false, true}) {
    const auto whole = read(bytes, bytes.size(), inflates);
    for (const size_t piece_bytes : {1, 3, 8}) {
      invariant(read(bytes, piece_bytes, inflates) == whole, "pieces say what the whole says");
    }
  }
}
