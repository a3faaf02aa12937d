// Processes killed while they restore one dump over another: afterwards there is the one or the other, its tree and its
// Yjs documents, and never less than was told.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <thread>

#include "db/host.h"
#include "db/upkeep/fsck.h"
#include "tests/support/dump_store.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"
#include "tests/support/yjs_update.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

constexpr int kKills = 40;
constexpr uint64_t kDocuments = 300;

// Two states: each letter in the tree and in every document, and each with a document that the other one has not.
SpaceRows state_of(char letter) {
  SpaceRows rows{"chat", 1, json("{\"which\":\"" + std::string(1, letter) + "\"}"), kDocuments + 10, {}, {}};
  for (uint64_t i = 0; i < kDocuments; ++i) {
    rows.updates[{"docs/" + std::to_string(i), i + 1}] = insertion(1, 0, std::string(2'000, letter));
  }
  rows.updates[{std::string("only/") + letter, kDocuments + 1}] = insertion(1, 0, "x");
  return rows;
}

std::string dump_of(char letter) {
  const TempFolder folder;
  make_store(folder.path(), {state_of(letter)});
  const auto dumper = Dumper::make(open_frozen(folder.path()).value(), {}, Timestamp(1));
  REQUIRE(dumper.ok());
  return read_to_end(*dumper.value());
}

// Restores until it is killed, and says each letter once its restore is told.
[[noreturn]] void restore_until_killed(const std::string& folder, const std::string (&dumps)[2], int say) {
  Database::Options options;
  options.folder = folder;
  const auto database = Host::open(options).value();
  for (size_t which = 0;; which = 1 - which) {
    const std::string id = database->begin_upload().value();
    if (!database->upload(id, 0, dumps[which]).ok()) _exit(1);
    std::promise<bool> told;
    database->restore(id, {{}, {}, Existing::Replace}, [&](auto done) { told.set_value(done.ok()); });
    if (!told.get_future().get()) _exit(2);
    const char letter = which == 0 ? 'a' : 'b';
    if (write(say, &letter, 1) != 1) _exit(3);
  }
}

}  // namespace

TEST_CASE("Crash: killed in the middle of restores, a namespace has the tree and the documents of one of them",
          "[crash]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const std::string dumps[2] = {dump_of('a'), dump_of('b')};
  const TempFolder folder;
  int restores = 0, seen[2] = {0, 0};
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    INFO("kill " << kill_number);
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      close(ends[0]);
      restore_until_killed(folder.path(), dumps, ends[1]);
    }
    close(ends[1]);
    pollfd heard{ends[0], POLLIN, 0};
    REQUIRE(poll(&heard, 1, 20'000) == 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(random.below(100)));
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    char last = 0;
    for (char letter; read(ends[0], &letter, 1) == 1; ++restores) last = letter;
    close(ends[0]);
    REQUIRE(last != 0);

    {
      const auto store = open_store(folder.path());
      const uint32_t number = store->names_at_open().at("chat");
      const std::string which(tree_of(*store, number).child("which").as_string());
      REQUIRE((which == "a" || which == "b"));
      ++seen[which == "a" ? 0 : 1];
      REQUIRE(updates_of(*store, number) == state_of(which.front()).updates);
    }
    const auto report = fsck(folder.path(), Repair::No);
    REQUIRE(report.ok());
    INFO((report.value().told.empty() ? "" : report.value().told.front()));
    REQUIRE(report.value().problems == 0);
    REQUIRE(report.value().documents == kDocuments + 1);
  }
  WARN(kKills << " kills, " << restores << " restores");
  CHECK(restores >= kKills);
  CHECK(seen[0] > 0);
  CHECK(seen[1] > 0);
}
