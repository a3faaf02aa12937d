#include "rules/topic_access.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <thread>

#include "db/host.h"
#include "rules/guard.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
using db::ErrorCode;
using namespace hearth::rules;

namespace {

const Auth kAda{Auth::Kind::User, R"({"uid":"ada"})", {}};

struct House {
  House() : database(open(folder.path())), guard(*database, Guard::Options()) {
    REQUIRE(database->create("demo").ok());
    rules(R"({"rules": {"open": {".read": true, ".write": true}, "closed": {".write": false},
              "quiet": {".read": "auth != null"}}})");
  }
  static std::unique_ptr<db::Host> open(const std::string& folder) {
    db::Database::Options options;
    options.folder = folder;
    options.sync = db::SyncMode::Os;
    return db::Host::open(std::move(options)).value();
  }
  void rules(const std::string& text) {
    std::promise<bool> done;
    guard.set_rules("demo", Auth::admin(), text, Install::Yes,
                    [&](const db::Answer& answer) { done.set_value(answer.status.ok()); });
    REQUIRE(done.get_future().get());
  }
  void set(const std::string& kind, const std::string& text) {
    std::promise<bool> done;
    guard.set_setting("demo", Auth::admin(), *find_setting_kind(kind), text,
                      [&](const db::Answer& answer) { done.set_value(answer.status.ok()); });
    REQUIRE(done.get_future().get());
  }

  const hearth::test::TempFolder folder;
  const std::unique_ptr<db::Host> database;
  Guard guard;
};

// A session and what it was told: "1 ok", "1 PermissionDenied"… of answers, "revoked: why", "said: event".
class Talker {
 public:
  Talker(House& house, const Auth& auth) : session_(house.guard.open("demo", auth, "", [] {}).value()) {}
  Session* operator->() { return session_.get(); }

  std::string next() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (items_.empty() && std::chrono::steady_clock::now() < deadline) {
      items_ = session_->take();
      if (items_.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (items_.empty()) return "nothing";
    const db::Item item = std::move(items_.front());
    items_.erase(items_.begin());
    if (const auto* answer = std::get_if<db::Answer>(&item)) {
      return std::to_string(answer->request) + " " + (answer->status.ok() ? "ok" : answer->status.error().message);
    }
    if (const auto* event = std::get_if<db::Event>(&item)) return "revoked: " + event->error->message;
    if (const auto* told = std::get_if<db::TopicEvent>(&item)) return "said: " + told->message->event;
    return "ended";
  }
  std::string say(uint64_t request) {
    auto message = std::make_shared<db::TopicMessage>();
    message->event = "e";
    session_->say(request, 1, message);
    return next();
  }

 private:
  std::unique_ptr<Session> session_;
  std::vector<db::Item> items_;
};

// Public, or at the path of private channels.
JudgedBy channels() {
  return [](const SpaceSettings& settings) -> db::Result<std::optional<db::Path>> {
    if (settings.realtime.public_channels) return std::optional<db::Path>();
    if (settings.realtime.channels) return settings.realtime.channels;
    return db::Error{ErrorCode::Unsupported, "no channels"};
  };
}

}  // namespace

TEST_CASE("TopicAccess: the settings of the moment say whose rules judge, and end what they do not allow", "[rules]") {
  House house;
  Talker ada(house, kAda), nobody(house, {}), admin(house, Auth::admin());
  ada->join(1, 1, {.topic = "t"}, channels());
  CHECK(ada.next() == "1 no channels");
  house.set("realtime", R"({"public": true})");
  std::vector<Talker*> there;
  for (Talker* one : {&ada, &nobody, &admin}) {
    (*one)->join(2, 1, {.topic = "t"}, channels());
    CHECK(one->next() == "2 ok");
    CHECK(one->say(3) == "3 ok");
    for (Talker* other : there) CHECK(other->next() == "said: e");
    there.push_back(one);
  }
  // From everybody's to a path that Ada may read, and where nobody but an admin speaks.
  house.set("realtime", R"({"channels": "/quiet"})");
  CHECK(nobody.next() == "revoked: Permission denied");
  CHECK(ada.say(4) == "4 Permission denied");
  CHECK(admin.say(5) == "5 ok");
  CHECK(ada.next() == "said: e");
  // To a path where all may.
  house.set("realtime", R"({"channels": "/open"})");
  CHECK(ada.say(6) == "6 ok");
  CHECK(admin.next() == "said: e");
  // New rights are judged by the new settings, too.
  ada->set_auth({});
  CHECK(ada.say(7) == "7 ok");
  CHECK(admin.next() == "said: e");
  house.set("realtime", R"({"channels": "/closed"})");
  CHECK(ada.next() == "revoked: Permission denied");
  // Settings are asked of admins as well.
  house.set("realtime", "{}");
  CHECK(admin.next() == "revoked: no channels");
  CHECK(admin.say(8) == "8 It is not in the topic.");
}

TEST_CASE("TopicAccess: a document ends with the setting that allowed it, others stay", "[rules]") {
  House house;
  house.rules(R"({"rules": {".read": true, ".write": true}})");
  Talker ada(house, kAda), ben(house, kAda);
  ada->open_document(1, 1, db::Path::parse("notes/a").value());
  CHECK(ada.next().starts_with("1 No documents are at /notes/a"));
  house.set("documents", R"({"paths": ["/notes", "/plans"]})");
  ada->open_document(2, 1, db::Path::parse("notes/a").value());
  ben->open_document(2, 1, db::Path::parse("plans/a").value());
  CHECK(ada.next() == "2 ok");
  CHECK(ben.next() == "2 ok");
  house.set("documents", R"({"paths": ["/plans"]})");
  CHECK(ada.next().starts_with("revoked: No documents are at /notes/a"));
  house.set("realtime", R"({"public": true})");  // another setting: asked again, and still allowed
  house.set("documents", "null");
  CHECK(ben.next().starts_with("revoked: No documents"));
}
