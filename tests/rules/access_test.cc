#include "rules/access.h"

#include <catch2/catch.hpp>

#include "db/commit/evaluate.h"
#include "db/model/hash.h"
#include "db/model/json.h"
#include "tests/support/value_view.h"

namespace db = hearth::db;
using namespace hearth::rules;
using hearth::test::ValueView;

namespace {

db::Value json(std::string text) { return db::parse_value(std::move(text), db::Path()).value(); }
db::Path at(std::string_view text) { return db::Path::parse(text).value(); }

const db::NoSettings kNone;

struct World {
  explicit World(const std::string& rules) {
    Rulebook::Options options;
    options.fallback = Ruleset::compile(rules).value();
    options.on_denied = [this](std::string_view space, const Explanation& why) {
      told += std::string(space) + ": " + why.reason + "\n";
    };
    book = std::make_shared<Rulebook>(std::move(options));
  }
  SharedAsker asker(const Auth& auth) { return std::make_shared<const Asker>(book, "space", auth); }
  std::shared_ptr<Rulebook> book;
  std::string told;
};

Auth user(const char* uid) { return {Auth::Kind::User, std::string("{\"uid\":\"") + uid + "\"}", {}}; }

}  // namespace

TEST_CASE("Access: reads and writes are judged as the asker's, and who runs the server is told why", "[rules]") {
  World world(R"({"rules":{"$uid":{".read":"auth.uid == $uid",".write":"auth.uid == $uid"}}})");
  const ValueView tree(json(R"({"ada":1})"));
  const db::Moment moment{tree, db::Timestamp(5), kNone};
  CHECK(ReadAccess(world.book, world.asker(user("ada")), at("ada")).check(moment).ok());
  CHECK(world.told.empty());
  CHECK(ReadAccess(world.book, world.asker(user("bob")), at("ada")).check(moment).error() ==
        db::Error{db::ErrorCode::PermissionDenied, "Permission denied"});
  CHECK(world.told == "space: no .read rule from the root to /ada grants it\n");
  db::Write write;
  write.overwrites.push_back({at("ada"), db::Slot::Value, json("2")});
  write.access = std::make_shared<WriteAccess>(world.asker(user("ada")));
  CHECK(db::judge(write, {tree, kNone, false}, db::Timestamp(5)).ok());
  write.access = std::make_shared<WriteAccess>(world.asker({}));
  CHECK(db::judge(write, {tree, kNone, false}, db::Timestamp(5)).error().code == db::ErrorCode::PermissionDenied);
}

TEST_CASE("Access: who is past their time is signed out", "[rules]") {
  World world(R"({"rules":{".read":"auth != null"}})");
  Auth auth = user("ada");
  auth.expires = std::chrono::seconds(10);
  const ReadAccess access(world.book, world.asker(auth), at(""));
  const ValueView tree(json("1"));
  CHECK(access.check({tree, db::Timestamp(9'999), kNone}).ok());
  CHECK_FALSE(access.check({tree, db::Timestamp(10'000), kNone}).ok());
}

TEST_CASE("Access: what a right for a time is worth afterwards, and from when on it is asked again", "[rules]") {
  World world(R"({"rules":{".read":true}})");
  Auth auth = user("ada");
  CHECK_FALSE(ReadAccess(world.book, world.asker(auth), at("")).lapses());
  auth.expires = std::chrono::seconds(10);
  const ValueView tree(json("1"));
  const ReadAccess signs_out(world.book, world.asker(auth), at(""));
  const ReadAccess refuses(world.book, world.asker(auth), at(""), {}, Unindexed::Refused, Expired::Refused);
  CHECK(signs_out.lapses() == db::Timestamp(10'000));
  CHECK(refuses.check({tree, db::Timestamp(9'999), kNone}).ok());
  CHECK(signs_out.check({tree, db::Timestamp(10'000), kNone}).ok());  // as anyone may
  CHECK(refuses.check({tree, db::Timestamp(10'000), kNone}).error().code == db::ErrorCode::ExpiredToken);
}

TEST_CASE("Access: an admin for a time may everything until then, and what anyone may afterwards", "[rules]") {
  World world(R"({"rules":{"all":{".read":true},"some":{".read":"auth != null"}}})");
  Auth admin = Auth::admin("root");
  admin.expires = std::chrono::seconds(10);
  const ValueView tree(json(R"({"all":1,"some":1})"));
  for (const auto& [path, after] : {std::pair{"all", true}, {"some", false}, {"none", false}}) {
    INFO(path);
    const ReadAccess access(world.book, world.asker(admin), at(path));
    CHECK(access.check({tree, db::Timestamp(9'999), kNone}).ok());
    CHECK(access.check({tree, db::Timestamp(10'000), kNone}).ok() == after);
    CHECK(access.lapses() == db::Timestamp(10'000));
    db::Write write;
    write.overwrites.push_back({at(path), db::Slot::Value, json("2")});
    write.access = std::make_shared<WriteAccess>(world.asker(admin));
    CHECK(db::judge(write, {tree, kNone, false}, db::Timestamp(9'999)).ok());
    CHECK_FALSE(db::judge(write, {tree, kNone, false}, db::Timestamp(10'000)).ok());
  }
}

TEST_CASE("Access: whether a credential is past its time the clock says, whatever time writes are given") {
  World world(R"({"rules":{".write":"auth != null && newData.val() == now"}})");
  Auth auth = user("ada");
  auth.expires = std::chrono::seconds(10);
  const ValueView tree(json("1"));
  const auto write_at = [&](db::Times now) {
    db::Write write;
    write.overwrites.push_back({at(""), db::Slot::Value, json(R"({".sv":"timestamp"})")});
    write.access = std::make_shared<WriteAccess>(world.asker(auth));
    return db::judge(write, {tree, kNone, false}, now).ok();
  };
  CHECK(write_at({db::Timestamp(15'000), db::Timestamp(9'999)}));  // stands still
  CHECK_FALSE(write_at({db::Timestamp(15'000), db::Timestamp(10'000)}));
  CHECK_FALSE(write_at({db::Timestamp(9'999), db::Timestamp(10'000)}));
}

TEST_CASE("Access: a compare-and-set tells only readers that it failed", "[rules]") {
  World world(R"({"rules":{"open":{".read":true},".write":true}})");
  const ValueView tree(json(R"({"open":1,"shut":1})"));
  const db::Moment moment{tree, {}, kNone};
  for (const auto& [path, code] :
       {std::pair{"open", db::ErrorCode::Stale}, std::pair{"shut", db::ErrorCode::PermissionDenied}}) {
    const auto wrong = std::make_shared<db::HashIs>(at(path), "");
    CHECK(ReadersOnly(wrong, world.asker({}), at(path)).check(moment).error().code == code);
    INFO("a guess by who may not read is denied, right or wrong");
    const auto right = std::make_shared<db::HashIs>(at(path), db::node_hash(json("1")));
    CHECK(ReadersOnly(right, world.asker({}), at(path)).check(moment).ok() == (code == db::ErrorCode::Stale));
    const auto guess = std::make_shared<db::HashIs>(at(path), db::node_hash(json("2")));
    CHECK(ReadersOnly(guess, world.asker({}), at(path)).check(moment).error().code == code);
  }
  INFO("that nothing stands there may be asked by everybody");
  const auto nothing = std::make_shared<db::HashIs>(at("none"), "");
  CHECK(ReadersOnly(nothing, world.asker({}), at("none")).check(moment).ok());
}

TEST_CASE("Access: without rules, open or closed to all", "[rules]") {
  const ValueView tree(json("1"));
  for (const bool is_open : {true, false}) {
    Rulebook::Options options;
    options.is_open = is_open;
    const auto book = std::make_shared<Rulebook>(std::move(options));
    const auto asker = std::make_shared<const Asker>(book, "space", Auth{});
    CHECK(ReadAccess(book, asker, at("a")).check({tree, {}, kNone}).ok() == is_open);
  }
}

// net/rest/http-api.md §6
TEST_CASE("Access: a query whose order has no index is refused to readers, admins too, or noted", "[rules]") {
  World world(
      R"({"rules":{"list":{".read":"query.limitToFirst <= 2",".indexOn":["n","a/b"]},"values":{".indexOn":".value"}}})");
  const ValueView tree(json("1"));
  const db::Moment moment{tree, {}, kNone};
  db::Query query;
  query.order = db::Order::Child;
  query.child = at("n");
  query.limit = db::Limit::First;
  query.count = 2;
  const auto check = [&](SharedAsker asker, const char* path, Unindexed unindexed = Unindexed::Refused) {
    const ReadAccess access(world.book, std::move(asker), at(path), query, unindexed, Expired::SignedOut, "shop");
    const auto verdict = access.check(moment);
    return verdict.ok() ? (access.no_index() ? "noted" : "ok") : verdict.error().message;
  };
  CHECK(check(world.asker({}), "list") == "ok");
  query.count = 3;
  CHECK(check(world.asker({}), "list") == "Permission denied");
  CHECK(check(nullptr, "list") == "ok");
  query.child = at("a/c");
  query.count = 1;
  const std::string missing = "Index not defined, add \".indexOn\": \"a/c\", for path \"/list\", to the rules";
  CHECK(check(world.asker({}), "list") == missing);
  CHECK(check(nullptr, "list") == missing);
  CHECK(check(world.asker({}), "values") == "Permission denied");  // before the index
  CHECK(check(world.asker({}), "list", Unindexed::Noted) == "noted");
  query.order = db::Order::Value;
  query.child = db::Path();
  CHECK(check(nullptr, "values") == "ok");
  CHECK(check(nullptr, "list") == "Index not defined, add \".indexOn\": \".value\", for path \"/list\", to the rules");
  query.order = db::Order::Key;
  CHECK(check(nullptr, "elsewhere") == "ok");
  query = db::Query::by_child("n");
  query.then = {at("a/b")};
  CHECK(check(nullptr, "list") ==
        "Index not defined, add it to /.settings/indexes.json: [{\"at\":\"/list\",\"by\":[\"n\",\"a/b\"]}]");
  // What no index has is remembered, of those alone who may read there.
  const auto wanted = world.book->unindexed().of("shop");
  REQUIRE(wanted.size() == 3);
  CHECK(wanted[0].by == std::vector<std::string>{"n", "a/b"});
  CHECK(wanted[1].by == std::vector<std::string>{".value"});
  CHECK(wanted[2].by == std::vector<std::string>{"a/c"});
  CHECK(wanted[2].times == 3);
}

TEST_CASE("Access: queries as rules see them", "[rules]") {  // rules/language.md §9
  db::Query query;
  query.order = db::Order::Child;
  query.child = at("a/b");
  query.start = db::Bound{json("1"), {}, true};
  query.end = query.start;
  query.limit = db::Limit::Last;
  query.count = 7;
  const QueryFacts equal = facts_of(query);
  CHECK(equal.by_child == "a/b");
  CHECK(equal.equal_to == json("1"));
  CHECK_FALSE(equal.start_at);
  CHECK_FALSE(equal.end_at);
  CHECK(equal.limit_to_last == 7);
  // By several children, it is to rules a query by the first of them, of which it is a part.
  db::Query several = query;
  several.then = {at("c")};
  several.start = db::Bound{json("1"), {}, false, {json("2")}};
  several.end = db::Bound{json("3"), std::string(db::kMinKey), false};
  const QueryFacts of_several = facts_of(several);
  CHECK(of_several.by_child == "a/b");
  CHECK(of_several.start_at == json("1"));
  CHECK_FALSE(of_several.end_at);
  query.start->is_inclusive = false;
  const QueryFacts after = facts_of(query);
  CHECK_FALSE(after.start_at);
  CHECK(after.end_at == json("1"));
  const QueryFacts plain = facts_of({});
  CHECK_FALSE((plain.by_key || plain.by_priority || plain.by_value));
  CHECK(facts_of(db::Query()).by_priority);
}
