// What a stranger may cost and learn: rights come before work, and what is refused tells nothing of what is there.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <future>
#include <mutex>
#include <thread>

#include "db/base/step.h"
#include "db/host.h"
#include "db/model/hash.h"
#include "db/model/json.h"
#include "rules/guard.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
using db::ErrorCode;
using db::Path;
using db::Query;
using db::Value;
using hearth::rules::Auth;
using hearth::rules::Guard;
using hearth::rules::Session;

namespace {

// A million where there is time for it: tools/test --long.
const int kChildren = std::getenv("HEARTH_LONG") != nullptr ? 1'000'000 : 100'000;

const Auth kNobody{};
const Auth kReader{Auth::Kind::User, R"({"uid":"reader"})", {}};
const Auth kWriter{Auth::Kind::User, R"({"uid":"writer"})", {}};

Path at(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return db::parse_value(std::move(text), Path()).value(); }

db::Write put(const std::string& path, Value value) {
  db::Write write;
  write.base = at(path);
  write.overwrites.push_back({write.base, db::Slot::Value, std::move(value)});
  return write;
}

db::Write update(const std::string& path, int count, int from = 0) {
  db::Write write;
  write.base = at(path);
  write.merge = true;
  for (int i = from; i < from + count; ++i) {
    write.overwrites.push_back(
        {write.base.child("k" + std::to_string(10'000'000 + i)).value(), db::Slot::Value, Value::integer(i)});
  }
  return write;
}

db::Write with_hash(db::Write write, std::string hash) {
  write.preconditions.push_back(std::make_shared<db::HashIs>(write.base, std::move(hash)));
  write.wants_value = true;
  return write;
}

db::Write remove_selected(const std::string& path, Query query) {
  db::Write write;
  write.base = at(path);
  write.selection = std::move(query);
  return write;
}

Value children(int count) {
  std::vector<std::pair<std::string, Value>> all;
  for (int i = 0; i < count; ++i) {
    all.emplace_back("k" + std::to_string(10'000'000 + i), Value::object({{"n", Value::integer(i)}}));
  }
  return Value::object(all);
}

struct House {
  explicit House(const std::string& rules = {}, std::chrono::milliseconds grace = std::chrono::hours(1)) {
    db::Database::Options options;
    options.folder = folder.path();
    options.sync = db::SyncMode::Os;
    options.shards = 1;
    options.disconnect_grace = grace;
    database = db::Host::open(std::move(options)).value();
    guard = std::make_unique<Guard>(*database,
                                    Guard::Options{.dev = false, .admin_secret = "", .default_namespace = "demo"});
    REQUIRE(database->create("demo").ok());
    if (!rules.empty()) set_rules(rules);
  }
  void set_rules(const std::string& rules) {
    std::promise<db::Result<void>> done;
    guard->set_rules("demo", Auth::admin(), rules, hearth::rules::Install::Yes,
                     [&](const db::Answer& answer) { done.set_value(answer.status); });
    const auto status = done.get_future().get();
    INFO((status.ok() ? "" : status.error().message));
    REQUIRE(status.ok());
  }
  db::Answer write(const Auth& auth, db::Write request) {
    std::promise<db::Answer> answer;
    guard->write("demo", auth, std::move(request), [&](db::Answer got) { answer.set_value(std::move(got)); });
    return answer.get_future().get();
  }
  db::Answer read(const Auth& auth, db::Read request) {
    std::promise<db::Answer> answer;
    guard->read("demo", auth, std::move(request), [&](db::Answer got) { answer.set_value(std::move(got)); });
    return answer.get_future().get();
  }
  // What the thread of the shard did meanwhile.
  template <typename What>
  db::Work work_of(const What& what) {
    const db::Figures before = database->figures();
    what();
    const db::Figures after = database->figures();
    return {after.rows_worked - before.rows_worked, after.bytes_worked - before.bytes_worked,
            after.evaluations_worked - before.evaluations_worked};
  }

  hearth::test::TempFolder folder;
  std::unique_ptr<db::Host> database;
  std::unique_ptr<Guard> guard;
};

// A session, and how many answers and events it has had.
class Talk {
 public:
  Talk(House& house, const Auth& auth) : session_(house.guard->open("demo", auth, "", [] {}).value()) {}
  Session* operator->() { return session_.get(); }
  // The answer to that request. Events are counted.
  db::Answer answer(uint64_t request) {
    for (int tries = 0; tries < 60'000; ++tries) {
      for (db::Item& item : session_->take()) {
        if (std::holds_alternative<db::Event>(item)) ++events;
        if (auto* got = std::get_if<db::Answer>(&item); got != nullptr) answers_[got->request] = std::move(*got);
      }
      if (answers_.contains(request)) return std::move(answers_[request]);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL("no answer");
    return {};
  }
  int events = 0;

 private:
  std::unique_ptr<Session> session_;
  std::map<uint64_t, db::Answer> answers_;
};

bool is_denied(const db::Answer& answer) {
  return !answer.status.ok() && answer.status.error().code == ErrorCode::PermissionDenied;
}

constexpr const char* kRules = R"X({"rules": {
  ".read": "auth.uid == 'reader'",
  ".write": "auth.uid == 'writer'",
  "counted": {".write": true},
  "drop": {"$i": {".write": "!data.exists()"}},
  "new": {".write": "newData.child('by').val() == auth.uid"}
}})X";

}  // namespace

TEST_CASE("Strangers: who may not do a thing costs a rule's evaluation, however much is there", "[rules][strangers]") {
  House house(kRules);
  REQUIRE(house.write(Auth::admin(), put("big", children(20'000))).status.ok());
  struct Case {
    const char* what;
    Auth auth;
    db::Write write;
  };
  const std::vector<Case> cases = {
      {"a put", kNobody, put("big", Value::integer(1))},
      {"a removal of all", kNobody, put("", Value())},
      {"a large put", kNobody, put("big", children(3'000))},
      {"a conditional write", kNobody, with_hash(put("big", Value::integer(1)), "x")},
      {"a conditional write at the root", kNobody, with_hash(put("", Value::integer(1)), "x")},
      {"a conditional write where nothing should be", kNobody, with_hash(put("big", Value::integer(1)), "")},
      {"an update of many locations", kNobody, update("big", 20'000)},
      {"a removal of what a query selects", kNobody, remove_selected("big", Query::by_key().limit_to_first(19'000))},
      {"a removal of what a query does not select", kNobody,
       remove_selected("big", Query::by_key().start_at(Value::string("z")))},
      {"an increment", kNobody, put("big/k10000000/n", json(R"({".sv":{"increment":1}})"))},
      {"a condition by who may write and not read", kWriter, with_hash(put("big", Value::integer(1)), "x")},
      {"a removal by query of who may write and not read", kWriter,
       remove_selected("big", Query::by_key().limit_to_first(19'000))},
      {"a put of who may read and not write", kReader, with_hash(put("big", Value::integer(1)), "x")},
  };
  for (const Case& one : cases) {
    INFO(one.what);
    db::Answer answer;
    const db::Work work = house.work_of([&] { answer = house.write(one.auth, one.write); });
    CHECK(is_denied(answer));
    CHECK(answer.value.is_null());
    CHECK(answer.hash.empty());
    CHECK(work.rows <= 4);
    CHECK(work.bytes <= 64);
    CHECK(work.evaluations <= 20);
  }
  CHECK(house.database->figures().namespaces_moved == 1);  // the admin's put
  INFO("the same on a session");
  Talk talk(house, kNobody);
  const db::Work work = house.work_of([&] {
    talk->write(1, with_hash(put("big", Value::integer(1)), "x"));
    talk->write(2, update("big", 20'000));
    db::Listen listen;
    listen.path = at("big");
    listen.query = Query::by_key().limit_to_first(19'000);
    talk->listen(3, 1, listen);
    db::Disconnect later;
    later.kind = db::Disconnect::Kind::Merge;
    later.path = at("big");
    later.overwrites = update("big", 5'000).overwrites;
    talk->on_disconnect(4, later);
    CHECK(is_denied(talk.answer(4)));
  });
  CHECK(work.rows <= 10);
  for (uint64_t request = 1; request <= 3; ++request) CHECK(is_denied(talk.answer(request)));
}

TEST_CASE("Strangers: a denial comes at the first location that fails", "[rules][strangers]") {
  House house(kRules);
  db::Write write = update("drop", 1'000);
  REQUIRE(house.write(kNobody, write).status.ok());
  INFO("all of them are there now, so the first is denied");
  db::Answer answer;
  const db::Work work = house.work_of([&] { answer = house.write(kNobody, update("drop", 1'000)); });
  CHECK(is_denied(answer));
  CHECK(work.rows <= 6);
  INFO("where a rule asks for the new tree, that is made first");
  CHECK(is_denied(house.write(kReader, put("new", json(R"({"by":"writer"})")))));
  CHECK(house.write(kReader, put("new", json(R"({"by":"reader"})"))).status.ok());
}

TEST_CASE("Strangers: who may write and not read is told nothing of what is there", "[rules][strangers]") {
  House house(kRules);
  REQUIRE(house.write(Auth::admin(), put("counted", json(R"({"n":41})"))).status.ok());
  const std::string right = db::node_hash(json(R"({"n":41})"));
  INFO("a guess at the hash is denied, right or wrong");
  CHECK(is_denied(house.write(kNobody, with_hash(put("counted", json(R"({"n":41})")), right))));
  CHECK(is_denied(house.write(kNobody, with_hash(put("counted", json(R"({"n":41})")), "wrong"))));
  INFO("that nothing stands there may be asked; that something does is not told");
  CHECK(house.write(kNobody, with_hash(put("counted/new", Value::integer(1)), "")).status.ok());
  CHECK(is_denied(house.write(kNobody, with_hash(put("counted/n", Value::integer(1)), ""))));
  INFO("an increment is made, and its sum is shown to those who may read it");
  db::Write told = put("counted/n", json(R"({".sv":{"increment":0}})"));
  told.wants_value = true;
  const db::Answer sum = house.write(kNobody, told);
  CHECK(sum.status.ok());
  CHECK(sum.value.is_null());
  CHECK(house.write(Auth::admin(), told).value.as_integer() == 41);
  CHECK(house.write(kNobody, put("counted/n", json(R"({".sv":{"increment":1}})"))).status.ok());
  db::Read read;
  read.path = at("counted/n");
  CHECK(house.read(Auth::admin(), read).value.as_integer() == 42);
  INFO("who may read is compared first, and hears that it is stale");
  house.set_rules(R"({"rules": {".read": true, "n": {".write": "newData.val() == data.val() + 1"}}})");
  REQUIRE(house.write(Auth::admin(), put("n", Value::integer(5))).status.ok());
  const db::Answer stale = house.write(kNobody, with_hash(put("n", Value::integer(1)), "old"));
  REQUIRE_FALSE(stale.status.ok());
  CHECK(stale.status.error().code == ErrorCode::Stale);
}

TEST_CASE("Strangers: stores that differ only where no rule looks answer alike, and as much is done for it",
          "[rules][strangers]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  hearth::test::RandomTree random(seed);
  for (int round = 0; round < 8; ++round) {
    // Rules look at /open and at what is written; nobody may read /secret, and some places of it may be written.
    const std::string write_rule =
        std::vector<std::string>{"false", "root.child('open/x').val() == 1", "auth != null", "newData.isNumber()",
                                 "newData.val() == root.child('open/x').val()"}[random.below(5)];
    const std::string rules =
        R"X({"rules": {"open": {".read": true}, "secret": {".read": "root.child('open/y').exists()", "$k": {".write": ")X" +
        write_rule + R"X("}}}})X";
    House one(rules), other(rules);
    const Value open = json(random.chance(0.5) ? R"({"x":1})" : R"({"x":2})");
    for (House* house : {&one, &other}) {
      REQUIRE(house->write(Auth::admin(), put("open", open)).status.ok());
      Value secret = children(static_cast<int>(1 + random.below(200)));
      for (int i = 0; i < 5; ++i) secret = secret.with(at(random.key()), random.value());
      REQUIRE(house->write(Auth::admin(), put("secret", secret)).status.ok());
    }
    for (int request = 0; request < 30; ++request) {
      const std::string place = random.chance(0.2) ? "secret" : "secret/" + random.key();
      db::Write write;
      switch (random.below(6)) {
        case 0:
          write = with_hash(put(place, random.leaf()), "guess");
          break;
        case 1:
          write = with_hash(put(place, random.leaf()), db::node_hash(Value::integer(1)));
          break;
        case 2:
          write =
              remove_selected("secret", Query::by_key().limit_to_first(static_cast<uint32_t>(1 + random.below(50))));
          break;
        case 3:
          write = remove_selected(place, Query::by_child("n").start_at(Value::integer(3)));
          break;
        case 4:
          // A rule that compares the sum looks at what stands there: newData is that and the increment. Under it a value is
          // written instead, whose answer would be that value.
          if (write_rule.starts_with("newData.val()")) {
            write = put(place, Value::integer(1));
          } else {
            write = put(place, json(R"({".sv":{"increment":0}})"));
            write.wants_value = true;
          }
          break;
        default:
          write = update("secret", static_cast<int>(1 + random.below(40)));
          // What is written must be refused, or the stores go apart in what may be seen: the last location is nobody's.
          write.overwrites.push_back({at("nowhere"), db::Slot::Value, Value::integer(1)});
          write.base = Path();
          break;
      }
      INFO("round " << round << ", " << write_rule << ", request " << request << " at " << place);
      db::Answer answers[2];
      db::Work works[2];
      size_t i = 0;
      for (House* house : {&one, &other}) {
        works[i] = house->work_of([&] { answers[i] = house->write(kNobody, write); });
        ++i;
      }
      REQUIRE(answers[0].status.ok() == answers[1].status.ok());
      if (!answers[0].status.ok()) CHECK(answers[0].status.error() == answers[1].status.error());
      CHECK(answers[0].value == answers[1].value);
      CHECK(answers[0].hash == answers[1].hash);
      CHECK(answers[0].value.is_null());
      // Where a rule asks for the tree after the write, that tree is made first, and costs what stood there; so does a write
      // that is allowed.
      if (!answers[0].status.ok() && write_rule.find("newData") == std::string::npos) {
        CHECK(works[0].rows == works[1].rows);
        CHECK(works[0].bytes == works[1].bytes);
        CHECK(works[0].evaluations == works[1].evaluations);
      }
    }
  }
}

TEST_CASE("Strangers: over the budget of an operation, the answer names the budget", "[rules][strangers]") {
  House house(R"X({"rules": {"items": {".write": true, "$i": {".validate":
    "newData.isString() && newData.val().length <= 500 && newData.val().matches(/^[a-z ]*$/)"}}}})X");
  std::vector<std::pair<std::string, Value>> items;
  std::string words;
  for (int i = 0; i < 40; ++i) words += "some words ";
  for (int i = 0; i < 60'000; ++i) items.emplace_back("k" + std::to_string(i), Value::string(words));
  INFO("what is written makes room for what its rules look at");
  CHECK(house.write(kNobody, put("items", Value::object(items))).status.ok());
  INFO("a rule that takes too much for what is written");
  std::string many = "true";
  for (int i = 0; i < 60; ++i) many += " && root.child('text').val().contains('zz') == false";
  house.set_rules(R"({"rules": {"small": {".write": ")" + many + R"("}}})");
  REQUIRE(house.write(Auth::admin(), put("text", Value::string(std::string(5'000'000, 'a')))).status.ok());
  const db::Answer answer = house.write(kNobody, put("small", Value::integer(1)));
  REQUIRE_FALSE(answer.status.ok());
  CHECK(answer.status.error().code == ErrorCode::TooLarge);
  CHECK(answer.status.error().message.find("bytes of text") != std::string::npos);
}

TEST_CASE("Strangers: no step is longer than its bound, whatever is asked of very many children",
          "[rules][strangers]") {
  House house(
      R"X({"rules": {".read": "root.child('gate').val() != 'shut'", "big": {".write": true, "$k": {".validate": "newData.hasChildren()"}}}})X");
  REQUIRE(house.write(Auth::admin(), put("big", children(kChildren))).status.ok());
  REQUIRE(house.write(Auth::admin(), put("gate", Value::string("open"))).status.ok());
  const uint64_t most = db::kStepMax.rows + 8;  // what one look may do before the next finds the step over
  const auto longest = [&] { return house.database->figures().step_rows_max; };
  CHECK(longest() <= most);
  INFO("listens with large windows, by key, by child, and counts");
  Talk talk(house, kNobody);
  uint64_t request = 0;
  for (Query query : {Query::by_key().limit_to_first(static_cast<uint32_t>(kChildren * 9 / 10)),
                      Query::by_key().limit_to_last(10'000), Query::by_child("n").limit_to_last(5'000),
                      Query::by_child("n").start_at(Value::integer(kChildren / 2)).limit_to_first(3)}) {
    db::Listen listen;
    listen.path = at("big");
    listen.query = query;
    ++request;
    talk->listen(request, request, listen);
  }
  for (uint64_t i = 1; i <= request; ++i) CHECK(talk.answer(i).status.ok());
  CHECK(longest() <= most);
  INFO("conditional writes of who may read");
  CHECK_FALSE(house.write(kNobody, with_hash(put("big", Value()), "x")).status.ok());
  CHECK(longest() <= most);
  INFO("many locations at once, seen by those windows");
  db::Write many = update("big", 20'000);
  for (db::Overwrite& overwrite : many.overwrites)
    overwrite.value = Value::object({{"n", overwrite.value}, {"m", Value::integer(1)}});
  CHECK(house.write(kNobody, many).status.ok());
  CHECK(longest() <= most);
  INFO("removals by query");
  CHECK(
      house
          .write(kNobody, remove_selected("big", Query::by_key().limit_to_first(static_cast<uint32_t>(kChildren / 10))))
          .status.ok());
  CHECK(longest() <= most);
  INFO("an index over all of it");
  house.set_rules(
      R"({"rules": {".read": "root.child('gate').val() != 'shut'", "big": {".write": true, ".indexOn": "n"}}})");
  for (int i = 0; i < 50; ++i) CHECK(house.write(kNobody, put("big/k10999999/n", Value::integer(i))).status.ok());
  CHECK(longest() <= most);
  INFO("many listeners that are asked again");
  Talk crowd(house, kNobody);
  for (uint64_t i = 1; i <= 6'000; ++i) {
    db::Listen listen;
    listen.path = at("l").child(std::to_string(i)).value();
    crowd->listen(i, i, listen);
  }
  CHECK(crowd.answer(6'000).status.ok());
  CHECK(house.write(Auth::admin(), put("gate", Value::string("wide"))).status.ok());
  CHECK(longest() <= most);
  CHECK(house.write(Auth::admin(), put("gate", Value::string("shut"))).status.ok());
  CHECK(longest() <= most);
  INFO("all of it goes");
  CHECK(house.write(kNobody, put("big", Value())).status.ok());
  CHECK(longest() <= most);
  const db::Figures figures = house.database->figures();
  CHECK(figures.step_evaluations_max <= db::kStepMax.evaluations + 1'000);
  CHECK(figures.step_bytes_max <= db::kStepMax.bytes + 4'096);
  CHECK(figures.group_rows_max <= 2 * most);
}
