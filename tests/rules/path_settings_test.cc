// /.settings/paths.json: what it says becomes the database's plan, and what it may not say is refused with its place.
#include <catch2/catch.hpp>
#include <future>

#include "db/host.h"
#include "rules/guard.h"
#include "rules/space_settings.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::rules;

namespace {

std::string told(std::string_view text) {
  SpaceSettings settings;
  const auto read = read_setting(*find_setting_kind("paths"), text, settings);
  if (!read.ok()) return read.error().message;
  return settings.paths != nullptr ? settings.paths->text() : "";
}

}  // namespace

TEST_CASE("settings: paths.json is a plan of paths", "[rules]") {
  CHECK(told("{}").empty());
  CHECK(told(R"({"a": {"b": {}}})") == "/a/b\n");
  CHECK(told(R"({".ttl": 1})") == "/\tttl\t1000\n");
  CHECK(told(R"({
    // Comments are allowed, as in rules.
    "rooms": { "$room": { "messages": { ".ttl": 86400, ".ttlBy": "meta/sent" },
                          "cursors": { ".throttle": 50 } },
               "lobby": {} },
  })") == "/rooms/$/cursors\tthrottle\t50\n/rooms/$/messages\tttl\t86400000\tby\tmeta/sent\n/rooms/lobby\n");
  CHECK(told(R"({"a": {".ttl": 0, ".ttlBy": "until", ".throttle": 10000}})") ==
        "/a\tttl\t0\tthrottle\t10000\tby\tuntil\n");
}

TEST_CASE("settings: what paths.json may not say is refused with its place", "[rules]") {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "1:1: an object is expected\n"},
      {R"({"a": 5})", "1:7: an object is expected: what is set for the path, as {\".ttl\": 3600}, and its children\n"},
      {R"({"a": {".tll": 5}})",
       "1:8: unknown member \".tll\"; there are \".ttl\", \".ttlBy\", \".throttle\" and \".ephemeral\"\n"},
      {R"({"a": {".read": true}})",
       "1:8: unknown member \".read\"; there are \".ttl\", \".ttlBy\", \".throttle\" and \".ephemeral\"\n"},
      {R"({"a": {".ttl": 0}})", "1:16: \".ttl\" must be a whole number of seconds, from 1 to 3153600000\n"},
      {R"({"a": {".ttl": 1.5}})", "1:16: \".ttl\" must be a whole number of seconds, from 1 to 3153600000\n"},
      {R"({"a": {".ttl": "1h"}})", "1:16: \".ttl\" must be a whole number of seconds, from 1 to 3153600000\n"},
      {R"({"a": {".ttl": -1, ".ttlBy": "x"}})",
       "1:16: \".ttl\" must be a whole number of seconds, from 0 to 3153600000\n"},
      {R"({"a": {".ttlBy": "x"}})", "1:8: \".ttlBy\" goes with a \".ttl\" beside it\n"},
      {R"({"a": {".ttl": 5, ".ttlBy": "/x"}})", "1:29: \".ttlBy\" must name a child of the children, as \"sent\"\n"},
      {R"({"a": {".ttl": 5, ".ttlBy": true}})", "1:29: \".ttlBy\" must name a child of the children, as \"sent\"\n"},
      {R"({"a": {".ttl": 5, "$b": {"c": {".ttl": 6}}}})",
       "1:32: there is a \".ttl\" at /a already, and none may be below another\n"},
      {R"({"a": {"$b": {".throttle": 5, "c": {".throttle": 6}}}})",
       "1:37: there is a \".throttle\" at /a/$b already, and none may be below another\n"},
      {R"({"a": {".throttle": 0}})", "1:21: \".throttle\" must be a whole number of milliseconds, from 1 to 10000\n"},
      {R"({"a": {".throttle": 10001}})",
       "1:21: \".throttle\" must be a whole number of milliseconds, from 1 to 10000\n"},
      {R"({"a": {".ephemeral": 1}})", "1:22: \".ephemeral\" must be true\n"},
      {R"({".ephemeral": true})", "1:2: the root can't be ephemeral; name the paths below it that are\n"},
      {R"({"a": {".ephemeral": true, ".ttl": 5}})", "1:28: what is ephemeral has no \".ttl\"\n"},
      {R"({"a": {".ephemeral": true, "b": {".ttl": 5}}})", "1:34: what is at /a is ephemeral, and has no \".ttl\"\n"},
      {R"({"a": {".ephemeral": true, "$b": {".ephemeral": true}}})",
       "1:35: all that is below /a is ephemeral already\n"},
      {R"({"a": {"$b": {}, "$c": {}}})", "1:18: there is another \"$\" beside it, and one is for all children\n"},
      {R"({"a": {"$": {}}})", "1:8: a name is expected behind \"$\", as \"$room\"\n"},
      {R"({"a": {"b/c": {}}})", "1:8: no child can have this name\n"},
      {R"({"a": {"b": {}, "b": {}}})", "1:17: \"b\" is here twice\n"},
      {R"({"a": {".ttl": 5, ".ttl": 6}})", "1:19: \".ttl\" is here twice\n"},
  };
  for (const auto& [text, error] : cases) {
    INFO(text);
    CHECK(told(text) == error);
  }
  std::string many = "{";
  for (int i = 0; i < 501; ++i) many += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":{}";
  CHECK(told(many + "}").find("there are more than 500 paths") != std::string::npos);
  std::string deep = "{}";
  for (int i = 0; i < 33; ++i) deep = R"({"a":)" + deep + "}";
  CHECK(told(deep).find("a path has at most 32 keys") != std::string::npos);
}

TEST_CASE("settings: the database goes by paths.json from the commit that sets it", "[rules]") {
  const test::TempFolder folder;
  db::Database::Options options;
  options.folder = folder.path();
  options.sync = db::SyncMode::Os;
  const auto database = db::Host::open(options).value();
  REQUIRE(database->create("demo").ok());
  Guard guard(*database, {});
  const auto set = [&](const std::string& text, const Auth& auth = Auth::admin()) {
    std::promise<db::Answer> answer;
    guard.set_setting("demo", auth, *find_setting_kind("paths"), text,
                      [&](db::Answer got) { answer.set_value(std::move(got)); });
    return answer.get_future().get().status;
  };
  const auto plan = [&] {
    std::promise<std::string> text;
    database->setting("demo", std::string(db::kPathPlanSetting),
                      [&](auto found) { text.set_value(found.value().value_or("none")); });
    return text.get_future().get();
  };
  CHECK(set(R"({"a": {".ttl": 5}})", Auth{}).error().code == db::ErrorCode::PermissionDenied);
  REQUIRE(set(R"({"a": {".ttl": 5}})").ok());
  CHECK(plan() == "/a\tttl\t5000\n");
  CHECK(set(R"({"a": {".ttl": 0}})").error().code == db::ErrorCode::InvalidData);
  CHECK(plan() == "/a\tttl\t5000\n");
  REQUIRE(set("{}").ok());
  CHECK(plan() == "none");
  REQUIRE(set(R"({"b": {".ttl": 5}})").ok());
  REQUIRE(set("null").ok());
  CHECK(plan() == "none");
}
