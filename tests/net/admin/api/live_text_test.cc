// What lives in a namespace as JSON: whole, bounded, and whatever stands in keys and values.
#include "net/admin/api/live_text.h"

#include <catch2/catch.hpp>
#include <string>

#include "db/model/json.h"
#include "net/admin/api/activity_wait.h"

namespace admin = hearth::net::admin;
namespace db = hearth::db;
namespace http = hearth::net::http;

namespace {

db::JsonDocument parsed(const std::string& text) {
  INFO(text);
  auto document = db::JsonDocument::parse(text);
  REQUIRE(document.ok());
  return std::move(document).value();
}

db::LiveSession session(uint64_t connection, const std::string& user, size_t listeners) {
  db::LiveSession one;
  one.origin = {connection, "supabase"};
  one.user = user;
  one.listener_count = listeners;
  return one;
}

db::Path at(std::string_view path) { return db::Path::parse(path).value(); }

admin::ActivityFilter filter(const std::string& query, const std::string& space = "") {
  const auto target = http::parse_target("/.inspect/activity.json?" + query);
  REQUIRE(target.ok());
  auto parsed = admin::ActivityFilter::parse(target.value(), space);
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

bool is_refused(const std::string& query) {
  return !admin::ActivityFilter::parse(http::parse_target("/x?" + query).value(), "").ok();
}

}  // namespace

TEST_CASE("live text: a connection has what its sessions have together, and none of others", "[admin]") {
  std::vector<http::SeenConnection> seen(2);
  seen[0].number = 7;
  seen[0].peer = "127.0.0.1:5";
  seen[0].kind = "WebSocket";
  seen[0].age = std::chrono::seconds(12);
  seen[1].number = 8;
  const std::vector<admin::SessionIn> sessions = {
      {"shop", session(7, "", 1)}, {"shop", session(7, "ada", 2)}, {"shop", session(0, "poll", 4)}};
  const db::Timestamp now = std::chrono::seconds(1'000);
  const auto all = parsed(admin::connections_text(seen, {}, 8, sessions, false, now));
  CHECK(all.root().field("yours")->integer() == 8);
  const auto list = all.root().field("connections")->elements();
  REQUIRE(list.size() == 2);
  CHECK(list[0].text("user") == "ada");
  CHECK(list[0].text("ns") == "shop");
  CHECK(list[0].text("protocol") == "supabase");
  CHECK(list[0].field("since")->integer() == 988'000);
  CHECK(list[0].field("sessions")->integer() == 2);
  CHECK(list[0].field("listeners")->integer() == 3);
  CHECK(list[1].field("user")->is_null());
  CHECK(list[1].field("ns")->is_null());
  CHECK(list[0].field("relayed")->boolean() == false);
  const auto some = parsed(admin::connections_text(seen, {}, 8, sessions, true, now));
  CHECK(some.root().field("connections")->elements().size() == 1);
  // By way of another node: as others, and it is said.
  const auto both = parsed(admin::connections_text({seen[1]}, {seen[0]}, 8, sessions, false, now));
  const auto two = both.root().field("connections")->elements();
  REQUIRE(two.size() == 2);
  CHECK(two[0].field("relayed")->boolean() == false);
  CHECK(two[1].field("relayed")->boolean() == true);
  CHECK(two[1].text("user") == "ada");
}

TEST_CASE("live text: what is queued is cut at a character, and markup is only text", "[admin]") {
  db::Live live;
  live.total = 1;
  live.sessions.push_back(session(7, "</script>\u202e\"ada\"", 0));
  const std::string umlauts = "x" + [] {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "ü";
    return text;
  }();
  live.sessions[0].queued = {{at("/a"), db::Slot::Value, db::Value::string(umlauts)},
                             {at("/b"), db::Slot::Priority, db::Value::integer(3)},
                             {at("/c"), db::Slot::Value, db::Value()},
                             {at("/d"), db::Slot::Value, db::Value::string(std::string(100'000, 'y'))}};
  const auto document = parsed(admin::sessions_text(live));
  const auto one = document.root().field("sessions")->elements().at(0);
  CHECK(one.text("user") == "</script>\u202e\"ada\"");
  const auto queued = one.field("queued")->elements();
  REQUIRE(queued.size() == 4);
  CHECK(queued[0].text("value").size() <= admin::kShownValueBytesMax);
  CHECK(queued[0].text("value").size() >= admin::kShownValueBytesMax - 1);
  CHECK(queued[0].field("bytes")->integer() == 803);
  CHECK(queued[1].text("path") == "/b/.priority");
  CHECK(queued[2].text("value") == "null");
  CHECK(queued[3].text("value").empty());
  CHECK(*queued[3].field("bytes")->integer() >= 100'000);
}

TEST_CASE("live text: a query is told in the words of REST", "[admin]") {
  db::Query several = db::Query::by_child("sent");
  several.then = {at("/author/id")};
  const std::vector<std::pair<db::Query, std::string>> cases = {
      {db::Query::by_child("sent").start_at(db::Value::integer(3)).limit_to_last(10),
       R"(orderBy="sent"&startAt=3&limitToLast=10)"},
      {db::Query::by_key().start_after(db::Value::string("a\"")).end_at(db::Value::string("c")),
       R"(orderBy="$key"&startAfter="a\""&endAt="c")"},
      {db::Query::by_value().equal_to(db::Value::boolean(true)), R"(orderBy="$value"&equalTo=true)"},
      {db::Query::by_child("n").start_after(db::Value::integer(1)).end_at(db::Value::integer(2), "k"),
       R"(orderBy="n"&startAfter=1&endAt=2,"k")"},
      {db::Query::by_priority().limit_to_first(1), R"(orderBy="$priority"&limitToFirst=1)"},
      {several, R"(orderBy="sent","author/id")"}};
  db::Live live;
  live.sessions.push_back(session(7, "ada", 0));
  live.sessions[0].listeners.clear();
  for (const auto& [query, words] : cases) live.sessions[0].listeners.push_back({at("/a"), query});
  const auto document = parsed(admin::sessions_text(live));
  const auto listeners = document.root().field("sessions")->elements().at(0).field("listeners")->elements();
  REQUIRE(listeners.size() == cases.size());
  for (size_t i = 0; i < cases.size(); ++i) CHECK(listeners[i].text("query") == cases[i].second);
}

TEST_CASE("live text: lists of listeners, topics and documents are JSON, empty ones too", "[admin]") {
  for (const std::string& text : {admin::sessions_text({}), admin::listeners_text({}), admin::topics_text({}),
                                  admin::documents_text({}), admin::topic_text({})}) {
    parsed(text);
  }
  db::LiveTopic topic;
  topic.name = "document:notes/a";
  topic.messages.push_back({"e", "", 12, true, std::chrono::milliseconds(5)});
  topic.people.push_back(session(0, "", 0));
  const auto told = parsed(admin::topic_text(topic));
  CHECK(told.root().text("family") == "document");
  CHECK(told.root().field("kept")->elements().at(0).field("value")->is_null());
  CHECK(told.root().field("people")->elements().at(0).field("connection")->is_null());
  db::DocumentsPage page;
  page.documents = {{at("/a"), 1, 2}};
  CHECK(parsed(admin::documents_text(page)).root().field("next")->is_null());
  page.is_last = false;
  CHECK(parsed(admin::documents_text(page)).root().text("next") == "/a");
  db::DocumentContent content;
  content.json = R"({"t":"x"})";
  CHECK(parsed(admin::document_text(content)).root().field("json")->text("t") == "x");
}

TEST_CASE("activity: a filter wants what it names, and refuses what it does not know", "[admin]") {
  hearth::rules::ActivityEntry entry;
  entry.space = "shop";
  entry.path = "/rooms/tea";
  entry.kind = hearth::rules::ActivityEntry::Kind::Write;
  entry.verdict = hearth::rules::ActivityEntry::Verdict::Denied;
  CHECK(filter("").wants(entry));
  CHECK(filter("", "shop").wants(entry));
  CHECK_FALSE(filter("", "other").wants(entry));
  CHECK(filter("path=/rooms").wants(entry));
  CHECK(filter("path=rooms/").wants(entry));
  CHECK(filter("path=/").wants(entry));
  CHECK_FALSE(filter("path=/room").wants(entry));
  CHECK(filter("kind=read,write").wants(entry));
  CHECK_FALSE(filter("kind=listen").wants(entry));
  CHECK(filter("verdict=denied").wants(entry));
  CHECK_FALSE(filter("verdict=ok,failed").wants(entry));
  CHECK(filter("since=12").since == 12);
  CHECK(filter("wait=25s").wait == std::chrono::seconds(25));
  CHECK(filter("wait=500ms").wait == std::chrono::milliseconds(500));
  for (const char* wrong : {"kind=reed", "verdict=no", "since=x", "since=-1", "wait=31s", "wait=s", "wait=1h"}) {
    INFO(wrong);
    CHECK(is_refused(wrong));
  }
}
