#include "db/dump/dumper.h"

#include <catch2/catch.hpp>

#include "db/dump/restore.h"
#include "tests/support/byte_source.h"
#include "tests/support/dump_store.h"
#include "tests/support/temp_folder.h"
#include "tests/support/yjs_update.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

const std::vector<SpaceRows> kSpaces = {
    {"chat",
     1,
     json(R"({"rooms":{"tea":{"a":1,".priority":2},"cake":"x"},"users":{"ada":true}})"),
     7,
     {{"rules", "{}"}}},
    {"empty", 2, {}, 0},
    {"shop", 5, Value::integer(3), 1},
};

DumpRequest request(std::optional<std::string> space, const std::string& path, DumpFormat format) {
  return {std::move(space), at(path), format};
}

std::string dump(const std::string& folder, const DumpRequest& what) {
  auto frozen = open_frozen(folder);
  REQUIRE(frozen.ok());
  const auto dumper = Dumper::make(std::move(frozen).value(), what, Timestamp(5));
  REQUIRE(dumper.ok());
  std::string text = read_to_end(*dumper.value());
  CHECK(dumper.value()->part() == 1);
  return text;
}

}  // namespace

TEST_CASE("A dump has every namespace, or the one asked for, or a tree below a path without settings") {
  const TempFolder folder;
  make_store(folder.path(), kSpaces);
  const auto verify = [&](const DumpRequest& what) {
    const auto contents = verify_dump(source_of(dump(folder.path(), what)), folder.path());
    REQUIRE(contents.ok());
    CHECK(contents.value().is_native);
    return contents.value();
  };
  const auto all = verify({});
  CHECK(all.info.spaces == std::vector<std::string>{"chat", "empty", "shop"});
  REQUIRE(all.spaces.size() == 3);
  CHECK(all.spaces[0].first.sequence == 7);
  REQUIRE(all.spaces[0].first.settings.size() == 1);
  CHECK(*all.spaces[0].first.settings[0].text == "{}");
  CHECK(all.spaces[0].second.leaves == 3);
  CHECK(all.spaces[0].second.rows == 4);
  CHECK(all.spaces[1].second.rows == 0);

  const auto one = verify(request("chat", "", DumpFormat::Native));
  REQUIRE(one.spaces.size() == 1);
  CHECK(one.spaces[0].second.digest == all.spaces[0].second.digest);

  const auto part = verify(request("chat", "rooms", DumpFormat::Native));
  CHECK(part.spaces[0].first.path.text() == "rooms");
  CHECK(part.spaces[0].first.settings.empty());
  CHECK(part.spaces[0].second.leaves == 2);
}

TEST_CASE("A dump as JSON is the export of one namespace or of a path in it") {
  const TempFolder folder;
  make_store(folder.path(), kSpaces);
  CHECK(dump(folder.path(), request("chat", "", DumpFormat::Json)) ==
        R"({"rooms":{"cake":"x","tea":{".priority":2,"a":1}},"users":{"ada":true}})"
        "\n");
  CHECK(dump(folder.path(), request("chat", "rooms/tea", DumpFormat::Json)) == "{\".priority\":2,\"a\":1}\n");
  CHECK(dump(folder.path(), request("chat", "nothing", DumpFormat::Json)) == "null\n");
  CHECK(dump(folder.path(), request("empty", "", DumpFormat::Json)) == "null\n");
  CHECK(dump(folder.path(), request("shop", "", DumpFormat::Json)) == "3\n");
}

TEST_CASE("Large trees come in pieces of about one size") {
  const TempFolder folder;
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < 30'000; ++i)
    children.emplace_back("key " + std::to_string(i), Value::string(std::string(100, 'x')));
  const Value tree = Value::object(children);
  make_store(folder.path(), {{"chat", 1, tree}});
  for (const DumpFormat format : {DumpFormat::Native, DumpFormat::Json}) {
    const std::string text = dump(folder.path(), request("chat", "", format));
    const auto dumper = Dumper::make(open_frozen(folder.path()).value(), request("chat", "", format), Timestamp(5));
    REQUIRE(dumper.ok());
    size_t pieces = 0;
    double part = 0;
    for (;; ++pieces) {
      std::string piece;
      const auto more = dumper.value()->next(piece);
      REQUIRE(more.ok());
      if (!more.value()) break;
      CHECK(piece.size() < 2 * kDumpPieceBytes);
      CHECK(dumper.value()->part() >= part);
      part = dumper.value()->part();
    }
    CHECK(pieces >= 3);
    CHECK(dumper.value()->leaf_count() == 30'000);
    const auto contents = verify_dump(source_of(text, 1 << 16), folder.path());
    REQUIRE(contents.ok());
    CHECK(contents.value().spaces[0].second.leaves == 30'000);
    if (format == DumpFormat::Json) CHECK(text == to_json(tree, JsonStyle::Export) + "\n");
  }
}

TEST_CASE("What cannot be dumped is said") {
  const TempFolder folder;
  make_store(folder.path(), kSpaces);
  const auto refusal = [&](const DumpRequest& what) {
    const auto dumper = Dumper::make(open_frozen(folder.path()).value(), what, Timestamp(5));
    return dumper.ok() ? std::string() : dumper.error().message;
  };
  CHECK(refusal(request("nobody", "", DumpFormat::Native)) == "there is no namespace nobody");
  CHECK(refusal(request({}, "rooms", DumpFormat::Native)) == "a path is of one namespace; say which");
  CHECK(refusal(request({}, "", DumpFormat::Json)) == "JSON is of one namespace, and there are 3; say which");
}

TEST_CASE("A namespace with more settings than a dump has room for is refused, one with as many is not") {
  const TempFolder folder;
  std::map<std::string, std::string> settings;
  for (size_t i = 0; i < kDumpSettingsMax; ++i)
    settings["setting " + std::to_string(i)] = std::string(kSettingBytesMax, 'x');
  make_store(folder.path(), {{"chat", 1, {}, 1, settings}});
  CHECK(
      verify_dump(source_of(dump(folder.path(), {}), 1 << 16), folder.path()).value().spaces[0].first.settings.size() ==
      kDumpSettingsMax);
  make_store(folder.path(), {{"chat", 1, {}, 1, {{"one more", ""}}}});
  const auto dumper = Dumper::make(open_frozen(folder.path()).value(), {}, Timestamp(5));
  std::string text;
  CHECK(dumper.value()->next(text).error().code == ErrorCode::TooLarge);
}

TEST_CASE("A dump has the documents at its path and below it; JSON has none, and that is known before its first byte") {
  const TempFolder folder;
  const std::map<std::pair<std::string, uint64_t>, std::string> updates = {{{"docs/a", 3}, letter(1, 0)},
                                                                           {{"docs/a", 4}, letter(1, 1)},
                                                                           {{"docs/a/b", 5}, letter(2, 0)},
                                                                           {{"other", 6}, letter(3, 0)}};
  make_store(folder.path(),
             {{"chat", 1, json(R"({"docs":{"z":1},"p":2})"), 7, {}, updates}, {"plain", 2, Value::integer(1), 1}});
  const auto documents = [&](const std::string& path) {
    const auto contents =
        verify_dump(source_of(dump(folder.path(), request("chat", path, DumpFormat::Native))), folder.path());
    INFO((contents.ok() ? "" : contents.error().message));
    REQUIRE(contents.ok());
    const DumpedRows& rows = contents.value().spaces[0].second;
    return std::pair(rows.documents, rows.updates);
  };
  CHECK(documents("") == std::pair<uint64_t, uint64_t>(3, 4));
  CHECK(documents("docs") == std::pair<uint64_t, uint64_t>(2, 3));
  CHECK(documents("docs/a") == std::pair<uint64_t, uint64_t>(2, 3));
  CHECK(documents("docs/a/b") == std::pair<uint64_t, uint64_t>(1, 1));
  CHECK(documents("p") == std::pair<uint64_t, uint64_t>(0, 0));
  CHECK(dump(folder.path(), request("chat", "", DumpFormat::Json)) == R"({"docs":{"z":1},"p":2})"
                                                                      "\n");
  const auto leaves_out = [&](const std::string& space, const std::string& path, DumpFormat format) {
    const auto dumper = Dumper::make(open_frozen(folder.path()).value(), request(space, path, format), Timestamp(5));
    REQUIRE(dumper.ok());
    return dumper.value()->leaves_documents_out();
  };
  CHECK(leaves_out("chat", "", DumpFormat::Json));
  CHECK(leaves_out("chat", "docs/a/b", DumpFormat::Json));
  CHECK_FALSE(leaves_out("chat", "p", DumpFormat::Json));
  CHECK_FALSE(leaves_out("plain", "", DumpFormat::Json));
  CHECK_FALSE(leaves_out("chat", "", DumpFormat::Native));
}

TEST_CASE("Many documents come in pieces of about one size, however they lie among the data") {
  const TempFolder folder;
  std::vector<std::pair<std::string, Value>> children;
  std::map<std::pair<std::string, uint64_t>, std::string> updates;
  uint64_t sequence = 0;
  const int which = GENERATE(0, 1, 2);  // documents alone, beside each row, behind many rows
  for (int i = 0; i < 3'000; ++i) {
    const std::string name = std::to_string(10'000 + i);
    if (which == 1) children.emplace_back("k" + name, Value::object({{"data", Value::string(std::string(300, 'x'))}}));
    if (which == 2) children.emplace_back("a" + name, Value::string(std::string(300, 'x')));
    for (int k = 0; k < 3; ++k) {
      updates[{"k" + name + "/notes", ++sequence}] =
          insertion(1, static_cast<uint64_t>(k) * 200, std::string(200, 'y'));
    }
  }
  make_store(folder.path(), {{"chat", 1, Value::object(children), sequence, {}, updates}});
  const auto dumper =
      Dumper::make(open_frozen(folder.path()).value(), request("chat", "", DumpFormat::Native), Timestamp(5));
  REQUIRE(dumper.ok());
  std::string text;
  size_t pieces = 0;
  double part = 0;
  for (;; ++pieces) {
    std::string piece;
    const auto more = dumper.value()->next(piece);
    REQUIRE(more.ok());
    text += piece;
    if (!more.value()) break;
    CHECK(piece.size() < 2 * kDumpPieceBytes);
    CHECK(dumper.value()->part() >= part);
    part = dumper.value()->part();
  }
  CHECK(pieces >= 3);
  const auto contents = verify_dump(source_of(text, 1 << 16), folder.path());
  INFO((contents.ok() ? "" : contents.error().message));
  REQUIRE(contents.ok());
  CHECK(contents.value().spaces[0].second.documents == 3'000);
  CHECK(contents.value().spaces[0].second.updates == 9'000);
  CHECK(contents.value().spaces[0].second.leaves == children.size());
}
