#include "db/shard/contests.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace hearth::db;
using namespace std::chrono_literals;

namespace {

// Clients A, B, …; of each group who tried, and who is woken.
struct Race {
  using Tries = std::vector<std::pair<char, bool>>;  // by whom, and whether it was taken

  explicit Race(const std::string& names) {
    for (const char name : names) {
      clients[name] = std::make_shared<Conversation>(
          SessionId::random(), nullptr, [] {}, nullptr);
    }
  }
  std::string names(const Contests::Told& all) const {
    std::string found;
    for (const auto& one : all) {
      found += std::find_if(clients.begin(), clients.end(), [&](const auto& of) { return of.second == one; })->first;
    }
    return found;
  }
  // `also`: who is told something without having tried. A microsecond passes.
  std::string group(const Tries& tries, const std::string& also = "", const char* at = "n") {
    Contests::Told told;
    for (const auto& [name, is_taken] : tries) {
      contests.judged(*clients.at(name), this, Path::parse(at).value(),
                      is_taken ? Contests::Verdict::Taken : Contests::Verdict::Stale, number);
      if (told.empty() || told.back() != clients.at(name)) told.push_back(clients.at(name));
    }
    for (const char name : also) told.push_back(clients.at(name));
    now += 1us;
    return names(contests.wake_now(std::move(told), number++, now, at_once));
  }

  std::map<char, std::shared_ptr<Conversation>> clients;
  Contests contests;
  uint64_t number = 1;
  size_t at_once = 1;
  Contests::Time now{};
};

}  // namespace

TEST_CASE("Contests: one after the other is woken, so each win costs one try and all win alike", "[db]") {
  Race race("ABCD");
  std::string called = race.group({{'A', true}, {'B', false}, {'C', false}, {'D', false}});
  std::string order;
  std::map<char, int> wins;
  for (int i = 0; i < 40; ++i) {
    REQUIRE(called.size() == 1);  // the others sleep
    order += called;
    ++wins[called[0]];
    called = race.group({{called[0], true}});
  }
  CHECK(order.substr(0, 8) == "BCDABCDA");
  for (const auto& [name, count] : wins) CHECK(count == 10);
}

TEST_CASE("Contests: who has lost most comes first, who has won comes last, and who did not try is told at once",
          "[db]") {
  Race race("ABCDX");
  CHECK(race.group({{'A', true}, {'B', false}, {'C', false}, {'C', false}}, "X") == "CX");
  CHECK(race.group({}, "X") == "X");  // C has not tried yet
  CHECK(race.group({{'C', false}, {'D', true}}) == "B");
  CHECK(race.group({{'B', true}}) == "C");
  CHECK(race.names(race.contests.wake_all()) == "ADB");
  CHECK_FALSE(race.contests.has_sleepers());
}

TEST_CASE("Contests: who is called and does not come is passed over, and nobody sleeps for long", "[db]") {
  Race race("ABCD");
  CHECK(race.group({{'A', true}, {'B', false}, {'C', false}, {'D', false}}) == "B");
  race.now += kContestWait;
  CHECK(race.group({}) == "C");
  CHECK(race.group({}) == "");
  race.now += kContestSleepMax;
  const std::string all = race.group({});
  CHECK(all == "DA");
  CHECK_FALSE(race.contests.has_sleepers());
}

TEST_CASE("Contests: where nothing was stale nobody sleeps, and one alone is in no contest", "[db]") {
  Race race("AB");
  for (int i = 0; i < 3; ++i) CHECK(race.group({{'A', true}}) == "A");
  CHECK(race.contests.empty());
  CHECK(race.group({{'A', true}, {'B', false}}) == "B");
  race.clients.at('B')->contender->is_called = false;  // it is never seen again
  race.now += 2 * kContestWait;
  std::string woken;
  for (uint64_t i = 0; i < 2 * kContestGroups; ++i) {
    woken = race.group({{'A', true}});
    (void)race.contests.wake_all();
    race.now += 2 * kContestWait;
  }
  CHECK(woken == "A");
  CHECK(race.contests.empty());
}

TEST_CASE("Contests: two places have a queue each", "[db]") {
  Race race("ABCDEF");
  CHECK(race.group({{'A', true}, {'B', false}, {'C', false}}, "", "n") == "B");
  CHECK(race.group({{'D', true}, {'E', false}, {'F', false}}, "", "m") == "E");
  CHECK(race.group({{'B', true}}, "", "n") == "C");
  CHECK(race.group({{'E', true}}, "", "m") == "F");
}

TEST_CASE("Contests: where a commit waits for the disk more than one is called", "[db]") {
  Race race("ABCDE");
  race.at_once = 2;
  CHECK(race.group({{'A', true}, {'B', false}, {'C', false}, {'D', false}, {'E', false}}) == "BC");
  CHECK(race.group({{'B', true}}) == "D");                 // C has not tried yet
  CHECK(race.group({{'C', true}, {'D', false}}) == "ED");  // who has lost before is longer asleep
  CHECK(race.group({}) == "");
}
