#include "db/log/postgres/envelope.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("Envelope: a row of the log is read as it was written, in each form", "[postgres]") {
  for (const bool is_compressed : {false, true}) {
    for (const bool is_in_file : {false, true}) {
      for (const std::vector<std::string>& files :
           {std::vector<std::string>(), {"a"}, {"a", std::string(300, 'x'), std::string("\0b", 2)}}) {
        INFO(is_compressed << is_in_file << files.size());
        Envelope envelope;
        envelope.is_compressed = is_compressed;
        envelope.is_in_file = is_in_file;
        envelope.files = files;
        envelope.payload = std::string("\1\0batch", 7);
        const std::string stored = envelope.encode(envelope.payload);
        const auto read = read_envelope(stored);
        REQUIRE(read.ok());
        CHECK(read.value().is_compressed == is_compressed);
        CHECK(read.value().is_in_file == is_in_file);
        CHECK(read.value().files == files);
        CHECK(read.value().payload == envelope.payload);
        // A row that was cut anywhere before its payload is not taken for another.
        for (size_t size = 0; size + envelope.payload.size() <= stored.size(); ++size) {
          const auto cut = read_envelope(stored.substr(0, size));
          REQUIRE_FALSE(cut.ok());
          CHECK(cut.error().code == ErrorCode::Corruption);
        }
      }
    }
  }
}

TEST_CASE("Envelope: a form of a newer Hearth is refused, not guessed", "[postgres]") {
  const auto read = read_envelope(std::string(1, '\x08') + "batch");
  REQUIRE_FALSE(read.ok());
  CHECK(read.error().code == ErrorCode::Unsupported);
}

TEST_CASE("Envelope: what was compressed comes back, and nothing larger than it may be", "[postgres]") {
  std::string batch;
  for (int i = 0; i < 10'000; ++i) batch += "row " + std::to_string(i % 97);
  const std::string frame = compress_batch(batch);
  CHECK(frame.size() < batch.size() / 2);
  const auto back = decompress_batch(frame, batch.size());
  REQUIRE(back.ok());
  CHECK(back.value() == batch);
  const auto large = decompress_batch(frame, batch.size() - 1);
  REQUIRE_FALSE(large.ok());
  CHECK(large.error().code == ErrorCode::TooLarge);
  for (const std::string& damaged : {std::string("no frame"), frame.substr(0, frame.size() / 2), std::string()}) {
    const auto read = decompress_batch(damaged, batch.size());
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == ErrorCode::Corruption);
  }
}
