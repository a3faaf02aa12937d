#include "db/commit/kept_answer.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

using namespace hearth::db;

namespace {

KeptAnswer sample() {
  KeptAnswer kept;
  kept.key = std::string("k\0y", 3);
  kept.asked = "asked";
  kept.wall = Timestamp(1'700'000'000'000);
  kept.offset = 300;
  kept.sequence = 7;
  kept.time = Timestamp(1'700'000'000'001);
  kept.base = Path::parse("a/b").value();
  kept.value = parse_value(R"({"n":3,"m":{".value":4,".priority":1}})", Path()).value();
  return kept;
}

}  // namespace

TEST_CASE("KeptAnswer: its bytes are itself again, and a part of them is damage", "[commit][answers]") {
  const KeptAnswer kept = sample();
  const std::string bytes = kept.encode();
  const KeptAnswer again = KeptAnswer::decode(bytes).value();
  CHECK(again.encode() == bytes);
  CHECK(again.key == kept.key);
  CHECK(again.asked == kept.asked);
  CHECK(again.wall == kept.wall);
  CHECK(again.time == kept.time);
  CHECK(again.base == kept.base);
  CHECK(again.value == kept.value);
  CHECK((again.offset == 300 && again.sequence == 7));
  for (size_t size = 0; size < bytes.size(); ++size) {
    INFO(size << " of " << bytes.size());
    CHECK_FALSE(KeptAnswer::decode(bytes.substr(0, size)).ok());
  }
  CHECK(KeptAnswer::decode("\2" + bytes.substr(1)).error().code == ErrorCode::Corruption);
}

TEST_CASE("KeptAnswer: rows are in the order in which they came, and keys are behind them", "[commit][answers]") {
  CHECK(answer_row(1) == std::string("a\0\0\0\0\0\0\0\1", 9));
  CHECK(answer_row(255) < answer_row(256));
  CHECK(arrival_of(answer_row(77)) == 77);
  CHECK((answer_row(0) > kAnswersFrom && answer_row(UINT64_MAX) < kAnswersUpto));
  CHECK(answer_key_row("xyz") == "kxyz");
}
