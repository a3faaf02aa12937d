// Processes killed and disks cut in the middle of writes: every acknowledged write is there afterwards, none is half
// there, and nobody was told of a write that is gone.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <thread>

#include "db/host.h"
#include "db/model/index.h"
#include "db/model/json.h"
#include "db/store/patient_files.h"
#include "db/store/tree_store.h"
#include "tests/support/index_check.h"
#include "tests/support/lossy_env.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

constexpr int kWriters = 4;
constexpr int kKills = 200;

Database::Options options_for(const std::string& folder) {
  Database::Options options;
  options.folder = folder;
  options.shards = 2;
  options.indexes.own = R"([{"at":"/$writer/many","by":".value"},{"at":"/","by":"number"}])";
  return options;
}

// Index rows and counts are those of a rebuild. Returns how many there are.
size_t check_indexes(const std::string& folder) {
  auto store = TreeStore::open({folder, 2, nullptr});
  INFO((store.ok() ? "" : store.error().message));
  REQUIRE(store.ok());
  const auto snapshot = store.value()->snapshot();
  size_t count = 0;
  for (const auto& [name, number] : store.value()->names_at_open()) {
    const SnapshotView index_rows(snapshot, number, Table::Index);
    const auto plan = index_rows.leaf(kPlanRow).value();
    if (!plan) continue;
    const IndexRowMap rows = rows_of(index_rows);
    REQUIRE(rows == rows_by_definition(IndexPlan::decode(*plan).value(), SnapshotView(snapshot, number)));
    count += rows.size();
  }
  return count;
}

// What the child says over a pipe: "writer w has number n acknowledged", "a listener was told that w is at n".
struct Said {
  char what;  // 'a' | 't'
  int32_t writer;
  int64_t number;
};

// Writes until it is killed. Each update puts one number in two places, so that a half one shows.
[[noreturn]] void write_until_killed(const std::string& folder, int say, uint64_t seed) {
  auto database = Host::open(options_for(folder)).value();
  Namespace spaces[2] = {database->space("one").value(), database->space("two").value()};
  std::vector<Listener> listeners;
  for (int writer = 0; writer < kWriters; ++writer) {
    ListenerCallbacks callbacks;
    callbacks.value = [say, writer](const Value& value) {
      if (value.is_null()) return;
      const Said said{'t', writer, value.as_integer()};
      if (write(say, &said, sizeof said) != sizeof said) _exit(1);
    };
    listeners.push_back(spaces[writer % 2].listen("w" + std::to_string(writer) + "/number", callbacks).value());
  }
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      RandomTree random(seed + static_cast<uint64_t>(writer));
      Namespace& space = spaces[writer % 2];
      const std::string at = "w" + std::to_string(writer);
      const Value last = space.get(at + "/number").value();
      for (int64_t number = last.is_null() ? 1 : last.as_integer() + 1;; ++number) {
        std::vector<std::pair<std::string, Value>> entries = {{at + "/number", Value::integer(number)},
                                                              {at + "/deep/copy", Value::integer(number)}};
        if (random.chance(0.2)) {  // sometimes large, by a range
          std::vector<std::pair<std::string, Value>> many;
          for (int i = 0; i < 1500; ++i) many.emplace_back(std::to_string(i), Value::integer(number));
          entries.emplace_back(at + "/many", Value::object(many));
        } else if (random.chance(0.2)) {
          entries.emplace_back(at + "/many", Value());
        }
        if (!space.update("", entries).ok()) _exit(2);
        if (random.chance(0.02)) {  // another index to build, or the first ones anew
          if (!space
                   .set_indexes(random.chance(0.5) ? "[]"
                                                   : R"([{"at":"/$w/many","by":".value"},{"at":"/$w/many","by":"a"}])")
                   .ok())
            _exit(2);
        }
        const Said said{'a', writer, number};
        if (write(say, &said, sizeof said) != sizeof said) _exit(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  _exit(3);
}

}  // namespace

TEST_CASE("Crash: after each of 200 kills every acknowledged write is there, and none is half there", "[crash]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder folder;
  std::map<int, int64_t> acknowledged;
  size_t acks = 0;
  size_t index_rows = 0;
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      close(ends[0]);
      write_until_killed(folder.path(), ends[1], seed + static_cast<uint64_t>(kill_number) * 100);
    }
    close(ends[1]);
    pollfd heard{ends[0], POLLIN, 0};
    REQUIRE(poll(&heard, 1, 20'000) == 1);  // it is at work
    std::this_thread::sleep_for(std::chrono::milliseconds(random.below(40)));
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    std::map<int, int64_t> told;
    for (Said said; read(ends[0], &said, sizeof said) == sizeof said;) {
      auto& highest = (said.what == 'a' ? acknowledged : told)[said.writer];
      highest = std::max(highest, said.number);
      acks += said.what == 'a';
    }
    close(ends[0]);

    index_rows += check_indexes(folder.path());
    auto database = Host::open(options_for(folder.path()));
    INFO((database.ok() ? "" : database.error().message));
    REQUIRE(database.ok());
    for (int writer = 0; writer < kWriters; ++writer) {
      const Value stored =
          database.value()->space(writer % 2 == 0 ? "one" : "two").value().get("w" + std::to_string(writer)).value();
      INFO("kill " << kill_number << ", writer " << writer);
      const int64_t number = stored.is_null() ? 0 : stored.child("number").as_integer();
      REQUIRE(number >= acknowledged[writer]);
      REQUIRE(number >= told[writer]);
      if (number == 0) continue;
      REQUIRE(stored.child("deep").child("copy").as_integer() == number);
      const Value many = stored.child("many");
      if (!many.is_null()) REQUIRE(many.child_count() == 1500);
      if (!many.is_null()) REQUIRE(many.child("0") == many.child("1499"));
    }
  }
  WARN(kKills << " kills, " << acks << " acknowledged writes, " << index_rows << " index rows looked at");
  CHECK(index_rows > 0);
  CHECK(acks > kKills);
}

namespace {

void cut_power_in_both_modes(rocksdb::Env* disk) {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (const SyncMode mode : {SyncMode::Group, SyncMode::Os}) {
    for (int round = 0; round < 15; ++round) {
      const TempFolder folder;
      LossyEnv env(disk);
      Database::Options options = options_for(folder.path());
      options.environment = &env;
      options.sync = mode;
      int acknowledged_before_cut = 0;
      {
        auto database = Host::open(options).value();
        Namespace space = database->space("t").value();
        std::atomic<int> acknowledged{0};
        const int cut_at = 20 + static_cast<int>(random.below(200));
        const int large_at = static_cast<int>(random.below(200));
        for (int i = 0; i < 250; ++i) {
          if (i == cut_at) {
            env.cut_power();
            acknowledged_before_cut = acknowledged.load();
          }
          Value value = Value::integer(i);
          if (i == large_at && round % 3 == 0) {  // past the log, as a file
            std::vector<std::pair<std::string, Value>> many;
            for (int k = 0; k < 60'000; ++k) many.emplace_back(std::to_string(k), Value::integer(i));
            value = Value::object(many);
          }
          if (random.chance(0.5)) {
            const auto done = space.set("k" + std::to_string(i), value);
            INFO((done.ok() ? "" : done.error().message));
            REQUIRE(done.ok());
            ++acknowledged;
          } else {
            space.set_async("k" + std::to_string(i), value, [&](const Result<Written>&) {});
          }
        }
      }
      env.lose();
      auto database = Host::open(options_for(folder.path()));
      INFO((database.ok() ? "" : database.error().message));
      REQUIRE(database.ok());
      Namespace space = database.value()->space("t").value();
      int present = 0;
      while (!space.get("k" + std::to_string(present)).value().is_null()) ++present;
      for (int i = present; i < 250; ++i) REQUIRE(space.get("k" + std::to_string(i)).value().is_null());  // a prefix
      INFO("round " << round << ", " << present << " commits left of 250, " << acknowledged_before_cut
                    << " blocking ones before the cut");
      if (mode == SyncMode::Group) REQUIRE(present >= acknowledged_before_cut);
    }
  }
}

}  // namespace

TEST_CASE("Crash: a power cut in `group` loses no acknowledged write, in `os` it leaves a prefix of the commits",
          "[crash]") {
  cut_power_in_both_modes(rocksdb::Env::Default());
}

TEST_CASE("Crash: neither does it where zeros stand ahead in the log, and are what it leaves of the rest", "[crash]") {
  cut_power_in_both_modes(patient_environment());
}

TEST_CASE("Crash: when fsync fails, writes are refused with the reason and reads go on", "[crash]") {
  const TempFolder folder;
  LossyEnv env;
  Database::Options options = options_for(folder.path());
  options.environment = &env;
  {
    auto database = Host::open(options).value();
    Namespace space = database->space("t").value();
    REQUIRE(space.set("a", Value::integer(1)).ok());
    env.fail_syncs();
    const auto refused = space.set("a", Value::integer(2));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::Unavailable);
    CHECK(refused.error().message.find("fsync failed") != std::string::npos);
    CHECK(space.set("b", Value::integer(2)).error().code == ErrorCode::Unavailable);
    CHECK_FALSE(database->health().ok());
    CHECK(space.get("a").value() == Value::integer(1));
    env.cut_power();
  }
  env.lose();
  auto database = Host::open(options_for(folder.path())).value();
  Namespace space = database->space("t").value();
  CHECK(space.get("a").value() == Value::integer(1));
  CHECK(space.set("a", Value::integer(3)).ok());
}
