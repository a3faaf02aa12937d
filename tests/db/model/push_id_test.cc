#include "db/model/push_id.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <thread>
#include <vector>

#include "db/model/key_order.h"

using namespace hearth::db;

namespace {

const std::string kAlphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

}  // namespace

TEST_CASE("PushId: the first eight characters are the time",
          "[db][model]") {  // db/model/data-model.md §8
  struct Case {
    int64_t time;
    const char *text;
  };
  for (const Case &at : {Case{0, "--------"}, Case{1400000000000, "-JMqVA--"}, Case{1700000000000, "-NjEtLV-"},
                         Case{1405961581220, "-JSOpn9Z"}}) {
    INFO(at.time);
    PushIdGenerator generator;
    const std::string id = generator.next(Timestamp(at.time));
    CHECK(id.substr(0, 8) == at.text);
    CHECK(id.size() == 20);
    CHECK(id.find_first_not_of(kAlphabet) == std::string::npos);
    CHECK(check_key(id).ok());
    CHECK_FALSE(integer_key(id));
  }
}

TEST_CASE(
    "PushId: ids ascend, also within a millisecond and when the clock "
    "goes back",
    "[db][model]") {
  PushIdGenerator generator;
  std::string before;
  for (const int64_t time : {5, 5, 5, 7, 6, 1, 7, 8, 8, 0, 9}) {
    for (int i = 0; i < 200; ++i) {
      const std::string id = generator.next(Timestamp(time));
      INFO(before << " then " << id << " at " << time);
      REQUIRE(before < id);
      REQUIRE(compare_keys(before, id) < 0);
      before = id;
    }
  }
}

TEST_CASE("PushId: a clock that was far ahead is followed back", "[db][model]") {
  PushIdGenerator generator;
  const auto time_of = [](const std::string &id) { return id.substr(0, 8); };
  const std::string ahead = generator.next(Timestamp(1'700'000'000'000));
  CHECK(time_of(generator.next(Timestamp(1'700'000'000'000) - kClockStepBackMax)) == time_of(ahead));
  const std::string right = generator.next(Timestamp(1'400'000'000'000));
  CHECK(time_of(right) == "-JMqVA--");
  CHECK(generator.next(Timestamp(1'400'000'000'000)) > right);
}

TEST_CASE("PushId: within a millisecond the random part counts on by one", "[db][model]") {
  PushIdGenerator generator;
  const auto random_part = [&](Timestamp time) {
    std::vector<size_t> digits;
    for (const char c : generator.next(time).substr(8)) digits.push_back(kAlphabet.find(c));
    return digits;
  };
  std::vector<size_t> expected = random_part(Timestamp(1));
  for (int i = 0; i < 5'000; ++i) {  // over more than one carry
    const auto got = random_part(Timestamp(1));
    for (size_t digit = expected.size(); digit-- > 0;) {
      expected[digit] = (expected[digit] + 1) % 64;
      if (expected[digit] != 0) break;
    }
    REQUIRE(got == expected);
  }
}

TEST_CASE("PushId: another millisecond draws anew, and generators differ", "[db][model]") {
  std::set<std::string> random_parts;
  PushIdGenerator one, other;
  for (int64_t time = 1; time <= 500; ++time) {
    random_parts.insert(one.next(Timestamp(time)).substr(8));
    random_parts.insert(other.next(Timestamp(time)).substr(8));
  }
  CHECK(random_parts.size() == 1000);
}

TEST_CASE("PushId: threads never get the same", "[db][model]") {
  PushIdGenerator generator;
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto &ids : made) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2'000; ++i) ids.push_back(generator.next(Timestamp(i / 100)));
    });
  }
  for (auto &thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto &ids : made) {
    CHECK(std::is_sorted(ids.begin(), ids.end()));
    all.insert(ids.begin(), ids.end());
  }
  CHECK(all.size() == 8'000);
}
