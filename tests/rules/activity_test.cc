// What is kept of requests while somebody looks, and that nothing is when nobody does.
#include "rules/activity.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>

#include "db/host.h"
#include "db/model/json.h"
#include "rules/guard.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
using hearth::rules::Activity;
using hearth::rules::ActivityEntry;
using hearth::rules::Auth;
using hearth::rules::Guard;
using hearth::rules::kActivityBytesMax;
using hearth::rules::kActivityEntriesMax;
using hearth::rules::kActivityTime;
using Kind = ActivityEntry::Kind;
using Verdict = ActivityEntry::Verdict;

namespace {

ActivityEntry entry_at(const std::string& path, const std::string& user = "ada") {
  ActivityEntry entry;
  entry.space = "demo";
  entry.user = user;
  entry.path = path;
  return entry;
}

Activity::Page all_of(const Activity& activity, std::optional<uint64_t> since = {}) {
  return activity.since(since, [](const ActivityEntry&) { return true; });
}

hearth::rules::Explanation explanation() {
  hearth::rules::Explanation why;
  why.reason = "no .write rule grants it";
  hearth::rules::Explanation::Evaluated rule;
  rule.kind = hearth::rules::RuleKind::Write;
  rule.pattern = "/users/$uid";
  rule.path = "/users/eve";
  why.add(rule, "auth.uid == $uid");
  return why;
}

// A namespace whose rules let everybody write what is theirs.
struct Place {
  Place() {
    db::Database::Options options;
    options.folder = folder.path();
    options.sync = db::SyncMode::Os;
    database = db::Host::open(std::move(options)).value();
    guard.emplace(*database, Guard::Options{.dev = true, .admin_secret = "", .default_namespace = "demo"});
    set_rules(R"({"rules": {"users": {"$uid": {".read": "auth.uid == $uid", ".write": "auth.uid == $uid"}}}})");
  }
  void set_rules(const std::string& text) {
    std::promise<db::Answer> told;
    guard->set_rules("demo", Auth::admin(), text, hearth::rules::Install::Yes,
                     [&](db::Answer answer) { told.set_value(std::move(answer)); });
    REQUIRE(told.get_future().get().status.ok());
  }
  db::Answer write(const Auth& auth, const std::string& path) {
    db::Write write;
    write.base = db::Path::parse(path).value();
    write.overwrites.push_back({write.base, db::Slot::Value, db::Value::integer(1)});
    std::promise<db::Answer> told;
    guard->write("demo", auth, std::move(write), [&](db::Answer answer) { told.set_value(std::move(answer)); });
    return told.get_future().get();
  }
  hearth::test::TempFolder folder;
  std::unique_ptr<db::Host> database;
  std::optional<Guard> guard;
};

Auth user(const std::string& uid) { return {Auth::Kind::User, R"({"uid":")" + uid + R"("})", {}, uid}; }

}  // namespace

TEST_CASE("Activity: nothing is kept until somebody looks, and nothing after they have stopped", "[rules]") {
  db::ManualClock clock(db::Timestamp(1'000'000));
  Activity activity(kActivityBytesMax, &clock);
  CHECK_FALSE(activity.is_on());
  activity.add(entry_at("/before"), {});
  CHECK(all_of(activity).entries.empty());
  CHECK(activity.recorded() == 0);
  activity.look();
  CHECK(activity.is_on());
  activity.add(entry_at("/seen"), {});
  CHECK(all_of(activity).entries.size() == 1);
  clock.advance(kActivityTime - std::chrono::seconds(1));
  activity.look();
  clock.advance(kActivityTime - std::chrono::seconds(1));
  activity.add(entry_at("/seen too"), {});
  CHECK(all_of(activity).entries.size() == 2);
  clock.advance(kActivityTime);
  activity.add(entry_at("/after"), {});
  CHECK_FALSE(activity.is_on());
  CHECK(all_of(activity).entries.empty());
  CHECK(activity.byte_count() == 0);
  CHECK(activity.recorded() == 2);
}

TEST_CASE("Activity: its entries are bounded in number, bytes and length, and say how many are missing", "[rules]") {
  Activity activity(4'000);
  activity.look();
  for (int i = 0; i < 100; ++i) activity.add(entry_at("/" + std::string(100, 'x')), {});
  CHECK(activity.byte_count() <= 4'000);
  const auto page = all_of(activity, 0);
  CHECK(page.next == 100);
  CHECK(page.missed == 100 - page.entries.size());
  CHECK(all_of(activity, 100).entries.empty());
  CHECK(all_of(activity, 99).entries.size() == 1);
  CHECK(all_of(activity, 99).missed == 0);

  Activity many;
  many.look();
  for (size_t i = 0; i < kActivityEntriesMax + 10; ++i) many.add(entry_at("/a"), {});
  CHECK(all_of(many).entries.size() == kActivityEntriesMax);
  many.add(entry_at("/" + std::string(10'000, 'y')), db::Error{db::ErrorCode::Stale, std::string(10'000, 'z')});
  CHECK(all_of(many).entries.back().path.size() < 600);
  CHECK(all_of(many).entries.back().reason.size() < 600);
}

TEST_CASE("Activity: a denial gets the rule of its own namespace, user and path, once", "[rules]") {
  Activity activity;
  const db::Error denied{db::ErrorCode::PermissionDenied, "Permission denied"};
  activity.look();
  activity.note_denial("demo", "ada", "/users/eve", explanation());
  activity.add(entry_at("/users/eve", "ben"), denied);
  activity.add(entry_at("/elsewhere"), denied);
  activity.add(entry_at("/users/eve"), {});
  activity.add(entry_at("/users/eve"), denied);
  activity.add(entry_at("/users/eve"), denied);
  const auto entries = all_of(activity).entries;
  REQUIRE(entries.size() == 5);
  for (const size_t i : {0, 1, 2, 4}) CHECK_FALSE(entries[i].rule.has_value());
  REQUIRE(entries[3].rule.has_value());
  CHECK(entries[3].verdict == Verdict::Denied);
  CHECK(entries[3].reason == "no .write rule grants it");
  CHECK(entries[3].rule->kind == ".write");
  CHECK(entries[3].rule->pattern == "/users/$uid");
  CHECK(entries[3].rule->source == "auth.uid == $uid");
  CHECK(entries[4].reason == "Permission denied");
  CHECK(entries[2].verdict == Verdict::Ok);
}

TEST_CASE("Activity: what comes through the guard is there with its verdict, while somebody looks", "[rules]") {
  Place place;
  Activity& activity = place.guard->activity();
  CHECK(place.write(user("ada"), "/users/ada").status.ok());
  CHECK_FALSE(place.write(user("ada"), "/users/eve").status.ok());
  CHECK(activity.recorded() == 0);
  activity.look();
  CHECK(place.write(user("ada"), "/users/ada").status.ok());
  CHECK_FALSE(place.write(user("ada"), "/users/eve").status.ok());
  CHECK(place.write(Auth::admin(), "/anything").status.ok());
  const auto entries = all_of(activity).entries;
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].kind == Kind::Write);
  CHECK(entries[0].verdict == Verdict::Ok);
  CHECK(entries[0].user == "ada");
  CHECK(entries[0].protocol == "rest");
  CHECK(entries[0].took.count() > 0);
  CHECK(entries[1].verdict == Verdict::Denied);
  REQUIRE(entries[1].rule.has_value());
  CHECK(entries[1].rule->pattern == "/users/$uid");
  CHECK(entries[1].rule->source == "auth.uid == $uid");
  CHECK(entries[2].is_admin);
}

TEST_CASE("Activity: a session's requests are there, with how it came; those of before the look are not", "[rules]") {
  Place place;
  std::mutex mutex;
  std::condition_variable more;
  bool is_woken = false;
  const auto session = place.guard
                           ->open("demo", user("ada"), "",
                                  [&] {
                                    const std::lock_guard lock(mutex);
                                    is_woken = true;
                                    more.notify_one();
                                  })
                           .value();
  session->came_by({7, "firebase"});
  const auto wait_for = [&](uint64_t request) {
    for (;;) {
      std::unique_lock lock(mutex);
      more.wait_for(lock, std::chrono::milliseconds(50), [&] { return is_woken; });
      is_woken = false;
      lock.unlock();
      for (const db::Item& item : session->take()) {
        const auto* answer = std::get_if<db::Answer>(&item);
        if (answer != nullptr && answer->request == request) return;
      }
    }
  };
  const auto listen = [&](uint64_t request, const std::string& path) {
    db::Listen listen;
    listen.path = db::Path::parse(path).value();
    session->listen(request, request, std::move(listen));
    wait_for(request);
  };
  listen(1, "/users/eve");
  place.guard->activity().look();
  listen(2, "/users/ada");
  listen(3, "/users/eve");
  // The right to what is listened to goes, and that is told too.
  place.set_rules(R"({"rules": {".read": false}})");
  listen(4, "/users/ada");
  const auto entries = all_of(place.guard->activity()).entries;
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].connection == 7);
  CHECK(entries[0].protocol == "firebase");
  CHECK(entries[0].kind == Kind::Listen);
  CHECK(entries[0].verdict == Verdict::Ok);
  CHECK(entries[1].verdict == Verdict::Denied);
  REQUIRE(entries[1].rule.has_value());
  CHECK(entries[1].rule->kind == ".read");
  CHECK(entries[1].path == "/users/eve");
  CHECK(entries[2].path == "/users/ada");
  CHECK(entries[2].verdict == Verdict::Denied);
  CHECK(entries[3].path == "/users/ada");
}

TEST_CASE("Guard: what lives in a namespace is for admins", "[rules]") {
  Place place;
  std::promise<db::Result<db::Live>> live;
  place.guard->live("demo", user("ada"), {}, [&](db::Result<db::Live> found) { live.set_value(std::move(found)); });
  CHECK(live.get_future().get().error().code == db::ErrorCode::PermissionDenied);
  std::promise<db::Result<db::DocumentsPage>> page;
  place.guard->documents("demo", Auth(), {}, 10, [&](auto found) { page.set_value(std::move(found)); });
  CHECK(page.get_future().get().error().code == db::ErrorCode::PermissionDenied);
  CHECK(place.guard->names_in_use(user("ada"), 10).empty());
}
