#include "rules/space_settings.h"

#include <catch2/catch.hpp>
#include <future>

#include "db/host.h"
#include "rules/guard.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
using db::ErrorCode;
using namespace hearth::rules;

namespace {

const SettingKind& realtime() { return *find_setting_kind("realtime"); }

// "public" or "closed", and the path of private channels; or what is wrong.
std::string told(std::string_view text) {
  SpaceSettings to;
  const auto read = read_setting(realtime(), text, to);
  if (!read.ok()) return read.error().message;
  const RealtimeSettings& says = to.realtime;
  return (says.public_channels ? "public" : "closed") + (says.channels ? " " + says.channels->slashed() : "");
}

struct House {
  explicit House(bool dev) : database(open(folder.path())), guard(*database, options(dev)) {
    REQUIRE(database->create("demo").ok());
    REQUIRE(database->create("other").ok());
  }
  static Guard::Options options(bool dev) {
    Guard::Options options;
    options.dev = dev;
    return options;
  }
  static std::unique_ptr<db::Host> open(const std::string& folder) {
    db::Database::Options options;
    options.folder = folder;
    options.sync = db::SyncMode::Os;
    return db::Host::open(std::move(options)).value();
  }
  db::Answer set(const std::string& text, const Auth& auth = Auth::admin(), const std::string& space = "demo") {
    std::promise<db::Answer> answer;
    guard.set_setting(space, auth, realtime(), text, [&](db::Answer got) { answer.set_value(std::move(got)); });
    return answer.get_future().get();
  }
  db::Answer text(const Auth& auth = Auth::admin()) {
    std::promise<db::Answer> answer;
    guard.setting("demo", auth, realtime(), [&](db::Answer got) { answer.set_value(std::move(got)); });
    return answer.get_future().get();
  }
  std::shared_ptr<const SpaceSettings> settings(const std::string& space = "demo") {
    std::promise<db::Result<std::shared_ptr<const SpaceSettings>>> got;
    guard.space_settings(space, [&](auto known) { got.set_value(std::move(known)); });
    return got.get_future().get().value();
  }

  const hearth::test::TempFolder folder;
  const std::unique_ptr<db::Host> database;
  Guard guard;
};

}  // namespace

TEST_CASE("settings: a document says what holds, or what is wrong with it and where", "[rules]") {
  const struct {
    std::string text, told;
  } cases[] = {
      {R"({})", "closed"},
      {R"({"public": true})", "public"},
      {R"({"public": false, "channels": "/channels"})", "closed /channels"},
      {R"({ // those of the app
            "channels": "/app/channels/", })",
       "closed /app/channels"},
      {R"({"channels": "/"})", "closed /"},
      {R"([])", "1:1: an object is expected\n"},
      {R"({"public": "true"})", "1:12: \"public\" must be true or false\n"},
      {R"({"channels": "channels"})", "1:14: \"channels\" must be a path, as \"/channels\"\n"},
      {R"({"channels": null})", "1:14: \"channels\" must be a path, as \"/channels\"\n"},
      {R"({"public": true, "public": false})", "1:18: \"public\" is here twice\n"},
      {"{\n \"Public\": true}", "2:2: unknown member \"Public\"; there are \"public\" and \"channels\"\n"},
      {std::string(kSpaceSettingBytesMax + 1, ' '), "/.settings/realtime.json has at most 65536 bytes."},
  };
  for (const auto& one : cases) {
    INFO(one.text.substr(0, 80));
    CHECK(told(one.text) == one.told);
  }
  CHECK(told(R"({"channels": "/a.b"})").starts_with("1:14: "));
  CHECK_FALSE(told("").empty());
  CHECK_FALSE(told(R"({"public": )").empty());
  CHECK_FALSE(told(R"({"public": )" + std::string(10'000, '[')).empty());
}

TEST_CASE("settings: no kind has the name of a row that means something else", "[rules]") {
  for (const std::string_view taken :
       {db::kRulesSetting, db::kIndexesSetting, db::kOwnIndexesSetting, db::kRevokedSetting}) {
    CHECK(find_setting_kind(taken) == nullptr);
  }
  for (const SettingKind& kind : setting_kinds()) {
    INFO(kind.name);
    SpaceSettings to;
    CHECK(find_setting_kind(kind.name) == &kind);
    CHECK(read_setting(kind, kind.unset, to).ok());
    CHECK(read_setting(kind, kind.unset_in_dev, to).ok());
  }
}

TEST_CASE("settings: unset, public channels exist in development alone", "[rules]") {
  CHECK(House(true).settings()->realtime.public_channels);
  CHECK_FALSE(House(false).settings()->realtime.public_channels);
  CHECK_FALSE(House(true).settings()->realtime.channels);
  CHECK(House(false).text().value.as_string() == R"({"public": false})");
}

TEST_CASE("settings: what an admin has set is what is found from then on, until it is unset", "[rules]") {
  House house(false);
  CHECK_FALSE(house.settings()->realtime.public_channels);  // known from here on
  const std::string document = R"({"public": true, "channels": "/c"} // ours)";
  REQUIRE(house.set(document).status.ok());
  CHECK(house.settings()->realtime.public_channels);
  CHECK(house.settings()->realtime.channels->slashed() == "/c");
  CHECK(house.settings() == house.settings());  // read once
  CHECK_FALSE(house.settings("other")->realtime.public_channels);
  CHECK(house.text().value.as_string() == document);
  REQUIRE(house.set("null").status.ok());
  CHECK_FALSE(house.settings()->realtime.public_channels);
  CHECK(house.text().value.as_string() == R"({"public": false})");
}

TEST_CASE("settings: they are for admins, and a wrong document changes nothing", "[rules]") {
  House house(true);
  const Auth ada{Auth::Kind::User, R"({"uid":"ada"})", {}};
  for (const Auth& auth : {Auth(), ada}) {
    CHECK(house.set("{}", auth).status.error().code == ErrorCode::PermissionDenied);
    CHECK(house.text(auth).status.error().code == ErrorCode::PermissionDenied);
  }
  REQUIRE(house.set(R"({"channels": "/c"})").status.ok());
  const auto refused = house.set(R"({"channels": "/c", "x": 1})");
  REQUIRE_FALSE(refused.status.ok());
  CHECK(refused.status.error().code == ErrorCode::InvalidData);
  CHECK(house.settings()->realtime.channels->slashed() == "/c");
}

TEST_CASE("settings: a namespace that is removed and made again has none", "[rules]") {
  House house(false);
  REQUIRE(house.set(R"({"public": true})").status.ok());
  CHECK(house.settings()->realtime.public_channels);
  REQUIRE(house.guard.remove(Auth::admin(), "demo").ok());
  REQUIRE(house.guard.create(Auth::admin(), "demo").ok());
  CHECK_FALSE(house.settings()->realtime.public_channels);
}

TEST_CASE("KnownSettings: what was begun to be read before a change is not kept; it never holds too much", "[rules]") {
  KnownSettings known(false);
  const auto settings = std::make_shared<const SpaceSettings>();
  const uint64_t before = known.epoch();
  known.forget("a");
  known.add("a", settings, 0, before);
  CHECK(known.find("a") == nullptr);
  known.add("a", settings, 0, known.epoch());
  CHECK(known.find("a") == settings);
  for (int i = 0; i < 40; ++i)
    known.add("n" + std::to_string(i), settings, KnownSettings::kBytesMax / 20, known.epoch());
  int kept = 0;
  for (int i = 0; i < 40; ++i) kept += known.find("n" + std::to_string(i)) != nullptr ? 1 : 0;
  CHECK(kept >= 1);
  CHECK(kept < 20);
  CHECK(known.find("a") == nullptr);
}

TEST_CASE("KnownSettings: the texts of the moment decide, and are read once", "[rules]") {
  struct Texts final : db::Settings {
    db::Result<std::string> rules_digest() const override { return std::string(); }
    db::Result<std::optional<std::string>> text(std::string_view name) const override {
      return name == "realtime" ? realtime : std::nullopt;
    }
    std::optional<std::string> realtime{};
  } texts;
  KnownSettings known(false), dev(true);
  const auto unset = known.in_force(texts).value();
  CHECK_FALSE(unset->realtime.public_channels);
  CHECK(dev.in_force(texts).value()->realtime.public_channels);
  texts.realtime = R"({"public": true})";
  CHECK(known.in_force(texts).value()->realtime.public_channels);
  texts.realtime = std::nullopt;
  CHECK(known.in_force(texts).value() == unset);
  texts.realtime = "{";
  CHECK(known.in_force(texts).error().code == ErrorCode::Corruption);
}

TEST_CASE("settings: tables.json names paths, and every other child of the root is a table too", "[rules]") {
  const auto told = [](std::string_view text, std::string_view table) {
    SpaceSettings to;
    const auto read = read_setting(*find_setting_kind("tables"), text, to);
    if (!read.ok()) return read.error().message;
    const auto path = to.tables.path_of(table);
    return path.ok() ? path.value().slashed() : path.error().message.substr(0, 12);
  };
  CHECK(told("{}", "todos") == "/todos");
  CHECK(told(R"({"orders": "/shop/orders"})", "orders") == "/shop/orders");
  CHECK(told(R"({"orders": "/shop/orders"})", "todos") == "/todos");
  CHECK(told("{}", "a.b") == "Invalid path");
  CHECK(told("{}", "") == "Invalid path");
  CHECK(told(R"({"a/b": "/x"})", "") == "1:2: no table can have this name\n");
  CHECK(told(R"({"a": "x"})", "") == "1:7: a table must be a path, as \"/shop/orders\"\n");
  CHECK(told(R"({"a": "/"})", "") == "1:7: the root can be no table\n");
  CHECK(told(R"({"a": 5})", "").starts_with("1:7: a table must be a path"));
  CHECK(told(R"({"a": "/x.y"})", "").starts_with("1:7: Invalid path"));
  std::string many = "{\"t0\": \"/x\"";
  for (size_t i = 1; i < kTableAliasesMax; ++i) many += ",\"t" + std::to_string(i) + "\": \"/x\"";
  CHECK(told(many + "}", "t7") == "/x");
  CHECK(told(many + ", \"more\": \"/x\"}", "").find("more than 500 tables") != std::string::npos);
}

TEST_CASE("settings: history.json is a plan, off, or as the server was started", "[rules]") {
  const SettingKind& kind = *find_setting_kind("history");
  const auto plan_of = [&](std::string_view text) {
    SpaceSettings settings;
    const auto read = read_setting(kind, text, settings);
    INFO((read.ok() ? "" : read.error().message));
    REQUIRE(read.ok());
    return settings.history ? hearth::db::history_text(*settings.history) : "";
  };
  CHECK(plan_of(R"({"age": "24h", "size": "1GB"})") == "1d,1GB");
  CHECK(plan_of(R"({"age": "90s", "size": "1MB", "versions": true})") == "90s,1MB,versions");
  CHECK(plan_of(R"({"age": "1h", "size": "1MB", "versions": true, "open": ["/rooms"]})") == "1h,1MB,versions");
  CHECK(plan_of(R"({"off": true})") == "off");
  CHECK(plan_of("{}").empty());
  for (const char* text :
       {R"({"age": "24h"})", R"({"size": "1GB"})", R"({"age": 24, "size": "1GB"})", R"({"off": true, "age": "1h"})",
        R"({"off": false})", R"({"age": "1h", "size": "1GB", "versions": "yes"})", R"({"keep": "1h"})",
        R"({"age": "1h", "size": "1GB", "open": "/rooms"})"}) {
    INFO(text);
    SpaceSettings settings;
    CHECK_FALSE(read_setting(kind, text, settings).ok());
  }
}
