// Random histories against a reference tree: what is stored, what listeners were told, and what a replay gives.
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "db/child_events.h"
#include "db/client.h"
#include "db/commit/committer.h"
#include "db/host.h"
#include "db/model/json.h"
#include "db/store/row_key.h"
#include "db/store/tree_store.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

std::string text(const Value& value) { return to_json(value, JsonStyle::Export); }

Write write_of(RandomTree& random) {
  Write write;
  write.base = random.path(2);
  if (random.chance(0.4)) {
    write.merge = true;
    write.overwrites = random.overwrites(write.base, 1 + random.below(4));
  } else {
    write.overwrites = random.overwrites(write.base, 1);
    write.base = write.overwrites.front().path;
  }
  return write;
}

std::vector<std::pair<std::string, std::string>> rows_of(const TreeStore& store) {
  std::vector<std::pair<std::string, std::string>> rows;
  const auto done = store.snapshot()->scan(row_key(Table::Name, ""), "\xff", [&](auto key, auto value) {
    rows.emplace_back(key, value);
    return true;
  });
  REQUIRE(done.ok());
  return rows;
}

// A listener that believes only what it is told.
struct Told {
  Path path;
  uint64_t id;
  Value value;
  bool first = false;
};

}  // namespace

TEST_CASE("Model check: the tree is the reference's after every write, and a replay of the records gives the same rows",
          "[db][model_check]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder folder, other_folder;
  auto store = TreeStore::open({folder.path(), 1, nullptr}).value();
  auto other_store = TreeStore::open({other_folder.path(), 1, nullptr}).value();
  Committer committer(*store, TreeStore::Durability::Os);
  Committer replayer(*other_store, TreeStore::Durability::Os);
  Tree tree;
  tree.name = "t";
  tree.number = 1;
  Tree copy;
  copy.name = tree.name;
  copy.number = tree.number;
  ReferenceTree reference;
  for (int step = 0; step < 3000; ++step) {
    const Write write = write_of(random);
    const auto accepted = committer.write(tree, write, Timestamp(step), nullptr);
    REQUIRE(accepted.ok());
    reference.apply(write.overwrites);
    const Record& record = accepted.value().record;
    if (!record.effects.empty()) REQUIRE(replayer.replay(copy, Record::decode(record.encode()).value()).ok());
    if (random.chance(0.3)) {
      const Path path = random.path(3);
      INFO("step " << step << ", " << path.slashed());
      REQUIRE(text(committer.view(tree).read(path, kReadBytesMax).value()) == text(reference.value(path)));
      REQUIRE(committer.commit().ok());
      REQUIRE(text(SnapshotView(committer.durable(), 1).read(path, kReadBytesMax).value()) ==
              text(reference.value(path)));
    }
  }
  REQUIRE(committer.commit().ok());
  REQUIRE(replayer.commit().ok());
  CHECK(rows_of(*store) == rows_of(*other_store));
}

TEST_CASE("Model check: replaying its events gives each listener exactly the server's value", "[db][model_check]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder folder;
  Database::Options options;
  options.folder = folder.path();
  options.sync = SyncMode::Os;
  options.step_rows_max = GENERATE(4'000, 4);  // with 4, namespaces come and go all the time
  INFO("step_rows_max " << options.step_rows_max);
  auto database = Host::open(options).value();
  auto client = database->client("t", "", [] {}).value();
  ReferenceTree reference;
  std::map<uint64_t, Told> listeners;
  uint64_t next_request = 0;
  uint64_t next_listener = 0;
  std::map<uint64_t, uint64_t> listens;  // request → listener
  size_t answered = 0;
  uint64_t last_sequence = 0;

  const auto hear = [&](bool until_all) {
    for (int tries = 0; tries < 20000; ++tries) {
      for (Item& item : client->take()) {
        if (const auto* answer = std::get_if<Answer>(&item)) {
          REQUIRE(answer->status.ok());
          ++answered;
          const auto listen = listens.find(answer->request);
          if (listen == listens.end() || !listeners.contains(listen->second)) continue;
          Told& told = listeners[listen->second];
          told.first = true;
          told.value = answer->first == nullptr ? Value() : answer->first->value();
        } else if (const auto* event = std::get_if<Event>(&item)) {
          REQUIRE(listeners.contains(event->listener));
          Told& told = listeners[event->listener];
          REQUIRE(told.first);  // the first value comes before every event
          REQUIRE(event->sequence >= last_sequence);
          last_sequence = event->sequence;
          told.value = applied(told.value, told.path, *event->body);
        } else {
          FAIL("the conversation ended");
        }
      }
      if (!until_all || answered == next_request) return;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    FAIL("not every request was answered");
  };

  for (int step = 0; step < 4000; ++step) {
    if (listeners.size() < 12 && random.chance(0.1)) {
      const uint64_t id = ++next_listener;
      listeners[id] = {random.path(3), id, {}, false};
      listens[next_request] = id;
      Listen listen;
      listen.path = listeners[id].path;
      client->listen(next_request++, id, listen);
    } else if (!listeners.empty() && random.chance(0.03)) {
      const auto gone = std::next(listeners.begin(), static_cast<ptrdiff_t>(random.below(listeners.size())));
      const uint64_t id = gone->first;
      client->unlisten(next_request++, id);
      hear(true);  // what comes before the answer is still its own
      listeners.erase(id);
    } else {
      Write write = write_of(random);
      reference.apply(write.overwrites);
      client->write(next_request++, std::move(write));
    }
    hear(false);
    if (random.chance(0.05)) {
      hear(true);
      for (const auto& [id, told] : listeners) {
        INFO("step " << step << ", listener at " << told.path.slashed());
        REQUIRE(text(told.value) == text(reference.value(told.path)));
      }
    }
  }
}
