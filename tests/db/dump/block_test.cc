#include "db/dump/block.h"

#include <catch2/catch.hpp>
#include <vector>

#include "tests/support/byte_source.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

// What is read, and the error that ended it.
std::pair<std::vector<std::string>, std::string> read_all(const std::string& bytes, size_t piece = 4096) {
  BlockReader reader(source_of(bytes, piece), "the text");
  std::vector<std::string> blocks;
  for (;;) {
    const auto next = reader.next();
    if (!next.ok()) return {blocks, next.error().message};
    if (!next.value()) return {blocks, ""};
    blocks.emplace_back(*next.value());
  }
}

std::string written(const std::vector<std::string>& blocks) {
  BlockWriter writer;
  std::string bytes;
  for (const std::string& block : blocks) writer.write(block, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("Blocks come back as they were written, however few bytes come at a time") {
  const std::vector<std::string> blocks = {"a", "", std::string(300'000, 'x'), std::string("\0\n\xff", 3)};
  const std::string bytes = written(blocks);
  CHECK(bytes.size() < 1000);  // they are compressed
  for (const size_t piece : {size_t{1}, size_t{7}, bytes.size()}) {
    INFO(piece << " bytes at a time");
    CHECK(read_all(bytes, piece) == std::pair(blocks, std::string()));
  }
  CHECK(read_all("").first.empty());
}

TEST_CASE("A block of the largest size fits, and one that says it is larger is refused unread") {
  const std::string largest(kBlockBytesMax, 'y');
  CHECK(read_all(written({largest})).first == std::vector{largest});
  std::string bytes = written({"small"});
  bytes.replace(4, 4, std::string("\x01\x00\x00\x01", 4));  // one more than the largest
  CHECK(read_all(bytes).second == "the text is damaged: block 0 has an impossible size");
}

TEST_CASE("Every flipped bit and every cut of a stream of blocks is found") {
  const std::vector<std::string> blocks = {"the first block", "the second block, of some more text"};
  const std::string bytes = written(blocks);
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      INFO("bit " << bit << " of byte " << at);
      CHECK(read_all(flipped).second != "");
    }
  }
  const size_t second = written({blocks[0]}).size();
  for (size_t end = 1; end < bytes.size(); ++end) {
    INFO("cut after " << end << " bytes");
    if (end != second) CHECK(read_all(bytes.substr(0, end)).second.ends_with("is cut short"));
  }
}

TEST_CASE("A block that is left out, doubled or moved is found") {
  const std::string first = written({"one"});
  const std::string both = written({"one", "two"});
  const std::string second = both.substr(first.size());
  CHECK(read_all(second).second == "the text is damaged: block 0 is not where it belongs");
  CHECK(read_all(first + first).second == "the text is damaged: block 1 is not where it belongs");
  CHECK(read_all(second + first).second == "the text is damaged: block 0 is not where it belongs");
}

TEST_CASE("What the source says is passed on") {
  BlockReader reader([](char*, size_t) -> Result<size_t> { return Error{ErrorCode::Io, "no disk"}; }, "the text");
  const auto next = reader.next();
  REQUIRE_FALSE(next.ok());
  CHECK(next.error().message == "no disk");
}
