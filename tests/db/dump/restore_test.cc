#include "db/dump/restore.h"

#include <catch2/catch.hpp>

#include "db/dump/folder.h"
#include "db/model/hash.h"
#include "tests/support/byte_source.h"
#include "tests/support/dump_store.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

constexpr Timestamp kNow{50'000};

std::string dump(const std::string& folder, const DumpRequest& what = {}) {
  const auto dumper = dump_folder(folder, what, kNow);
  REQUIRE(dumper.ok());
  return read_to_end(*dumper.value());
}

Result<std::vector<RestoredSpace>> restore(const std::string& folder, const std::string& text,
                                           const RestoreRequest& request = {}) {
  return restore_folder(folder, source_of(text), request, {}, kNow);
}

std::string refusal(const std::string& folder, const std::string& text, const RestoreRequest& request = {}) {
  const auto done = restore(folder, text, request);
  return done.ok() ? "" : done.error().message;
}

// A namespace of a folder, by name.
struct Found {
  Value tree;
  Head head;
  std::map<std::string, std::string> settings;
  uint32_t number = 0;
};
std::optional<Found> find(const std::string& folder, const std::string& name) {
  const auto store = open_store(folder);
  const auto at = store->names_at_open().find(name);
  if (at == store->names_at_open().end()) return {};
  Found found;
  found.number = at->second;
  found.tree = tree_of(*store, at->second);
  found.head = SnapshotSettings(store->snapshot(), at->second).head().value();
  const std::string from = row_key(Table::Setting, at->second);
  REQUIRE(store->snapshot()
              ->scan(from, row_key(Table::Setting, at->second + 1),
                     [&](auto key, auto text) {
                       found.settings.emplace(key.substr(from.size()), text);
                       return true;
                     })
              .ok());
  return found;
}

// What `restore` of this JSON at `into` makes of a namespace that holds `before`.
Value restored_at(const Value& before, const std::string& into, const std::string& text,
                  Existing existing = Existing::Replace) {
  const TempFolder folder;
  make_store(folder.path(), {{"chat", 1, before}});
  const auto done = restore(folder.path(), text, {"chat", at(into), existing});
  INFO((done.ok() ? "" : done.error().message));
  REQUIRE(done.ok());
  return find(folder.path(), "chat")->tree;
}

}  // namespace

TEST_CASE(
    "All namespaces come back in a new folder as they were: trees, sequences, settings; and dump to equal digests") {
  const TempFolder from;
  const TempFolder to;
  const Value chat = json(R"({"rooms":{"tea":{"a":1,".priority":2}},"x":{".value":"y",".priority":"p"}})");
  make_store(from.path(), {{"chat", 3, chat, 17, {{"rules", R"({"rules":{}})"}, {"own_indexes", "[]"}}},
                           {"empty", 4, {}, 0},
                           {"shop", 9, Value::integer(3), 2}});
  const std::string text = dump(from.path());
  const auto done = restore(to.path(), text);
  REQUIRE(done.ok());
  CHECK(done.value().size() == 3);
  const Found found = *find(to.path(), "chat");
  CHECK(found.tree == chat);
  CHECK(found.head.sequence == 17);
  CHECK(found.head.has_priorities);
  CHECK(found.head.rules == text_digest(R"({"rules":{}})"));
  CHECK(found.settings == std::map<std::string, std::string>{{"rules", R"({"rules":{}})"}, {"own_indexes", "[]"}});
  CHECK(find(to.path(), "empty")->tree.is_null());
  CHECK(find(to.path(), "shop")->tree == Value::integer(3));

  const auto first = verify_dump(source_of(text), to.path()).value();
  const auto second = verify_dump(source_of(dump(to.path())), to.path()).value();
  REQUIRE(second.spaces.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(first.spaces[i].second.digest == second.spaces[i].second.digest);
}

TEST_CASE("Random trees go through either format unchanged") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 15; ++i) {
    const Value tree = random.value(5);
    const TempFolder from;
    make_store(from.path(), {{"chat", 1, tree}});
    for (const DumpFormat format : {DumpFormat::Native, DumpFormat::Json}) {
      const TempFolder to;
      REQUIRE(refusal(to.path(), dump(from.path(), {"chat", {}, format}), {"copy", {}, Existing::Refuse}) == "");
      REQUIRE(find(to.path(), "copy")->tree == tree);
    }
  }
}

TEST_CASE("A restore over data is refused unless it is to be replaced, and then nothing of the old is left") {
  const TempFolder from;
  const TempFolder to;
  make_store(from.path(), {{"chat", 1, json(R"({"new":1})"), 5, {{"rules", "new"}, {"revoked", "dumped"}}}});
  make_store(
      to.path(),
      {{"chat", 2, json(R"({"old":{"deep":1}})"), 30, {{"rules", "old"}, {"own_indexes", "old"}, {"revoked", "kept"}}},
       {"shop", 3, json(R"({"kept":1})")}});
  const std::string text = dump(from.path());
  CHECK(refusal(to.path(), text).starts_with("there is data at / of the namespace chat"));
  CHECK(find(to.path(), "chat")->tree == json(R"({"old":{"deep":1}})"));

  REQUIRE(refusal(to.path(), text, {{}, {}, Existing::Replace}) == "");
  const Found found = *find(to.path(), "chat");
  CHECK(found.tree == json(R"({"new":1})"));
  CHECK(found.number == 2);
  CHECK(found.head.sequence == 31);  // sequences never go back
  CHECK(found.head.time == kNow);
  CHECK(found.head.rules == text_digest("new"));
  CHECK(found.settings == std::map<std::string, std::string>{{"rules", "new"}, {"revoked", "kept"}});
  CHECK(find(to.path(), "shop")->tree == json(R"({"kept":1})"));
}

TEST_CASE("A dump made by a clock that was ahead does not bring its time along, one that was a little ahead does") {
  for (const auto& [ahead, restored] :
       {std::pair{kClockStepBackMax, kNow + kClockStepBackMax}, std::pair{kClockStepBackMax + Timestamp(1), kNow}}) {
    const TempFolder from;
    const TempFolder to;
    make_store(from.path(), {{"chat", 1, Value::integer(1), 7}});
    {
      const auto store = open_store(from.path());
      Head head = SnapshotSettings(store->snapshot(), 1).head().value();
      head.time = kNow + ahead;
      Batch rows;
      rows.put(row_key(Table::Head, 1), head.encode());
      REQUIRE(store->commit(rows, TreeStore::Durability::Synced).ok());
    }
    REQUIRE(restore(to.path(), dump(from.path())).ok());
    CHECK(find(to.path(), "chat")->head.time == restored);
    CHECK(find(to.path(), "chat")->head.sequence == 7);
  }
}

TEST_CASE("JSON, and the tree of a path, leave the settings as they are") {
  const TempFolder folder;
  make_store(folder.path(), {{"chat", 2, json(R"({"old":1})"), 30, {{"rules", "old"}}}});
  REQUIRE(refusal(folder.path(), R"({"new":1})", {"chat", {}, Existing::Replace}) == "");
  CHECK(find(folder.path(), "chat")->settings == std::map<std::string, std::string>{{"rules", "old"}});
  CHECK(find(folder.path(), "chat")->head.sequence == 31);
  const std::string part = dump(folder.path(), {"chat", at("new"), DumpFormat::Native});
  CHECK(refusal(folder.path(), part).starts_with("there is data at /new of the namespace chat"));
  REQUIRE(refusal(folder.path(), part, {{}, at("copy"), Existing::Refuse}) == "");
  CHECK(find(folder.path(), "chat")->tree == json(R"({"new":1,"copy":1})"));
  CHECK(find(folder.path(), "chat")->settings.size() == 1);
}

TEST_CASE("A tree that is restored at a path stands there as a set of it would") {
  const struct {
    std::string before, into, text, after;
  } cases[] = {
      {R"({"a":{"b":1,"c":2},"d":3})", "a", R"({"x":9})", R"({"a":{"x":9},"d":3})"},
      {R"({"a":{"b":1}})", "a/c/d", "5", R"({"a":{"b":1,"c":{"d":5}}})"},
      {R"({"a":5})", "a/b", "1", R"({"a":{"b":1}})"},  // a leaf above makes room
      {R"({"a":{".value":5,".priority":2}})", "a/b", "1", R"({"a":{".priority":2,"b":1}})"},
      {R"({"a":{"b":1,"c":2}})", "a/b", "null", R"({"a":{"c":2}})"},
      {R"({"a":{".priority":1,"b":{".priority":2,"c":{"d":1}}}})", "a/b/c", "null", "null"},
      {R"({"a":{".priority":1,"b":{".priority":2,"c":1},"e":1}})", "a/b/c", "null", R"({"a":{".priority":1,"e":1}})"},
      {R"({"a":5,"b":6})", "a/x", "null", R"({"a":5,"b":6})"},
      {R"({"ab":1,"a":2,"b":3})", "a", "null", R"({"ab":1,"b":3})"},
      {"null", "x/y", R"({".value":1,".priority":2})", R"({"x":{"y":{".value":1,".priority":2}}})"},
  };
  for (const auto& one : cases) {
    INFO(one.before << " at " << one.into << ": " << one.text);
    CHECK(to_json(restored_at(json(one.before), one.into, one.text), JsonStyle::Export) == one.after);
    const Value as_set = json(one.before).with(at(one.into), json(one.text));
    CHECK(to_json(as_set, JsonStyle::Export) == one.after);
  }
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 30; ++i) {
    const Value before = random.value(4);
    const Value value = random.value(2);
    const Path path = random.path(3);
    INFO(to_json(before, JsonStyle::Export) << " at " << path.slashed() << ": " << to_json(value, JsonStyle::Export));
    REQUIRE(restored_at(before, path.text(), to_json(value, JsonStyle::Export)) == before.with(path, value));
  }
}

TEST_CASE("Of a dump with several namespaces one can be taken, and one alone can have another name") {
  const TempFolder from;
  make_store(from.path(), {{"chat", 1, Value::integer(1)}, {"shop", 2, Value::integer(2)}});
  const std::string all = dump(from.path());
  const std::string chat = dump(from.path(), {"chat", {}, DumpFormat::Native});
  {
    const TempFolder to;
    REQUIRE(refusal(to.path(), all, {"shop", {}, Existing::Refuse}) == "");
    CHECK_FALSE(find(to.path(), "chat"));
    CHECK(find(to.path(), "shop")->tree == Value::integer(2));
  }
  {
    const TempFolder to;
    REQUIRE(refusal(to.path(), chat, {"other", {}, Existing::Refuse}) == "");
    CHECK(find(to.path(), "other")->tree == Value::integer(1));
  }
  const TempFolder to;
  CHECK(refusal(to.path(), all, {"other", {}, Existing::Refuse}) ==
        "the dump has no namespace other; it has chat, shop");
  CHECK(refusal(to.path(), all, {{}, at("x"), Existing::Refuse}) ==
        "a path is of one namespace, and the dump has several; say which");
  CHECK(refusal(to.path(), "{}") == "JSON has no name for its namespace; say which it is to be");
  CHECK(refusal(to.path(), "{}", {"No!", {}, Existing::Refuse}) ==
        "A namespace's name has only letters, digits, '-' and '_'.");
  CHECK(refusal(to.path(), "{}", {"Upper", {}, Existing::Refuse}) == "A namespace's name is stored in lower case.");
}

TEST_CASE("Indexes are given up with the tree they were of, for the server builds them again") {
  const TempFolder folder;
  {
    const auto store = open_store(folder.path());
    put_space(*store, {"chat", 1, Value::integer(1)});
    Batch batch;
    batch.put(row_key(Table::Index, 1, "some row"), "");
    batch.put(row_key(Table::Index, 2, "of another"), "");
    REQUIRE(store->commit(batch, TreeStore::Durability::Synced).ok());
  }
  REQUIRE(refusal(folder.path(), "2", {"chat", {}, Existing::Replace}) == "");
  const auto store = open_store(folder.path());
  CHECK_FALSE(store->snapshot()->get(row_key(Table::Index, 1, "some row")).value());
  CHECK(store->snapshot()->get(row_key(Table::Index, 2, "of another")).value());
}

TEST_CASE("After a refusal a folder is as it was: not there, empty, or with what it had") {
  const std::string damaged = R"({"a":1,"b":)";
  const TempFolder parent;
  const std::string missing = parent.path() + "/data";
  CHECK(refusal(missing, damaged, {"chat", {}, Existing::Refuse}) != "");
  CHECK_FALSE(std::filesystem::exists(missing));
  const TempFolder empty;
  CHECK(refusal(empty.path(), damaged, {"chat", {}, Existing::Refuse}) != "");
  CHECK(files_below(empty.path()).empty());
  const TempFolder full;
  make_store(full.path(), {{"chat", 1, Value::integer(1)}});
  CHECK(refusal(full.path(), damaged, {"chat", {}, Existing::Replace}) != "");
  CHECK(find(full.path(), "chat")->tree == Value::integer(1));
  CHECK(refusal(full.path(), damaged, {"new", {}, Existing::Replace}) != "");
  CHECK_FALSE(find(full.path(), "new"));
  for (const std::string& file : files_below(full.path())) CHECK(file.find(".ingest") == std::string::npos);
}

TEST_CASE("Flips and cuts at 200 random places of a dump: each is refused and nothing is changed") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder from;
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < 3000; ++i) children.emplace_back("k" + std::to_string(i), random.leaf());
  make_store(from.path(), {{"chat", 1, Value::object(children)}, {"shop", 2, random.value(4)}});
  const std::string text = dump(from.path());
  const TempFolder to;
  make_store(to.path(), {{"chat", 1, Value::integer(1)}});
  const auto store = open_store(to.path());
  const auto number_of = [](const std::string& name) -> Result<uint32_t> { return name == "chat" ? 1 : 2; };
  for (int i = 0; i < 200; ++i) {
    std::string damaged = text;
    const size_t place = random.below(text.size());
    if (i % 2 == 0) {
      damaged[place] = static_cast<char>(damaged[place] ^ (1 + random.below(255)));
    } else {
      damaged.resize(place);
    }
    INFO((i % 2 == 0 ? "byte " : "cut at ") << place << " of " << text.size());
    CHECK_FALSE(Restore::stage(source_of(damaged), {{}, {}, Existing::Replace}, *store, to.path(), number_of).ok());
    REQUIRE(tree_of(*store, 1) == Value::integer(1));
    REQUIRE(tree_of(*store, 2).is_null());
  }
  for (const std::string& file : files_below(to.path())) CHECK(file.find(".ingest") == std::string::npos);
}

TEST_CASE("Many namespaces become few files, whatever the order of their numbers, and each is what it was") {
  constexpr uint32_t kSpaces = 2'000;
  const TempFolder from;
  const std::string large(3u << 19, 'x');  // more than is held of one
  const auto value_of = [&](uint32_t i) {
    return i % 500 == 3 ? Value::string(large) : json("{\"a\":" + std::to_string(i) + "}");
  };
  const auto name_of = [](uint32_t i) { return "s" + std::to_string(100'000 + i); };
  {
    const auto store = open_store(from.path());
    Batch all;
    for (uint32_t i = 0; i < kSpaces; ++i) add_space({name_of(i), i + 1, i % 10 == 0 ? Value() : value_of(i)}, all);
    REQUIRE(store->commit(all, TreeStore::Durability::Synced).ok());
  }
  const std::string text = dump(from.path());
  // A new store numbers them as they come; here they have numbers already, in another order, and one in between is not theirs.
  const auto shuffled = [](uint32_t i) { return (i * 77u) % 2'003u + 1; };
  for (const bool is_new : {true, false}) {
    INFO((is_new ? "a new store" : "one that has them"));
    const TempFolder to;
    if (!is_new) {
      const auto store = open_store(to.path());
      Batch all;
      for (uint32_t i = 0; i < kSpaces; ++i) add_space({name_of(i), shuffled(i), json(R"({"old":1})")}, all);
      add_space({"other", shuffled(2'001), json(R"({"kept":1})")}, all);
      REQUIRE(store->commit(all, TreeStore::Durability::Synced).ok());
    }
    const auto sst = [&] {
      size_t count = 0;
      for (const std::string& file : files_below(to.path())) count += file.find(".sst") != std::string::npos ? 1 : 0;
      return count;
    };
    const size_t before = sst();
    REQUIRE(restore(to.path(), text, {{}, {}, Existing::Replace}).ok());
    CHECK(sst() <= before + (is_new ? 6 : 14));  // rows, indexes, names, heads; where large ones lie between, more
    const auto store = open_store(to.path());
    for (uint32_t i = 0; i < kSpaces; ++i) {
      const Value found = tree_of(*store, store->names_at_open().at(name_of(i)));
      const Value expected = i % 10 == 0 ? Value() : value_of(i);
      INFO(name_of(i));
      if (!(found == expected)) REQUIRE(found == expected);
    }
    if (!is_new) CHECK(tree_of(*store, shuffled(2'001)) == json(R"({"kept":1})"));
  }
}

TEST_CASE("Data that comes while a restore is staged is not overwritten unasked") {
  const TempFolder folder;
  const auto store = open_store(folder.path());
  const auto number_of = [](const std::string&) -> Result<uint32_t> { return 1; };
  const auto staged = Restore::stage(source_of("1"), {"chat", {}, Existing::Refuse}, *store, folder.path(), number_of);
  REQUIRE(staged.ok());
  put_space(*store, {"chat", 1, Value::integer(2)});
  const auto done = staged.value()->swap_in(kNow);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().code == ErrorCode::InvalidArgument);
  CHECK(tree_of(*store, 1) == Value::integer(2));
}

TEST_CASE("A dump of a path goes where it fits: the limits of paths hold below --into too") {
  const TempFolder folder;
  std::string deep = "k";
  for (size_t i = 1; i < kDepthMax; ++i) deep += "/k";
  const Value tree = Value().with(at(deep), Value::integer(1));
  const std::string text = to_json(tree, JsonStyle::Export);
  CHECK(refusal(folder.path(), text, {"chat", {}, Existing::Refuse}) == "");
  CHECK(refusal(folder.path(), text, {"chat", at("x"), Existing::Refuse})
            .starts_with("the rows are no tree: more than 32 keys"));
}
