// What one request may take of a thread that namespaces share, and whose turn it is (db/shard/shard.h).
#include "db/shard/shard.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <future>
#include <mutex>

#include "db/host.h"
#include "db/model/json.h"
#include "tests/db/talk.h"
#include "tests/support/temp_folder.h"
#include "tests/support/yjs_update.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

std::unique_ptr<Host> open_one_shard(const TempFolder& folder, uint64_t step_rows_max = 4'000) {
  Database::Options options;
  options.folder = folder.path();
  options.sync = SyncMode::Os;
  options.shards = 1;
  options.step_rows_max = step_rows_max;
  return Host::open(options).value();
}

// Keeps the shard's thread until it is let go.
class Hold final : public Precondition {
 public:
  Result<void> check(const Moment&) const override {
    entered_.set_value();
    let_go_.get_future().wait();
    return {};
  }
  void wait() { entered_.get_future().wait(); }
  void let_go() { let_go_.set_value(); }

 private:
  mutable std::promise<void> entered_;
  mutable std::promise<void> let_go_;
};

// Requests by themselves, and in which order they were answered.
class Answered {
 public:
  explicit Answered(Host& database) : database_(database) {}
  void write(const std::string& space, Write write) {
    ++asked_;
    database_.write(space, std::move(write), [this, space](const Answer& answer) {
      const std::lock_guard lock(mutex_);
      order_.push_back(space + (answer.status.ok() ? "" : " refused"));
      more_.notify_one();
    });
  }
  std::vector<std::string> all() {
    std::unique_lock lock(mutex_);
    more_.wait_for(lock, std::chrono::seconds(60), [this] { return order_.size() == asked_; });
    return order_;
  }

 private:
  Host& database_;
  size_t asked_ = 0;
  std::mutex mutex_;  // Guards order_.
  std::condition_variable more_;
  std::vector<std::string> order_;
};

// By a write of another namespace, from here on until let_go().
std::shared_ptr<Hold> hold_shard(Answered& answered) {
  const auto hold = std::make_shared<Hold>();
  Write first = set("x", Value::integer(1));
  first.preconditions.push_back(hold);
  answered.write("gate", std::move(first));
  hold->wait();
  return hold;
}

Value rows(int count) {
  std::vector<std::pair<std::string, Value>> all;
  for (int i = 0; i < count; ++i) all.emplace_back("k" + std::to_string(100'000 + i), Value::integer(i));
  return Value::object(all);
}

}  // namespace

TEST_CASE("Shard: a request waits behind one turn of another namespace, however long that one's line is",
          "[db][turns]") {
  const TempFolder folder;
  const auto database = open_one_shard(folder);
  Answered answered(*database);
  const auto hold = hold_shard(answered);
  for (int i = 0; i < 500; ++i) answered.write("busy", set("list/" + std::to_string(i), rows(100)));
  answered.write("calm", set("x", Value::integer(1)));
  hold->let_go();
  const auto order = answered.all();
  REQUIRE(order.size() == 502);
  const auto calm = std::find(order.begin(), order.end(), "calm") - order.begin();
  INFO("a turn is " << kTurn.rows << " rows; each write of the busy namespace puts 100");
  CHECK(calm <= 1 + 5);
}

TEST_CASE("Shard: small requests of one namespace take their turns with another's, too", "[db][turns]") {
  const TempFolder folder;
  const auto database = open_one_shard(folder);
  Answered answered(*database);
  const auto hold = hold_shard(answered);
  for (int i = 0; i < 2'000; ++i) answered.write("busy", set("n", Value::integer(i)));
  for (int i = 0; i < 3; ++i) answered.write("calm", set("x", Value::integer(i)));
  hold->let_go();
  const auto order = answered.all();
  REQUIRE(order.size() == 2'004);
  const auto last_calm = order.rend() - std::find(order.rbegin(), order.rend(), "calm");
  CHECK(last_calm <= 1 + 256 + 3);
}

TEST_CASE("Shard: a request that takes long moves its namespace to another thread, and back", "[db][turns]") {
  const TempFolder folder;
  const auto database = open_one_shard(folder, 50);
  {
    Talk talk(*database);
    talk.client->write(1, set("big", rows(2'000)));
    talk.client->write(2, set("small", Value::integer(1)));
    talk.client->listen(3, 7, listen_to("small"));
    talk.client->write(4, set("small", Value::integer(2)));
    CHECK(talk.until(4) == Words{"a1", "a2", "a3 small=1", "e7 small=2", "a4"});
  }
  const Figures moved = database->figures();
  CHECK(moved.namespaces_moved == 1);
  CHECK(moved.step_rows_max <= 50);
  CHECK(database->space("t").value().get("big").value().child_count() == 2'000);
  INFO("it is home again: what is small stays there");
  for (int i = 0; i < 20; ++i) CHECK(database->space("t").value().set("small", Value::integer(i)).ok());
  CHECK(database->figures().namespaces_moved == 1);
}

TEST_CASE("Shard: what a long request is refused for is told once, and nothing of it is left", "[db][turns]") {
  const TempFolder folder;
  const auto database = open_one_shard(folder, 50);
  Namespace space = database->space("t").value();
  REQUIRE(space.set("big", rows(500)).ok());
  const auto refused = space.compare_and_set("big", rows(499), Value());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::Stale);
  CHECK(space.get("big").value().child_count() == 500);
  CHECK(space.compare_and_set("big", rows(500), Value()).ok());
  CHECK(space.get("big").value().is_null());
  CHECK(database->figures().writes_stale == 1);
}

TEST_CASE("Shard: what a session queued for its end is written once, however long it is", "[db][turns]") {
  const TempFolder folder;
  const auto database = open_one_shard(folder, 50);
  {
    Talk talk(*database);
    for (uint64_t i = 1; i <= 200; ++i) {
      Disconnect disconnect;
      disconnect.path = at("gone/" + std::to_string(i));
      disconnect.overwrites.push_back({disconnect.path, Slot::Value, Value::integer(1)});
      talk.client->on_disconnect(i, std::move(disconnect), nullptr);
    }
    talk.until(200);
    talk.client->end();
  }
  Namespace space = database->space("t").value();
  REQUIRE(space.set("after", Value::integer(1)).ok());  // behind the end
  CHECK(space.get("gone").value().child_count() == 200);
  CHECK(database->figures().disconnect_writes_run == 200);
  CHECK(database->figures().namespaces_moved >= 1);
}

TEST_CASE("Shard: a session with many listeners ends by steps", "[db][turns]") {
  const TempFolder folder;
  const auto database = open_one_shard(folder);
  {
    Talk talk(*database);
    for (uint64_t i = 1; i <= 3'500; ++i) talk.client->listen(i, i, listen_to("l/" + std::to_string(i)));
    talk.until(3'500);
    CHECK(database->figures().listeners == 3'500);
    talk.client->end();
  }
  REQUIRE(database->space("t").value().set("l/1", Value::integer(1)).ok());
  CHECK(database->figures().listeners == 0);
  CHECK(database->figures().step_rows_max <= 1'000);
}

TEST_CASE("Shard: a user with many sessions and listeners is thrown out by steps", "[db][turns]") {
  constexpr uint64_t kSessions = 3, kListeners = 3'000;
  const TempFolder folder;
  const auto database = open_one_shard(folder, 2'500);
  std::vector<std::unique_ptr<Talk>> talks;
  for (uint64_t i = 0; i < kSessions; ++i) {
    talks.push_back(std::make_unique<Talk>(*database));
    talks.back()->client->set_label("ada");
    for (uint64_t k = 1; k <= kListeners; ++k) talks.back()->client->listen(k, k, listen_to("l/" + std::to_string(k)));
    talks.back()->until(kListeners);
  }
  REQUIRE(database->figures().listeners == kSessions * kListeners);
  std::promise<Answer> answer;
  database->end_conversations("t", "ada", {ErrorCode::InvalidToken, "enough"},
                              [&](Answer got) { answer.set_value(std::move(got)); });
  CHECK(answer.get_future().get().value == Value::integer(kSessions));
  const Figures figures = database->figures();
  CHECK(figures.listeners == 0);
  CHECK(figures.sessions == 0);
  CHECK(figures.step_rows_max <= 2'000);
  CHECK(figures.namespaces_moved == 0);
  for (const auto& talk : talks) CHECK(talk->until(99) == std::vector<std::string>{"end"});
}

TEST_CASE("Shard: a restore waits until its namespace is home", "[db][turns]") {
  const TempFolder folder;
  const auto database = open_one_shard(folder, 20);
  Namespace space = database->space("t").value();
  REQUIRE(space.set("old", rows(10)).ok());
  std::promise<DumpPieces> dumped;
  database->dump({}, [&](Result<DumpPieces> pieces) { dumped.set_value(std::move(pieces).value()); });
  DumpPieces pieces = dumped.get_future().get();
  std::string dump;
  for (bool more = true; more;) {
    std::string piece;
    more = pieces(piece).value();
    dump += piece;
  }
  const std::string upload = database->begin_upload().value();
  REQUIRE(database->upload(upload, 0, dump).ok());
  for (int i = 0; i < 50; ++i) space.set_async("big", rows(2'000 + i));  // all of them long
  std::promise<Result<std::vector<RestoredTree>>> restored;
  RestoreRequest request;
  request.existing = Existing::Replace;
  database->restore(upload, request, [&](auto result) { restored.set_value(std::move(result)); });
  for (int i = 0; i < 50; ++i) space.set_async("more", rows(100 + i));
  const auto result = restored.get_future().get();
  INFO((result.ok() ? "" : result.error().message));
  REQUIRE(result.ok());
  REQUIRE(space.set("end", Value::integer(1)).ok());
  CHECK(space.get("old").value().child_count() == 10);
}

TEST_CASE("Shard: what was read of a document that was removed meanwhile is not taken for the one that came after it",
          "[db][documents]") {
  const TempFolder folder;
  {
    const auto database = open_one_shard(folder);
    Talk talk(*database);
    talk.client->open_document(1, 5, {at("d"), {}});
    talk.client->append(2, 5, letter(1, 0));
    talk.items_until(2);
  }
  const auto database = open_one_shard(folder);
  Talk ada(*database), ben(*database), admin(*database);
  ada.client->reply(1, {}), ben.client->reply(1, {}), admin.client->reply(1, {});
  ada.items_until(1), ben.items_until(1), admin.items_until(1);
  Answered answered(*database);
  const auto hold = hold_shard(answered);
  // All three are in line before a reader has anything to say to the shard.
  ada.client->open_document(2, 5, {at("d"), {}});
  admin.client->write(2, set("d", Value()));
  ben.client->open_document(2, 5, {at("d"), {}});
  hold->let_go();
  answered.all();
  CHECK(admin.until(2) == std::vector<std::string>{"a2"});
  REQUIRE(std::get<Answer>(ben.items_until(2).back()).document->updates.empty());
  ben.client->append(3, 5, letter(1, 0));  // what the removed one had is news to this one
  ben.items_until(3);
  Talk late(*database);
  late.client->open_document(1, 5, {at("d"), {}});
  CHECK(std::get<Answer>(late.items_until(1).back()).document->updates == std::vector<std::string>{letter(1, 0)});
}
