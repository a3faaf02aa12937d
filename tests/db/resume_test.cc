// Clients of the Firebase protocol that come back with the hash of what they have, after a restart too: they are told what
// changed since, and never something wrong.
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "db/model/hash.h"
#include "tests/db/talk.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"

using namespace hearth::test;

namespace {

std::unique_ptr<Host> open_kept(const TempFolder& folder, const Clock* clock = nullptr,
                                uint64_t history_bytes = 1'000'000'000, uint64_t resume_bytes = 32u << 20,
                                bool versions = false) {
  Database::Options options;
  options.folder = folder.path();
  options.shards = 2;
  options.sync = SyncMode::Os;
  options.history = {std::chrono::hours(24), history_bytes, versions};
  options.memory.resume_bytes_max = resume_bytes;
  options.clock = clock;
  return Host::open(options).value();
}

void write_kept(Host& database, Write write) {
  std::promise<Answer> done;
  database.write("t", std::move(write), [&](Answer answer) { done.set_value(std::move(answer)); });
  REQUIRE(done.get_future().get().status.ok());
}

// Large enough to be worth a hash.
Value large_value() {
  std::vector<std::pair<std::string, Value>> children;
  for (size_t i = 0; i < 60; ++i) children.emplace_back("k" + std::to_string(i), Value::string(std::string(120, 'x')));
  return Value::object(std::move(children));
}

Write set_leaf(std::string_view path, int64_t value) { return set(path, Value::integer(value)); }

struct Told {
  std::string word;  // "net" or "whole", and what was told
  Answer answer;
};

// A client that stays, and is told how its listen was answered.
Told come_back(Talk& talk, std::string_view path, std::string hash) {
  Listen listen = listen_to(path);
  listen.hash = std::move(hash);
  talk.client->listen(1, 10, std::move(listen));
  const auto items = talk.items_until(1);
  const auto& answer = std::get<Answer>(items.back());
  REQUIRE(answer.status.ok());
  const bool is_whole = answer.first != nullptr && !answer.resumed;
  return {is_whole ? "whole" : "net" + Talk::word(items.back()).substr(2), answer};
}
std::string told_back(Host& database, std::string_view path, std::string hash) {
  Talk talk(database);
  return come_back(talk, path, std::move(hash)).word;
}

// Waits until the hash of what leaving clients had is noted.
void until_noted(const Host& database, uint64_t bytes) {
  for (int tries = 0; database.figures().resume_bytes <= bytes; ++tries) {
    REQUIRE(tries < 1'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// What a client holds once it was told.
Value after_told(const Value& held, const Path& path, const Answer& answer) {
  if (answer.first == nullptr) return held;
  const Body& body = *answer.first;
  std::vector<Overwrite> overwrites;
  if (body.kind() == Body::Kind::Put) overwrites.push_back({body.path(), body.slot(), body.value()});
  if (body.kind() == Body::Kind::Merge) {
    for (const auto& [text, value] : body.entries()) {
      const std::string_view node = node_of(text);
      const Slot slot = node.size() == text.size() ? Slot::Value : Slot::Priority;
      overwrites.push_back({body.path().join(at(node)).value(), slot, value});
    }
  }
  ReferenceTree tree;
  tree.set(path, held);
  tree.apply(overwrites);
  return tree.value(path);
}

}  // namespace

TEST_CASE("Resume: who was connected as the process ended is told what changed since, by one look for all",
          "[db][history]") {
  const TempFolder folder;
  {
    const auto database = open_kept(folder);
    write_kept(*database, set("big", large_value()));
  }
  const std::string hash = node_hash(large_value());
  const auto database = open_kept(folder);
  write_kept(*database, set_leaf("big/k7", 1));
  for (size_t i = 0; i < 20; ++i) CHECK(told_back(*database, "big", hash) == "net big+ k7=1");
  CHECK(database->figures().first_values_read == 1);
  write_kept(*database, set("big/k8", Value()));
  CHECK(told_back(*database, "big", hash) == "net big+ k7=1 k8=null");
  CHECK(told_back(*database, "big", node_hash(Value::string("else"))) == "whole");
  CHECK(told_back(*database, "big/k9", hash) == "whole");
  CHECK(database->figures().first_values_read < 5);
}

TEST_CASE("Resume: who was not told of the last commits of a process that was killed, where versions are kept",
          "[db][history]") {
  for (const bool versions : {false, true}) {
    INFO(versions);
    const TempFolder folder;
    const auto open_again = [&] { return open_kept(folder, nullptr, 1'000'000'000, 32u << 20, versions); };
    {
      const auto database = open_again();
      write_kept(*database, set("big", large_value()));
      write_kept(*database, set_leaf("big/k1", 1));
      write_kept(*database, set_leaf("other", 1));
      write_kept(*database, set_leaf("big/k2", 2));
    }
    const auto database = open_again();
    write_kept(*database, set_leaf("big/k3", 3));
    const std::string word = told_back(*database, "big", node_hash(large_value()));
    CHECK(word == (versions ? "net big+ k1=1 k2=2 k3=3" : "whole"));
  }
}

TEST_CASE("Resume: those who come at once share the look, and one who has what is there now is told nothing",
          "[db][history]") {
  const TempFolder folder;
  {
    const auto database = open_kept(folder);
    write_kept(*database, set("big", large_value()));
  }
  const auto database = open_kept(folder);
  write_kept(*database, set_leaf("big/k7", 1));
  Value now = large_value();
  {
    ReferenceTree tree;
    tree.set({}, now);
    tree.set(at("k7"), Value::integer(1));
    now = tree.value();
  }
  const std::vector<std::pair<std::string, std::string>> cases = {
      {node_hash(large_value()), "a1 big+ k7=1"},
      {node_hash(now), "a1"},
      {node_hash(Value::integer(1)), "a1 big=" + text(now)}};
  std::vector<std::unique_ptr<Talk>> herd;
  for (size_t i = 0; i < 30; ++i) {
    herd.push_back(std::make_unique<Talk>(*database));
    Listen listen = listen_to("big");
    listen.hash = cases[i % 3].first;
    herd.back()->client->listen(1, 10, std::move(listen));
  }
  for (size_t i = 0; i < herd.size(); ++i) CHECK(herd[i]->until(1) == Words{cases[i % 3].second});
}

TEST_CASE("Resume: a hash that was noted is known after restarts, where a commit came behind it", "[db][history]") {
  const TempFolder folder;
  const std::string hash = node_hash(large_value());
  {
    const auto database = open_kept(folder);
    write_kept(*database, set("big", large_value()));
    {
      Talk reader(*database);
      CHECK(come_back(reader, "big", "").word == "whole");
    }
    until_noted(*database, 0);
    write_kept(*database, set_leaf("big/k1", 1));
  }
  for (int64_t run = 2; run <= 4; ++run) {
    const auto database = open_kept(folder);
    write_kept(*database, set_leaf("big/k1", run));
    CHECK(told_back(*database, "big", hash) == "net big+ k1=" + std::to_string(run));
  }
  {
    const auto database = open_kept(folder, nullptr, 1'000'000'000, 0);
    write_kept(*database, set_leaf("big/k1", 9));
    CHECK(told_back(*database, "big", hash) == "whole");  // none may be kept
  }
  const auto database = open_kept(folder);
  write_kept(*database, set_leaf("big/k1", 10));
  CHECK(told_back(*database, "big", hash) == "whole");
}

TEST_CASE("Resume: what the log has no more, or never had, is told as a whole", "[db][history]") {
  const TempFolder folder;
  ManualClock clock{Timestamp(1'700'000'000'000)};
  const std::string hash = node_hash(large_value());
  {
    const auto database = open_kept(folder, &clock, 20'000);
    write_kept(*database, set("big", large_value()));
    {
      Talk reader(*database);
      CHECK(come_back(reader, "big", "").word == "whole");
    }
    until_noted(*database, 0);
    write_kept(*database, set_leaf("big/k1", 1));
  }
  {
    const auto database = open_kept(folder, &clock, 20'000);
    CHECK(told_back(*database, "big", hash) == "net big+ k1=1");
    for (int i = 0; i < 300; ++i) {
      write_kept(*database, set("other", Value::string(std::string(200, 'x') + std::to_string(i))));
      clock.advance(Timestamp(20));
    }
    clock.advance(std::chrono::seconds(2));
    write_kept(*database, set_leaf("big/k1", 2));
    write_kept(*database, set_leaf("big/k1", 3));
    CHECK(told_back(*database, "big", hash) == "whole");
  }
  // A purge takes the past away, and with it what was noted of it.
  const auto database = open_kept(folder, &clock, 20'000);
  write_kept(*database, set_leaf("big/k1", 4));
  uint64_t before = 0;
  {
    Talk reader(*database);
    CHECK(come_back(reader, "big", "").word == "whole");
    before = database->figures().resume_bytes;
  }
  until_noted(*database, before);
  std::promise<Answer> purged;
  database->purge("t", at("big/k1"), [&](Answer answer) { purged.set_value(std::move(answer)); });
  REQUIRE(purged.get_future().get().status.ok());
  CHECK(database->figures().resume_bytes == 0);
}

TEST_CASE(
    "Resume: whoever comes back with whatever it had is told what makes it the same; random, over restarts and cuts",
    "[db][history]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder folder;
  ManualClock clock{Timestamp(1'700'000'000'000)};
  const Path path = at("big");
  const bool versions = random.chance(0.5);
  INFO("versions: " << versions);
  auto database = open_kept(folder, &clock, 60'000, 32u << 20, versions);
  ReferenceTree tree;
  const auto change = [&](std::vector<Overwrite> overwrites) {
    if (overwrites.empty()) return;
    Write write;
    write.overwrites = overwrites;
    write_kept(*database, write);
    tree.apply(overwrites);
    clock.advance(Timestamp(300));
  };
  change({{path, Slot::Value, large_value()}});
  std::vector<Value> held;  // by clients that are away
  std::vector<std::unique_ptr<Talk>> here;
  size_t net = 0, whole = 0;
  for (size_t step = 0; step < 800; ++step) {
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        change(random.overwrites(at("big/r"), 1 + random.below(3)));
        break;
      case 4:
        change({{at("big/k" + std::to_string(random.below(60))), Slot::Value, random.leaf()}});
        break;
      case 5:
        change(random.chance(0.2) ? std::vector<Overwrite>{{path, Slot::Value, large_value()}}
                                  : random.overwrites(at("other"), 1));
        break;
      case 6:
        change({{at("other/log"), Slot::Value, Value::string(std::string(random.below(4'000), 'y'))}});
        break;
      case 7:  // a client leaves
        if (here.empty()) break;
        held.push_back(tree.value(path));
        here.erase(here.begin() + static_cast<long>(random.below(here.size())));
        break;
      case 8:
      case 9: {  // one comes, with what it has, or with nothing
        const Value has = held.empty() || random.chance(0.2) ? Value() : held[random.below(held.size())];
        const NumberHex hex = random.chance(0.5) ? NumberHex::JavaScript : NumberHex::Ieee754;
        here.push_back(std::make_unique<Talk>(*database));
        const Told told = come_back(*here.back(), "big", node_hash(has, hex));
        const Value now = tree.value(path);
        // A hash says nothing of integers that no double is; the whole value does.
        INFO("step " << step << ": " << told.word);
        CHECK(node_hash(after_told(has, path, told.answer)) == node_hash(now));
        if (!has.is_null()) ++(told.answer.first != nullptr && !told.answer.resumed ? whole : net);
        break;
      }
      case 10:  // a restart, with or without time for goodbyes
        if (!random.chance(0.3)) break;
        for (size_t i = 0; i < here.size(); ++i) held.push_back(tree.value(path));
        if (random.chance(0.5)) here.clear();
        database.reset();
        here.clear();
        database = open_kept(folder, &clock, 60'000, 32u << 20, versions);
        break;
      default:
        clock.advance(std::chrono::seconds(2));
    }
    if (held.size() > 40) held.erase(held.begin());
  }
  CHECK(net > 0);
  CHECK(whole > 0);
  here.clear();
}
