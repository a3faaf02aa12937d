// HTTP requests, whole and in pieces: it must not matter how they come.
#include "net/http/request_reader.h"

#include "tests/fuzz/fuzz.h"

using namespace hearth::net::http;
using hearth::test::invariant;
using Found = RequestReader::Found;

namespace {

struct Seen {
  Found end = Found::Nothing;
  Request request{};
  size_t bytes = 0;  // it took

  // What is broken may be refused sooner or later, but never taken.
  bool operator==(const Seen& other) const {
    const bool is_taken = end == Found::Request;
    if (!is_taken || other.end != end) return is_taken == (other.end == Found::Request);
    return bytes == other.bytes && request.method == other.request.method && request.target == other.request.target &&
           request.headers == other.request.headers && request.body == other.request.body;
  }
};

Seen read(std::string_view bytes, size_t piece_bytes) {
  static const Limits limits = [] {
    Limits small;
    small.target_bytes_max = 200;
    small.head_bytes_max = 1'000;
    small.header_fields_max = 12;
    small.body_bytes_max = 300;
    return small;
  }();
  RequestReader reader(limits);
  Seen seen;
  for (bool is_known_whole = false; seen.bytes < bytes.size() || is_known_whole;) {
    std::string_view piece = bytes.substr(seen.bytes, is_known_whole ? 0 : piece_bytes);
    const size_t before = piece.size();
    const Found found = reader.next(piece);
    seen.bytes += before - piece.size();
    is_known_whole = false;
    if (found == Found::Error) {
      invariant(reader.error_status() >= 400 && *reader.error() != 0, "a refusal says why");
      seen.end = found;
      return seen;
    }
    invariant(found != Found::Nothing || piece.empty(), "all is taken when more is needed");
    if (found == Found::Head) is_known_whole = true;  // a request without a body is whole with its head
    if (found == Found::Request) {
      seen.end = found;
      seen.request = reader.take_request();
      const std::string& body = seen.request.body;
      invariant(body.size() <= limits.body_bytes_max, "the body has a limit");
      invariant(body.empty() || body.capacity() >= body.size() + kBodyPaddingBytes, "a body is padded");
      return seen;
    }
    if (bytes.empty()) break;
  }
  return seen;
}

}  // namespace

FUZZ_TARGET(request_reader) {
  const Seen whole = read(bytes, bytes.size());
  for (const size_t piece_bytes : {1, 2, 3, 7}) {
    invariant(read(bytes, piece_bytes) == whole, "pieces say what the whole says");
  }
}
