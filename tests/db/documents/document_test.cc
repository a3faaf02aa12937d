#include "db/documents/document.h"

#include <random>

#include "tests/db/documents/vectors.h"

using namespace hearth::db;
using namespace hearth::db::documents;
using namespace hearth::test;

namespace {

constexpr size_t kMax = 1 << 20;

void feed(Document& document, const std::string& bytes) {
  const auto done = document.apply(update_of(bytes));
  if (!done.ok()) FAIL(done.error().message);
}

std::string read(const Document& document, std::string_view root, RootKind kind = RootKind::Guess) {
  return document.to_json(root, kind, kMax).value();
}

// A struct of `client` at `clock`: bytes of an update that has it alone.
std::string one(uint64_t client, uint64_t clock, const std::string& piece) {
  std::string bytes = from_hex("01 01");
  append_var_uint(client, bytes);
  append_var_uint(clock, bytes);
  return bytes + piece + std::string(1, '\0');
}

}  // namespace

TEST_CASE("Document: the vectors' edits, read as each kind", "[db][documents]") {
  Document document;
  CHECK(document.to_json(RootKinds{}, kMax).value() == "{}");
  feed(document, yjs_vector("merge/A1..A11"));
  CHECK(document.roots() == std::vector<std::string>{"content", "list", "metadata"});
  CHECK(
      document
          .to_json(RootKinds{{"content", RootKind::Delta}, {"absent", RootKind::Text}, {"none", RootKind::Map}}, kMax)
          .value() ==
      R"({"absent":"","content":[{"insert":"i","attributes":{"bold":true}},{"insert":{"image":"u"}},{"insert":"!"}],)"
      R"("list":[1,true,null,"x",{"k":1.5},{"0":1,"1":2,"2":3}],"metadata":{"nested":{"k":5},"title":"U"},"none":{}})");
  CHECK(read(document, "content") == R"("i!")");
  CHECK(read(document, "content", RootKind::Text) == R"("i!")");
  CHECK(read(document, "metadata", RootKind::Array) == "[]");
  CHECK(read(document, "list", RootKind::Map) == "{}");
  CHECK(read(document, "other", RootKind::Delta) == "[]");
  CHECK(read(document, "other", RootKind::Xml) == R"("")");
  CHECK(document.state_vector().encode() == yjs_vector("sv/A"));
}

TEST_CASE("Document: updates in any order are the same document, and wait for what they need", "[db][documents]") {
  std::vector<std::string> all;
  for (const auto& [name, bytes] : yjs_vectors()) {
    if (name.starts_with("update/")) all.push_back(bytes);
  }
  std::mt19937 random(3);  // NOLINT: the same each time
  for (int round = 0; round < 200; ++round) {
    std::shuffle(all.begin(), all.end(), random);
    Document document;
    for (const std::string& bytes : all) {
      feed(document, bytes);
      feed(document, bytes);
    }
    CHECK_FALSE(document.has_pending());
    CHECK(document.to_json(RootKinds{}, kMax).value() ==
          R"({"content":"e😀i!","list":[1,true,null,"x",{"k":1.5},{"0":1,"1":2,"2":3}],)"
          R"("metadata":{"nested":{"k":5},"title":"U"}})");
  }
  Document document;
  feed(document, yjs_vector("update/A2-text-append"));
  CHECK(document.has_pending());
  CHECK(document.to_json(RootKinds{}, kMax).value() == "{}");
  feed(document, yjs_vector("update/A1-text-insert-hi"));
  CHECK_FALSE(document.has_pending());
  CHECK(read(document, "content") == R"("hi!")");
}

TEST_CASE("Document: it says which places have changed, within roots that are maps", "[db][documents]") {
  Document document;
  const RootKinds kinds = {{"content", RootKind::Text}, {"metadata", RootKind::Map}};
  const auto changed = [&] {
    std::vector<std::string> places;
    for (const DocumentPlace& place : document.take_changed(kinds)) {
      std::string text = place.root;
      for (const std::string& key : place.keys) text += "/" + key;
      places.push_back(text + "=" + document.to_json(place, kMax).value());
    }
    return places;
  };
  feed(document, yjs_vector("update/A1-text-insert-hi"));
  CHECK(document.take_changed(kinds) == std::vector<DocumentPlace>{{"content"}});
  feed(document, yjs_vector("update/A1-text-insert-hi"));
  CHECK(document.take_changed(kinds).empty());
  feed(document, yjs_vector("update/A3-delete-h"));
  CHECK(document.take_changed(kinds) == std::vector<DocumentPlace>{{"content"}});
  feed(document, yjs_vector("merge/A1..A11"));
  const auto places = changed();
  REQUIRE(places.size() == 4);  // "list", of which nothing is said, as a whole
  CHECK(places[0].starts_with("content="));
  CHECK(places[1].starts_with("list="));
  CHECK(places[2] == R"(metadata/nested={"k":5})");
  CHECK(places[3] == R"(metadata/title="U")");
}

TEST_CASE("Document: those who insert at one place come in order of clients, whoever is heard first",
          "[db][documents]") {
  const std::vector<std::string> all = {
      one(1, 0, from_hex("04 01 01 74 02 3132")), one(2, 0, from_hex("04 01 01 74 01 61")),
      one(3, 0, from_hex("04 01 01 74 01 78")), one(3, 1, from_hex("84 03 00 01 79"))};
  for (const std::vector<size_t>& order : {std::vector<size_t>{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}}) {
    Document document;
    for (const size_t i : order) feed(document, all[i]);
    CHECK(read(document, "t") == R"("12axy")");
  }
}

TEST_CASE("Document: what is typed letter by letter takes the room of one item", "[db][documents]") {
  Document document;
  feed(document, one(7, 0, from_hex("04 01 01 74 01 61")));
  const size_t before = document.bytes();
  for (uint64_t clock = 1; clock < 10'000; ++clock) {
    std::string piece = from_hex("84 07");
    append_var_uint(clock - 1, piece);
    feed(document, one(7, clock, piece + from_hex("01 61")));
  }
  CHECK(document.bytes() < before + 50'000);
  CHECK(read(document, "t") == "\"" + std::string(10'000, 'a') + "\"");
}

TEST_CASE("Document: what is deleted gives its room back, and what comes into it later is not seen",
          "[db][documents]") {
  Document document;
  feed(document, one(7, 0, from_hex("27 01 01 6d 01 6b 00")));  // m.k is an array
  feed(document, one(7, 1, from_hex("08 00 07 00 01 77 a08d06") + std::string(100'000, 'x')));
  CHECK(document.bytes() > 100'000);
  CHECK(read(document, "m").size() > 100'000);
  feed(document, from_hex("00 01 07 01 00 01"));
  CHECK(document.bytes() < 10'000);
  CHECK(read(document, "m") == "{}");
  feed(document, one(8, 0, from_hex("08 00 07 00 01 7d 01")));
  feed(document, one(8, 1, from_hex("88 07 01 01 7d 01")));
  CHECK(read(document, "m") == "{}");
  CHECK_FALSE(document.has_pending());
}

TEST_CASE("Document: what is deleted before it comes is deleted when it comes", "[db][documents]") {
  Document document;
  feed(document, from_hex("00 01 07 01 01 02"));
  feed(document, one(7, 0, from_hex("04 01 01 74 02 6162")));
  CHECK(read(document, "t") == R"("a")");
  feed(document, one(7, 2, from_hex("84 07 01 02 6364")));
  CHECK(read(document, "t") == R"("ad")");
}

TEST_CASE("Document: a root that nobody declared is guessed", "[db][documents]") {
  struct Case {
    const char* piece;
    const char* json;
  };
  for (const Case& at : {
           Case{"04 01 01 74 01 61", R"("a")"},
           Case{"05 01 01 74 02 7b7d", R"("")"},  // an embed: a text
           Case{"28 01 01 74 01 6b 01 78", R"({"k":true})"},
           Case{"08 01 01 74 02 78 7f", "[true,null]"},
           Case{"02 01 01 74 02 01 31 09 756e646566696e6564", "[1,null]"},
           Case{"07 01 01 74 03 02 4449", R"("<di></di>")"},
           Case{"07 01 01 74 01", "[{}]"},
           Case{"09 01 01 74 02 6964 7600", R"([{"guid":"id"}])"},
           Case{"01 01 01 74 01", "[]"},
       }) {
    INFO(at.piece);
    Document document;
    feed(document, one(1, 0, from_hex(at.piece)));
    CHECK(read(document, "t") == at.json);
  }
}

TEST_CASE("Document: limits of output, of depth and of work are errors, not crashes", "[db][documents]") {
  Document document;
  feed(document, one(1, 0, from_hex("04 01 01 74 05 6162636465")));
  CHECK(document.to_json("t", RootKind::Text, 7).ok());
  CHECK_FALSE(document.to_json("t", RootKind::Text, 6).ok());
  CHECK_FALSE(document.to_json(RootKinds{}, 6).ok());

  // Arrays in arrays.
  for (const size_t depth : {kReadDepthMax, kReadDepthMax + 2, size_t{100'000}}) {
    Document deep;
    std::string bytes = from_hex("01");
    append_var_uint(depth, bytes);
    bytes += from_hex("01 00 07 01 01 74 00");
    for (size_t i = 1; i < depth; ++i) {
      bytes += from_hex("07 00 01");
      append_var_uint(i - 1, bytes);
      bytes += '\0';
    }
    feed(deep, bytes + '\0');
    CHECK(deep.to_json("t", RootKind::Array, kMax).ok() == (depth == kReadDepthMax));
    feed(deep, from_hex("00 01 01 01 00 01"));
    CHECK(read(deep, "t") == "[]");
  }

  // Each of a thousand clients inserts at the same place.
  Document wide(DocumentLimits{.steps_max = 10'000});
  std::vector<Update> updates;
  std::vector<std::string> all;
  for (uint64_t client = 1; client <= 1000; ++client) all.push_back(one(client, 0, from_hex("04 01 01 74 01 61")));
  for (const std::string& bytes : all) updates.push_back(update_of(bytes));
  Document single(DocumentLimits{.steps_max = 10'000});
  for (const Update& update : updates) CHECK(single.apply(update).ok());
  const std::string merged = merge(updates).value();
  const auto done = wide.apply(update_of(merged));
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().code == ErrorCode::TooLarge);
  CHECK_FALSE(wide.apply(updates.front()).ok());  // from there on

  Document waiting(DocumentLimits{.pending_bytes_max = 100});
  const std::string pending = one(1, 1, from_hex("04 01 01 74 7f") + std::string(127, 'a'));
  CHECK_FALSE(waiting.apply(update_of(pending)).ok());
}

TEST_CASE("Document: deleting every other letter of a long text takes a walk, not its square", "[db][documents]") {
  constexpr size_t kLetters = 200'000;
  for (const std::string letter : {"a", "é"}) {
    std::string text;
    for (size_t i = 0; i < kLetters; ++i) text += letter;
    std::string piece = from_hex("04 01 01 74");
    append_var_buf(text, piece);
    Document document;
    feed(document, one(1, 0, piece));
    std::string deletes = from_hex("00 01 01");
    append_var_uint(kLetters / 2, deletes);
    for (size_t i = 0; i < kLetters; i += 2) {
      append_var_uint(i, deletes);
      deletes += '\1';
    }
    feed(document, deletes);
    CHECK(read(document, "t").size() == kLetters / 2 * letter.size() + 2);
  }
}
