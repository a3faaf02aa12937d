#include "db/dump/dump_file.h"

#include <catch2/catch.hpp>
#include <random>

#include "db/base/bytes.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "tests/support/byte_source.h"
#include "tests/support/random_tree.h"
#include "tests/support/yjs_update.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

struct ReadSpace {
  DumpedSpace head;
  Value value;
  DumpedRows rows;
  std::vector<std::pair<std::string, std::string>> updates{};  // of documents, by key
};

// What is read of a dump, in memory.
struct Collector final : DumpVisitor {
  DumpInfo info;
  std::vector<ReadSpace> spaces;
  std::optional<ValueBuilder> builder;
  Result<void> begin(const DumpInfo& read) override {
    info = read;
    return {};
  }
  Result<void> space(const DumpedSpace& space) override {
    spaces.push_back({space, {}, {}, {}});
    builder.emplace();
    return {};
  }
  Result<void> row(std::string_view key, std::string_view leaf) override {
    builder->add(key, leaf);
    return {};
  }
  Result<void> document(std::string_view key, std::string_view update) override {
    spaces.back().updates.emplace_back(key, update);
    return {};
  }
  Result<void> end(const DumpedRows& rows) override {
    spaces.back().value = std::move(*builder).build();
    spaces.back().rows = rows;
    return {};
  }
};

std::string dump_of(const std::vector<std::pair<DumpedSpace, Value>>& spaces) {
  DumpWriter writer;
  std::string bytes;
  DumpInfo info{Timestamp(1700000000123), "0.1.0", "a store"};
  for (const auto& [space, value] : spaces) info.spaces.push_back(space.name);
  writer.begin(info, bytes);
  for (const auto& [space, value] : spaces) {
    writer.space(space, bytes);
    for (size_t i = 0; i < value.row_count(); ++i) writer.row(value.row(i).key, value.row(i).leaf, bytes);
    writer.end(bytes);
  }
  writer.last(bytes);
  return bytes;
}

Error refusal(const std::string& bytes) {
  Collector collector;
  const auto read = read_dump(source_of(bytes), collector);
  return read.ok() ? Error{ErrorCode::NotFound, ""} : read.error();
}

Value json(const std::string& text) { return parse_value(std::string(text), {}).value(); }

}  // namespace

TEST_CASE("A dump reads back as it was written: trees, heads and settings") {
  const DumpedSpace chat{"chat", {}, 17, Timestamp(1700000000000), true, {{"rules", "{}"}, {"indexes", "[]"}}};
  const DumpedSpace empty{"empty", {}, 0, {}, false, {}};
  const DumpedSpace part{"part", Path::parse("rooms/tea").value(), 3, Timestamp(5), false, {}};
  const Value tree = json(R"({"a":{".priority":2,"b":1},"ü":"é","big":")" + std::string(3u << 20, 'x') + R"("})");
  const std::string bytes = dump_of({{chat, tree}, {empty, {}}, {part, Value::integer(7)}});

  Collector read;
  REQUIRE(read_dump(source_of(bytes, 1000), read).ok());
  CHECK(read.info.made == Timestamp(1700000000123));
  CHECK(read.info.hearth == "0.1.0");
  CHECK(read.info.store == "a store");
  CHECK(read.info.spaces == std::vector<std::string>{"chat", "empty", "part"});
  REQUIRE(read.spaces.size() == 3);
  CHECK(read.spaces[0].value == tree);
  CHECK(read.spaces[0].head.name == "chat");
  CHECK(read.spaces[0].head.sequence == 17);
  CHECK(read.spaces[0].head.time == Timestamp(1700000000000));
  CHECK(read.spaces[0].head.has_priorities);
  REQUIRE(read.spaces[0].head.settings.size() == 2);
  CHECK(read.spaces[0].head.settings[0].name == "rules");
  CHECK(read.spaces[0].head.settings[0].text == "{}");
  CHECK(read.spaces[0].rows.rows == 4);
  CHECK(read.spaces[0].rows.leaves == 3);
  CHECK(read.spaces[1].value.is_null());
  CHECK(read.spaces[1].rows.rows == 0);
  CHECK(read.spaces[2].head.path.text() == "rooms/tea");
  CHECK(read.spaces[2].value == Value::integer(7));
}

TEST_CASE("Equal trees have equal digests, whatever stands around them, and others have others") {
  const auto digest = [](const std::string& name, const Value& value) {
    Collector read;
    REQUIRE(read_dump(source_of(dump_of({{{name, {}, 9, {}, false, {}}, value}})), read).ok());
    return read.spaces[0].rows.digest;
  };
  const Value tree = json(R"({"a":1,"b":{".value":2,".priority":"p"}})");
  CHECK(digest("one", tree) == digest("two", tree));
  CHECK(digest("one", tree) !=
        digest("one", tree.without_priority().with(Path::parse("a").value(), Value::integer(2))));
  CHECK(digest("one", tree) != digest("one", tree.with(Path::parse("b").value(), Value::integer(2))));
}

TEST_CASE("Every flipped bit and every cut of a small dump is found") {
  const std::string bytes = dump_of({{{"chat", {}, 17, Timestamp(5), true, {{"rules", "{}"}}}, json(R"({"a":1})")}});
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      INFO("bit " << bit << " of byte " << at);
      CHECK(refusal(flipped).message != "");
    }
  }
  for (size_t end = 0; end < bytes.size(); ++end) {
    INFO("cut after " << end << " bytes");
    CHECK(refusal(bytes.substr(0, end)).message != "");
  }
  CHECK(refusal(bytes + "x").code == ErrorCode::Corruption);
  CHECK(refusal(bytes).message == "");
}

TEST_CASE("Flips and cuts at 200 random places of a larger dump are found") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < 20'000; ++i) children.emplace_back("k" + std::to_string(i), random.leaf());
  const std::string bytes = dump_of(
      {{{"one", {}, 1, {}, false, {}}, Value::object(children)}, {{"two", {}, 1, {}, true, {}}, random.value(4)}});
  for (int i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    const size_t at = random.below(bytes.size());
    if (i % 2 == 0) {
      damaged[at] = static_cast<char>(damaged[at] ^ (1 + random.below(255)));
    } else {
      damaged.resize(at);
    }
    INFO((i % 2 == 0 ? "byte " : "cut at ") << at << " of " << bytes.size());
    CHECK(refusal(damaged).message != "");
  }
}

TEST_CASE("What is no dump, a newer one, or one whose parts are right and in the wrong order is refused by name") {
  const std::string bytes = dump_of({});
  CHECK(refusal("").code == ErrorCode::InvalidData);
  CHECK(refusal("SQLite format 3").code == ErrorCode::InvalidData);
  std::string newer = bytes;
  newer[kDumpMagic.size() + 3] = 4;
  CHECK(refusal(newer).code == ErrorCode::Unsupported);
  CHECK(refusal(newer).message ==
        "the dump has format 4, this Hearth reads formats 1 to 3; use the version that made it, or a newer one");

  std::string head(kDumpMagic);
  append_number(2, head);  // whose parts are written by hand here
  const auto of_blocks = [&](const std::vector<std::string>& blocks) {
    BlockWriter writer;
    std::string made = head;
    for (const std::string& block : blocks) writer.write(block, made);
    return refusal(made).message;
  };
  const std::string file = "F" + std::string("\0\0\0\0", 4);
  const std::string file_of_one = "F" + std::string("\0\0\0\1\0", 5);
  const std::string space = "S" + std::string("\0\0\0\0\0\0", 6);
  const std::string last = "L";
  CHECK(of_blocks({file, last}) == "");
  CHECK(of_blocks({last}) == "the dump is damaged: its parts are out of order");
  CHECK(of_blocks({file, file, last}) == "the dump is damaged: its parts are out of order");
  CHECK(of_blocks({file, "R", last}) == "the dump is damaged: its parts are out of order");
  CHECK(of_blocks({file_of_one, space, last}) == "the dump is damaged: its parts are out of order");
  CHECK(of_blocks({file, last, last}) == "the dump is damaged: there is more behind its end");
  CHECK(of_blocks({file}) == "the dump is damaged: it ends too early; it was not written or copied to its end");
  CHECK(of_blocks({file, "X", last}) == "the dump is damaged: it has a part of an unknown kind");
  CHECK(of_blocks({file_of_one, last}) == "the dump is damaged: it has other namespaces than it says");
  CHECK(of_blocks({file, space}) == "the dump is damaged: it has other namespaces than it says");
}

TEST_CASE("Rows are checked even when every checksum is right") {
  DumpWriter writer;
  std::string bytes;
  writer.begin({{}, "", "", {"chat"}}, bytes);
  writer.space({"chat", {}, 1, {}, false, {}}, bytes);
  writer.row("\x07", "t", bytes);
  writer.end(bytes);
  writer.last(bytes);
  CHECK(refusal(bytes).message == "the rows are no tree: a key that is no path at /");
}

TEST_CASE("Numbers of any size read back, and cut ones do not") {
  for (const uint64_t number : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 32, UINT64_MAX}) {
    std::string bytes;
    append_varint(number, bytes);
    ByteReader whole(bytes);
    CHECK(whole.varint() == number);
    CHECK((whole.ok() && whole.done()));
    ByteReader cut(std::string_view(bytes).substr(1));
    (void)cut.varint();
    if (number < 128) CHECK_FALSE(cut.ok());
  }
  ByteReader endless("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
  (void)endless.varint();
  CHECK_FALSE(endless.ok());
}

namespace {

std::string document(const std::string& path, uint64_t sequence) {
  return document_row(encode_path(Path::parse(path).value()), sequence);
}

// A dump of one namespace of sequence 9 with these rows and updates, in the order of their keys.
std::string dump_of_rows(const std::map<std::string, std::string>& rows,
                         const std::map<std::string, std::string>& updates) {
  DumpWriter writer;
  std::string bytes;
  writer.begin({{}, "0.1.0", "a store", {"chat"}}, bytes);
  writer.space({"chat", {}, 9, {}, false, {}}, bytes);
  auto update = updates.begin();
  for (const auto& [key, leaf] : rows) {
    for (; update != updates.end() && update->first < key; ++update)
      writer.document(update->first, update->second, bytes);
    writer.row(key, leaf, bytes);
  }
  for (; update != updates.end(); ++update) writer.document(update->first, update->second, bytes);
  writer.end(bytes);
  writer.last(bytes);
  return bytes;
}

}  // namespace

TEST_CASE("Documents read back among the rows, however large an update is, and the digest is of them too") {
  const std::string leaf = encode_leaf(Value::integer(1));
  const std::map<std::string, std::string> rows = {{encode_path(Path::parse("a").value()), leaf},
                                                   {encode_path(Path::parse("m").value()), leaf},
                                                   {encode_path(Path::parse("z").value()), leaf}};
  std::map<std::string, std::string> updates = {{document("b", 1), insertion(1, 0, "small")},
                                                {document("n", 9), letter(1, 0)}};
  const auto digest_and_check = [&] {
    Collector read;
    const std::string bytes = dump_of_rows(rows, updates);
    const auto done = read_dump(source_of(bytes, 100'000), read);
    INFO((done.ok() ? "" : done.error().message));
    REQUIRE(done.ok());
    REQUIRE(read.spaces.size() == 1);
    CHECK(std::map<std::string, std::string>(read.spaces[0].updates.begin(), read.spaces[0].updates.end()) == updates);
    CHECK(read.spaces[0].rows.rows == 3);
    CHECK(read.spaces[0].rows.updates == updates.size());
    return read.spaces[0].rows;
  };
  const DumpedRows small = digest_and_check();
  CHECK(small.documents == 2);
  updates[document("n", 9)] = letter(1, 0, 'y');
  CHECK(digest_and_check().digest != small.digest);
  // Around the size of a piece, and more than a block can have.
  for (const size_t size : {kUpdatePieceBytes - 20, kUpdatePieceBytes, 2 * kUpdatePieceBytes, kBlockBytesMax + 5}) {
    INFO(size);
    updates[document("n", 3)] = insertion(2, 0, std::string(size, 'x'));
    CHECK(digest_and_check().documents == 2);
  }
}

TEST_CASE("Every flipped bit and every cut of a dump with documents is found") {
  const std::string bytes = dump_of_rows({}, {{document("b", 1), letter(1, 0)}});
  CHECK(refusal(bytes).message == "");
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      INFO("bit " << bit << " of byte " << at);
      CHECK(refusal(flipped).message != "");
    }
    INFO("cut after " << at << " bytes");
    CHECK(refusal(bytes.substr(0, at)).message != "");
  }
}

TEST_CASE("What no Hearth would have written of documents is refused, though every checksum is right") {
  const std::string leaf = encode_leaf(Value::integer(1));
  CHECK(refusal(dump_of_rows({{encode_path(Path::parse("a").value()), leaf}}, {{document("a/b", 1), letter(1, 0)}}))
            .message == "the rows are no tree: a document at or below a value at /a/b");
  CHECK(refusal(dump_of_rows({}, {{document("a", 10), letter(1, 0)}})).message ==
        "the dump is damaged: an update of a document is later than its namespace");
  CHECK(refusal(dump_of_rows({}, {{document("a", 1), "x"}}))
            .message.starts_with("the rows are no tree: a damaged update of a document"));

  const auto of_parts = [&](uint32_t version, const std::vector<std::string>& parts) {
    std::string bytes(kDumpMagic);
    append_number(version, bytes);
    BlockWriter writer;
    writer.write("F" + std::string("\0\0\0\1\0", 5), bytes);
    writer.write("S" + std::string("\0\0\x9\0\0\0", 6), bytes);
    for (const std::string& part : parts) writer.write(part, bytes);
    return refusal(bytes).message;
  };
  const auto part_of = [](const std::string& key, uint64_t left, std::string_view piece) {
    std::string part = "D";
    append_bytes(key, part);
    append_varint(left, part);
    append_bytes(piece, part);
    return part;
  };
  const std::string update = letter(1, 0);
  const std::string_view front = std::string_view(update).substr(0, 4), back = std::string_view(update).substr(4);
  const std::string a = document("a", 1), b = document("b", 1);
  const std::string does_not = "the dump is damaged: an update of a document does not go on";
  const std::string early = "the dump is damaged: it ends too early; it was not written or copied to its end";
  CHECK(of_parts(2, {part_of(a, back.size(), front), part_of(a, 0, back)}) == early);
  CHECK(of_parts(2, {part_of(a, back.size(), front), part_of(b, 0, back)}) == does_not);
  CHECK(of_parts(2, {part_of(a, back.size() + 1, front), part_of(a, 0, back)}) == does_not);
  CHECK(of_parts(2, {part_of(a, back.size(), front), part_of(a, back.size(), "")}) == does_not);
  CHECK(of_parts(2, {part_of(a, back.size(), front), "R"}) == "the dump is damaged: its parts are out of order");
  CHECK(of_parts(2, {part_of(a, uint64_t{1} << 40, front)}) ==
        "the dump is damaged: an update of a document is too long");
  CHECK(of_parts(1, {part_of(a, 0, update)}) == "the dump is damaged: it has a part of an unknown kind");
}

TEST_CASE("A dump of version 1 reads, with the digest that it has today") {
  const Value tree = json(R"({"a":1,"b":{".value":2,".priority":"p"}})");
  Collector now;
  REQUIRE(read_dump(source_of(dump_of({{{"chat", {}, 9, {}, true, {}}, tree}})), now).ok());
  // As a Hearth that knew of no documents wrote it.
  std::string rows = "R";
  for (size_t i = 0; i < tree.row_count(); ++i) {
    append_bytes(tree.row(i).key, rows);
    append_bytes(tree.row(i).leaf, rows);
  }
  std::string end = "E";
  append_varint(now.spaces[0].rows.rows, end);
  append_varint(now.spaces[0].rows.leaves, end);
  append_varint(now.spaces[0].rows.bytes, end);
  end += now.spaces[0].rows.digest;
  std::string bytes(kDumpMagic);
  append_number(1, bytes);
  BlockWriter writer;
  writer.write("F" + std::string("\0\5"
                                 "0.1.0\0\1\4chat",
                                 14),
               bytes);
  writer.write("S" + std::string("\4chat\0\x9\0\1\0", 10), bytes);
  for (const std::string& part : {rows, end, std::string("L")}) writer.write(part, bytes);
  Collector read;
  const auto done = read_dump(source_of(bytes), read);
  INFO((done.ok() ? "" : done.error().message));
  REQUIRE(done.ok());
  CHECK(read.spaces[0].value == tree);
  CHECK(read.spaces[0].rows.documents == 0);
}
