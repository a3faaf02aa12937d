#include "db/model/write.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using hearth::test::RandomTree;

namespace {

Path path(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

bool same(const Effect& a, const Effect& b) {
  return a.kind == b.kind && a.path == b.path && a.value == b.value && a.slot == b.slot && a.name == b.name;
}

Record random_record(RandomTree& random) {
  Record record;
  record.sequence = random.below(3) == 0 ? UINT64_MAX - random.below(3) : random.below(1000);
  record.time = Timestamp(static_cast<int64_t>(random.below(size_t{1} << 43)));
  for (size_t count = random.below(5); count > 0; --count) {
    Effect effect;
    effect.kind = static_cast<Effect::Kind>(random.below(12));
    effect.path = random.path();
    switch (effect.kind) {
      case Effect::Kind::Set:
        effect.value = random.value();
        break;
      case Effect::Kind::SetPriority:
        effect.value = Value::boolean(true).with_priority(random.priority());
        break;
      case Effect::Kind::Unleaf:
        break;
      case Effect::Kind::Enqueue:
        effect.value =
            random.chance(0.5) ? random.value() : json(R"({"at":{".sv":"timestamp"},"n":{".sv":{"increment":0.5}}})");
        effect.name = "session";
        effect.slot = random.chance(0.5) ? Slot::Value : Slot::Priority;
        break;
      case Effect::Kind::Dequeue:
        effect.name = std::string("\0\xff", 2);
        effect.slot = Slot::Priority;
        break;
      case Effect::Kind::QueuedBy:
        effect.name = "session";
        if (random.chance(0.5)) effect.value = Value::string(R"({"auth":null})");
        break;
      case Effect::Kind::Configure:
        effect.name = "rules";
        if (random.chance(0.5)) effect.value = Value::string("// a\n{\"rules\":{}}");
        break;
      case Effect::Kind::Reindex:
        effect.value = Value::string(R"([{"at":"/rooms/$","by":"sent"}])");
        break;
      case Effect::Kind::BuildIndex:
        effect.value = Value::integer(500);
        break;
      case Effect::Kind::Append:
      case Effect::Kind::Compact:
        effect.value = Value::integer(static_cast<int64_t>(random.below(1000)));
        effect.name = std::string("\0\0\xff", 3);  // bytes
        break;
      case Effect::Kind::Forget:
        break;
    }
    record.effects.push_back(std::move(effect));
  }
  return record;
}

// One row of encode_rows: a key and its leaf.
std::string rows(const std::vector<std::pair<std::string, std::string>>& all) {
  std::string bytes(1, static_cast<char>(all.size()));
  for (const auto& [key, leaf] : all) {
    bytes += static_cast<char>(key.size());
    bytes += key;
    bytes += static_cast<char>(leaf.size());
    bytes += leaf;
  }
  return bytes;
}

std::string key(std::string_view text) { return encode_path(path(text)); }

}  // namespace

// db/model/data-model.md §11
TEST_CASE("Paths of an update are neither equal nor above one another, however they are written") {
  struct {
    std::vector<std::string> paths;
    const char* message;  // "" for allowed
  } const cases[] = {
      {{}, ""},
      {{"a"}, ""},
      {{"a/b", "a/c", "x/y/z"}, ""},
      {{"a", "ab", "a b", "a!"}, ""},
      {{"a", ".priority"}, ""},
      {{"a/b", "a/.priority"}, ""},
      {{".priority", "a/.priority"}, ""},
      {{"1/x", "10", "01", "2"}, ""},
      {{"a", "a/b"}, "Invalid data; the update contains a path /a that is ancestor of another path /a/b"},
      {{"a/b", "a"}, "Invalid data; the update contains a path /a that is ancestor of another path /a/b"},
      {{"a/b/c/d", "q", "a/b"},
       "Invalid data; the update contains a path /a/b that is ancestor of another path /a/b/c/d"},
      {{"/", "a"}, "Invalid data; the update contains a path / that is ancestor of another path /a"},
      {{"", ""}, "Invalid data; the update contains a path / that is ancestor of another path /"},
      {{"a", "//a/"}, "Invalid data; the update contains a path /a that is ancestor of another path /a"},
      {{"a", "a/.priority"},
       "Invalid data; the update contains a path /a that is ancestor of another path /a/.priority"},
      {{"a/.priority", "a"},
       "Invalid data; the update contains a path /a that is ancestor of another path /a/.priority"},
      {{"a", "a/b/.priority"},
       "Invalid data; the update contains a path /a that is ancestor of another path /a/b/.priority"},
      {{"b", "a/.priority", "/a/.priority"},
       "Invalid data; the update contains a path /a/.priority that is ancestor of another path /a/.priority"},
      {{"a", "b/.priority", "b/.priority"},
       "Invalid data; the update contains a path /b/.priority that is ancestor of another path /b/.priority"},
      {{"", ".priority"}, "Invalid data; the update contains a path / that is ancestor of another path /.priority"},
      {{"1", "1/2", "x"}, "Invalid data; the update contains a path /1 that is ancestor of another path /1/2"},
      {{"a", "c/d", "a!", "c"}, "Invalid data; the update contains a path /c that is ancestor of another path /c/d"},
  };
  for (const auto& c : cases) {
    std::vector<Overwrite> overwrites;
    std::string shown;
    for (const std::string& text : c.paths) {
      shown += "'" + text + "' ";
      overwrites.push_back(make_overwrite(text, Value::integer(1)).value());
    }
    INFO(shown);
    const auto checked = check_overlap(overwrites);
    CHECK(checked.ok() == (*c.message == '\0'));
    if (!checked.ok()) CHECK(checked.error() == Error{ErrorCode::InvalidData, c.message});
  }
}

TEST_CASE("An update of random paths is refused exactly when a pair of them meets") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<Overwrite> overwrites;
    std::string shown;
    for (size_t count = random.below(4) + 1; count > 0; --count) {
      Overwrite overwrite;
      overwrite.path = random.path();
      overwrite.slot = random.chance(0.2) ? Slot::Priority : Slot::Value;
      shown += overwrite.path.slashed() + (overwrite.slot == Slot::Priority ? ".priority " : " ");
      overwrites.push_back(overwrite);
    }
    bool meets = false;
    for (const Overwrite& a : overwrites) {
      for (const Overwrite& b : overwrites) {
        if (&a == &b) continue;
        meets = meets || (a.slot == Slot::Value && a.path.contains(b.path)) || (a.slot == b.slot && a.path == b.path);
      }
    }
    INFO(shown);
    REQUIRE(check_overlap(overwrites).ok() == !meets);
  }
}

TEST_CASE("An update names at most 100,000 locations") {
  std::vector<Overwrite> overwrites;
  for (size_t i = 0; i < kUpdatePathsMax; ++i) overwrites.push_back({path(std::to_string(i)), Slot::Value, Value()});
  CHECK(check_overlap(overwrites).ok());
  overwrites.push_back({path("x"), Slot::Value, Value()});
  CHECK(check_overlap(overwrites).error().code == ErrorCode::TooLarge);
}

TEST_CASE("A location that ends in .priority sets the priority alone, and takes only what can be one") {
  struct {
    const char* at;
    const char* value;
    bool ok;
    const char* path;
    Slot slot;
  } const cases[] = {
      {"a/b", R"({"x":1})", true, "a/b", Slot::Value},
      {"", "1", true, "", Slot::Value},
      {".priority", "1", true, "", Slot::Priority},
      {"/.priority", "1", true, "", Slot::Priority},
      {"a/.priority", R"("p")", true, "a", Slot::Priority},
      {"a/.priority/", "1.5", true, "a", Slot::Priority},
      {"a/.priority", "null", true, "a", Slot::Priority},
      {"a/.priority", R"({".sv":"timestamp"})", true, "a", Slot::Priority},
      {"a/.priority", R"({".sv":{"increment":1}})", true, "a", Slot::Priority},
      {"a/.priority", "true", false, "", Slot::Value},
      {"a/.priority", R"({"x":1})", false, "", Slot::Value},
      {"a/.priority", R"({"x":{".sv":"timestamp"}})", false, "", Slot::Value},
      {"a/.priority", R"({".value":1,".priority":2})", false, "", Slot::Value},
      {"a/.priority/b", "1", false, "", Slot::Value},
      {"a/x.priority", "1", false, "", Slot::Value},
      {"a/.value", "1", false, "", Slot::Value},
      {"a/.sv", "1", false, "", Slot::Value},
      {"a/$b", "1", false, "", Slot::Value},
  };
  for (const auto& c : cases) {
    INFO(c.at << " = " << c.value);
    const auto made = make_overwrite(c.at, json(c.value));
    REQUIRE(made.ok() == c.ok);
    if (!c.ok) continue;
    CHECK(made.value().path == path(c.path));
    CHECK(made.value().slot == c.slot);
    CHECK(made.value().value == json(c.value));
  }
}

TEST_CASE("A record's bytes are as documented, for they are on disk") {
  using namespace std::string_literals;
  Record record;
  record.sequence = 300;
  record.time = Timestamp(5);
  record.effects.push_back({Effect::Kind::Set, path("a"), Value::integer(1), Slot::Value, ""});
  record.effects.push_back({Effect::Kind::Dequeue, Path(), Value(), Slot::Priority, "S"});
  const std::string bytes = "\x01\xAC\x02\x05\x02"s + "s\x03\x02"s + "a\0\0\0\x01\0\x02i\x02"s + "d\0\x01\x01S\0"s;
  CHECK(record.encode() == bytes);
  const auto decoded = Record::decode(bytes);
  REQUIRE(decoded.ok());
  CHECK(decoded.value().sequence == 300);
  CHECK(decoded.value().time == Timestamp(5));
  CHECK(decoded.value().effects.size() == 2);
}

TEST_CASE("A record decodes to what was encoded, and any truncation of it is refused") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 300; ++round) {
    const Record record = random_record(random);
    const std::string bytes = record.encode();
    const auto decoded = Record::decode(bytes);
    REQUIRE(decoded.ok());
    REQUIRE(decoded.value().sequence == record.sequence);
    REQUIRE(decoded.value().time == record.time);
    REQUIRE(decoded.value().effects.size() == record.effects.size());
    for (size_t i = 0; i < record.effects.size(); ++i) REQUIRE(same(decoded.value().effects[i], record.effects[i]));
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      const auto partial = Record::decode(std::string_view(bytes).substr(0, cut));
      INFO("cut at " << cut << " of " << bytes.size());
      REQUIRE_FALSE(partial.ok());
      REQUIRE(partial.error().code == ErrorCode::Corruption);
    }
    REQUIRE_FALSE(Record::decode(bytes + "x").ok());
  }
}

TEST_CASE("A record with changed bytes is refused, or decodes to values that hold together") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = random_record(random).encode();
    for (size_t changes = random.below(3) + 1; changes > 0; --changes) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.chance(0.5) ? random.below(4) : random.below(256));
    }
    const auto decoded = Record::decode(bytes);
    if (!decoded.ok()) {
      REQUIRE(decoded.error().code == ErrorCode::Corruption);
      ++refused;
      continue;
    }
    for (const Effect& effect : decoded.value().effects) {
      (void)to_json(effect.value, JsonStyle::Export);
      (void)to_json(effect.value, JsonStyle::Plain);
      for (auto child = effect.value.children(); !child.done(); child.next()) REQUIRE(check_key(child.key()).ok());
    }
    const auto again = Record::decode(decoded.value().encode());
    REQUIRE(again.ok());
  }
  CHECK(refused > 5'000);
}

TEST_CASE("Rows decode to the value they were made of") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 500; ++round) {
    const Value value = random.value();
    const auto decoded = decode_rows(encode_rows(value));
    REQUIRE(decoded.ok());
    REQUIRE(decoded.value() == value);
  }
  const Value deep =
      json(R"({".priority":1,"a":{".priority":2,"b":{".value":3,".priority":"x"}},"b":{".sv":"timestamp"}})");
  CHECK(decode_rows(encode_rows(deep)).value() == deep);
}

TEST_CASE("Rows that no value has are refused") {
  using namespace std::string_literals;
  const std::string mark(1, '\0');
  CHECK(decode_rows(rows({{key("a"), "t"}, {key("b"), "t"}})).ok());
  CHECK(decode_rows(rows({{key("a"), "t"}, {key("a") + mark, "sp"}})).ok());
  CHECK(decode_rows(rows({{mark, "sp"}, {key("a") + mark, "sp"}, {key("a/b"), "t"}})).ok());
  struct {
    const char* what;
    std::string bytes;
  } const cases[] = {
      {"nothing at all", ""},
      {"bytes behind", rows({{key("a"), "t"}}) + "x"},
      {"fewer rows than counted", "\x02" + rows({{key("a"), "t"}}).substr(1)},
      {"a count without rows", "\xFF\xFF\xFF\xFF\x7F"},
      {"an endless varint", std::string(12, '\xFF')},
      {"a key longer than what is left", "\x01\x7F" + key("a")},
      {"out of order", rows({{key("b"), "t"}, {key("a"), "t"}})},
      {"twice the same", rows({{key("a"), "t"}, {key("a"), "t"}})},
      {"a row below a leaf", rows({{key("a"), "t"}, {key("a/b"), "t"}})},
      {"a row below the root's leaf", rows({{"", "t"}, {key("b"), "t"}})},
      {"a child's priority below a leaf", rows({{key("a"), "t"}, {key("a/b") + mark, "sp"}})},
      {"a priority of nothing", rows({{key("a") + mark, "sp"}})},
      {"a priority of nothing, then more", rows({{key("a") + mark, "sp"}, {key("b"), "t"}})},
      {"a priority of nothing at the root", rows({{mark, "sp"}})},
      {"a boolean priority", rows({{key("a"), "t"}, {key("a") + mark, "t"}})},
      {"an integer priority", rows({{key("a"), "t"}, {key("a") + mark, "i\x02"}})},
      {"no key", rows({{"zz", "t"}})},
      {"a key cut short", rows({{"\x02z", "t"}})},
      {"no leaf", rows({{key("a"), ""}})},
      {"a damaged leaf", rows({{key("a"), "x"}})},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    const auto decoded = decode_rows(c.bytes);
    REQUIRE_FALSE(decoded.ok());
    CHECK(decoded.error().code == ErrorCode::Corruption);
  }
}

TEST_CASE("A record of another version or with an unknown effect or slot is refused") {
  using namespace std::string_literals;
  for (const std::string& bytes : {""s, "\x02\x01\x05\0"s, "\0\x01\x05\0"s, "\x01\x01\x05\x01z\0\0\0\0"s,
                                   "\x01\x01\x05\x01s\0\x02\0\0"s, "\x01\x01\x05\x01s\x01x\0\0\0"s}) {
    const auto decoded = Record::decode(bytes);
    REQUIRE_FALSE(decoded.ok());
    CHECK(decoded.error().code == ErrorCode::Corruption);
  }
  CHECK(Record::decode("\x01\x01\x05\0"s).ok());
}

TEST_CASE("A value is refused whose paths are too long, also where their integer keys are short in the store") {
  // A path of one key of 500 bytes and so many of ten digits, the last of which is in the value.
  const auto path_of = [](int integers) {
    std::string path = "/" + std::string(500, 'a');
    for (int i = 1; i < integers; ++i) path += "/1000000000";
    return path;
  };
  const Value value = Value::object({{"1000000000", Value::boolean(true)}});
  CHECK(make_write(path_of(24), value).ok());  // 501 + 24 * 11 = 765 bytes
  const auto refused = make_write(path_of(25), value);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::InvalidPath);
}
