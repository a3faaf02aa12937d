#include "db/commit/disconnect_queue.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <tuple>
#include <type_traits>

#include "db/commit/apply.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

Path at(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

Disconnect put(std::string_view path, std::string text) {
  Overwrite overwrite = make_overwrite(path, json(std::move(text))).value();
  Disconnect disconnect;
  disconnect.kind = Disconnect::Kind::Put;
  disconnect.path = overwrite.path;
  disconnect.overwrites = {std::move(overwrite)};
  return disconnect;
}

Disconnect merge(const std::vector<std::pair<std::string, std::string>>& all) {
  Disconnect disconnect;
  disconnect.kind = Disconnect::Kind::Merge;
  for (const auto& [path, text] : all) disconnect.overwrites.push_back(make_overwrite(path, json(text)).value());
  return disconnect;
}

Disconnect cancel(std::string_view path) {
  Disconnect disconnect;
  disconnect.kind = Disconnect::Kind::Cancel;
  disconnect.path = at(path);
  return disconnect;
}

std::string text(const DisconnectQueue& queue) {
  std::string all;
  for (const Overwrite& overwrite : queue.overwrites()) {
    if (!all.empty()) all += ' ';
    all += overwrite.path.slashed() + (overwrite.slot == Slot::Priority ? "#" : "") + "=";
    all += overwrite.value.has_server_values() ? "SV" : to_json(overwrite.value, JsonStyle::Export);
  }
  return all;
}

// Rows of the queue's table, and the effects on them.
class QueueRows {
 public:
  void take(const std::vector<Effect>& effects) {
    for (const Effect& effect : effects) {
      if (effect.kind == Effect::Kind::QueuedBy) {
        const std::string memo_key = queue_key(1, effect.name, Path(), Slot::Value) + kQueuedByMark;
        if (effect.value.is_null()) REQUIRE(rows_.erase(memo_key) == 1);
        if (!effect.value.is_null()) rows_[memo_key] = effect.value.as_string();
        continue;
      }
      const std::string key = queue_key(1, effect.name, effect.path, effect.slot);
      if (effect.kind == Effect::Kind::Enqueue) {
        rows_[key] = encode_rows(effect.value);
      } else {
        REQUIRE(effect.kind == Effect::Kind::Dequeue);
        REQUIRE(rows_.erase(key) == 1);  // only what was there is removed
      }
    }
  }
  DisconnectQueue restored(const std::string& session) const {
    DisconnectQueue queue(session);
    for (const auto& [key, rows] : rows_) {
      const auto done = queue.restore(std::string_view(key).substr(kTableAndNumber + session.size() + 1), rows);
      INFO((done.ok() ? "" : done.error().message));
      REQUIRE(done.ok());
    }
    return queue;
  }
  bool empty() const { return rows_.empty(); }

 private:
  std::map<std::string, std::string> rows_;
};

}  // namespace

TEST_CASE("Queued writes settle as the protocol says", "[commit][disconnect]") {
  struct Row {
    const char* what;
    std::vector<Disconnect> taken;
    const char* left;
  };
  const std::vector<Row> table = {
      {"nothing", {}, ""},
      {"a put", {put("/a", "1")}, "/a=1"},
      {"a remove", {put("/a", "null")}, "/a=null"},
      {"a later put at the same path", {put("/a", "1"), put("/a", "2")}, "/a=2"},
      {"neighbours", {put("/a", "1"), put("/b", "2"), put("/ab", "3")}, "/a=1 /ab=3 /b=2"},
      {"a later put above replaces what is below",
       {put("/a/x", "1"), put("/a/y/z", "2"), put("/ab", "3"), put("/a", "4")},
       "/a=4 /ab=3"},
      {"a later put at the root", {put("/a/x", "1"), put("/b", "2"), put("/", R"({"c":3})")}, R"(/={"c":3})"},
      {"a later put below edits what is above",
       {put("/a", R"({"x":1})"), put("/a/y/z", "2")},
       R"(/a={"x":1,"y":{"z":2}})"},
      {"a put below a leaf", {put("/a", "1"), put("/a/x", "2")}, R"(/a={"x":2})"},
      {"a remove below edits too", {put("/a", R"({"x":1,"y":2})"), put("/a/x", "null")}, R"(/a={"y":2})"},
      {"a remove of the last child removes", {put("/a", R"({"x":1})"), put("/a/x", "null")}, "/a=null"},
      {"a put below a remove", {put("/a", "null"), put("/a/x", "1")}, R"(/a={"x":1})"},
      {"a merge is each of its paths", {merge({{"/a/x", "1"}, {"/a/y/z", "2"}})}, "/a/x=1 /a/y/z=2"},
      {"a merge over a merge", {merge({{"/a/x", "1"}, {"/a/y", "2"}}), merge({{"/a/y", "3"}})}, "/a/x=1 /a/y=3"},
      {"a merge below a put",
       {put("/a", R"({"x":1})"), merge({{"/a/y", "2"}, {"/b", "3"}})},
       R"(/a={"x":1,"y":2} /b=3)"},
      {"a cancel", {put("/a", "1"), put("/b", "2"), cancel("/a")}, "/b=2"},
      {"a cancel of nothing", {put("/b", "2"), cancel("/a")}, "/b=2"},
      {"a cancel above", {put("/a/x", "1"), put("/a/y/z", "2"), put("/ab", "3"), cancel("/a")}, "/ab=3"},
      {"a cancel at the root", {put("/a/x", "1"), put("/b", "2"), cancel("/")}, ""},
      {"a cancel inside an object forgets that part",
       {put("/a", R"({"x":1,"y":{"p":2,"q":3},"z":4})"), cancel("/a/y/p")},
       "/a/x=1 /a/y/q=3 /a/z=4"},
      {"a cancel of an only child", {put("/a", R"({"x":1})"), cancel("/a/x")}, ""},
      {"a cancel inside an object, of what it lacks", {put("/a", R"({"x":1})"), cancel("/a/y")}, "/a/x=1"},
      {"a cancel below a leaf leaves it alone", {put("/a", "1"), cancel("/a/x")}, "/a=1"},
      {"a cancel below a remove leaves it alone", {put("/a", "null"), cancel("/a/x")}, "/a=null"},
      {"a cancel that meets a leaf on its way", {put("/a", R"({"x":1,"y":2})"), cancel("/a/x/deep")}, "/a/x=1 /a/y=2"},
      {"a priority by itself", {put("/a/.priority", "5")}, "/a#=5"},
      {"a priority below a later put", {put("/a/.priority", "5"), put("/a", "1")}, "/a=1"},
      {"a priority of what is queued", {put("/a", "1"), put("/a/.priority", "5")}, R"(/a={".value":1,".priority":5})"},
      {"a priority inside what is queued",
       {put("/a", R"({"x":1})"), put("/a/x/.priority", "5")},
       R"(/a={"x":{".value":1,".priority":5}})"},
      {"a priority beside what is below", {put("/a/x", "1"), put("/a/.priority", "5")}, "/a#=5 /a/x=1"},
      {"a priority and its cancel", {put("/a/.priority", "5"), cancel("/a")}, ""},
      {"server values wait", {put("/a", R"({"at":{".sv":"timestamp"}})")}, "/a=SV"},
  };
  for (const Row& row : table) {
    INFO(row.what);
    DisconnectQueue queue("s");
    QueueRows rows;
    for (const Disconnect& taken : row.taken) {
      const auto effects = queue.take(taken);
      REQUIRE(effects.ok());
      rows.take(effects.value());
    }
    CHECK(text(queue) == row.left);
    CHECK(text(rows.restored("s")) == row.left);
    CHECK(queue.empty() == std::string_view(row.left).empty());
    rows.take(queue.clear());
    CHECK(queue.empty());
    CHECK(rows.empty());
  }
}

TEST_CASE("A session may queue so many entries, and no more", "[commit][disconnect]") {
  DisconnectQueue queue("s");
  std::vector<std::pair<std::string, std::string>> all;
  for (size_t i = 0; i + 1 < kDisconnectEntriesMax; ++i) all.emplace_back("/k/" + std::to_string(i), "1");
  REQUIRE(queue.take(merge(all)).ok());
  const auto two = queue.take(merge({{"/a", "1"}, {"/b", "1"}}));
  REQUIRE(!two.ok());
  CHECK(two.error().code == ErrorCode::TooLarge);
  CHECK(queue.overwrites().size() == kDisconnectEntriesMax - 1);  // none of the two
  REQUIRE(queue.take(put("/a", "1")).ok());
  CHECK(queue.overwrites().size() == kDisconnectEntriesMax);
  CHECK(!queue.take(put("/b", "1")).ok());
  REQUIRE(queue.take(cancel("/k")).ok());
  CHECK(text(queue) == "/a=1");
  CHECK(queue.take(put("/b", "1")).ok());
}

TEST_CASE("Rows that are no queue's are refused", "[commit][disconnect]") {
  DisconnectQueue queue("s");
  CHECK(queue.restore("\x07", encode_rows(Value::integer(1))).error().code == ErrorCode::Corruption);
  CHECK(queue.restore(encode_path(at("/a")), "\xff").error().code == ErrorCode::Corruption);
  CHECK(queue.empty());
}

TEST_CASE("By whose rights it is queued is kept as long as something is", "[commit][disconnect]") {
  DisconnectQueue queue("s");
  QueueRows rows;
  CHECK(queue.sign("ada").empty());  // nothing is queued yet
  rows.take(queue.take(put("/a", "1")).value());
  rows.take(queue.sign("ada"));
  CHECK(queue.sign("ada").empty());
  CHECK(rows.restored("s").memo() == "ada");
  CHECK(text(rows.restored("s")) == "/a=1");
  rows.take(queue.sign("bob"));
  CHECK(rows.restored("s").memo() == "bob");
  rows.take(queue.sign(""));  // an admin
  CHECK(rows.restored("s").memo().empty());
  rows.take(queue.sign("bob"));
  DisconnectQueue same = rows.restored("s");
  rows.take(same.clear());
  CHECK(rows.empty());
  CHECK(same.memo().empty());
  rows = {};
  queue.clear();
  rows.take(queue.take(put("/a", "1")).value());
  rows.take(queue.sign("ada"));
  rows.take(queue.take(cancel("/a")).value());
  rows.take(queue.sign("ada"));  // of nothing
  CHECK(rows.empty());
}

TEST_CASE("Random puts end as the same tree whether queued or written at once", "[commit][disconnect]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 300; ++round) {
    DisconnectQueue queue("s");
    QueueRows rows;
    ReferenceTree wanted, found;
    for (size_t steps = 1 + random.below(12); steps > 0; --steps) {
      Disconnect disconnect;
      disconnect.overwrites = {{random.path(3), Slot::Value, random.value()}};
      wanted.apply(disconnect.overwrites);
      const auto effects = queue.take(disconnect);
      REQUIRE(effects.ok());
      rows.take(effects.value());
      const auto left = queue.overwrites();
      REQUIRE(check_overlap(left).ok());
    }
    for (const Overwrite& overwrite : queue.overwrites()) found.apply({overwrite});
    // Over an empty tree a remove that was edited later is the same as its parts; priorities aside.
    const auto text = [](const ReferenceTree& tree) { return to_json(tree.value(), JsonStyle::Plain); };
    REQUIRE(text(found) == text(wanted));
    REQUIRE(::text(rows.restored("s")) == ::text(queue));
  }
}

static_assert(!std::is_copy_constructible_v<DisconnectQueue> && !std::is_copy_assignable_v<DisconnectQueue>);

TEST_CASE("What was taken in can be taken back, and the counts with it", "[commit][disconnect]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 300; ++round) {
    DisconnectQueue queue("s");
    QueueRows rows;
    for (size_t steps = 1 + random.below(12); steps > 0; --steps) {
      Disconnect disconnect;
      disconnect.path = random.path(3);
      disconnect.kind = random.chance(0.3) ? Disconnect::Kind::Cancel : Disconnect::Kind::Put;
      disconnect.overwrites = {{disconnect.path, Slot::Value, random.value()}};
      const auto state = [&] {
        return std::tuple(::text(queue), queue.memo(), queue.row_count(), queue.data_byte_count(), queue.byte_count());
      };
      const auto before = state();
      REQUIRE(queue.take(disconnect).ok());
      queue.sign("somebody");
      queue.undo();
      REQUIRE(state() == before);
      REQUIRE(queue.undo_count() == 0);
      rows.take(queue.take(disconnect).value());
      rows.take(queue.sign(random.chance(0.5) ? "ada" : "bob"));
      queue.keep();
      const DisconnectQueue restored = rows.restored("s");
      REQUIRE(restored.byte_count() <=
              queue.byte_count());  // less: a part of an object that fell apart has its own rows
      REQUIRE(restored.row_count() == queue.row_count());
    }
    queue.clear();
    REQUIRE(queue.byte_count() == 0);
    REQUIRE(queue.data_byte_count() == 0);
    REQUIRE(queue.row_count() == 0);
  }
}

TEST_CASE("An operation on a long queue touches what it changes and nothing else", "[commit][disconnect]") {
  DisconnectQueue queue("s");
  for (size_t i = 0; i < kDisconnectEntriesMax; ++i) {
    REQUIRE(queue.take(put("/n" + std::to_string(i), "1")).ok());
    CHECK(queue.undo_count() == 1);
    queue.keep();
  }
  CHECK_FALSE(queue.take(put("/one/more", "1")).ok());
  CHECK(queue.undo_count() == 0);
  const auto effects = queue.take(cancel("/n5"));
  CHECK(effects.value().size() == 1);
  CHECK(queue.undo_count() == 1);
  CHECK(queue.row_count() == kDisconnectEntriesMax - 1);
}
