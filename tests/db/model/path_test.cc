#include "db/model/path.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

namespace {

Path path(std::string_view text) { return Path::parse(text).value(); }

std::string repeated(std::string_view piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

const std::string kInvalidToken = "Invalid path: Invalid token in path";
const std::string kTooLong = "Invalid path: Path specified exceeds the maximum length that can be written (768 bytes).";
const std::string kTooDeep = "Invalid path: Path specified exceeds the maximum depth that can be written (32).";

}  // namespace

TEST_CASE("Path: slashes separate, empty pieces vanish, nothing is decoded", "[db][model]") {
  struct Case {
    std::string given, text;
    size_t depth;
  };
  const std::vector<Case> cases = {
      {"", "", 0},
      {"/", "", 0},
      {"///", "", 0},
      {"users", "users", 1},
      {"/users/ada/", "users/ada", 2},
      {"a//b", "a/b", 2},
      {"a%2Fb", "a%2Fb", 1},
      {"a b/c&d/ø/😀", "a b/c&d/ø/😀", 4},
      {"-Nabc/007/\"q\"/\\", "-Nabc/007/\"q\"/\\", 4},
  };
  for (const Case& at : cases) {
    INFO(at.given);
    const auto got = Path::parse(at.given);
    REQUIRE(got.ok());
    CHECK(got.value().text() == at.text);
    CHECK(got.value().depth() == at.depth);
    CHECK(got.value().keys().size() == at.depth);
    CHECK(got.value().is_root() == (at.depth == 0));
    CHECK(got.value().slashed() == "/" + at.text);
  }
}

TEST_CASE("Path: a key that cannot be is refused with the service's words", "[db][model]") {  // net/rest/http-api.md §9
  const std::vector<std::string> bad = {
      "a.b",
      "$a",
      "a#",
      "a[0]",
      "]",
      ".info",
      "a\tb",
      std::string("a\0b", 3),
      "a\x7f",
      "a\x1f",
      "\xff",
      "\xc3",  // not UTF-8; cut short
      "\xc0\x80",
      "\xe0\x80\x80",  // overlong
      "\xed\xa0\x80",
      "\xf0\x80\x80\x80",  // a surrogate; overlong
      "\xf4\x90\x80\x80",
      "\xf5\x80\x80\x80",  // beyond U+10FFFF
  };
  for (const std::string& key : bad) {
    INFO(key);
    CHECK_FALSE(check_key(key).ok());
    const auto got = Path::parse("ok/" + key);
    REQUIRE_FALSE(got.ok());
    CHECK(got.error() == Error{ErrorCode::InvalidPath, kInvalidToken});
    CHECK(Path().child(key).error() == Error{ErrorCode::InvalidPath, kInvalidToken});
  }
  CHECK(check_key("").error().message == kInvalidToken);
  CHECK(check_key("a/b").error().message == kInvalidToken);
  CHECK(Path().child("a/b").error().message == kInvalidToken);
  for (const std::string key : {"\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80", "\xc2\x80", " ", "~"}) {
    INFO(key);
    CHECK(check_key(key).ok());
  }
}

TEST_CASE("Path: a key and a path end at 768 bytes, a path at 32 keys", "[db][model]") {  // db/model/data-model.md §2.1
  CHECK(Path::parse(std::string(768, 'k')).ok());
  CHECK(Path::parse(std::string(769, 'k')).error().message == kTooLong);
  CHECK(Path::parse(repeated("é", 384)).ok());
  CHECK(Path::parse(repeated("é", 385)).error().message == kTooLong);
  CHECK(Path::parse(std::string(384, 'a') + "/" + std::string(383, 'b')).ok());
  CHECK(Path::parse(std::string(384, 'a') + "/" + std::string(384, 'b')).error().message == kTooLong);
  CHECK(Path::parse(repeated("/a", 32)).value().depth() == 32);
  CHECK(Path::parse(repeated("/a", 33)).error().message == kTooDeep);
  CHECK(path(repeated("/a", 32)).child("b").error().message == kTooDeep);
  CHECK(path(repeated("/a", 20)).join(path(repeated("/a", 12))).value().depth() == 32);
  CHECK(path(repeated("/a", 20)).join(path(repeated("/a", 13))).error().message == kTooDeep);
  CHECK(path(std::string(700, 'a')).join(path(std::string(68, 'b'))).error().message == kTooLong);
  CHECK(path(std::string(700, 'a')).join(path(std::string(67, 'b'))).ok());
}

TEST_CASE("Path: parents, prefixes and last keys", "[db][model]") {
  const Path deep = path("a/bc/def");
  CHECK(deep.keys() == std::vector<std::string_view>{"a", "bc", "def"});
  CHECK(deep.last() == "def");
  CHECK(deep.parent() == path("a/bc"));
  CHECK(path("a").parent() == Path());
  CHECK(Path().parent() == Path());
  CHECK(Path().last().empty());
  CHECK(path("a").last() == "a");
  for (size_t depth = 0; depth <= 3; ++depth) {
    const Path prefix = deep.prefix(depth);
    CHECK(prefix.depth() == depth);
    CHECK(prefix.contains(deep));
    CHECK(prefix.join(deep.relative_to(prefix)).value() == deep);
  }
  CHECK(deep.prefix(9) == deep);
  CHECK(Path().join(deep).value() == deep);
  CHECK(deep.join(Path()).value() == deep);
}

TEST_CASE("Path: contains itself and what is below, not what only begins alike", "[db][model]") {
  struct Case {
    std::string above, below;
    bool contains;
  };
  for (const Case& at :
       {Case{"", "a", true}, Case{"", "", true}, Case{"a", "a", true}, Case{"a", "a/b", true}, Case{"a", "ab", false},
        Case{"a/b", "a", false}, Case{"a", "", false}, Case{"a", "b/a", false}, Case{"a/b", "a/bc/d", false}}) {
    INFO(at.above << " contains " << at.below);
    CHECK(path(at.above).contains(path(at.below)) == at.contains);
  }
}

TEST_CASE("Path: equal paths hash alike, however they were made", "[db][model]") {
  const Path made = Path().child("a").value().child("b").value();
  CHECK(made == path("//a/b/"));
  CHECK(std::hash<Path>()(made) == std::hash<Path>()(path("a/b")));
  CHECK(path("a") < path("a/b"));
}

TEST_CASE("SharedPath: copies are one path, and none is the root", "[db][model]") {
  const SharedPath none;
  CHECK(none->is_root());
  CHECK(SharedPath(Path())->text().empty());
  const SharedPath shared = path("rooms/a room with a long name");
  const SharedPath copy = shared;
  CHECK(*copy == path("rooms/a room with a long name"));
  CHECK(&*copy == &*shared);
  const Path& plain = copy;  // where a path is asked for
  CHECK(plain.depth() == 2);
}
