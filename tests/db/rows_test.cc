// Rows and topics through a database: what listeners hear, in which order, and who may.
#include <catch2/catch.hpp>

#include "db/events/row_registry.h"
#include "db/model/row_change.h"
#include "db/topics/topics.h"
#include "tests/db/talk.h"
#include "tests/support/random_tree.h"

using namespace hearth::test;

namespace {

RowBinding table(std::string_view path, std::string_view filter = "", uint8_t kinds = kEveryRowKind) {
  return {at(path), false, kinds, parse_row_filter(filter).value()};
}

RowListen rows_of(std::vector<RowBinding> bindings, std::shared_ptr<const RowCheck> check = {}) {
  return {std::move(bindings), std::move(check), 0};
}

// Sees rows whose `owner` is its name.
class Owner final : public RowCheck {
 public:
  explicit Owner(std::string name) : name_(std::move(name)) {}
  Result<bool> may_read(const Moment& moment, const Path& row) const override {
    ++asked;
    ASSIGN_OR_RETURN(const Value value, moment.before.read(row.child("owner").value(), 1'000));
    return value.kind() == Value::Kind::String && value.as_string() == name_;
  }
  std::string_view asker() const override { return name_; }
  mutable std::atomic<int> asked = 0;

 private:
  const std::string name_;
};

// Holds while nothing stands at a path.
class WhileEmpty final : public Precondition {
 public:
  explicit WhileEmpty(std::string_view path) : path_(at(path)) {}
  Result<void> check(const Moment& moment) const override {
    ++asked;
    ASSIGN_OR_RETURN(const bool exists, moment.before.exists(path_));
    if (exists) return Error{ErrorCode::PermissionDenied, "no"};
    return {};
  }
  mutable std::atomic<int> asked = 0;

 private:
  const Path path_;
};

Write update(std::string_view base, std::vector<std::pair<std::string, Value>> entries) {
  return make_update(base, std::move(entries)).value();
}

std::shared_ptr<TopicMessage> said(std::string event, std::string bytes) {
  auto message = std::make_shared<TopicMessage>();
  message->event = std::move(event);
  message->bytes = std::move(bytes);
  return message;
}

TopicJoin join(std::string topic, bool hears_entries = true) {
  TopicJoin join;
  join.topic = std::move(topic);
  join.hears_entries = hears_entries;
  return join;
}

}  // namespace

TEST_CASE("Rows: one event for a row and commit, before the write's answer, with the row before and after", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk talk(*database);
  talk.client->listen_rows(1, 7, rows_of({table("todos")}));
  CHECK(talk.until(1) == Words{"a1"});
  talk.client->write(2, set("todos/a", json(R"({"n":1,"t":"x"})")));
  CHECK(talk.until(2) == Words{R"(r7 1 todos/a null -> {"n":1,"t":"x"})", "a2"});
  talk.client->write(3, set("todos/a/n", Value::integer(2)));
  CHECK(talk.until(3) == Words{R"(r7 1 todos/a {"n":1,"t":"x"} -> {"n":2,"t":"x"})", "a3"});
  // Several changes of a row in one commit are one event; a row that stays the same is none.
  talk.client->write(4, update("", {{"todos/a/n", Value::integer(3)},
                                    {"todos/a/t", Value::string("y")},
                                    {"todos/b/n", Value::integer(1)},
                                    {"other/x", Value::integer(1)}}));
  CHECK(talk.until(4) ==
        Words{R"(r7 1 todos/a {"n":2,"t":"x"} -> {"n":3,"t":"y"})", R"(r7 1 todos/b null -> {"n":1})", "a4"});
  talk.client->write(5, set("todos", json(R"({"a":{"n":3,"t":"y"},"c":5})")));
  CHECK(talk.until(5) == Words{R"(r7 1 todos/b {"n":1} -> null)", "r7 1 todos/c null -> 5", "a5"});
  talk.client->write(6, set("", Value()));
  CHECK(talk.until(6) == Words{R"(r7 1 todos/a {"n":3,"t":"y"} -> null)", "r7 1 todos/c 5 -> null", "a6"});
  talk.client->write(7, make_write("todos/a/.priority", Value::integer(1)).value());
  talk.client->unlisten(8, 7);
  talk.client->write(9, set("todos/z", Value::integer(1)));
  CHECK(talk.until(9) == Words{"a7", "a8", "a9"});
}

TEST_CASE("Rows: filters judge the row after, of a deletion the row before; kinds and bindings are told apart",
          "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk talk(*database);
  const auto only = [](RowKind kind) { return static_cast<uint8_t>(kind); };
  talk.client->listen_rows(1, 7,
                           rows_of({table("t", "u=eq.a"), table("t", "u=in.(a,b)", only(RowKind::Delete)),
                                    table("t", "n=gt.5"), table("t", "", only(RowKind::Update))}));
  talk.until(1);
  talk.client->write(2, set("t/1", json(R"({"u":"a","n":9})")));
  CHECK(talk.until(2).front().starts_with("r7 5 "));
  talk.client->write(3, set("t/1/n", Value::integer(1)));
  CHECK(talk.until(3).front().starts_with("r7 9 "));
  talk.client->write(4, set("t/1/u", Value::string("c")));  // it leaves the filter
  CHECK(talk.until(4).front().starts_with("r7 8 "));
  talk.client->write(5, set("t/1/u", Value::string("b")));
  CHECK(talk.until(5).front().starts_with("r7 8 "));
  talk.client->write(6, set("t/1", Value()));
  CHECK(talk.until(6).front().starts_with("r7 2 "));
  talk.client->write(7, set("t/2", json(R"({"u":"z"})")));
  CHECK(talk.until(7) == Words{"a7"});
}

TEST_CASE("Rows: every table below a path, and a table that lies deeper", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk talk(*database);
  RowBinding every = table("");
  every.is_every_table = true;
  talk.client->listen_rows(1, 7, rows_of({every, table("shop/orders")}));
  talk.until(1);
  talk.client->write(2, set("a/1/x", Value::integer(1)));
  CHECK(talk.until(2) == Words{R"(r7 1 a/1 null -> {"x":1})", "a2"});
  talk.client->write(3, set("shop/orders/o1", json(R"({"n":1})")));
  CHECK(talk.until(3) ==
        Words{R"(r7 1 shop/orders null -> {"o1":{"n":1}})", R"(r7 2 shop/orders/o1 null -> {"n":1})", "a3"});
  talk.client->write(4, set("", json(R"({"b":{"k":1}})")));
  CHECK(talk.until(4) == Words{R"(r7 1 a/1 {"x":1} -> null)", "r7 1 b/k null -> 1",
                               R"(r7 1 shop/orders {"o1":{"n":1}} -> null)", R"(r7 2 shop/orders/o1 {"n":1} -> null)",
                               "a4"});
}

TEST_CASE("Rows: each is for those who may read it, before and after", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database), ben(*database), admin(*database);
  const auto of_ada = std::make_shared<Owner>("ada");
  ada.client->listen_rows(1, 1, rows_of({table("t")}, of_ada));
  ada.client->listen_rows(2, 2, rows_of({table("t")}, std::make_shared<Owner>("ada")));
  ben.client->listen_rows(1, 1, rows_of({table("t")}, std::make_shared<Owner>("ben")));
  admin.client->listen_rows(1, 1, rows_of({table("t")}));
  ada.until(2), ben.until(1), admin.until(1);
  admin.client->write(2, set("t/x", json(R"({"owner":"ada"})")));
  admin.client->write(3, set("t/x/n", Value::integer(1)));
  admin.client->write(4, set("t/x/owner", Value::string("ben")));
  admin.client->write(5, set("t/x", Value()));
  CHECK(admin.until(5).size() == 8);
  ada.client->reply(9, {});
  ben.client->reply(9, {});
  CHECK(ada.until(9) == Words{R"(r1 1 t/x null -> {"owner":"ada"})", R"(r2 1 t/x null -> {"owner":"ada"})",
                              R"(r1 1 t/x {"owner":"ada"} -> {"n":1,"owner":"ada"})",
                              R"(r2 1 t/x {"owner":"ada"} -> {"n":1,"owner":"ada"})", "a9"});
  CHECK(ben.until(9) ==
        Words{R"(r1 1 t/x ? -> {"n":1,"owner":"ben"})", R"(r1 1 t/x {"n":1,"owner":"ben"} -> null)", "a9"});
  // A verdict is for all listeners of one asker, and most commits ask twice.
  CHECK(of_ada->asked <= 6);
}

TEST_CASE("Rows: a commit of too many rows is told as missed, to those who listen there", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk talk(*database);
  talk.client->listen_rows(1, 7, rows_of({table("t", "u=eq.nobody")}));
  talk.client->listen_rows(2, 8, rows_of({table("other")}));
  talk.until(2);
  std::vector<std::pair<std::string, Value>> rows;
  for (size_t i = 0; i <= kRowChangesMax; ++i) rows.emplace_back("k" + std::to_string(i), Value::integer(1));
  talk.client->write(3, set("t", Value::object(rows)));
  CHECK(talk.until(3) == Words{"r7 missed", "a3"});
  talk.client->write(4, set("t/k1", json(R"({"u":"nobody"})")));
  CHECK(talk.until(4) == Words{R"(r7 1 t/k1 1 -> {"u":"nobody"})", "a4"});
}

TEST_CASE("Rows: a write that no filter is about does not read the row before", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk talk(*database);
  std::vector<RowBinding> bindings;
  for (int i = 0; i < 60; ++i) bindings.push_back(table("t", "u=eq.user" + std::to_string(i)));
  for (uint64_t i = 0; i < 20; ++i) talk.client->listen_rows(1 + i, 1 + i, rows_of(bindings));
  talk.until(20);
  const auto rows_for = [&](uint64_t request, std::string_view user) {
    const uint64_t before = database->figures().rows_worked;
    talk.client->write(request, set("t/x", Value::object({{"u", Value::string(std::string(user))}})));
    const size_t told = talk.until(request).size() - 1;
    return std::pair(database->figures().rows_worked - before, told);
  };
  rows_for(100, "nobody");
  const auto unheard = rows_for(101, "no one");
  CHECK(unheard.second == 0);
  const auto heard = rows_for(102, "user5");
  CHECK(heard.second == 20);
  CHECK(heard.first >= unheard.first + 20);
  talk.client->unlisten(200, 1);
  CHECK(talk.until(200).size() == 1);
  CHECK(rows_for(103, "user6").second == 19);
  const uint64_t held = database->figures().listener_bytes;
  for (uint64_t i = 1; i < 20; ++i) talk.client->unlisten(300 + i, 1 + i);
  talk.until(319);
  CHECK(held > 0);
  CHECK(database->figures().listener_bytes == 0);
}

TEST_CASE("Rows: random writes are told as a comparison of all rows before and after tells", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk talk(*database);
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const auto pick = [&](std::vector<std::string> from) { return from[random.below(from.size())]; };
  talk.client->listen_rows(1, 1, rows_of({table("a"), table("a", "k=eq.1"), table("b/c", "k=neq.1")}));
  talk.until(1);
  Value tree;
  const auto row = [&] {
    if (random.below(8) == 0) return Value();
    if (random.below(8) == 0) return Value::integer(static_cast<int64_t>(random.below(3)));
    return Value::object({{"k", Value::integer(static_cast<int64_t>(random.below(3)))},
                          {"v", Value::integer(static_cast<int64_t>(random.below(2)))}});
  };
  const auto rows_at = [](const Value& tree, std::string_view path) {
    std::map<std::string, Value> rows;
    const Value table = tree.at(at(path));
    if (table.is_object()) {
      for (auto child = table.children(); !child.done(); child.next()) rows.emplace(child.key(), child.value());
    }
    return rows;
  };
  for (uint64_t request = 2; request < 400; ++request) {
    Write write;
    switch (random.below(6)) {
      case 0:
        write = set(pick({"a", "b/c"}), random.below(3) == 0 ? Value() : Value::object({{"x", row()}, {"y", row()}}));
        break;
      case 1:
        write = set(pick({"", "b"}), random.below(2) == 0 ? Value()
                                                          : Value::object({{"a", Value::object({{"x", row()}})},
                                                                           {"c", Value::object({{"z", row()}})}}));
        break;
      case 2:
        write = set(pick({"a/x/k", "a/y/v", "b/c/x/k"}), Value::integer(static_cast<int64_t>(random.below(3))));
        break;
      default:
        write = update("", {{"a/" + pick({"x", "y", "z"}), row()}, {"b/c/" + pick({"x", "y"}), row()}});
    }
    talk.client->write(request, write);
    const auto items = talk.items_until(request);
    talk.client->read(10'000 + request, get(""));
    const Value after = std::get<Answer>(talk.items_until(10'000 + request).back()).value;
    std::map<std::string, std::string> expected, heard;
    for (const std::string_view path : {"a", "b/c"}) {
      const auto was = rows_at(tree, path), is = rows_at(after, path);
      std::set<std::string> keys;
      for (const auto& [key, value] : was) keys.insert(key);
      for (const auto& [key, value] : is) keys.insert(key);
      for (const std::string& key : keys) {
        const Value old = was.contains(key) ? was.at(key) : Value(), now = is.contains(key) ? is.at(key) : Value();
        if (old == now) continue;
        const Value judged = (now.is_null() ? old : now).at(at("k"));
        const bool is_one = judged == Value::integer(1);
        uint64_t bits = path == "a" ? (is_one ? 3 : 1) : (judged.is_null() || is_one ? 0 : 4);
        if (bits != 0) expected[std::string(path) + "/" + key] = std::to_string(bits) + text(old) + text(now);
      }
    }
    for (const Item& item : items) {
      const auto* event = std::get_if<RowEvent>(&item);
      if (event == nullptr) continue;
      const std::string name = event->change->table.text() + "/" + event->change->key;
      CHECK(!heard.contains(name));
      heard[name] = std::to_string(event->bindings) + text(event->change->before) + text(event->change->after);
    }
    REQUIRE(heard == expected);
    tree = after;
  }
}

TEST_CASE("Rows: a listener is woken before a write by itself is answered", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  std::atomic<bool> is_woken = false;
  const auto client = database->client("t", "", [&] { is_woken = true; }).value();
  client->listen_rows(1, 1, rows_of({table("t")}));
  for (int i = 0; i < 100; ++i) {
    for (int tries = 0; client->take().empty() && i == 0; ++tries) {
      REQUIRE(tries < 5'000);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    while (!client->take().empty()) {
    }
    is_woken = false;
    std::promise<bool> done;
    database->write("t", set("t/x", Value::integer(i)), [&](const Answer&) { done.set_value(is_woken); });
    CHECK(done.get_future().get());
  }
}

TEST_CASE("Topics: what is said is told to those who are there, in order with events and answers", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database), ben(*database);
  ada.client->join(1, 5, join("t"));
  CHECK(ada.until(1) == Words{"a1"});
  TopicJoin echoed = join("t");
  echoed.hears_itself = true;
  ben.client->join(1, 6, echoed);
  ben.until(1);
  ada.client->announce(2, 5, {{"ada", "1", false, {}}});
  CHECK(ada.until(2) == Words{"t5 all", "t5 +ada=1", "a2"});
  ben.client->say(2, 6, said("hi", "x"));
  CHECK(ben.until(2) == Words{"t6 all", "t6 +ada=1", "t6 hi=x", "a2"});
  ada.client->say(3, 5, said("own", "y"));  // it does not hear itself
  CHECK(ada.until(3) == Words{"t5 hi=x", "a3"});
  ben.client->announce(3, 6, {{"ben", "2", false, {}}});
  CHECK(ben.until(3) == Words{"t6 own=y", "t6 +ben=2", "a3"});
  ben.client->end();
  ada.client->reply(4, {});
  CHECK(ada.until(4).back() == "a4");
  ada.client->say(5, 99, said("x", "y"));
  Words last = ada.until(5);
  CHECK(last.back() == "a5 refused");
  CHECK(database->figures().topic_members == 1);
  ada.client->unlisten(6, 5);
  ada.until(6);
  CHECK(database->figures().topics == 0);
  CHECK(database->figures().topic_bytes == 0);
  CHECK(database->figures().listener_bytes == 0);
}

TEST_CASE("Topics: a member that is gone leaves, and the others hear it", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database);
  auto ben = std::make_unique<Talk>(*database);
  ada.client->join(1, 5, join("t"));
  ada.until(1);
  ben->client->join(1, 6, join("t"));
  ben->client->announce(2, 6, {{"ben", "2", false, {}}});
  ben->until(2);
  ben.reset();
  Words words;
  for (uint64_t request = 2; words.empty() || words.back() != "t5 -ben=2"; ++request) {
    REQUIRE(request < 1'000);
    ada.client->reply(request, {});
    for (std::string& word : ada.until(request)) {
      if (word.front() == 't') words.push_back(std::move(word));
    }
  }
  CHECK(words == Words{"t5 all", "t5 +ben=2", "t5 -ben=2"});
}

TEST_CASE("Topics: a right that is lost ends the place; the right to speak is asked for once until it may change",
          "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database), admin(*database);
  const auto may_be = std::make_shared<WhileEmpty>("closed"), may_speak = std::make_shared<WhileEmpty>("silent");
  TopicJoin asked = join("t", false);
  asked.may_be = may_be;
  asked.may_speak = may_speak;
  asked.hears_itself = true;
  ada.client->join(1, 5, asked);
  for (uint64_t i = 2; i < 12; ++i) ada.client->say(i, 5, said("hi", "x"));
  CHECK(ada.until(11).size() == 21);
  CHECK(may_speak->asked == 1);
  admin.client->write(1, set("silent", Value::boolean(true)));
  admin.until(1);
  ada.client->say(12, 5, said("hi", "x"));
  ada.client->announce(13, 5, {{"ada", "1", false, {}}});
  ada.client->announce(14, 5, {{"ada", "", true, {}}});
  CHECK(ada.until(14) == Words{"a12 refused", "a13 refused", "a14"});
  admin.client->write(2, set("silent", Value()));
  admin.until(2);
  ada.client->say(15, 5, said("hi", "x"));
  CHECK(ada.until(15) == Words{"t5 hi=x", "a15"});
  admin.client->write(3, set("closed", Value::boolean(true)));
  admin.until(3);
  ada.client->say(16, 5, said("hi", "x"));
  CHECK(ada.until(16) == Words{"e5 revoked", "a16 refused"});
  ada.client->join(17, 5, asked);
  CHECK(ada.until(17) == Words{"a17 refused"});
  CHECK(database->figures().topics == 0);
  CHECK(database->figures().listener_bytes == 0);
}

TEST_CASE("Topics: said from outside, kept, and told again to who comes later", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database);
  const auto say = [&](std::string event, bool is_kept, std::shared_ptr<const Precondition> may = {}) {
    std::promise<bool> done;
    database->say("t", "t", std::move(may), said(std::move(event), "1"), is_kept,
                  [&](Answer answer) { done.set_value(answer.status.ok()); });
    return done.get_future().get();
  };
  CHECK(say("nobody hears", false));
  CHECK(say("first", true));
  CHECK(say("second", true));
  TopicJoin later = join("t", false);
  later.is_kept = true;
  later.since = Timestamp(0);
  later.since_max = 25;
  ada.client->join(1, 5, later);
  ada.client->reply(2, {});
  CHECK(ada.until(2) == Words{"a1", "t5 first=1 again", "t5 second=1 again", "a2"});
  CHECK(say("third", true));
  ada.client->reply(3, {});
  CHECK(ada.until(3) == Words{"t5 third=1", "a3"});
  Talk admin(*database);
  admin.client->write(1, set("silent", Value::boolean(true)));
  admin.until(1);
  CHECK_FALSE(say("fourth", true, std::make_shared<WhileEmpty>("silent")));
}

TEST_CASE("Topics: what is kept of what was said never keeps anybody out", "[db]") {
  const TempFolder folder;
  Database::Options options;
  options.folder = folder.path();
  options.memory.topic_bytes_max = 40'000;
  const auto database = Host::open(options).value();
  Talk talk(*database);
  for (uint64_t i = 1; i <= 40; ++i) {
    const std::string topic = "t" + std::to_string(i);
    TopicJoin kept = join(topic, false);
    kept.is_kept = true;
    talk.client->join(2 * i, i, kept);
    talk.until(2 * i);
    talk.client->say(2 * i + 1, i, said("hi", std::string(5'000, 'x')));
    CHECK(talk.until(2 * i + 1).back() == "a" + std::to_string(2 * i + 1));
    talk.client->unlisten(0, i);
  }
  CHECK(database->figures().topic_bytes <= 22'000);
  talk.client->join(1'000, 1'000, join("more", false));
  CHECK(talk.until(1'000).back() == "a1000");
}

TEST_CASE("Topics: memory has a limit, which names its flag", "[db]") {
  const TempFolder folder;
  Database::Options options;
  options.folder = folder.path();
  options.memory.space_topic_bytes_max = 20'000;
  const auto database = Host::open(options).value();
  Talk talk(*database);
  size_t joined = 0;
  std::string refusal;
  for (uint64_t i = 1; refusal.empty(); ++i) {
    REQUIRE(i < 100);
    talk.client->join(i, i, join("t" + std::to_string(i), false));
    const auto items = talk.items_until(i);
    const auto& answer = std::get<Answer>(items.back());
    if (answer.status.ok()) {
      ++joined;
    } else {
      refusal = answer.status.error().message;
    }
  }
  CHECK(joined >= 5);
  CHECK(refusal.find("--max-namespace-topics-size") != std::string::npos);
  talk.client->announce(200, 1, {{"k", std::string(30'000, 'x'), false, {}}});
  CHECK(talk.until(200).back() == "a200 refused");
  CHECK(database->figures().topic_bytes <= 20'000);
}
