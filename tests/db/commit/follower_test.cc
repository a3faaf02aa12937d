#include "db/commit/follower.h"

#include <catch2/catch.hpp>
#include <map>
#include <memory>

#include "tests/support/memory_log.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

std::string batch_of(const LogPosition& last, const std::string& id, const std::vector<BatchEntry>& entries) {
  BatchHead head;
  head.sequence = last.sequence + 1;
  head.epoch = 1;
  head.prev = last.id;
  head.id = std::string(kBatchIdBytes, id[0]);
  std::string batch;
  head.append_to(batch);
  for (const BatchEntry& entry : entries) entry.append_to(batch);
  return batch;
}

BatchEntry created(const std::string& name) {
  BatchEntry entry;
  entry.kind = BatchEntry::Kind::Create;
  entry.name = name;
  return entry;
}

BatchEntry restored(const std::string& file) {
  BatchEntry entry;
  entry.kind = BatchEntry::Kind::Restore;
  entry.name = "r";
  entry.file = file;
  entry.head = Head().encode();
  return entry;
}

struct Node {
  Node() { open(); }
  void open() {
    follower.reset();
    store.reset();
    store = TreeStore::open({folder.path(), 1, nullptr}).value();
    Follower::Names hooks;
    hooks.of_shard = [this] { return names; };
    hooks.number_of = [this](const std::string&) { return next++; };
    hooks.on.named = [this](const std::string& name, uint32_t number) { names[name] = number; };
    hooks.on.removed = [this](const std::string& name, uint64_t) { names.erase(name); };
    hooks.replace = [this](const auto& all, const auto&) { names = all; };
    follower = std::make_unique<Follower>(*store, 0, Follower::Plans{}, std::move(hooks));
    REQUIRE(follower->start().ok());
  }
  Result<void> apply(const std::string& batch) { return follower->apply(batch, read_file); }

  TempFolder folder{};
  std::unique_ptr<TreeStore> store;
  std::unique_ptr<Follower> follower;
  std::map<std::string, uint32_t> names;
  uint32_t next = 1;
  LogApplier::ReadFile read_file = [](const std::string&, const auto&) { return Result<void>(); };
};

}  // namespace

TEST_CASE("Follower: batches are applied one behind the other; one told again changes nothing, and a gap is waited for",
          "[commit][follower]") {
  Node node;
  const std::string one = batch_of({}, "1", {created("a")});
  const LogPosition after_one{1, 1, std::string(kBatchIdBytes, '1')};
  const std::string two = batch_of(after_one, "2", {created("b")});
  const LogPosition after_two{2, 1, std::string(kBatchIdBytes, '2')};
  CHECK(node.apply(two).error().code == ErrorCode::Unavailable);
  REQUIRE(node.apply(one).ok());
  REQUIRE(node.apply(one).ok());
  CHECK(node.names.size() == 1);
  REQUIRE(node.apply(two).ok());
  REQUIRE(node.apply(one).ok());  // long ago
  CHECK(node.names.size() == 2);
  CHECK(node.follower->applied().sequence == 2);
  node.open();
  CHECK(node.follower->applied().id == after_two.id);
  REQUIRE(node.apply(batch_of(after_two, "3", {created("c")})).ok());
  CHECK(node.names.size() == 3);
}

TEST_CASE("Follower: a batch that does not follow on what is here stops it until it is planted", "[commit][follower]") {
  Node node, other;
  REQUIRE(node.apply(batch_of({}, "1", {created("a")})).ok());
  REQUIRE(other.apply(batch_of({}, "2", {created("b")})).ok());
  CHECK_FALSE(node.follower->must_be_planted());
  CHECK(node.apply(batch_of({}, "2", {created("b")})).error().code == ErrorCode::Corruption);  // another first one
  CHECK(node.follower->must_be_planted());
  const LogPosition after_one{1, 1, std::string(kBatchIdBytes, '1')};
  CHECK(node.apply(batch_of(after_one, "3", {created("c")})).error().code == ErrorCode::Unavailable);
  CHECK(node.follower->own(after_one).error().code == ErrorCode::Unavailable);
  REQUIRE(node.follower->plant().ok());
  CHECK(node.names.empty());
  CHECK(node.follower->plant().error().code == ErrorCode::Unavailable);  // it is under way
  REQUIRE(seed_shard(other.store->checkpoint().value(), 0, 1, [&](std::string_view piece) {
            return node.follower->add(piece);
          }).ok());
  CHECK(node.follower->must_be_planted());
  CHECK(node.follower->finish().value().sequence == 1);
  CHECK_FALSE(node.follower->must_be_planted());
  CHECK(node.names.contains("b"));
  CHECK_FALSE(node.names.contains("a"));
  const LogPosition planted{1, 1, std::string(kBatchIdBytes, '2')};
  REQUIRE(node.apply(batch_of(planted, "3", {created("c")})).ok());
}

TEST_CASE("Follower: a planting that was given up is known, here and after a restart", "[commit][follower]") {
  Node node;
  REQUIRE(node.apply(batch_of({}, "1", {created("a")})).ok());
  REQUIRE(node.follower->plant().ok());
  node.follower->give_up_planting();
  CHECK(node.follower->must_be_planted());
  CHECK(node.follower->applied().sequence == 0);
  node.open();
  CHECK(node.follower->must_be_planted());
  CHECK(node.apply(batch_of({}, "1", {created("a")})).error().code == ErrorCode::Unavailable);
}

TEST_CASE("Follower: it is owned at the log's last batch alone, and applies nothing meanwhile", "[commit][follower]") {
  Node node;
  REQUIRE(node.apply(batch_of({}, "1", {created("a")})).ok());
  const LogPosition last{1, 7, std::string(kBatchIdBytes, '1')};
  const auto behind = node.follower->own({2, 7, std::string(kBatchIdBytes, '2')});
  CHECK(behind.error().code == ErrorCode::Unavailable);
  CHECK(behind.error().message.find("batch 2") != std::string::npos);
  CHECK(behind.error().message.find("batch 1;") != std::string::npos);
  CHECK(node.follower->own({1, 7, std::string(kBatchIdBytes, '9')}).error().code == ErrorCode::Unavailable);
  REQUIRE(node.follower->own(last).ok());
  CHECK(node.follower->is_owned());
  CHECK(node.follower->own(last).error().code == ErrorCode::Unavailable);
  CHECK(node.follower->plant().error().code == ErrorCode::Unavailable);
  CHECK(node.apply(batch_of(last, "2", {created("b")})).error().code == ErrorCode::Unavailable);
  REQUIRE(node.follower->follow_again().ok());
  REQUIRE(node.apply(batch_of(last, "2", {created("b")})).ok());
}

TEST_CASE("Follower: an error that may pass leaves the shard as it was, and the batch may come again",
          "[commit][follower]") {
  Node node;
  const std::string batch = batch_of({}, "1", {created("a"), restored("f")});
  node.read_file = [](const std::string&, const auto&) {
    return Result<void>(Error{ErrorCode::Unavailable, "the engine is away"});
  };
  CHECK(node.apply(batch).error().code == ErrorCode::Unavailable);
  CHECK_FALSE(node.follower->must_be_planted());
  CHECK(node.follower->applied().sequence == 0);
  node.read_file = [](const std::string&, const auto&) { return Result<void>(); };
  REQUIRE(node.apply(batch).ok());
  CHECK(node.names.size() == 2);
  CHECK(node.follower->applied().sequence == 1);
}
