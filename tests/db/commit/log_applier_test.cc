#include "db/commit/log_applier.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "tests/support/memory_log.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Behaviour = MemoryLog::Behaviour;

Path at(std::string_view text) { return Path::parse(text).value(); }
std::string text(const TreeView& view) { return to_json(view.read(Path(), kReadBytesMax).value(), JsonStyle::Export); }

Write put(std::string_view path, int64_t number) {
  Write write;
  write.base = at(path);
  write.overwrites = {{write.base, Slot::Value, Value::integer(number)}};
  return write;
}

// A store that writes behind a log.
struct Owner {
  explicit Owner(MemoryLog& log) : log(log) { begin(); }
  void begin() {
    committer.reset();
    logs = take_logs(log, *store->snapshot(), 1).value();
    committer = std::make_unique<Committer>(*store, TreeStore::Durability::Os, Quota{}, Usage::InBackground{}, nullptr,
                                            kLeafCacheBytes, HistoryPlan{}, kAnswersBytesMax, &logs);
  }
  Tree& tree(uint32_t number) {
    auto [found, is_new] = trees.try_emplace(number);
    if (is_new) {
      found->second.name = "n" + std::to_string(number);
      found->second.number = number;
    }
    return found->second;
  }
  bool write(uint32_t number, const Write& write) {
    return committer->write(tree(number), write, Timestamp(1), nullptr).ok();
  }
  std::string stored(uint32_t number) const { return text(SnapshotView(store->snapshot(), number)); }

  MemoryLog& log;
  TempFolder folder{};
  std::unique_ptr<TreeStore> store = TreeStore::open({folder.path(), 1, nullptr}).value();
  ShardLogs logs{};
  std::map<uint32_t, Tree> trees{};
  std::unique_ptr<Committer> committer{};
};

struct Follower {
  explicit Follower(const MemoryLog& log)
      : committer(*store, TreeStore::Durability::Os),
        applier(
            *store, committer, 0,
            [&log](const std::string& file, const auto& part) { return log.read_file(file, part); },
            [this](const std::string& name) { return numbers[name] = next++; }) {
    REQUIRE(applier.start({}).ok());
  }
  std::string stored(const std::string& name) const { return text(SnapshotView(store->snapshot(), numbers.at(name))); }

  TempFolder folder{};
  std::unique_ptr<TreeStore> store = TreeStore::open({folder.path(), 1, nullptr}).value();
  Committer committer;
  std::map<std::string, uint32_t> numbers{};
  uint32_t next = 50;
  LogApplier applier;
};

}  // namespace

TEST_CASE("Sealed: without a log nothing is sealed, and no row more is written", "[commit][log]") {
  const TempFolder folder;
  auto store = TreeStore::open({folder.path(), 1, nullptr}).value();
  Committer committer(*store, TreeStore::Durability::Os);
  Tree tree;
  tree.name = "n";
  tree.number = 1;
  REQUIRE(committer.write(tree, put("/a", 1), Timestamp(1), nullptr).ok());
  REQUIRE(committer.commit().ok());
  CHECK(committer.counted().rows.value() == 3);  // the name, the head, the leaf
  CHECK_FALSE(store->snapshot()->get(applied_row(0, {}).first).value().has_value());
}

TEST_CASE("Sealed: a group is one batch, and is on disk only behind it", "[commit][log]") {
  MemoryLog log;
  Owner owner(log);
  std::string seen;
  log.behave = [&] {
    seen = owner.stored(1);
    return Behaviour::Honest;
  };
  REQUIRE(owner.write(1, put("/a", 1)));
  REQUIRE(owner.write(2, put("/b", 2)));
  REQUIRE(owner.write(1, put("/c", 3)));
  CHECK(log.batches(0).empty());
  REQUIRE(owner.committer->commit().ok());
  CHECK(seen == "null");
  REQUIRE(log.batches(0).size() == 1);
  std::string kinds;
  REQUIRE(read_batch(log.batches(0)[0], [&](BatchEntry&& entry) {
            kinds += static_cast<char>(entry.kind);
            return Result<void>();
          }).ok());
  CHECK(kinds == "CRCRR");
  CHECK(owner.stored(1) == R"({"a":1,"c":3})");
  REQUIRE(owner.committer->commit().ok());
  CHECK(log.batches(0).size() == 1);  // nothing changed
}

TEST_CASE("Sealed: whatever the log does at each append, the store and who follows have what it took, and no more",
          "[commit][log]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  for (const Behaviour how : {Behaviour::Conflicts, Behaviour::Forgets, Behaviour::LandsUnknown, Behaviour::Delays,
                              Behaviour::AnswersTwice, Behaviour::UnknownThenLate}) {
    for (int k = 1; k <= 6; ++k) {
      INFO("behaviour " << static_cast<int>(how) << " at append " << k);
      RandomTree random(seed + static_cast<uint64_t>(k));
      MemoryLog log;
      Owner owner(log);
      int appends = 0;
      log.behave = [&] { return ++appends == k ? how : Behaviour::Honest; };
      bool is_lost = false;
      for (int group = 0; group < 8; ++group) {
        const std::string before = owner.stored(1) + owner.stored(2);
        for (size_t i = 0; i < 1 + random.below(3); ++i) {
          Write write;
          write.overwrites = random.overwrites(random.path(2), 1 + random.below(2));
          (void)owner.write(1 + static_cast<uint32_t>(random.below(2)), write);
        }
        const bool changes = owner.committer->dirty(owner.tree(1)) || owner.committer->dirty(owner.tree(2));
        const Result<void> done = owner.committer->commit();
        if (!changes) continue;
        if (!done.ok()) {
          is_lost = true;
          CHECK(owner.stored(1) + owner.stored(2) == before);
        } else {
          CHECK_FALSE(is_lost);
        }
      }
      CHECK(is_lost == (how == Behaviour::Conflicts && appends >= k));
      CHECK(log.wrong == 0);
      CHECK(owner.store->health().ok());
      Follower follower(log);
      for (const std::string& batch : log.batches(0)) {
        if (!is_lost || follower.applier.last().sequence + 1 < static_cast<uint64_t>(k)) {
          REQUIRE(follower.applier.apply(batch).ok());
        }
      }
      for (const auto& [name, number] : follower.numbers) {
        CHECK(follower.stored(name) == owner.stored(name == "n1" ? 1 : 2));
      }
    }
  }
}

TEST_CASE("Sealed: a void group leaves its trees as they were, and nothing of it is judged on later", "[commit][log]") {
  MemoryLog log;
  Owner owner(log);
  REQUIRE(owner.write(1, put("/a", 1)));
  REQUIRE(owner.committer->commit().ok());
  log.behave = [] { return Behaviour::Conflicts; };
  REQUIRE(owner.write(1, put("/a", 2)));
  REQUIRE(owner.write(3, put("/new", 1)));
  CHECK_FALSE(owner.committer->commit().ok());
  CHECK(owner.tree(1).head.sequence == 1);
  CHECK(owner.tree(3).head.sequence == 0);
  CHECK_FALSE(owner.tree(3).named);
  CHECK(text(owner.committer->view(owner.tree(1))) == R"({"a":1})");
  CHECK(text(owner.committer->view(owner.tree(3))) == "null");
}

TEST_CASE("Applier: a removal and a new namespace of that name, whose commits go on from where the old one was",
          "[commit][log]") {
  MemoryLog log;
  Owner owner(log);
  Follower follower(log);
  REQUIRE(owner.write(1, put("/a", 1)));
  REQUIRE(owner.committer->commit().ok());
  REQUIRE(owner.committer->remove(owner.tree(1)).ok());
  CHECK(owner.stored(1) == "null");
  Tree again;
  again.name = "n1";
  again.number = 9;
  again.head.sequence = owner.tree(1).head.sequence + 1;
  REQUIRE(owner.committer->write(again, put("/b", 2), Timestamp(1), nullptr).ok());
  REQUIRE(owner.committer->commit().ok());
  CHECK(log.batches(0).size() == 3);
  for (const std::string& batch : log.batches(0)) REQUIRE(follower.applier.apply(batch).ok());
  CHECK(follower.stored("n1") == R"({"b":2})");
  CHECK(Head::decode(*follower.store->snapshot()->get(row_key(Table::Head, follower.numbers["n1"])).value())
            .value()
            .sequence == 3);
}

TEST_CASE("Applier: a restore is what the file says, at its place, with what stands above it", "[commit][log]") {
  MemoryLog log;
  Owner owner(log);
  Follower follower(log);
  REQUIRE(owner.write(1, put("/a/old", 1)));
  REQUIRE(owner.write(1, put("/b", 5)));
  REQUIRE(owner.committer->commit().ok());
  // As a restore of /a would leave it: past the committer.
  Batch rows;
  rows.erase(row_key(Table::Data, 1, encode_path(at("/a/old"))));
  for (int i = 0; i < 20'000; ++i) {
    const std::string leaf(SnapshotView(owner.store->snapshot(), 1).leaf(encode_path(at("/b"))).value().value());
    rows.put(row_key(Table::Data, 1, encode_path(at("/a/k" + std::to_string(i)))), leaf + std::string());
  }
  Head head = owner.tree(1).head;
  head.sequence = 7;
  rows.put(row_key(Table::Head, 1), head.encode());
  REQUIRE(owner.store->commit(rows, TreeStore::Durability::Os).ok());
  owner.committer->refresh();
  owner.committer->forget(owner.tree(1));
  REQUIRE(owner.committer->load_restored(owner.tree(1), at("/a"), Timestamp(3)).ok());
  owner.committer->seal_restored(owner.tree(1), at("/a"), Timestamp(3));
  REQUIRE(owner.committer->commit().ok());
  for (const std::string& batch : log.batches(0)) REQUIRE(follower.applier.apply(batch).ok());
  CHECK(follower.stored("n1") == owner.stored(1));
  REQUIRE(owner.write(1, put("/a/after", 1)));
  REQUIRE(owner.committer->commit().ok());
  REQUIRE(follower.applier.apply(log.batches(0).back()).ok());
  CHECK(follower.stored("n1") == owner.stored(1));
}

TEST_CASE("Applier: what does not follow, or does not fit, stops it for good and changes nothing", "[commit][log]") {
  MemoryLog log;
  Owner owner(log);
  for (int i = 1; i <= 3; ++i) {
    REQUIRE(owner.write(1, put("/a", i)));
    REQUIRE(owner.committer->commit().ok());
  }
  const std::vector<std::string> batches = log.batches(0);
  const auto refuses = [&](const std::string& batch, size_t applied) {
    Follower follower(log);
    for (size_t i = 0; i < applied; ++i) REQUIRE(follower.applier.apply(batches[i]).ok());
    const std::string before = applied == 0 ? "" : follower.stored("n1");
    const Result<void> refused = follower.applier.apply(batch);
    REQUIRE_FALSE(refused.ok());
    CHECK((applied == 0 ? "" : follower.stored("n1")) == before);
    const Result<void> still = follower.applier.apply(batches[applied]);
    REQUIRE_FALSE(still.ok());
    CHECK(still.error().message == refused.error().message);
  };
  refuses(batches[2], 1);                                       // a gap
  refuses(batches[0], 2);                                       // an old one, that is not the last
  refuses(batches[1].substr(0, batches[1].size() - 1), 1);      // cut short
  refuses(batches[1] + "Z" + std::string(1, '\x01') + "n", 1);  // of a newer Hearth
  std::string other = batches[1];
  other[4] = static_cast<char>(other[4] + 1);  // the id of the one before
  refuses(other, 1);
  // Two nodes that both wrote: the second commit of a namespace twice.
  BatchHead head = read_batch_head(batches[1]).value();
  head.sequence = 3;
  head.prev = head.id;
  head.id = std::string(kBatchIdBytes, 'y');
  std::string twice;
  head.append_to(twice);
  REQUIRE(read_batch(batches[1], [&](BatchEntry&& entry) {
            entry.append_to(twice);
            return Result<void>();
          }).ok());
  refuses(twice, 2);
}
