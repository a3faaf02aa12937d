// What those who run a server are told of what lives in a namespace: sessions and what they leave, listeners, topics, documents.
#include "db/model/live.h"

#include <catch2/catch.hpp>
#include <future>

#include "tests/db/talk.h"
#include "tests/support/yjs_update.h"

using namespace hearth::test;

namespace {

Result<Live> live_of(Host& database, LiveAsk ask) {
  std::promise<Result<Live>> told;
  database.live("t", std::move(ask), [&](Result<Live> live) { told.set_value(std::move(live)); });
  return told.get_future().get();
}

LiveAsk ask_for(LiveAsk::What what, std::string topic = "") {
  LiveAsk ask;
  ask.what = what;
  ask.topic = std::move(topic);
  return ask;
}

void listen(Talk& talk, uint64_t request, std::string_view path, std::optional<Query> query = {}) {
  Listen what = listen_to(path);
  what.query = std::move(query);
  talk.client->listen(request, request, std::move(what));
  talk.until(request);
}

void join(Talk& talk, uint64_t request, const std::string& topic) {
  TopicJoin join;
  join.topic = topic;
  join.is_kept = true;
  talk.client->join(request, request, std::move(join));
  talk.until(request);
}

void queue(Talk& talk, uint64_t request, std::string_view path, Value value) {
  Disconnect later;
  later.path = at(path);
  later.overwrites.push_back({later.path, Slot::Value, std::move(value)});
  talk.client->on_disconnect(request, std::move(later), nullptr);
  talk.until(request);
}

}  // namespace

TEST_CASE("Live: sessions say who they are, what they listen to, and what is written when they go", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  Talk ada(*database), admin(*database);
  ada.client->set_origin({7, "firebase"});
  ada.client->set_label("ada");
  admin.client->set_origin({8, "rest"});
  admin.client->set_admin(true);
  listen(ada, 1, "/rooms");
  Query query;
  query.order = Order::Key;
  query.limit = Limit::Last;
  query.count = 2;
  listen(ada, 2, "/rooms/tea", query);
  queue(ada, 3, "/status/ada", Value::string("offline"));
  queue(ada, 4, "/gone", Value());
  listen(admin, 1, "/");

  const auto all = live_of(*database, ask_for(LiveAsk::What::Sessions));
  REQUIRE(all.ok());
  CHECK(all.value().total == 2);
  REQUIRE(all.value().sessions.size() == 2);

  LiveAsk one = ask_for(LiveAsk::What::Sessions);
  one.connection = 7;
  const auto hers = live_of(*database, one).value().sessions;
  REQUIRE(hers.size() == 1);
  CHECK(hers[0].user == "ada");
  CHECK_FALSE(hers[0].is_admin);
  CHECK(std::string(hers[0].origin.protocol) == "firebase");
  CHECK(hers[0].since.count() > 0);
  REQUIRE(hers[0].listeners.size() == 2);
  CHECK(hers[0].listeners[0].path == at("/rooms"));
  CHECK_FALSE(static_cast<bool>(hers[0].listeners[0].query));
  CHECK(static_cast<bool>(hers[0].listeners[1].query));
  REQUIRE(hers[0].queued.size() == 2);
  CHECK(hers[0].queued[0].path == at("/gone"));
  CHECK(hers[0].queued[0].value.is_null());
  CHECK(hers[0].queued[1].path == at("/status/ada"));
  CHECK(hers[0].queued[1].value.as_string() == "offline");

  one.connection = 8;
  const auto theirs = live_of(*database, one).value().sessions;
  REQUIRE(theirs.size() == 1);
  CHECK(theirs[0].is_admin);
  CHECK(theirs[0].user.empty());

  const auto brief = live_of(*database, ask_for(LiveAsk::What::SessionsBrief)).value();
  REQUIRE(brief.sessions.size() == 2);
  for (const LiveSession& session : brief.sessions) CHECK(session.listeners.empty());
  CHECK(brief.sessions[0].listener_count + brief.sessions[1].listener_count == 3);
  CHECK(database->names_in_use(10) == std::vector<std::string>{"t"});
  CHECK(database->names_in_use(0).empty());
}

TEST_CASE("Live: lists end at their bounds, and the counts beside them do not", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  Talk ada(*database);
  for (uint64_t i = 1; i <= kLivePartsMax + 20; ++i) listen(ada, i, "/at/" + std::to_string(i));
  for (uint64_t i = 1; i <= kLivePartsMax + 20; ++i)
    queue(ada, 1'000 + i, "/q/" + std::to_string(i), Value::integer(1));
  const auto session = live_of(*database, ask_for(LiveAsk::What::Sessions)).value().sessions.at(0);
  CHECK(session.listeners.size() == kLivePartsMax);
  CHECK(session.listener_count == kLivePartsMax + 20);
  CHECK(session.queued.size() == kLivePartsMax);
  CHECK(session.queued_count == kLivePartsMax + 20);
}

TEST_CASE("Live: the paths that are listened to, the most first", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  Talk ada(*database), ben(*database);
  Query query;
  query.order = Order::Key;
  query.limit = Limit::First;
  query.count = 1;
  listen(ada, 1, "/quiet");
  listen(ada, 2, "/rooms");
  listen(ben, 1, "/rooms");
  listen(ben, 2, "/rooms", query);
  const Live live = live_of(*database, ask_for(LiveAsk::What::Paths)).value();
  CHECK(live.total == 4);
  REQUIRE(live.paths.size() == 2);
  CHECK(live.paths[0].path == at("/rooms"));
  CHECK(live.paths[0].listeners == 3);
  CHECK(live.paths[0].queries == 1);
  CHECK(live.paths[1].path == at("/quiet"));
}

TEST_CASE("Live: topics with who is there, what they say of themselves, and what is kept", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  Talk ada(*database), ben(*database);
  ada.client->set_origin({7, "supabase"});
  ada.client->set_label("ada");
  join(ada, 1, "realtime:tea");
  join(ben, 1, "realtime:tea");
  join(ben, 2, "realtime:other");
  TopicAnnouncement mood;
  mood.key = "ada";
  mood.value = R"({"mood":"good"})";
  ada.client->announce(2, 1, {mood});
  ada.until(2);
  auto said = std::make_shared<TopicMessage>();
  said->event = "hello";
  said->bytes = std::string(kLiveTextBytesMax - 1, 'x') + "üüü";
  ada.client->say(3, 1, said);
  ada.until(3);

  const Live list = live_of(*database, ask_for(LiveAsk::What::Topics)).value();
  CHECK(list.total == 2);
  REQUIRE(list.topics.size() == 2);
  CHECK(list.topics[0].name == "realtime:other");
  CHECK(list.topics[1].members == 2);
  CHECK(list.topics[1].people.empty());

  const Live one = live_of(*database, ask_for(LiveAsk::What::Topic, "realtime:tea")).value();
  REQUIRE(one.topics.size() == 1);
  const LiveTopic& tea = one.topics[0];
  REQUIRE(tea.people.size() == 2);
  CHECK(tea.people[0].user == "ada");
  CHECK(tea.people[0].origin.connection == 7);
  REQUIRE(tea.said_of_itself.size() == 1);
  CHECK(tea.said_of_itself[0].name == "ada");
  CHECK(tea.said_of_itself[0].text == R"({"mood":"good"})");
  REQUIRE(tea.messages.size() == 1);
  CHECK(tea.messages[0].bytes == said->bytes.size());
  CHECK(tea.messages[0].text == std::string(kLiveTextBytesMax - 1, 'x'));  // cut before the character
  CHECK(live_of(*database, ask_for(LiveAsk::What::Topic, "none")).error().code == ErrorCode::NotFound);
}

TEST_CASE("Live: the Yjs documents that are stored, some at a time, and what one says", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  Talk ada(*database);
  uint64_t request = 0;
  const auto make = [&](std::string_view path, std::initializer_list<std::string> updates) {
    const uint64_t listener = ++request;
    ada.client->open_document(listener, listener, DocumentOpen{at(path), {}});
    ada.until(listener);
    for (const std::string& update : updates) {
      ada.client->append(++request, listener, update);
      ada.until(request);
    }
  };
  make("/notes/a", {insertion(1, 0, "hello"), insertion(1, 5, " world")});
  make("/notes/b", {insertion(2, 0, "b")});
  make("/other", {insertion(3, 0, "c")});

  const auto page = [&](std::string_view after, size_t most) {
    std::promise<Result<DocumentsPage>> told;
    database->documents("t", at(after), most, [&](auto found) { told.set_value(std::move(found)); });
    return told.get_future().get().value();
  };
  const DocumentsPage first = page("/", 2);
  REQUIRE(first.documents.size() == 2);
  CHECK_FALSE(first.is_last);
  CHECK(first.documents[0].path == at("/notes/a"));
  CHECK(first.documents[0].updates == 2);
  CHECK(first.documents[0].bytes > 11);
  const DocumentsPage rest = page("/notes/b", 2);
  REQUIRE(rest.documents.size() == 1);
  CHECK(rest.is_last);
  CHECK(rest.documents[0].path == at("/other"));

  const auto content = [&](std::string_view path) {
    std::promise<Result<DocumentContent>> told;
    database->document("t", at(path), [&](auto found) { told.set_value(std::move(found)); });
    return told.get_future().get();
  };
  const auto hello = content("/notes/a");
  REQUIRE(hello.ok());
  CHECK(hello.value().json == R"({"t":"hello world"})");
  CHECK(hello.value().stored.updates == 2);
  CHECK_FALSE(hello.value().has_pending);
  CHECK(content("/notes").error().code == ErrorCode::NotFound);
  CHECK(content("/none").error().code == ErrorCode::NotFound);
}
