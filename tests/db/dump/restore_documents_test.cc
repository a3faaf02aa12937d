// Yjs documents through dumps and restores: what comes back, what is replaced, and what is refused.
#include <catch2/catch.hpp>

#include "db/dump/folder.h"
#include "db/dump/lane.h"
#include "tests/support/byte_source.h"
#include "tests/support/dump_store.h"
#include "tests/support/temp_folder.h"
#include "tests/support/yjs_update.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Updates = std::map<std::pair<std::string, uint64_t>, std::string>;

std::string dump(const std::string& folder, const DumpRequest& what = {}) {
  const auto dumper = dump_folder(folder, what, Timestamp(5));
  REQUIRE(dumper.ok());
  return read_to_end(*dumper.value());
}

// What is wrong with it; "": nothing.
std::string restore(const std::string& folder, const std::string& text, const RestoreRequest& request = {}) {
  const auto done = restore_folder(folder, source_of(text), request, {}, Timestamp(50'000));
  return done.ok() ? "" : done.error().message;
}

struct Found {
  Value tree;
  Updates updates;
  Head head;
};
Found find(const std::string& folder, const std::string& name) {
  const auto store = open_store(folder);
  const uint32_t number = store->names_at_open().at(name);
  return {tree_of(*store, number), updates_of(*store, number),
          SnapshotSettings(store->snapshot(), number).head().value()};
}

const Updates kUpdates = {{{"docs/a", 3}, letter(1, 0)},
                          {{"docs/a", 4}, letter(1, 1)},
                          {{"docs/a/b", 5}, letter(2, 0)},
                          {{"other", 9}, letter(3, 0)}};
const Value kTree = json(R"({"docs":{"z":1},"p":2})");

RestoreRequest over(const std::string& space, std::optional<std::string> into = {}) {
  return {space, into ? std::optional(at(*into)) : std::nullopt, Existing::Replace};
}

}  // namespace

TEST_CASE("Documents: all come back in a new folder as they were, and dump to an equal digest") {
  const TempFolder from, to;
  make_store(from.path(), {{"chat", 3, kTree, 12, {}, kUpdates}, {"plain", 5, Value::integer(1), 1}});
  const std::string text = dump(from.path());
  REQUIRE(restore(to.path(), text) == "");
  const Found found = find(to.path(), "chat");
  CHECK(found.tree == kTree);
  CHECK(found.updates == kUpdates);
  CHECK(found.head.has_documents);
  CHECK(found.head.sequence == 12);
  CHECK(find(to.path(), "plain").updates.empty());
  CHECK_FALSE(find(to.path(), "plain").head.has_documents);
  const auto first = verify_dump(source_of(text), to.path()).value();
  const auto second = verify_dump(source_of(dump(to.path())), to.path()).value();
  CHECK(first.spaces[0].second.digest == second.spaces[0].second.digest);
  CHECK(second.spaces[0].second.documents == 3);
}

TEST_CASE("Documents: what comes after a restore has a higher number, whatever the namespace's own sequence was") {
  const TempFolder from, to;
  make_store(from.path(), {{"chat", 1, kTree, 1'000, {}, {{{"docs/a", 800}, letter(1, 0)}}}});
  make_store(to.path(), {{"shop", 1, json(R"({"x":1})"), 7}});
  REQUIRE(restore(to.path(), dump(from.path(), {"chat", at("docs"), DumpFormat::Native}),
                  {"shop", at("copy"), Existing::Refuse}) == "");
  const Found found = find(to.path(), "shop");
  CHECK(found.updates == Updates{{{"copy/a", 800}, letter(1, 0)}});
  CHECK(found.tree == json(R"({"x":1,"copy":{"z":1}})"));
  CHECK(found.head.sequence == 800);
  CHECK(found.head.has_documents);
}

TEST_CASE("Documents: a restore replaces those at its place and below, and no others") {
  const TempFolder from, to;
  make_store(from.path(), {{"chat", 1, kTree, 12, {}, kUpdates}});
  const Updates old = {{{"docs/a", 20}, letter(8, 0)},
                       {{"docs/old", 21}, letter(8, 0)},
                       {{"docs2", 22}, letter(8, 0)},
                       {{"z", 23}, letter(8, 0)}};
  const auto fill = [&] { make_store(to.path(), {{"chat", 1, json(R"({"q":1})"), 30, {}, old}}); };
  fill();
  SECTION("of a path by documents") {
    REQUIRE(restore(to.path(), dump(from.path(), {"chat", at("docs"), DumpFormat::Native}), over("chat")) == "");
    Updates expected = {{{"docs/a", 3}, letter(1, 0)}, {{"docs/a", 4}, letter(1, 1)}, {{"docs/a/b", 5}, letter(2, 0)}};
    expected.insert({{"docs2", 22}, letter(8, 0)});
    expected.insert({{"z", 23}, letter(8, 0)});
    CHECK(find(to.path(), "chat").updates == expected);
    CHECK(find(to.path(), "chat").tree == json(R"({"q":1,"docs":{"z":1}})"));
    CHECK(find(to.path(), "chat").head.sequence == 31);
  }
  SECTION("of a path by data") {
    REQUIRE(restore(to.path(), R"({"x":1})", over("chat", "docs")) == "");
    CHECK(find(to.path(), "chat").updates == Updates{{{"docs2", 22}, letter(8, 0)}, {{"z", 23}, letter(8, 0)}});
  }
  SECTION("of one document by data, and by nothing") {
    const std::string text = GENERATE("1", "null");
    REQUIRE(restore(to.path(), text, over("chat", "docs/a")) == "");
    CHECK(find(to.path(), "chat").updates.size() == 3);
    CHECK_FALSE(find(to.path(), "chat").updates.contains({"docs/a", 20}));
  }
  SECTION("of all") {
    REQUIRE(restore(to.path(), dump(from.path()), over("chat")) == "");
    CHECK(find(to.path(), "chat").updates == kUpdates);
    CHECK(find(to.path(), "chat").tree == kTree);
  }
  SECTION("of one document by one, which may get another path") {
    const std::string text = dump(from.path(), {"chat", at("other"), DumpFormat::Native});
    REQUIRE(restore(to.path(), text, over("chat", "docs/a")) == "");
    CHECK(find(to.path(), "chat").updates.at({"docs/a", 9}) == letter(3, 0));
    CHECK(find(to.path(), "chat").updates.size() == 4);
    CHECK(restore(to.path(), text, over("chat", ""))
              .starts_with("the file has one document, which has no place at the root"));
  }
}

TEST_CASE("Documents: without --replace none is touched; above and below one nothing is restored") {
  const TempFolder from, to;
  make_store(from.path(), {{"chat", 1, kTree, 12, {}, kUpdates}});
  const std::string docs = dump(from.path(), {"chat", at("docs"), DumpFormat::Native});
  make_store(to.path(), {{"chat", 1, json(R"({"leaf":1})"), 30, {}, {{{"docs/x", 20}, letter(8, 0)}}}});
  const Updates before = find(to.path(), "chat").updates;
  CHECK(restore(to.path(), docs).starts_with("there is a Yjs document at /docs of the namespace chat; replace it"));
  CHECK(restore(to.path(), "1", {"chat", at("docs/x"), Existing::Refuse})
            .starts_with("there is a Yjs document at /docs/x of the namespace chat; replace it"));
  for (const Existing existing : {Existing::Refuse, Existing::Replace}) {
    CHECK(restore(to.path(), "1", {"chat", at("docs/x/y"), existing}) ==
          "there is a Yjs document at /docs/x of the namespace chat; nothing is restored below one");
    CHECK(restore(to.path(), docs, {"chat", at("leaf/below"), existing}) ==
          "there is a value at /leaf of the namespace chat; no Yjs document is restored below one");
  }
  CHECK(find(to.path(), "chat").updates == before);
  CHECK(find(to.path(), "chat").tree == json(R"({"leaf":1})"));
  CHECK(find(to.path(), "chat").head.sequence == 30);
}

TEST_CASE("Documents: what comes while a restore is staged is judged in its moment, and replaced by it") {
  const TempFolder folder;
  make_store(folder.path(), {{"chat", 1, json(R"({"p":1})"), 7}});
  const auto store = open_store(folder.path());
  const auto number_of = [](const std::string&) -> Result<uint32_t> { return 1; };
  const auto append = [&] { put_space(*store, {"chat", 1, json(R"({"p":1})"), 8, {}, {{{"a/b", 8}, letter(1, 0)}}}); };
  const auto stage = [&](const std::string& into, Existing existing) {
    auto staged = Restore::stage(source_of("5"), {"chat", at(into), existing}, *store, folder.path(), number_of);
    REQUIRE(staged.ok());
    return std::move(staged).value();
  };
  SECTION("it goes") {
    const auto restore = stage("a", Existing::Replace);
    append();
    REQUIRE(restore->swap_in(Timestamp(9)).ok());
    CHECK(updates_of(*store, 1).empty());
    CHECK(tree_of(*store, 1) == json(R"({"p":1,"a":5})"));
  }
  SECTION("it is not to be touched, or stands above") {
    const bool is_above = GENERATE(true, false);
    const auto restore = stage(is_above ? "a/b/c" : "a", is_above ? Existing::Replace : Existing::Refuse);
    append();
    const auto done = restore->swap_in(Timestamp(9));
    REQUIRE_FALSE(done.ok());
    CHECK(done.error().code == ErrorCode::InvalidArgument);
    CHECK(updates_of(*store, 1).size() == 1);
  }
}

TEST_CASE("Documents: those of many namespaces become few files, whatever the order of their numbers") {
  constexpr uint32_t kSpaces = 1'000;
  const TempFolder from;
  const auto name_of = [](uint32_t i) { return "s" + std::to_string(100'000 + i); };
  const auto updates_for = [](uint32_t i) {
    Updates updates;
    if (i % 3 == 0) updates[{"d/" + std::to_string(i), 1}] = letter(1, 0, static_cast<char>('a' + i % 26));
    // More than is held of one.
    if (i % 300 == 7) updates[{"large", 1}] = insertion(1, 0, std::string(kSharedSpaceBytesMax + 10, 'x'));
    return updates;
  };
  {
    const auto store = open_store(from.path());
    Batch all;
    for (uint32_t i = 0; i < kSpaces; ++i) add_space({name_of(i), i + 1, Value(), 1, {}, updates_for(i)}, all);
    REQUIRE(store->commit(all, TreeStore::Durability::Synced).ok());
  }
  const std::string text = dump(from.path());
  const auto shuffled = [](uint32_t i) { return (i * 77u) % 1'003u + 1; };
  const uint32_t beside = shuffled(kSpaces);  // in between, and none of theirs
  for (const bool is_new : {true, false}) {
    INFO((is_new ? "a new store" : "one that has them"));
    const TempFolder to;
    const auto store = open_store(to.path());
    const Updates old = {{{"old", 1}, letter(9, 0)}};
    if (!is_new) {
      Batch all;
      for (uint32_t i = 0; i < kSpaces; ++i) add_space({name_of(i), shuffled(i), Value(), 1, {}, old}, all);
      add_space({"beside", beside, Value(), 1, {}, old}, all);
      REQUIRE(store->commit(all, TreeStore::Durability::Synced).ok());
    }
    std::map<std::string, uint32_t> numbers;
    for (uint32_t i = 0; i < kSpaces; ++i) numbers[name_of(i)] = is_new ? i + 1 : shuffled(i);
    const auto number_of = [&](const std::string& name) -> Result<uint32_t> { return numbers.at(name); };
    auto staged = Restore::stage(source_of(text, 1 << 16), {{}, {}, Existing::Replace}, *store, to.path(), number_of);
    REQUIRE(staged.ok());
    REQUIRE(staged.value()->swap_in(Timestamp(9)).ok());
    CHECK(staged.value()->file_count() < 40);
    for (uint32_t i = 0; i < kSpaces; ++i) {
      INFO(i);
      REQUIRE(updates_of(*store, numbers[name_of(i)]) == updates_for(i));
    }
    if (!is_new) CHECK(updates_of(*store, beside) == old);
  }
}
