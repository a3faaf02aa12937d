#include "rules/row_access.h"

#include <catch2/catch.hpp>
#include <future>

#include "db/host.h"
#include "db/model/json.h"
#include "rules/guard.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
using db::ErrorCode;
using namespace hearth::rules;

namespace {

constexpr const char* kRules = R"json({"rules": {
  "notes": {"$note": {".read": "data.child('owner').val() === auth.uid",
                      ".write": "auth != null && (!data.exists() || data.child('owner').val() === auth.uid)",
                      ".validate": "newData.child('text').isString()"}},
  "open": {".read": true, ".write": "auth != null"}
}})json";

Auth user(const std::string& uid) { return {Auth::Kind::User, R"({"uid":")" + uid + R"("})", {}}; }

struct House {
  House() {
    db::Database::Options options;
    options.folder = folder.path();
    options.sync = db::SyncMode::Os;
    database = db::Host::open(std::move(options)).value();
    REQUIRE(database->create("demo").ok());
    guard.emplace(*database, Guard::Options());
    std::promise<db::Answer> set;
    guard->set_rules("demo", Auth::admin(), kRules, Install::Yes,
                     [&](db::Answer got) { set.set_value(std::move(got)); });
    REQUIRE(set.get_future().get().status.ok());
    put("notes", R"({"a":{"owner":"ann","text":"1"},"b":{"owner":"bob","text":"2"},"c":{"owner":"ann","text":"3"}})");
    put("open", R"({"x":{"n":1},"y":{"n":2}})");
  }
  void put(const std::string& path, const std::string& json) {
    std::promise<db::Answer> written;
    guard->write("demo", Auth::admin(),
                 db::make_write(path, db::parse_value(std::string(json), db::Path()).value()).value(),
                 [&](db::Answer got) { written.set_value(std::move(got)); });
    REQUIRE(written.get_future().get().status.ok());
  }
  // "a c of 2", or what is wrong.
  std::string read(const std::string& table, const Auth& auth, db::RowQuery query = {}) {
    std::promise<db::Answer> answer;
    db::Read read;
    read.path = db::Path::parse(table).value();
    guard->read_rows("demo", auth, std::move(read), std::move(query),
                     [&](db::Answer got) { answer.set_value(std::move(got)); });
    const db::Answer got = answer.get_future().get();
    if (!got.status.ok()) return got.status.error().message;
    const db::FoundRows found = db::found_rows_of(got.value);
    std::string keys;
    for (const db::FoundRow& row : found.rows) keys += (keys.empty() ? "" : " ") + row.key;
    return found.total ? keys + " of " + std::to_string(*found.total) : keys;
  }
  // "ok", or the code's name and the message.
  std::string write(const std::string& table, const Auth& auth,
                    const std::vector<std::pair<std::string, std::string>>& set,
                    const std::vector<std::pair<std::string, std::string>>& expected,
                    std::vector<std::string> shown = {}) {
    const auto value = [](std::string json) { return db::parse_value(std::move(json), db::Path()).value(); };
    db::Write write;
    write.merge = true;
    write.base = db::Path::parse(table).value();
    for (const auto& [path, json] : set) {
      write.overwrites.push_back({db::Path::parse(table + "/" + path).value(), db::Slot::Value, value(json)});
    }
    ExpectedRows rows{write.base, {}, std::move(shown)};
    for (const auto& [key, json] : expected) rows.rows.push_back({key, value(json)});
    std::promise<db::Answer> answer;
    guard->write_rows("demo", auth, std::move(write), std::move(rows),
                      [&](db::Answer got) { answer.set_value(std::move(got)); });
    const db::Answer got = answer.get_future().get();
    if (got.status.ok()) return "ok";
    const db::Error& error = got.status.error();
    return (error.code == ErrorCode::Stale              ? "stale: "
            : error.code == ErrorCode::PermissionDenied ? "denied: "
                                                        : "other: ") +
           error.message;
  }

  const hearth::test::TempFolder folder;
  std::unique_ptr<db::Host> database;
  std::optional<Guard> guard;
};

}  // namespace

TEST_CASE("rows: who reads finds the rows that they may read, and no trace of others", "[rules]") {
  House house;
  db::RowQuery counted;
  counted.counts = true;
  CHECK(house.read("notes", user("ann"), counted) == "a c of 2");
  CHECK(house.read("notes", user("bob"), counted) == "b of 1");
  CHECK(house.read("notes", user("eve"), counted) == " of 0");
  CHECK(house.read("notes", Auth(), counted) == " of 0");
  CHECK(house.read("notes", Auth::admin(), counted) == "a b c of 3");
  CHECK(house.read("open", Auth(), counted) == "x y of 2");
  CHECK(house.read("nothing", Auth(), counted) == " of 0");
  counted.offset = 1;
  counted.limit = 1;
  CHECK(house.read("notes", user("ann"), counted) == "c of 2");
  Auth past = user("ann");
  past.expires = std::chrono::seconds(1);
  CHECK(house.read("notes", past, counted) == " of 0");
  // What is not seen is no refusal.
  CHECK(house.guard->figures(Auth::admin()).value().reads_denied == 0);
}

TEST_CASE("rows: a write relies on what its writer has seen", "[rules]") {
  House house;
  const std::string a = R"({"owner":"ann","text":"1"})";
  CHECK(house.write("notes", user("ann"), {{"a/text", "\"new\""}}, {{"a", a}}) == "ok");
  CHECK(house.write("notes", user("ann"), {{"a/text", "\"newer\""}}, {{"a", a}}) ==
        "stale: A row was changed at the same time.");
  CHECK(house.write("notes", user("ann"), {{"c", "null"}}, {{"c", R"({"owner":"ann","text":"3"})"}}) == "ok");
  CHECK(house.write("notes", user("ann"), {{"c/text", "\"again\""}}, {{"c", R"({"owner":"ann","text":"3"})"}}) ==
        "stale: A row was changed at the same time.");
  // All or nothing, by .validate too.
  CHECK(house.write("notes", user("ann"), {{"d", R"({"owner":"ann","text":"4"})"}, {"e", R"({"owner":"ann"})"}},
                    {{"d", "null"}, {"e", "null"}}) == "denied: Permission denied");
  CHECK(house.read("notes", user("ann")) == "a");
}

TEST_CASE("rows: that a row is there is told only of rows that are seen", "[rules]") {
  House house;
  const std::string row = R"({"owner":"ann","text":"x"})";
  CHECK(house.write("open", user("ann"), {{"x", row}}, {{"x", "null"}}) == "stale: Key (id)=(x) already exists.");
  CHECK(house.write("open", user("ann"), {{"z", row}}, {{"z", "null"}}) == "ok");
  // Rights come before conditions: who may not write hears of no row.
  CHECK(house.write("open", Auth(), {{"x", row}}, {{"x", "null"}}) == "denied: Permission denied");
  CHECK(house.write("notes", user("ann"), {{"b", row}}, {{"b", "null"}}) == "denied: Permission denied");
  CHECK(house.write("notes", user("ann"), {{"n", row}}, {{"n", "null"}}) == "ok");
  CHECK(house.write("notes", Auth::admin(), {{"b", row}}, {{"b", "null"}}) == "stale: Key (id)=(b) already exists.");
}

TEST_CASE("rows: who asks to be shown what they wrote has to see it", "[rules]") {
  House house;
  const std::string for_bob = R"({"owner":"bob","text":"x"})";
  CHECK(house.write("notes", user("ann"), {{"n", for_bob}}, {{"n", "null"}}, {"n"}) == "denied: Permission denied");
  CHECK(house.read("notes", user("bob")) == "b");
  CHECK(house.write("notes", user("ann"), {{"n", for_bob}}, {{"n", "null"}}) == "ok");
  CHECK(house.read("notes", user("bob")) == "b n");
  CHECK(house.write("notes", user("bob"), {{"m", for_bob}}, {{"m", "null"}}, {"m"}) == "ok");
}

TEST_CASE("rows: rules that take too long for so many rows refuse the read", "[rules]") {
  House house;
  std::string slow = "true";
  for (int i = 0; i < 400; ++i) slow = "1 + 1 == 2 && " + slow;
  std::promise<db::Answer> set;
  house.guard->set_rules("demo", Auth::admin(), R"({"rules": {"t": {"$r": {".read": ")" + slow + R"("}}}})",
                         Install::Yes, [&](db::Answer got) { set.set_value(std::move(got)); });
  REQUIRE(set.get_future().get().status.ok());
  std::string rows = "{\"k\":{\"n\":1}";
  for (int i = 0; i < 9'000; ++i) rows += ",\"k" + std::to_string(i) + "\":{\"n\":1}";
  house.put("t", rows + "}");
  CHECK(house.read("t", Auth()) == "The rules take too long for so many rows: ask for fewer at a time.");
  db::RowQuery few;
  few.limit = 3;
  CHECK(house.read("t", Auth(), few) == "k k0 k1");
}
