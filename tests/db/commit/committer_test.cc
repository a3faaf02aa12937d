#include "db/commit/committer.h"

#include <catch2/catch.hpp>

#include "db/model/hash.h"
#include "db/model/json.h"
#include "db/store/row_key.h"
#include "tests/support/lossy_env.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

constexpr auto kSynced = TreeStore::Durability::Synced;
constexpr auto kOs = TreeStore::Durability::Os;

Path at(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }
std::string text(const TreeView& view) { return to_json(view.read(Path(), kReadBytesMax).value(), JsonStyle::Export); }

Write put(std::string_view path, std::string text) {
  Write write;
  write.overwrites = {make_overwrite(path, json(std::move(text))).value()};
  write.base = write.overwrites.front().path;
  return write;
}

Write put_if(std::string_view path, std::string text, std::string_view watched, const Value& value) {
  Write write = put(path, std::move(text));
  write.preconditions = {std::make_shared<ValueIs>(at(watched), value)};
  return write;
}

Tree tree_of(uint32_t number) {
  Tree tree;
  tree.name = "n" + std::to_string(number);
  tree.number = number;
  return tree;
}

struct Fixture {
  explicit Fixture(rocksdb::Env* environment = nullptr)
      : store(TreeStore::open({folder.path(), 1, environment}).value()),
        committer(std::make_unique<Committer>(*store, environment == nullptr ? kOs : kSynced)) {}

  Accepted write(Tree& tree, const Write& write, Timestamp now = Timestamp(1)) {
    auto accepted = committer->write(tree, write, now, nullptr);
    INFO((accepted.ok() ? "" : accepted.error().message));
    REQUIRE(accepted.ok());
    return std::move(accepted).value();
  }
  std::string durable(const Tree& tree) const { return text(SnapshotView(committer->durable(), tree.number)); }
  size_t queued(const Tree& tree) const {
    size_t count = 0;
    const auto done = committer->durable()->scan(row_key(Table::Disconnect, tree.number),
                                                 row_key(Table::Disconnect, tree.number + 1), [&](auto, auto) {
                                                   ++count;
                                                   return true;
                                                 });
    REQUIRE(done.ok());
    return count;
  }

  TempFolder folder{};
  std::unique_ptr<TreeStore> store;
  std::unique_ptr<Committer> committer;
};

std::vector<Effect> enqueued(std::string_view path) {
  return {{Effect::Kind::Enqueue, at(path), Value::integer(1), Slot::Value, "s"}};
}
std::vector<Effect> dequeued(std::string_view path) {
  return {{Effect::Kind::Dequeue, at(path), {}, Slot::Value, "s"}};
}

}  // namespace

TEST_CASE("A write sees those of its group, readers do not until it is committed", "[commit][committer]") {
  Fixture fixture;
  Tree tree = tree_of(1);
  CHECK(fixture.committer->empty());
  fixture.write(tree, put("/a", "1"));
  fixture.write(tree, put_if("/b", "2", "/a", Value::integer(1)));
  fixture.write(tree, put("/a", R"({".sv":{"increment":5}})"));
  CHECK(fixture.committer->dirty(tree));
  CHECK(text(fixture.committer->view(tree)) == R"({"a":6,"b":2})");
  CHECK(fixture.durable(tree) == "null");
  const auto before = fixture.committer->durable();
  REQUIRE(fixture.committer->commit().ok());
  CHECK(fixture.durable(tree) == R"({"a":6,"b":2})");
  CHECK(text(SnapshotView(before, 1)) == "null");
  CHECK(!fixture.committer->dirty(tree));
  CHECK(fixture.committer->empty());
}

TEST_CASE("A setting is written with its commit, is seen by the writes behind it, and survives",
          "[commit][committer]") {
  Fixture fixture;
  Tree tree = tree_of(1);
  Write write;
  write.settings = {{std::string(kRulesSetting), "one"}, {"other", "text"}};
  int told = 0;
  const auto tell = [&](const Accepted& accepted, const TreeView&, const TreeView&, const Settings& after) {
    ++told;
    CHECK(accepted.configures);
    CHECK(after.rules_digest().value() == text_digest("one"));
    CHECK(after.text(kRulesSetting).value() == "one");
    CHECK(fixture.committer->settings(tree).text(kRulesSetting).value() == std::nullopt);
    return Result<void>();
  };
  REQUIRE(fixture.committer->write(tree, write, Timestamp(5), tell).ok());
  CHECK(told == 1);
  // In the same group already, and the same text again is no commit.
  CHECK(fixture.committer->settings(tree).text(kRulesSetting).value() == "one");
  CHECK(fixture.committer->write(tree, write, Timestamp(6), tell).value().record.effects.empty());
  CHECK(told == 1);
  REQUIRE(fixture.committer->commit().ok());
  const SnapshotSettings durable(fixture.committer->durable(), tree.number);
  CHECK(durable.rules_digest().value() == text_digest("one"));
  CHECK(durable.text("other").value() == "text");
  CHECK(SnapshotSettings(fixture.committer->durable(), tree.number + 1).rules_digest().value().empty());

  write.settings = {{std::string(kRulesSetting), std::nullopt}};
  REQUIRE(fixture.committer->write(tree, write, Timestamp(7), nullptr).ok());
  REQUIRE(fixture.committer->commit().ok());
  CHECK(SnapshotSettings(fixture.committer->durable(), tree.number).rules_digest().value().empty());
}

TEST_CASE("A refused write leaves no trace", "[commit][committer]") {
  Fixture fixture;
  Tree tree = tree_of(1);
  bool told = false;
  const auto tell = [&](const Accepted&, const TreeView&, const TreeView&, const Settings&) {
    told = true;
    return Result<void>();
  };
  const Write refused = put_if("/a", R"({".value":2,".priority":3})", "/a", Value::integer(9));
  CHECK(fixture.committer->write(tree, refused, Timestamp(5), tell).error().code == ErrorCode::Stale);
  CHECK(!told);
  CHECK(!fixture.committer->dirty(tree));
  CHECK(tree.head.sequence == 0);
  CHECK(tree.head.time == Timestamp(0));
  CHECK(!tree.head.has_priorities);
  CHECK(!tree.named);
  REQUIRE(fixture.committer->commit().ok());
  CHECK(!fixture.committer->durable()->get(row_key(Table::Head, 1)).value().has_value());
  CHECK(!fixture.committer->durable()->get(row_key(Table::Name, "n1")).value().has_value());
}

TEST_CASE("Each commit has the next number of its namespace, and only what changes something has one",
          "[commit][committer]") {
  Fixture fixture;
  Tree one = tree_of(1), two = tree_of(2);
  CHECK(fixture.write(one, put("/a", "1")).record.sequence == 1);
  CHECK(fixture.write(two, put("/a", "1")).record.sequence == 1);
  CHECK(fixture.write(one, put("/a", "2")).record.sequence == 2);
  const Accepted same = fixture.write(one, put("/a", "2"));
  CHECK(same.record.effects.empty());
  CHECK(same.record.sequence == 2);
  CHECK(!fixture.committer->write(one, put_if("/a", "3", "/a", Value()), Timestamp(1), nullptr).ok());
  REQUIRE(fixture.committer->commit().ok());
  CHECK(fixture.write(one, put("/a", "3")).record.sequence == 3);
  REQUIRE(fixture.committer->commit().ok());

  Tree again = tree_of(1);  // as a restart finds it
  REQUIRE(fixture.committer->load(again).ok());
  CHECK(again.head.sequence == 3);
  CHECK(fixture.write(again, put("/a", "4")).record.sequence == 4);
}

TEST_CASE("Time stands still while the clock is a little behind, also after a restart", "[commit][committer]") {
  Fixture fixture;
  ManualClock clock(Timestamp(1'000));
  Tree tree = tree_of(1);
  const std::string timestamp = R"({".sv":"timestamp"})";
  CHECK(fixture.write(tree, put("/a", timestamp), clock.now()).record.time == Timestamp(1'000));
  clock.set(Timestamp(400));
  CHECK(fixture.write(tree, put("/b", timestamp), clock.now()).record.time == Timestamp(1'000));
  REQUIRE(fixture.committer->commit().ok());
  Tree again = tree_of(1);
  CHECK(fixture.write(again, put("/c", timestamp), clock.now()).record.time == Timestamp(1'000));
  clock.set(Timestamp(1'001));
  CHECK(fixture.write(again, put("/d", timestamp), clock.now()).record.time == Timestamp(1'001));
  CHECK(text(fixture.committer->view(again)) == R"({"a":1000,"b":1000,"c":1000,"d":1001})");
}

TEST_CASE("A clock that was far ahead is followed back at once, also after a restart", "[commit][committer]") {
  const Timestamp right(1'000'000), ahead = right + std::chrono::hours(48);
  for (const bool restarts : {false, true}) {
    INFO(restarts);
    Fixture fixture;
    std::vector<ClockStep::Kind> steps;
    const SteadyClock steady;
    ClockSteps watch([&](const ClockStep& step) { steps.push_back(step.kind); }, ManualClock(ahead), steady);
    fixture.committer = std::make_unique<Committer>(*fixture.store, kOs, Quota{}, Usage::InBackground{}, &watch);
    const std::string timestamp = R"({".sv":"timestamp"})";
    Tree first = tree_of(1);
    CHECK(fixture.write(first, put("/a", timestamp), ahead).record.time == ahead);
    REQUIRE(fixture.committer->commit().ok());
    CHECK(steps.empty());
    Tree second = tree_of(1);
    Tree& tree = restarts ? second : first;
    const Accepted accepted = fixture.write(tree, put("/a", timestamp), right);
    CHECK(accepted.record.time == right);
    CHECK(accepted.wall == right);
    CHECK(steps == std::vector{ClockStep::Kind::Followed});
    REQUIRE(fixture.committer->write(tree, put("/a", timestamp), right - kClockStepBackMax, nullptr)
                .ok());  // the same again
    CHECK(steps == std::vector{ClockStep::Kind::Followed, ClockStep::Kind::StandsStill});
    const Accepted still = fixture.write(tree, put("/b", timestamp), right - kClockStepBackMax);
    CHECK(still.record.time == right);
    CHECK(still.wall == right - kClockStepBackMax);
    CHECK(steps == std::vector{ClockStep::Kind::Followed, ClockStep::Kind::StandsStill});
    CHECK(text(fixture.committer->view(tree)) == R"({"a":1000000,"b":1000000})");
  }
}

TEST_CASE("Who is told sees the tree before and after", "[commit][committer]") {
  Fixture fixture;
  Tree tree = tree_of(1);
  fixture.write(tree, put("/a", "1"));
  size_t told = 0;
  const auto tell = [&](const Accepted& accepted, const TreeView& before, const TreeView& after, const Settings&) {
    ++told;
    CHECK(accepted.record.sequence == 2);
    CHECK(accepted.changed.size() == 1);
    CHECK(text(before) == R"({"a":1})");
    CHECK(text(after) == R"({"a":2})");
    return Result<void>();
  };
  REQUIRE(fixture.committer->write(tree, put("/a", "2"), Timestamp(1), tell).ok());
  REQUIRE(fixture.committer->write(tree, put("/a", "2"), Timestamp(1), tell).ok());  // nothing to tell
  CHECK(told == 1);
}

TEST_CASE("Writes as one commit: one that is refused does not stop the others", "[commit][committer]") {
  Fixture fixture;
  Tree tree = tree_of(1);
  REQUIRE(fixture.committer->queue(tree, enqueued("/q"), Timestamp(1)).ok());
  REQUIRE(fixture.committer->commit().ok());
  CHECK(fixture.queued(tree) == 1);
  CHECK(fixture.durable(tree) == "null");

  const Write allowed = put("/a", R"({".sv":{"increment":1}})");
  const Write denied = put_if("/b", "1", "/b", Value::integer(9));
  const Write judged_after = put_if("/c", "1", "/a", Value::integer(1));
  const uint64_t before = tree.head.sequence;
  SECTION("several") {
    const auto done =
        fixture.committer->write_each(tree, {allowed, denied, judged_after}, dequeued("/q"), Timestamp(2), nullptr);
    REQUIRE(done.ok());
    CHECK(done.value().record.sequence == before + 1);
    CHECK(done.value().changed.size() == 2);
    REQUIRE(fixture.committer->commit().ok());
    CHECK(fixture.durable(tree) == R"({"a":1,"c":1})");
  }
  SECTION("the only one") {
    REQUIRE(fixture.committer->write_each(tree, {denied}, dequeued("/q"), Timestamp(2), nullptr).ok());
    REQUIRE(fixture.committer->commit().ok());
    CHECK(fixture.durable(tree) == "null");
  }
  CHECK(fixture.queued(tree) == 0);
}

TEST_CASE("What cannot be told is not written, its queue included", "[commit][committer]") {
  Fixture fixture;
  Tree tree = tree_of(1);
  REQUIRE(fixture.committer->queue(tree, enqueued("/q"), Timestamp(1)).ok());
  REQUIRE(fixture.committer->commit().ok());
  const auto fail = [](const Accepted&, const TreeView&, const TreeView&, const Settings&) {
    return Result<void>(Error{ErrorCode::Io, "the disk said no"});
  };
  CHECK(!fixture.committer->write_each(tree, {put("/a", "1")}, dequeued("/q"), Timestamp(2), fail).ok());
  REQUIRE(fixture.committer->commit().ok());
  CHECK(fixture.queued(tree) == 1);
  CHECK(fixture.durable(tree) == "null");
}

TEST_CASE("A commit that fails says so, and nothing of its group is read", "[commit][committer]") {
  LossyEnv environment;
  Fixture fixture(&environment);
  Tree tree = tree_of(1);
  fixture.write(tree, put("/a", "1"));
  REQUIRE(fixture.committer->commit().ok());
  fixture.write(tree, put("/a", "2"));
  environment.fail_syncs();
  CHECK(!fixture.committer->commit().ok());
  CHECK(fixture.durable(tree) == R"({"a":1})");
  CHECK(fixture.committer->empty());
  const auto refused = fixture.committer->write(tree, put("/a", "3"), Timestamp(1), nullptr);
  CHECK(refused.error().code == ErrorCode::Unavailable);
  CHECK(fixture.committer->commit().ok());  // there is nothing in it
}

TEST_CASE("A name has its row with the first write, or when given", "[commit][committer]") {
  Fixture fixture;
  Tree one = tree_of(1), two = tree_of(2);
  fixture.write(one, put("/a", "1"));
  fixture.committer->name(two);
  REQUIRE(fixture.committer->commit().ok());
  fixture.committer.reset();
  fixture.store.reset();
  const auto store = TreeStore::open({fixture.folder.path(), 1, nullptr}).value();
  CHECK(store->names_at_open() == std::map<std::string, uint32_t>{{"n1", 1}, {"n2", 2}});
}

TEST_CASE("Remembered hashes are forgotten at, above and below what changes, and only there", "[commit][committer]") {
  Fixture fixture;
  Tree tree = tree_of(1);
  Tree fresh = tree_of(99);  // another namespace, which remembers nothing. A tree stays for as long as its committer
  const auto hash = [&](std::string_view path) {
    return fixture.committer->view(tree).hash(at(path), kReadBytesMax).value();
  };
  const auto computed = [&](std::string_view path) {
    const Value value = fixture.committer->view(tree).read(at(path), kReadBytesMax).value();
    Overlay overlay(fixture.committer->view(fresh));
    Batch rows;
    std::string rules;
    Pending to{99, overlay, rows, rules, nullptr};
    REQUIRE(apply(Effect{Effect::Kind::Set, at(path), value, Slot::Value, {}}, to).ok());
    return overlay.hash(at(path), kReadBytesMax).value();
  };
  fixture.write(tree, put("/", R"({"a":{"b":{"c":1},"d":2},"ab":3,"e":4})"));
  const std::vector<std::string_view> paths = {"/", "/a", "/a/b", "/a/b/c", "/a/d", "/ab", "/e", "/none"};
  const auto check = [&] {
    for (const auto path : paths) {
      INFO(path);
      CHECK(hash(path) == computed(path));
    }
  };
  check();
  CHECK(tree.hashes.size() == paths.size());
  fixture.write(tree, put("/a/b", R"({"c":2})"));
  CHECK(tree.hashes.size() == 4);  // d, ab, e, none
  check();
  fixture.write(tree, put("/a/b/c/x", "1"));
  check();
  fixture.write(tree, put("/a/.priority", "1"));
  check();
  fixture.write(tree, put("/a/b", "null"));
  check();
  REQUIRE(fixture.committer->commit().ok());
  check();
  fixture.write(tree, put("/", "5"));
  CHECK(tree.hashes.empty());
  check();
}

TEST_CASE("A large write is one commit, and those after it lie above", "[commit][committer]") {
  Fixture fixture;
  Tree tree = tree_of(1);
  std::vector<std::pair<std::string, Value>> all;
  for (size_t i = 0; i < kIngestRowsMin; ++i) all.emplace_back(std::to_string(i), Value::integer(1));
  Write large;
  large.overwrites = {{at("/l"), Slot::Value, Value::object(all)}};
  fixture.write(tree, put("/l/old", "1"));
  fixture.write(tree, large);
  fixture.write(tree, put("/l/7", "2"));
  REQUIRE(fixture.committer->commit().ok());
  const SnapshotView view(fixture.committer->durable(), 1);
  const Value found = view.read(at("/l"), kReadBytesMax).value();
  CHECK(found.child_count() == kIngestRowsMin);
  CHECK(found.child("7") == Value::integer(2));
  CHECK(found.child("old").is_null());
  CHECK(Head::decode(*fixture.committer->durable()->get(row_key(Table::Head, 1)).value()).value().sequence == 3);
}

TEST_CASE("Records replayed in another store give the same rows, queues included", "[commit][committer]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  Fixture one, other;
  Tree tree = tree_of(1), copy = tree_of(1);
  for (int step = 0; step < 400; ++step) {
    Accepted accepted;
    if (random.chance(0.1)) {
      accepted = one.committer->queue(tree, enqueued(random.path(2).slashed()), Timestamp(step)).value();
    } else {
      Write write;
      write.overwrites = random.overwrites(random.path(2), 1 + random.below(3));
      accepted = one.write(tree, write, Timestamp(step));
    }
    if (!accepted.record.effects.empty()) REQUIRE(other.committer->replay(copy, accepted.record).ok());
    if (random.chance(0.1)) REQUIRE(one.committer->commit().ok());
    if (random.chance(0.1)) REQUIRE(other.committer->commit().ok());
  }
  REQUIRE(one.committer->commit().ok());
  REQUIRE(other.committer->commit().ok());
  const auto rows_of = [](const Fixture& fixture) {
    std::vector<std::pair<std::string, std::string>> rows;
    const auto done = fixture.committer->durable()->scan(row_key(Table::Name, ""), "\xff", [&](auto key, auto value) {
      rows.emplace_back(key, value);
      return true;
    });
    REQUIRE(done.ok());
    return rows;
  };
  CHECK(rows_of(one) == rows_of(other));
  CHECK(one.queued(tree) > 0);
}
