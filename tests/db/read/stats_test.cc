// How large a tree is and where: exact for what is small, about right and bounded for what is large.
#include "db/read/stats.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <future>
#include <map>

#include "db/host.h"
#include "db/model/json.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

std::unique_ptr<Host> open(const std::string& folder) {
  Database::Options options;
  options.folder = folder;
  options.sync = SyncMode::Os;
  return Host::open(options).value();
}

Stats stats_of(Host& database, const std::string& path = "") {
  std::promise<Result<Stats>> found;
  database.stats("chat", Path::parse(path).value(), [&](const Result<Stats>& stats) { found.set_value(stats); });
  Result<Stats> stats = found.get_future().get();
  REQUIRE(stats.ok());
  return std::move(stats).value();
}

const SizeAt* at(const Stats& stats, const std::string& path) {
  for (const SizeAt& one : stats.sizes) {
    if (one.path.text() == path) return &one;
  }
  return nullptr;
}

std::string text(size_t number, size_t bytes) {
  std::string made;
  for (uint64_t state = number + 1; made.size() < bytes; state = state * 6364136223846793005u + 1442695040888963407u) {
    made += static_cast<char>('a' + (state >> 40) % 26);
  }
  return made;
}

// `count` children of 100 bytes each, below the path.
void fill(Namespace& space, const std::string& path, size_t count) {
  for (size_t from = 0; from < count; from += 10'000) {
    std::vector<std::pair<std::string, Value>> entries;
    for (size_t i = from; i < std::min(count, from + 10'000); ++i) {
      entries.emplace_back("m" + std::to_string(i), Value::string(text(i, 100)));
    }
    REQUIRE(space.update(path, std::move(entries)).ok());
  }
}

}  // namespace

TEST_CASE("stats: of a small tree everything is counted") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  CHECK(stats_of(*database).sizes.size() == 1);
  CHECK(stats_of(*database).sizes[0].leaves == 0);
  const auto parsed = parse_value(
      R"({"rooms":{"a":{"x":1,"y":2},"b":{"x":1,".priority":3}},"users":{"u":{"name":"ada","old":true}}})", {});
  REQUIRE(space.set("", parsed.value()).ok());
  const Stats stats = stats_of(*database);
  REQUIRE(at(stats, "") != nullptr);
  CHECK(at(stats, "")->leaves == 5);
  CHECK(at(stats, "")->children == 2);
  CHECK(at(stats, "")->is_exact);
  REQUIRE(at(stats, "rooms") != nullptr);
  CHECK(at(stats, "rooms")->leaves == 3);
  CHECK(at(stats, "rooms")->children == 2);
  CHECK(at(stats, "rooms/a")->leaves == 2);
  CHECK(at(stats, "users")->leaves == 2);
  CHECK(at(stats, "")->bytes == at(stats, "rooms")->bytes + at(stats, "users")->bytes);
  CHECK(stats.sizes[0].path.is_root());
  CHECK(stats.sequence == 1);
  CHECK(stats.steps < 50);

  const Stats below = stats_of(*database, "rooms/a");
  CHECK(below.sizes[0].path.text() == "rooms/a");
  CHECK(below.sizes[0].leaves == 2);
  CHECK(at(below, "users") == nullptr);
  CHECK(stats_of(*database, "nothing/here").sizes[0].leaves == 0);
  CHECK(stats_of(*database, "users/u/name").sizes[0].leaves == 1);
}

TEST_CASE("stats: of a large tree where most of it is, about, in a bounded number of steps") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  fill(space, "logs/fat", 150'000);
  fill(space, "logs/thin", 30'000);
  for (int i = 0; i < 300; ++i) REQUIRE(space.set("users/u" + std::to_string(i) + "/name", Value::string("ada")).ok());
  std::promise<Result<Compacted>> compacted;
  SECTION("in the files") {
    database->compact([&](const Result<Compacted>& done) { compacted.set_value(done); });
    REQUIRE(compacted.get_future().get().ok());
  }
  SECTION("as it was written, some of it still in memory") {}
  const Stats stats = stats_of(*database);
  CHECK(stats.steps <= kStatsStepsMax + kStatsRowsPerNode + 100);
  INFO(to_json(stats));
  REQUIRE(at(stats, "logs/fat") != nullptr);
  REQUIRE(at(stats, "logs/thin") != nullptr);
  const auto is_about = [](uint64_t found, double really) {
    return std::abs(static_cast<double>(found) - really) < 0.4 * really;
  };
  CHECK_FALSE(at(stats, "")->is_exact);
  CHECK(is_about(at(stats, "")->leaves, 180'300));
  CHECK(is_about(at(stats, "logs/fat")->leaves, 150'000));
  CHECK(is_about(at(stats, "logs/fat")->bytes, 150'000 * 130));
  CHECK(is_about(at(stats, "logs/thin")->leaves, 30'000));
  CHECK(at(stats, "logs")->children == 2);
  CHECK(at(stats, "logs")->is_all_children);
  CHECK(at(stats, "users") == nullptr);  // below 1 %

  const Stats users = stats_of(*database, "users");  // where it is small it is exact
  CHECK(users.sizes[0].leaves == 300);
  CHECK(users.sizes[0].children == 300);
  CHECK(users.sizes[0].is_exact);
  CHECK(users.sizes.size() == 1);  // none of them is 1 %
}

TEST_CASE("stats: steps are bounded whatever there is, and what was not looked at is said") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  fill(space, "wide", 30'000);
  database.reset();
  const auto frozen = open_frozen(folder.path());
  REQUIRE(frozen.ok());
  const uint32_t number = frozen.value().names.at("chat");
  for (const uint64_t steps_max : {1'000u, 10'000u, 100'000u}) {
    const auto stats = measure(*frozen.value().snapshot, number, Path(), steps_max);
    REQUIRE(stats.ok());
    CHECK(stats.value().steps <= steps_max + kStatsRowsPerNode + 100);
    INFO(to_json(stats.value()));
    REQUIRE(at(stats.value(), "wide") != nullptr);
    CHECK(at(stats.value(), "wide")->is_exact == (steps_max == 100'000));
    CHECK(at(stats.value(), "wide")->is_all_children == (steps_max == 100'000));
  }
}

TEST_CASE("stats: who listens, and where most do") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  REQUIRE(space.set("a", Value::integer(1)).ok());
  std::vector<Listener> listeners;
  const auto listen = [&](const std::string& path, const Query& query = Query()) {
    std::promise<void> told;
    auto listener = space.listen(path, query, {.value = [&](const Value&) { told.set_value(); }});
    REQUIRE(listener.ok());
    listeners.push_back(std::move(listener).value());
    told.get_future().wait();
  };
  for (int i = 0; i < 3; ++i) listen("rooms/r1");
  listen("a");
  Query last = Query::by_key();
  last.limit = Limit::Last;
  last.count = 2;
  listen("a", last);
  const Stats stats = stats_of(*database);
  CHECK(stats.sessions == 5);
  CHECK(stats.listeners == 5);
  REQUIRE(stats.listened.size() == 2);
  CHECK(stats.listened[0].path.text() == "rooms/r1");
  CHECK(stats.listened[0].listeners == 3);
  CHECK(stats.listened[1].path.text() == "a");
  CHECK(stats.listened[1].listeners == 2);
  CHECK(to_json(stats).find(R"("listened":[{"path":"/rooms/r1","listeners":3},{"path":"/a","listeners":2}])") !=
        std::string::npos);
}
