// A namespace is as large as it may be: exactly when it is small, and as soon as it has been counted when it is large.
#include "db/commit/quota.h"

#include <catch2/catch.hpp>
#include <deque>

#include "db/commit/committer.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

struct Fixture {
  explicit Fixture(Quota quota)
      : store(TreeStore::open({folder.path(), 1, nullptr}).value()),
        committer(*store, TreeStore::Durability::Os, quota,
                  [this](std::function<void()> job) { jobs.push_back(std::move(job)); }) {
    tree.name = "full";
    tree.number = 1;
  }

  // What is wrong with it; "": nothing.
  std::string set(std::string_view path, std::string json) {
    Write write;
    write.overwrites = {make_overwrite(path, parse_value(std::move(json), Path()).value()).value()};
    write.base = write.overwrites.front().path;
    const auto accepted = committer.write(tree, write, Timestamp(1), nullptr);
    if (accepted.ok()) return "";
    CHECK(accepted.error().code == ErrorCode::TooLarge);
    return accepted.error().message;
  }
  // An update of a document, which is as many bytes as it says: nothing here looks into it.
  bool appends(std::string_view path, size_t bytes) {
    const auto accepted = committer.queue(
        tree,
        {{Effect::Kind::Append, Path::parse(path).value(), Value::integer(static_cast<int64_t>(tree.head.sequence + 1)),
          Slot::Value, std::string(bytes, 'u')}},
        Timestamp(1));
    return accepted.ok();
  }
  // All updates of a document become one.
  void compacts(std::string_view path, size_t bytes) {
    REQUIRE(
        committer
            .queue(tree,
                   {{Effect::Kind::Compact, Path::parse(path).value(),
                     Value::integer(static_cast<int64_t>(tree.head.sequence)), Slot::Value, std::string(bytes, 'u')}},
                   Timestamp(1))
            .ok());
  }
  bool takes(std::string_view path, std::string json) { return set(path, std::move(json)).empty(); }
  void commit() { REQUIRE(committer.commit().ok()); }
  void run_jobs() {
    while (!jobs.empty()) {
      jobs.front()();
      jobs.pop_front();
    }
  }

  TempFolder folder{};
  std::deque<std::function<void()>> jobs{};
  std::unique_ptr<TreeStore> store;
  Committer committer;
  Tree tree;
};

// An object of that many leaves.
std::string leaves(size_t count) {
  std::string json = "{";
  for (size_t i = 0; i < count; ++i) json += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
  return json + "}";
}

}  // namespace

TEST_CASE("Quota: as many values as may be, and not one more", "[commit][limits]") {
  Fixture at({3, 0});
  CHECK(at.takes("a", "1"));
  CHECK(at.takes("b/c", "2"));
  if (GENERATE(true, false)) at.commit();
  CHECK(at.takes("b/d", "3"));
  CHECK(at.set("e", "4") ==
        "The namespace full is full: with this it would have 4 values, and may have 3. Remove something first.");
  CHECK(at.committer.counted().over_quota.value() == 1);
  SECTION("what is there may change") {
    for (int i = 0; i < 10; ++i) CHECK(at.takes("a", std::to_string(i)));
    CHECK(at.takes("b", R"({"x":1,"y":2})"));
    CHECK(!at.takes("b", R"({"x":1,"y":2,"z":3})"));
    CHECK(at.takes("", R"({"p":1,"q":2,"r":3})"));
    CHECK(!at.takes("", R"({"p":1,"q":2,"r":3,"s":4})"));
  }
  SECTION("what is removed makes room for as much") {
    CHECK(at.takes("b", "null"));
    CHECK(at.takes("e", "1"));
    CHECK(at.takes("f", "1"));
    CHECK(!at.takes("g", "1"));
  }
  SECTION("what was refused is not counted") {
    for (int i = 0; i < 3; ++i) CHECK(!at.takes("z", leaves(100)));
    CHECK(at.takes("a", "null"));
    CHECK(at.takes("z", "1"));
  }
  SECTION("a new process finds it as full") {
    at.commit();
    Tree again;
    again.name = "full";
    again.number = 1;
    at.tree = std::move(again);
    CHECK(!at.takes("e", "1"));
    CHECK(at.takes("a", "9"));
  }
}

TEST_CASE("Quota: as many bytes of keys and values as may be, and not one more", "[commit][limits]") {
  // What a row costs beside its text is the store's affair: found out here.
  const auto fits = [](uint64_t bytes, size_t length) {
    Fixture at({0, bytes});
    return at.takes("key", "\"" + std::string(length, 'x') + "\"");
  };
  uint64_t around = 1;
  while (!fits(around, 0)) REQUIRE(++around < 32);
  for (const size_t length : {10u, 1'000u, 100'000u}) {
    CHECK(fits(around + length, length));
    CHECK(!fits(around + length - 1, length));
  }
}

TEST_CASE("Quota: a large namespace is counted by another thread, and then the limit holds", "[commit][limits]") {
  constexpr size_t kMany = kCountHereRowsMax + 100;
  Fixture at({kMany + 2, 0});
  REQUIRE(at.takes("large", leaves(kMany)));
  at.commit();
  Tree again;  // of a new process, which does not know yet
  again.name = "full";
  again.number = 1;
  at.tree = std::move(again);
  CHECK(at.takes("a", "1"));
  REQUIRE(at.jobs.size() == 1);
  at.commit();
  CHECK(at.takes("a", "2"));  // meanwhile writes are taken
  at.run_jobs();
  CHECK(at.takes("b", "1"));
  CHECK(!at.takes("c", "1"));
  at.commit();
  CHECK(!at.takes("c", "1"));
  CHECK(at.takes("a", "3"));

  CHECK(at.takes("large", leaves(kMany - 1'000)));
  CHECK(at.takes("c", leaves(1'000)));
  CHECK(!at.takes("d", "1"));
}

TEST_CASE("Quota: what was overwritten far from the limit is found to be less when it comes near", "[commit][limits]") {
  constexpr size_t kMany = kCountHereRowsMax + 100;
  Fixture at({2 * kMany, 0});
  REQUIRE(at.takes("large", leaves(kMany)));
  at.commit();
  for (size_t i = 0; i < kMany - 5; ++i) REQUIRE(at.takes("large/k0", std::to_string(i)));  // as if all were new
  at.commit();
  for (int i = 0; i < 10; ++i) {
    CHECK(at.takes("more/k" + std::to_string(i), leaves(1'000)));
    at.commit();
    at.run_jobs();
  }
  CHECK(!at.takes("too much", leaves(101)));
  CHECK(at.takes("just", leaves(100)));
}

TEST_CASE("Quota: a count that nobody waits for any more ends", "[commit][limits]") {
  Fixture at({kCountHereRowsMax + 1, 0});
  REQUIRE(at.takes("large", leaves(kCountHereRowsMax + 1)));
  at.commit();
  at.tree = Tree();
  at.tree.name = "full";
  at.tree.number = 1;
  CHECK(at.takes("large/k0", "2"));
  at.commit();
  at.tree = Tree();
  at.run_jobs();
}

TEST_CASE("Quota: updates of documents are rows, to the byte, whatever becomes of them", "[commit][limits]") {
  const size_t key = document_row(encode_path(Path::parse("d").value()), 1).size();
  SECTION("rows") {
    Fixture at({3, 0});
    CHECK(at.takes("a", "1"));
    CHECK(at.appends("d", 10));
    if (GENERATE(true, false)) at.commit();
    CHECK(at.appends("d", 10));
    CHECK(!at.appends("d", 10));
    CHECK(!at.appends("e", 10));
    CHECK(!at.takes("b", "1"));
    at.compacts("d", 15);  // two are one
    CHECK(at.appends("e", 10));
    CHECK(!at.takes("b", "1"));
    CHECK(at.takes("d", "null"));  // the document goes
    CHECK(at.takes("b", "1"));
    CHECK(!at.takes("c", "1"));
  }
  SECTION("bytes") {
    Fixture at({0, 2 * key + 1'000});
    CHECK(!at.appends("d", 1'001 + key));
    CHECK(at.appends("d", 600));
    at.commit();
    CHECK(!at.appends("d", 401));
    CHECK(at.appends("d", 400));
    CHECK(!at.takes("a", "1"));
    at.compacts("d", 500);
    CHECK(!at.appends("d", 501));
    CHECK(at.appends("d", 500));
    SECTION("a new process finds it as full") {
      at.commit();
      Tree again;
      again.name = "full";
      again.number = 1;
      at.tree = std::move(again);
      CHECK(!at.appends("d", 0));
      CHECK(at.takes("d", "null"));
      CHECK(at.appends("d", 1'000 + key));
    }
  }
  SECTION("far from the limit and near it again") {
    Fixture at({0, 100'000});
    for (int i = 0; i < 50; ++i) {
      CHECK(at.appends("d", 3'000));
      at.compacts("d", 3'000);
      at.commit();
    }
    CHECK(at.appends("d", 100'000 - 3'000 - 2 * key));
    CHECK(!at.appends("d", 0));
  }
  SECTION("room is asked for beforehand in the same way") {
    Fixture at({0, 2 * key + 1'000});
    CHECK(at.appends("d", 600));
    const auto has_room = [&](size_t bytes) {
      return at.committer.has_room(at.tree, {1, static_cast<int64_t>(key + bytes)}).ok();
    };
    CHECK(has_room(400));
    CHECK(!has_room(401));
    CHECK(at.takes("d", "null"));
    CHECK(has_room(1'000 + key));
  }
}
