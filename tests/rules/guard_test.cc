#include "rules/guard.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "db/host.h"
#include "db/model/json.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
using db::ErrorCode;
using hearth::rules::Auth;
using hearth::rules::Guard;
using hearth::rules::Session;
using Words = std::vector<std::string>;

namespace {

constexpr std::string_view kSecret = "0123456789012345678901234567890123456789";

Auth user() { return {Auth::Kind::User, R"({"uid":"ada"})", {}}; }

db::Write put(const std::string& path, const std::string& json) {
  db::Write write;
  write.base = db::Path::parse(path).value();
  write.overwrites.push_back(db::make_overwrite(path, db::parse_value(std::string(json), write.base).value()).value());
  return write;
}

db::Read read_of(const std::string& path) {
  db::Read read;
  read.path = db::Path::parse(path).value();
  return read;
}

db::Listen listen_to(const std::string& path) {
  db::Listen listen;
  listen.path = db::Path::parse(path).value();
  return listen;
}

// Writes 1 at `path` when the session ends.
db::Disconnect later(const std::string& path) {
  db::Disconnect disconnect;
  disconnect.path = db::Path::parse(path).value();
  disconnect.overwrites = put(path, "1").overwrites;
  return disconnect;
}

struct House {
  explicit House(Guard::Options guard_options, const db::Clock* clock = nullptr)
      : database(open(folder.path(), clock)), guard(*database, guard_options) {
    REQUIRE(database->create("demo").ok());
  }
  static std::unique_ptr<db::Host> open(const std::string& folder, const db::Clock* clock = nullptr) {
    db::Database::Options options;
    options.folder = folder;
    options.sync = db::SyncMode::Os;
    options.clock = clock;
    return db::Host::open(std::move(options)).value();
  }

  // One request by itself, and its answer.
  db::Answer write(const Auth& auth, db::Write request) {
    std::promise<db::Answer> answer;
    guard.write("demo", auth, std::move(request), [&](db::Answer got) { answer.set_value(std::move(got)); });
    return answer.get_future().get();
  }
  db::Answer read(const Auth& auth, const std::string& path) {
    std::promise<db::Answer> answer;
    guard.read("demo", auth, read_of(path), [&](db::Answer got) { answer.set_value(std::move(got)); });
    return answer.get_future().get();
  }

  hearth::test::TempFolder folder;
  std::unique_ptr<db::Host> database;
  Guard guard;
};

Guard::Options closed() { return {.dev = false, .admin_secret = std::string(kSecret), .default_namespace = "demo"}; }
Guard::Options dev() { return {.dev = true, .admin_secret = "", .default_namespace = "demo"}; }

// A session of the guard, and what it was told, as words: `answer 1 ok`, `changed 7`, `revoked 7`.
class Conversation {
 public:
  explicit Conversation(House& house, Auth auth = {})
      : session_(house.guard.open("demo", std::move(auth), "", [signal = signal_] { signal->raise(); }).value()) {}

  Session& operator*() { return *session_; }
  Session* operator->() { return session_.get(); }

  // All up to and with that answer.
  Words until_answer(uint64_t request) { return until("answer " + std::to_string(request) + " ").value_or(Words()); }

  // All up to and with what starts so; nothing when it does not come.
  std::optional<Words> until(const std::string& start) {
    Words words;
    for (;;) {
      for (const db::Item& item : session_->take()) words.push_back(word(item));
      for (const std::string& heard : words) {
        if (heard.starts_with(start)) return words;
      }
      if (!signal_->wait()) return std::nullopt;
    }
  }

 private:
  struct Signal {
    void raise() {
      const std::lock_guard lock(mutex);
      is_raised = true;
      changed.notify_one();
    }
    bool wait() {
      std::unique_lock lock(mutex);
      const bool came = changed.wait_for(lock, std::chrono::seconds(20), [&] { return is_raised; });
      is_raised = false;
      return came;
    }
    std::mutex mutex;  // Guards is_raised.
    std::condition_variable changed;
    bool is_raised = false;
  };

  static std::string word(const db::Item& item) {
    if (const auto* answer = std::get_if<db::Answer>(&item)) {
      const bool denied = !answer->status.ok() && answer->status.error().code == ErrorCode::PermissionDenied;
      return "answer " + std::to_string(answer->request) +
             (answer->status.ok() ? " ok"
              : denied            ? " denied"
                                  : " failed");
    }
    if (const auto* event = std::get_if<db::Event>(&item)) {
      const bool revoked = event->kind == db::Event::Kind::Revoked;
      return (revoked ? "revoked " : "changed ") + std::to_string(event->listener);
    }
    return "ended";
  }

  std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();
  std::unique_ptr<Session> session_;
};

}  // namespace

TEST_CASE("Guard: without rules everyone may in development, otherwise only an admin", "[rules]") {
  struct Case {
    Guard::Options options;
    Auth auth;
    bool may;
  };
  const std::vector<Case> cases = {
      {dev(), {}, true},     {dev(), user(), true},     {dev(), Auth::admin(), true},
      {closed(), {}, false}, {closed(), user(), false}, {closed(), Auth::admin(), true},
  };
  for (const Case& one : cases) {
    INFO((one.options.dev ? "in development" : "closed") << ", kind " << static_cast<int>(one.auth.kind));
    House house(one.options);
    const db::Answer written = house.write(one.auth, put("a", "1"));
    CHECK(written.status.ok() == one.may);
    if (!one.may) CHECK(written.status.error().code == ErrorCode::PermissionDenied);
    const db::Answer denied_or_read = house.read(one.auth, "a");
    CHECK(denied_or_read.status.ok() == one.may);
    CHECK(db::to_json(denied_or_read.value, db::JsonStyle::Plain) == (one.may ? "1" : "null"));
    CHECK(db::to_json(house.read(Auth::admin(), "a").value, db::JsonStyle::Plain) == (one.may ? "1" : "null"));

    Conversation talk(house, one.auth);
    const std::string verdict = one.may ? " ok" : " denied";
    talk->write(1, put("b", "1"));
    talk->read(2, read_of("b"));
    talk->listen(3, 9, listen_to("b"));
    talk->on_disconnect(4, later("c"));
    CHECK(talk.until_answer(4) ==
          Words{"answer 1" + verdict, "answer 2" + verdict, "answer 3" + verdict, "answer 4" + verdict});

    CHECK(house.guard.namespaces(one.auth).ok() == one.may);
  }
}

TEST_CASE("Guard: who may not write learns nothing from a condition", "[rules]") {
  House house(closed());
  REQUIRE(house.write(Auth::admin(), put("a", "1")).status.ok());
  db::Write guess = put("a", "2");
  guess.preconditions.push_back(std::make_shared<db::HashIs>(guess.base, "no such hash"));
  guess.wants_value = true;
  const db::Answer answer = house.write(user(), std::move(guess));
  REQUIRE_FALSE(answer.status.ok());
  CHECK(answer.status.error().code == ErrorCode::PermissionDenied);  // not Stale
  CHECK(answer.value.is_null());
}

TEST_CASE("Guard: a session's rights change in the order of its requests, and revoke its listeners", "[rules]") {
  House house(closed());
  Conversation talk(house);
  talk->write(1, put("a", "1"));
  talk->set_auth(Auth::admin());
  talk->listen(2, 7, listen_to("a"));
  talk->write(3, put("a", "1"));
  talk->set_auth({});
  talk->write(4, put("a", "2"));
  REQUIRE(house.write(Auth::admin(), put("a", "3")).status.ok());
  talk->reply(5, {});
  CHECK(talk.until_answer(5) == Words{"answer 1 denied", "answer 2 ok", "changed 7", "answer 3 ok", "revoked 7",
                                      "answer 4 denied", "answer 5 ok"});
  CHECK(talk->auth() == Auth{});
}

TEST_CASE("Guard: onDisconnect is judged again when it runs, as who the session was last", "[rules]") {
  House house(closed());
  Conversation signed_out(house, Auth::admin()), admin(house, Auth::admin()), watcher(house, Auth::admin());
  watcher->listen(1, 7, listen_to("here"));
  REQUIRE(watcher.until_answer(1) == Words{"answer 1 ok"});
  signed_out->on_disconnect(1, later("here/a"));
  signed_out->set_auth({});
  signed_out->reply(2, {});
  REQUIRE(signed_out.until_answer(2) == Words{"answer 1 ok", "answer 2 ok"});
  admin->on_disconnect(1, later("here/b"));
  REQUIRE(admin.until_answer(1) == Words{"answer 1 ok"});
  signed_out->end();
  admin->end();
  REQUIRE(watcher.until("changed 7"));
  CHECK(db::to_json(house.read(Auth::admin(), "here").value, db::JsonStyle::Plain) == R"({"b":1})");
}

TEST_CASE("Guard: onDisconnect of a server that was killed is judged as who the session was last", "[rules]") {
  House house(closed());
  std::promise<db::Answer> set;
  house.guard.set_rules("demo", Auth::admin(),
                        R"({"rules":{"here":{".write":"root.child('members').child(auth.uid).val() == true"}}})",
                        hearth::rules::Install::Yes, [&](db::Answer got) { set.set_value(std::move(got)); });
  REQUIRE(set.get_future().get().status.ok());
  REQUIRE(house.write(Auth::admin(), put("members", R"({"ada":true,"bob":true})")).status.ok());
  Conversation ada(house, user()), bob(house, {Auth::Kind::User, R"({"uid":"bob"})", {}}), admin(house, Auth::admin());
  ada->on_disconnect(1, later("here/ada"));
  bob->on_disconnect(1, later("here/bob"));
  admin->on_disconnect(1, later("here/admin"));
  REQUIRE(ada.until_answer(1) == Words{"answer 1 ok"});
  REQUIRE(bob.until_answer(1) == Words{"answer 1 ok"});
  REQUIRE(admin.until_answer(1) == Words{"answer 1 ok"});
  REQUIRE(house.write(Auth::admin(), put("members/ada", "false")).status.ok());

  // What a crash now would leave.
  const hearth::test::TempFolder left;
  std::filesystem::copy(house.folder.path(), left.path(), std::filesystem::copy_options::recursive);
  std::filesystem::remove(left.path() + "/LOCK");
  db::Database::Options options;
  options.folder = left.path();
  options.disconnect_grace = std::chrono::milliseconds(500);
  const auto database = db::Host::open(options).value();
  Guard guard(*database, closed());
  const auto here = [&] {
    std::promise<db::Answer> answer;
    guard.read("demo", Auth::admin(), read_of("here"), [&](db::Answer got) { answer.set_value(std::move(got)); });
    return db::to_json(answer.get_future().get().value, db::JsonStyle::Plain);
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (here().find("bob") == std::string::npos || here().find("admin") == std::string::npos) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(here() == R"({"admin":1,"bob":1})");
}

TEST_CASE("Guard: an admin signs a user out: sessions end, and tokens of up to now are covered, also after a restart",
          "[rules]") {
  const hearth::test::TempFolder folder;
  db::ManualClock clock(std::chrono::seconds(1000));
  db::Database::Options options;
  options.folder = folder.path();
  options.clock = &clock;
  auto database = db::Host::open(options).value();
  REQUIRE(database->create("demo").ok());
  const auto kick = [](Guard& guard, const Auth& auth, const std::string& uid) {
    std::promise<db::Answer> answer;
    guard.kick("demo", auth, uid, [&](db::Answer got) { answer.set_value(std::move(got)); });
    return answer.get_future().get();
  };
  {
    Guard guard(*database, closed());
    auto mine = guard.open("demo", user(), "", [] {}).value();
    auto later = guard.open("demo", {}, "", [] {}).value();
    later->set_auth(user());
    auto other = guard.open("demo", {Auth::Kind::User, R"({"uid":"bob"})", {}}, "", [] {}).value();
    auto nameless = guard.open("demo", {Auth::Kind::User, R"({"uid":5})", {}}, "", [] {}).value();
    CHECK(kick(guard, user(), "ada").status.error().code == ErrorCode::PermissionDenied);
    CHECK(kick(guard, {}, "ada").status.error().code == ErrorCode::PermissionDenied);
    CHECK(kick(guard, Auth::admin(), "").status.error().code == ErrorCode::InvalidArgument);
    CHECK(kick(guard, Auth::admin(), std::string(hearth::rules::kRevokedUidBytesMax + 1, 'a')).status.error().code ==
          ErrorCode::InvalidArgument);
    CHECK_FALSE(guard.is_revoked("demo", "ada", std::chrono::seconds(1)));
    CHECK(kick(guard, Auth::admin(), "ada").value == db::Value::integer(2));
    CHECK(kick(guard, Auth::admin(), "nobody").value == db::Value::integer(0));
    for (Session* session : {mine.get(), later.get()}) {
      std::vector<db::Item> items = session->take();
      REQUIRE(items.size() == 1);
      CHECK(std::get<db::Ended>(items.front()).reason.code == ErrorCode::InvalidToken);
    }
    CHECK(other->take().empty());
    CHECK(nameless->take().empty());
  }
  database.reset();
  database = db::Host::open(options).value();
  Guard guard(*database, closed());
  REQUIRE(guard.load_revoked().ok());
  CHECK(guard.is_revoked("demo", "ada", std::chrono::seconds(1000)));
  CHECK_FALSE(guard.is_revoked("demo", "ada", std::chrono::seconds(1001)));
  CHECK_FALSE(guard.is_revoked("demo", "bob", std::chrono::seconds(1000)));
}

TEST_CASE("Guard: a write while the clock was ahead denies nobody once it is right, also after a restart", "[rules]") {
  using std::chrono::hours;
  using std::chrono::seconds;
  const db::Timestamp right = seconds(1'000'000);
  const db::Write stamp = put("at", R"({".sv":"timestamp"})");
  for (const bool restarts : {false, true}) {
    INFO(restarts);
    const hearth::test::TempFolder folder;
    db::ManualClock clock(right + hours(48));
    std::vector<db::Timestamp> steps;
    db::Database::Options options;
    options.folder = folder.path();
    options.clock = &clock;
    options.on_clock_step = [&](const db::ClockStep& step) { steps.push_back(step.by); };
    auto database = db::Host::open(options).value();
    REQUIRE(database->create("demo").ok());
    auto guard = std::make_unique<Guard>(*database, closed());
    const auto write = [&](const Auth& auth, const db::Write& what) {
      std::promise<db::Answer> answer;
      guard->write("demo", auth, what, [&](db::Answer got) { answer.set_value(std::move(got)); });
      return answer.get_future().get();
    };
    std::promise<db::Answer> set;
    guard->set_rules(
        "demo", Auth::admin(),
        R"({"rules":{"at":{".read":"auth != null && data.val() <= now",".write":"auth != null && newData.val() == now"}}})",
        hearth::rules::Install::Yes, [&](db::Answer got) { set.set_value(std::move(got)); });
    REQUIRE(set.get_future().get().status.ok());
    REQUIRE(write(Auth::admin(), stamp).time == clock.now());
    if (restarts) {
      guard.reset();
      database.reset();
      database = db::Host::open(options).value();
      guard = std::make_unique<Guard>(*database, closed());
    }
    clock.set(right);
    Auth ada = user();
    ada.expires = std::chrono::duration_cast<seconds>(right) + seconds(3600);
    const db::Answer written = write(ada, stamp);
    REQUIRE(written.status.ok());
    CHECK(written.time == right);
    REQUIRE(steps.size() == 1);
    CHECK(steps.front() == hours(48));
    // A little back: the time stands still, to readers too.
    clock.set(right - seconds(5));
    CHECK(write(ada, stamp).time == right);
    std::promise<db::Answer> read;
    guard->read("demo", ada, read_of("at"), [&](db::Answer got) { read.set_value(std::move(got)); });
    CHECK(read.get_future().get().value == db::Value::integer(right.count()));
    CHECK(steps.size() == 2);
    // An hour back, and then past the token's time.
    clock.set(right - hours(1));
    CHECK(write(ada, stamp).time == clock.now());
    clock.set(*ada.expires);
    CHECK(write(ada, stamp).status.error().code == ErrorCode::PermissionDenied);
    clock.set(*ada.expires - seconds(1));
    CHECK(write(ada, stamp).time == clock.now());
    clock.set(*ada.expires + seconds(5));
    REQUIRE(write(Auth::admin(), stamp).time == clock.now());
    clock.set(*ada.expires - seconds(1));  // the namespace's time stands still, past that of the token
    CHECK(write(ada, stamp).time == *ada.expires + seconds(5));
  }
}

TEST_CASE("Guard: names are resolved; outside development only those that were made", "[rules]") {
  House open(dev()), shut(closed());
  for (const House* house : {&open, &shut}) {
    CHECK(house->guard.resolve("").value() == "demo");
    CHECK(house->guard.resolve("DEMO").value() == "demo");
    CHECK(house->guard.resolve("a b").error().code == ErrorCode::InvalidArgument);
    CHECK(house->guard.resolve(std::string(129, 'a')).error().code == ErrorCode::InvalidArgument);
  }
  CHECK(open.guard.resolve("other").value() == "other");
  CHECK(shut.guard.resolve("other").error().code == ErrorCode::NotFound);
  CHECK_FALSE(shut.database->exists("other"));
  CHECK(shut.guard.namespaces(Auth::admin()).value() == std::vector<std::string>{"demo"});
}

TEST_CASE("Guard: the admin secret is the whole of it; without one nobody has it", "[rules]") {
  const House shut(closed()), open(dev());
  CHECK(shut.guard.is_admin_secret(kSecret));
  CHECK_FALSE(shut.guard.is_admin_secret(kSecret.substr(1)));
  CHECK_FALSE(shut.guard.is_admin_secret(std::string(kSecret) + "0"));
  CHECK_FALSE(shut.guard.is_admin_secret(""));
  CHECK_FALSE(open.guard.is_admin_secret(""));
  CHECK_FALSE(open.guard.is_admin_secret(kSecret));
}

TEST_CASE("Guard: says how the database syncs and whether it can write", "[rules]") {
  const House house(dev());
  CHECK(house.guard.sync_mode() == "os");
  CHECK(house.guard.health().ok());
}

namespace {

db::Answer set_rules(House& house, const Auth& auth, const std::string& text,
                     hearth::rules::Install install = hearth::rules::Install::Yes) {
  std::promise<db::Answer> answer;
  house.guard.set_rules("demo", auth, text, install, [&](db::Answer got) { answer.set_value(std::move(got)); });
  return answer.get_future().get();
}
std::string rules_of(House& house) {
  std::promise<db::Answer> answer;
  house.guard.rules("demo", Auth::admin(), [&](db::Answer got) { answer.set_value(std::move(got)); });
  return std::string(answer.get_future().get().value.as_string());
}

}  // namespace

TEST_CASE("Guard: only an admin sets and sees rules; a dry run and a mistake change nothing", "[rules]") {
  House house(closed());
  const std::string rules = R"({"rules":{".read":true}})";
  CHECK(set_rules(house, user(), rules).status.error().code == ErrorCode::PermissionDenied);
  CHECK(set_rules(house, Auth::admin(), rules, hearth::rules::Install::OnlyCheck).status.ok());
  CHECK_FALSE(house.read({}, "a").status.ok());
  CHECK(set_rules(house, Auth::admin(), "{").status.error().code == ErrorCode::InvalidData);
  CHECK(set_rules(house, Auth::admin(), rules).status.ok());
  CHECK(house.read({}, "a").status.ok());
  CHECK(rules_of(house) == rules);
  std::promise<db::Answer> seen;
  house.guard.rules("demo", user(), [&](db::Answer got) { seen.set_value(std::move(got)); });
  CHECK(seen.get_future().get().status.error().code == ErrorCode::PermissionDenied);
}

TEST_CASE("Guard: a document at the limit of size is installed, one past it only checked", "[rules]") {
  House house(closed());
  std::string rules = R"x({"rules":{}})x";
  rules += std::string(hearth::rules::kRulesBytesMax - rules.size(), ' ');
  CHECK(set_rules(house, Auth::admin(), rules).status.ok());
  rules += ' ';
  CHECK(set_rules(house, Auth::admin(), rules, hearth::rules::Install::OnlyCheck).status.ok());
  CHECK(set_rules(house, Auth::admin(), rules).status.error().code == ErrorCode::TooLarge);
  CHECK(rules_of(house).size() == hearth::rules::kRulesBytesMax);
}

TEST_CASE("Guard: new rules are in force from one request to the next, and revoke in order", "[rules]") {
  House house(dev());
  REQUIRE(set_rules(house, Auth::admin(), R"x({"rules":{".read":"data.child('open').val() == true",".write":true}})x")
              .status.ok());
  Conversation conversation(house);
  conversation->write(1, put("/", R"({"open":true,"n":1})"));
  conversation->listen(2, 7, listen_to("/"));
  conversation->write(3, put("/n", "2"));
  conversation->write(4, put("/open", "false"));  // what it read is another now
  conversation->write(5, put("/n", "3"));
  conversation->listen(6, 8, listen_to("/n"));
  CHECK(conversation.until_answer(6) == Words{"answer 1 ok", "answer 2 ok", "changed 7", "answer 3 ok", "revoked 7",
                                              "answer 4 ok", "answer 5 ok", "answer 6 denied"});
}

TEST_CASE("Guard: a listener whose rule read elsewhere is not asked again", "[rules]") {
  House house(dev());
  REQUIRE(set_rules(house, Auth::admin(),
                    R"x({"rules":{".write":true,"$r":{".read":"root.child('m').child($r).exists()"}}})x")
              .status.ok());
  Conversation conversation(house);
  conversation->write(1, put("/m", R"({"a":1,"b":1})"));
  conversation->listen(2, 1, listen_to("/a"));
  conversation->listen(3, 2, listen_to("/b"));
  conversation->write(4, put("/m/a", "null"));
  conversation->write(5, put("/a", "1"));
  conversation->write(6, put("/b", "1"));
  CHECK(conversation.until_answer(6) == Words{"answer 1 ok", "answer 2 ok", "answer 3 ok", "revoked 1", "answer 4 ok",
                                              "answer 5 ok", "changed 2", "answer 6 ok"});
}

TEST_CASE("Guard: what would be said, and why, to an admin or in development", "[rules]") {
  House house(closed());
  REQUIRE(set_rules(house, Auth::admin(), R"x({"rules":{".write":"auth.uid == 'ada'"}})x").status.ok());
  const auto ask = [&](const Auth& asker, const Auth& as, const char* rules = nullptr) {
    hearth::rules::Trial trial;
    if (rules != nullptr) trial.rules = hearth::rules::Ruleset::compile(rules).value();
    trial.kind = hearth::rules::Trial::Kind::Write;
    trial.write = put("/a", "1");
    const auto explanation = std::make_shared<hearth::rules::Explanation>();
    std::promise<db::Answer> answer;
    house.guard.explain("demo", asker, as, std::move(trial), explanation,
                        [&](db::Answer got) { answer.set_value(std::move(got)); });
    const auto status = answer.get_future().get().status;
    return status.ok() ? (explanation->allowed ? "allowed: " : "denied: ") + explanation->reason
                       : status.error().message;
  };
  CHECK(ask(user(), user()) == "Permission denied");
  CHECK(ask(Auth::admin(), user()) == "allowed: the .write rule at / grants it, and every .validate rule holds");
  CHECK(ask(Auth::admin(), {}) == "denied: no .write rule from the root to /a grants it");
  // By rules that are not in force: they are asked, and are not in force after it.
  const char* others = R"x({"rules":{".write":"auth.uid == 'bob'"}})x";
  CHECK(ask(Auth::admin(), user(), others) == "denied: no .write rule from the root to /a grants it");
  CHECK(ask(user(), user(), R"({"rules":{".write":true}})") == "Permission denied");
  CHECK(ask(Auth::admin(), user()) == "allowed: the .write rule at / grants it, and every .validate rule holds");
  CHECK(house.read(Auth::admin(), "a").value.is_null());  // nothing was written
}
