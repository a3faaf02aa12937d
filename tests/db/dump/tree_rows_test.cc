#include "db/dump/tree_rows.h"

#include <catch2/catch.hpp>
#include <vector>

#include "db/base/text.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "tests/support/random_tree.h"
#include "tests/support/yjs_update.h"

using namespace hearth::db;
using namespace hearth::test;
using namespace std::string_literals;

namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string key(const std::string& path) { return encode_path(Path::parse(path).value()); }
std::string priority(const std::string& path) { return key(path) + '\0'; }

std::string verdict(const Rows& rows, TreeCheck check = TreeCheck()) {
  for (const auto& [at, leaf] : rows) {
    const auto added = check.add(at, leaf);
    if (!added.ok()) return added.error().message;
  }
  const auto done = check.finish();
  return done.ok() ? "" : done.error().message;
}

}  // namespace

TEST_CASE("The rows of any value are a tree, and leaves and priorities are counted apart") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 3000; ++i) {
    const Value value = random.value(4);
    TreeCheck check;
    for (size_t row = 0; row < value.row_count(); ++row) {
      const auto added = check.add(value.row(row).key, value.row(row).leaf);
      INFO(to_json(value, JsonStyle::Export) << ": " << (added.ok() ? "" : added.error().message));
      REQUIRE(added.ok());
    }
    INFO(to_json(value, JsonStyle::Export));
    REQUIRE(check.finish().ok());
    REQUIRE(check.row_count() == value.row_count());
    REQUIRE(check.leaf_count() == value.leaf_count());
    REQUIRE(check.has_priorities() == value.has_priorities());
  }
}

TEST_CASE("Rows that no write could have made are refused, and where they are is said") {
  const std::string deep = [] {
    std::string path = "k";
    for (size_t i = 1; i <= kDepthMax; ++i) path += "/k";
    return path;
  }();
  std::string deep_key;
  for (size_t i = 0; i <= kDepthMax; ++i) append_segment("k", deep_key);
  const struct {
    Rows rows;
    std::string says;
  } cases[] = {
      {{{key("b"), "t"}, {key("a"), "t"}}, "keys that do not ascend at /b"},
      {{{key("a"), "t"}, {key("a"), "t"}}, "keys that do not ascend at /a"},
      {{{"\x05", "t"}}, "a key that is no path at /"},
      {{{key("a") + "\x02"
                    "cut",
         "t"}},
       "a key that is no path at /a"},
      {{{"\x02"
         "7\0"s,
         "t"}},
       "a key of another form at /7"},  // an integer, as text
      {{{"\x02"
         "a.b\0"s,
         "t"}},
       "at /a.b"},
      {{{deep_key, "t"}}, "more than 32 keys in a path at /" + deep},
      {{{key("a"), ""}}, "a damaged or unsettled leaf at /a"},
      {{{key("a"), "i"}}, "a damaged or unsettled leaf at /a"},
      {{{key("a"), "T"}}, "a damaged or unsettled leaf at /a"},
      {{{key("a"), "s\xff"}}, "a damaged or unsettled leaf at /a"},
      {{{key("a"), "t"}, {key("a/b"), "t"}}, "something below a leaf at /a/b"},
      {{{"", "t"}, {key("b"), "t"}}, "something below a leaf at /b"},
      {{{key("a"), "t"}, {priority("a"), "t"}}, "a priority of another type at /a"},
      {{{priority("a"), "sx"}, {key("b"), "t"}}, "a priority of nothing before what is at /b"},
      {{{priority("a"), "sx"}}, "a priority of nothing at /a"},
      {{{priority("a"), "sx"}, {priority("a/b"), "sx"}, {key("a/c"), "t"}},
       "a priority of nothing before what is at /a/c"},
  };
  for (const auto& one : cases) {
    INFO(one.says);
    CHECK(verdict(one.rows).ends_with(one.says));
  }
  CHECK(verdict({{priority("a"), "sx"}, {priority("a/b"), "sx"}, {key("a/b/c"), "t"}}) == "");
  CHECK(verdict({{key("a"), "t"}, {priority("a"), "sx"}}) == "");
}

TEST_CASE("The limits of paths count from where the tree will stand") {
  const std::string name(kPathBytesMax - 4, 'n');
  CHECK(verdict({{key(name), "t"}}, TreeCheck(1, 3)) == "");
  CHECK(
      verdict({{key(name), "t"}}, TreeCheck(1, 4)).starts_with("the rows are no tree: a path of more than 768 bytes"));
  CHECK(verdict({{key("a"), "t"}}, TreeCheck(31, 61)) == "");
  CHECK(verdict({{key("a"), "t"}}, TreeCheck(32, 63)).starts_with("the rows are no tree: more than 32 keys in a path"));
}

TEST_CASE("A leaf may have the longest string, and not one byte more") {
  CHECK(verdict({{key("a"), "s" + std::string(kStringBytesMax, 'x')}}) == "");
  CHECK(verdict({{key("a"), "s" + std::string(kStringBytesMax + 1, 'x')}}) ==
        "the rows are no tree: a damaged or unsettled leaf at /a");
}

TEST_CASE("SHA-256 of pieces is that of the whole") {
  Sha256 digest;
  digest.add("a");
  digest.add("bc");
  CHECK(to_hex(std::move(digest).finish()) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-2
}

TEST_CASE("Documents stand where the tree has nothing, and their updates are updates") {
  const std::string leaf = encode_leaf(Value::integer(1));
  const auto document = [](const std::string& path, uint64_t sequence) { return document_row(key(path), sequence); };
  struct Row {
    char kind;  // 'd': of a document
    std::string at, value;
  };
  const struct {
    std::vector<Row> rows;
    std::string told;
  } cases[] = {
      {{{'r', key("a"), leaf}, {'d', document("b", 7), letter(1, 0)}, {'d', document("b", 8), letter(1, 1)}}, ""},
      {{{'d', document("a", 1), letter(1, 0)}, {'d', document("a/b", 1), letter(1, 0)}, {'r', key("b"), leaf}}, ""},
      {{{'r', priority("a"), encode_leaf(Value::string("p"))},
        {'d', document("a/b", 1), letter(1, 0)},
        {'r', key("a/c"), leaf}},
       ""},
      {{{'d', document("b", 256), letter(1, 0)}, {'d', document("b", 512), letter(1, 1)}}, ""},
      {{{'r', key("a"), leaf}, {'d', document("a", 1), letter(1, 0)}},
       "the rows are no tree: a document at or below a value at /a"},
      {{{'r', key("a"), leaf}, {'d', document("a/b", 1), letter(1, 0)}},
       "the rows are no tree: a document at or below a value at /a/b"},
      {{{'d', document("a", 1), letter(1, 0)}, {'d', document("a/b", 1), letter(1, 0)}, {'r', key("a/c"), leaf}}, ""},
      {{{'d', document("a", 1), letter(1, 0)}, {'r', key("a/b"), leaf}, {'d', document("a/b", 1), letter(1, 0)}},
       "the rows are no tree: a document at or below a value at /a/b"},
      {{{'d', document("a", 1), "nonsense"}}, "the rows are no tree: a damaged update of a document ("},
      {{{'d', document("a", 0), letter(1, 0)}}, "the rows are no tree: an update of a document without a number at /a"},
      {{{'d', document("a", 2), letter(1, 0)}, {'d', document("a", 1), letter(1, 1)}},
       "the rows are no tree: keys that do not ascend at /a"},
      {{{'d', key("a"), letter(1, 0)}}, "the rows are no tree: an update of a document with a key that is none"},
      {{{'d', "\x07" + document("", 1), letter(1, 0)}}, "the rows are no tree: a key that is no path at /"},
  };
  for (const auto& one : cases) {
    INFO(one.told);
    TreeCheck check;
    std::string told;
    for (const Row& row : one.rows) {
      const auto added = row.kind == 'd' ? check.add_document(row.at, row.value) : check.add(row.at, row.value);
      if (told.empty() && !added.ok()) told = added.error().message;
    }
    if (one.told.empty()) {
      CHECK(told.empty());
      CHECK(check.finish().ok());
    } else {
      CHECK(told.starts_with(one.told));
    }
  }
  TreeCheck counted;
  REQUIRE(counted.add_document(document("a", 3), letter(1, 0)).ok());
  REQUIRE(counted.add_document(document("a", 9), letter(1, 1)).ok());
  REQUIRE(counted.add_document(document("b", 4), letter(1, 0)).ok());
  CHECK(counted.document_count() == 2);
  CHECK(counted.update_count() == 3);
  CHECK(counted.last_sequence() == 9);
}
