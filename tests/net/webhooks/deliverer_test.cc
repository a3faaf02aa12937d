// A database, a deliverer and a receiver in one process: what is kept where, and what a deliverer that comes after knows.
#include "net/webhooks/deliverer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "db/host.h"
#include "db/model/json.h"
#include "net/webhooks/hook.h"
#include "net/webhooks/mailbox.h"
#include "net/webhooks/signature.h"
#include "rules/guard.h"
#include "tests/net/http/http_fixture.h"
#include "tests/support/temp_folder.h"

namespace hearth::net::webhooks {
namespace {

using test::eventually;

// Takes messages, with the status that the test wants.
class Receiver {
 public:
  Receiver() : server_([this](std::shared_ptr<http::Exchange> exchange) { handle(*exchange); }) {}
  std::string host() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  std::string url() const { return "http://" + host() + "/"; }

  void answer(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  std::vector<std::pair<std::string, std::string>> taken() const {  // ids and bodies, of those that were answered 200
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  size_t asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void handle(http::Exchange& exchange) {
    int status = 0;
    {
      const std::lock_guard lock(mutex_);
      status = status_;
      ++asked_;
      if (status == 200) {
        taken_.emplace_back(exchange.request().header("webhook-id").value_or(""), exchange.request().body);
      }
    }
    exchange.respond({.status = status});
  }
  mutable std::mutex mutex_;  // Guards all below but the server.
  int status_ = 200;
  size_t asked_ = 0;
  std::vector<std::pair<std::string, std::string>> taken_;
  test::HttpFixture server_;  // last: its threads use the rest
};

std::unique_ptr<db::Host> open_database(const std::string& folder, uint64_t bytes = 1'000'000'000) {
  db::Database::Options options;
  options.folder = folder;
  options.sync = db::SyncMode::Os;
  options.history = {std::chrono::hours(24), bytes, false};
  return db::Host::open(options).value();
}

rules::Guard::Options guard_options() {
  rules::Guard::Options options;
  options.dev = true;
  return options;
}

struct Running {
  explicit Running(const std::string& folder, WebhookOptions options, uint64_t bytes = 1'000'000'000)
      : database(open_database(folder, bytes)), guard(*database, guard_options()) {
    deliverer = Deliverer::open(guard, std::move(options)).value();
    REQUIRE(deliverer->start().ok());
  }
  ~Running() { deliverer->stop(); }

  std::string ask(Ask what) {
    what.space = "t";
    std::promise<db::Result<std::string>> done;
    deliverer->ask(std::move(what), [&](db::Result<std::string> told) { done.set_value(std::move(told)); });
    const auto told = done.get_future().get();
    return told.ok() ? told.value() : told.error().message;
  }
  std::string add(const std::string& url, const std::string& path = "/") {
    Ask ask_add;
    ask_add.what = Ask::What::Add;
    ask_add.url = url;
    ask_add.path = path;
    const std::string told = ask(ask_add);
    INFO(told);
    const auto document = db::JsonDocument::parse(std::string_view(told));
    REQUIRE(document.ok());
    return std::string(document.value().root().text("id"));
  }
  HookState state(const std::string& id) {
    return HookState::decode(guard.beside("t", rules::Auth::admin(), {state_row(id)}).value().begin()->second).value();
  }
  void put(const std::string& path, int value) {
    REQUIRE(database->space("t").value().set(path, db::Value::integer(value)).ok());
  }

  std::unique_ptr<db::Host> database;
  rules::Guard guard;
  std::unique_ptr<Deliverer> deliverer;
};

WebhookOptions quick(const Receiver& receiver) {
  WebhookOptions options;
  options.hosts = {receiver.host()};
  options.private_too = true;
  options.retry_min = std::chrono::milliseconds(2);
  options.retry_max = std::chrono::milliseconds(20);
  return options;
}

// The value of the one place of each message.
std::vector<int64_t> values_of(const Receiver& receiver) {
  std::vector<int64_t> values;
  for (const auto& [id, body] : receiver.taken()) {
    const auto document = db::JsonDocument::parse(std::string_view(body));
    values.push_back(
        document.value().root().field("data")->field("changes")->elements().at(0).field("value")->integer().value());
  }
  return values;
}

}  // namespace

TEST_CASE("Deliverer: goes on where the last one was, after any end of it", "[net][webhooks]") {
  const test::TempFolder folder;
  Receiver receiver;
  std::mt19937 random(Catch::rngSeed());
  std::string id;
  int last = 0;
  for (int run = 0; run < 12; ++run) {
    Running running(folder.path(), quick(receiver));
    running.put("elsewhere", run);
    if (id.empty()) id = running.add(receiver.url(), "/a");
    receiver.answer(run % 3 == 1 ? 500 : 200);
    for (uint32_t more = random() % 8; more > 0; --more) running.put("a", ++last);
    const size_t enough = random() % 4;
    const size_t before = receiver.asked();
    if (run % 3 != 1)
      (void)eventually([&] { return receiver.asked() >= before + enough; }, std::chrono::milliseconds(50));
    // The database closes first now and then: it may, and nothing is told as done that is not kept.
    if (run % 4 == 3) running.database->close();
  }
  receiver.answer(200);
  Running running(folder.path(), quick(receiver));
  REQUIRE(eventually([&] { return !values_of(receiver).empty() && values_of(receiver).back() == last; }));
  std::vector<int64_t> once;
  std::set<std::string> seen;
  const auto taken = receiver.taken();
  const auto values = values_of(receiver);
  for (size_t i = 0; i < taken.size(); ++i) {
    if (seen.insert(taken[i].first).second) once.push_back(values[i]);
  }
  std::vector<int64_t> all;
  for (int value = 1; value <= last; ++value) all.push_back(value);
  CHECK(once == all);
}

TEST_CASE("Deliverer: a cursor is in the store before the next message is sent", "[net][webhooks]") {
  const test::TempFolder folder;
  Receiver receiver;
  Running running(folder.path(), quick(receiver));
  running.put("a", 0);
  const std::string id = running.add(receiver.url());
  for (int value = 1; value <= 20; ++value) running.put("a", value);
  REQUIRE(eventually([&] { return running.state(id).delivered == 20; }));
  CHECK(receiver.taken().size() == 20);
  CHECK(running.state(id).cursor == receiver.taken().back().first.substr(id.size() + 1));
  CHECK(running.deliverer->counts().delivered.value() == 20);
  CHECK(eventually([&] { return running.deliverer->counts().waiting_since == 0; }));  // told in its next turn
}

TEST_CASE("Deliverer: attempts and letters outlive it; a letter's bytes and number are bounded", "[net][webhooks]") {
  const test::TempFolder folder;
  Receiver receiver;
  receiver.answer(500);
  WebhookOptions options = quick(receiver);
  options.attempts_max = 4;
  options.dead_max = 5;
  std::string id;
  {
    Running running(folder.path(), options);
    running.put("a", 0);
    id = running.add(receiver.url());
    for (int value = 1; value <= 8; ++value) running.put("a", value);
    REQUIRE(eventually([&] { return running.state(id).attempts > 0 || running.state(id).dead > 0; }));
  }
  Running running(folder.path(), options);
  REQUIRE(eventually([&] { return running.state(id).dropped == 3; }));
  CHECK(receiver.asked() >= 32);
  CHECK(receiver.asked() <= 34);  // attempts under way at the end of the first were not counted
  CHECK(running.state(id).dead == 5);
  CHECK(running.guard.beside("t", rules::Auth::admin(), {letters_row(id)}).value().size() == 5);
  uint64_t bytes = 0;
  for (const auto& [key, row] : running.guard.beside("t", rules::Auth::admin(), {letters_row(id)}).value())
    bytes += row.size();
  CHECK(running.state(id).dead_bytes == bytes);

  receiver.answer(200);
  Ask retry;
  retry.what = Ask::What::Retry;
  retry.hook = id;
  for (int left = 4; left >= 0; --left) {
    const std::string told = running.ask(retry);
    INFO(told);
    CHECK(told.ends_with(R"("left":)" + std::to_string(left) + "}"));
  }
  CHECK(running.state(id).dead_bytes == 0);
  CHECK(values_of(receiver) == std::vector<int64_t>{4, 5, 6, 7, 8});
}

TEST_CASE("Deliverer: a purge reaches letters and what waits, and the disk; other letters stay", "[net][webhooks]") {
  const test::TempFolder folder;
  Receiver receiver;
  WebhookOptions options = quick(receiver);
  options.attempts_max = 2;
  const auto purge = [](Running& running, const std::string& path) {
    std::promise<db::Answer> done;
    running.guard.purge("t", rules::Auth::admin(), db::Path::parse(path).value(),
                        [&](db::Answer answer) { done.set_value(std::move(answer)); });
    REQUIRE(done.get_future().get().status.ok());
  };
  const auto bodies = [](Running& running, const std::string& id) {
    std::string all;
    for (const auto& [key, row] : running.guard.beside("t", rules::Auth::admin(), {letters_row(id)}).value())
      all += DeadLetter::decode(row).value().body + "\n";
    return all;
  };
  {
    Running running(folder.path(), options);
    running.put("a", 0);
    purge(running, "a");  // where nobody has a webhook
    receiver.answer(500);
    const std::string id = running.add(receiver.url());
    const auto set = [&](const std::string& path, const std::string& value) {
      REQUIRE(running.database->space("t").value().set(path, db::Value::string(value)).ok());
    };
    set("users/ada/name", "SECRET-ADA");
    set("users", "SECRET-ALL");
    set("rooms", "tea");
    REQUIRE(eventually([&] { return running.state(id).dead == 3; }));
    CHECK(bodies(running, id).find("SECRET-ADA") != std::string::npos);
    purge(running, "users/ada");
    const std::string left = bodies(running, id);
    INFO(left);
    CHECK(left.find("SECRET") == std::string::npos);
    CHECK(left.find(R"("changes":[{"path":"/users/ada","purged":true}])") != std::string::npos);
    CHECK(left.find(R"("changes":[{"path":"/users","purged":true}])") != std::string::npos);
    CHECK(left.find(R"("changes":[{"path":"/rooms","value":"tea"}])") != std::string::npos);
    uint64_t bytes = 0;
    for (const auto& [key, row] : running.guard.beside("t", rules::Auth::admin(), {letters_row(id)}).value())
      bytes += row.size();
    CHECK(running.state(id).dead_bytes == bytes);
    CHECK(running.state(id).dead == 3);
    running.put("users/bob", 1);  // the data has no secret any more either
  }
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    if (file.path().extension() != ".sst") continue;
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    INFO(file.path());
    CHECK(bytes.find("SECRET-ADA") == std::string::npos);
  }
}

TEST_CASE("Deliverer: where nobody has a webhook there is no thread, and what was asked for after the end is dropped",
          "[net][webhooks]") {
  const test::TempFolder folder;
  Receiver receiver;
  auto running = std::make_unique<Running>(folder.path(), quick(receiver));
  running->put("a", 0);
  CHECK(running->deliverer->counts().hooks == 0);
  running->deliverer->stop();
  bool is_called = false;
  running->deliverer->ask({}, [&](const auto&) { is_called = true; });
  running.reset();
  CHECK_FALSE(is_called);
}

TEST_CASE("Deliverer: a log that is cut past a cursor is told of, each time", "[net][webhooks]") {
  const test::TempFolder folder;
  Receiver receiver;
  receiver.answer(500);
  WebhookOptions options = quick(receiver);
  options.attempts_max = 1'000'000;  // or the message would be given up first
  std::string id, begin;
  const bool restarts = GENERATE(false, true);
  auto running = std::make_unique<Running>(folder.path(), options, 4'000);
  running->put("a", 0);
  id = running->add(receiver.url());
  begin = running->state(id).cursor;
  for (int value = 1; value <= 600; ++value) running->put("a", value);
  if (restarts) {  // what it had in memory is gone
    running.reset();
    running = std::make_unique<Running>(folder.path(), options, 4'000);
    REQUIRE(eventually([&] { return running->state(id).missed_after.has_value(); }));
    CHECK(*running->state(id).missed_after == begin);
  }
  receiver.answer(200);
  REQUIRE(eventually([&] {
    return !receiver.taken().empty() && receiver.taken().back().second.find(R"("value":600)") != std::string::npos;
  }));
  // Each comes behind the one before it, or what is between them is told as missed.
  const auto sequence_of = [](std::string_view event) { return db::parse_event_id(event)->sequence; };
  uint64_t next = sequence_of(begin) + 1;
  size_t missed = 0;
  for (const auto& [message, body] : receiver.taken()) {
    INFO(body);
    const auto document = db::JsonDocument::parse(std::string_view(body));
    const db::JsonNode data = *document.value().root().field("data");
    if (document.value().root().text("type") == "missed") {
      ++missed;
      CHECK(sequence_of(data.text("after")) + 1 == next);
      CHECK(sequence_of(data.text("before")) > next);
      next = sequence_of(data.text("before"));
    } else {
      CHECK(sequence_of(data.text("id")) == next);
      ++next;
    }
  }
  CHECK(next == sequence_of(begin) + 601);
  CHECK(missed >= 1);
  CHECK(running->deliverer->counts().missed.value() >= missed);
}

TEST_CASE("Deliverer: a hook to a host that is not allowed any more sends nothing, and goes on once it is",
          "[net][webhooks]") {
  const test::TempFolder folder;
  Receiver receiver;
  std::string id;
  {
    Running running(folder.path(), quick(receiver));
    running.put("a", 0);
    id = running.add(receiver.url());
  }
  {
    Running running(folder.path(), {});
    running.put("a", 1);
    Ask ask;
    REQUIRE(eventually([&] {
      return running.ask(ask).find(R"("state":"off","why":"This server sends no webhooks to )") != std::string::npos;
    }));
    ask.what = Ask::What::Test;
    ask.hook = id;
    CHECK(running.ask(ask).find("--webhook-host " + receiver.host()) != std::string::npos);
    ask.what = Ask::What::Add;
    ask.url = receiver.url();
    CHECK(running.ask(ask).find("--webhook-host 127.0.0.1") != std::string::npos);
  }
  CHECK(receiver.asked() == 0);
  Running running(folder.path(), quick(receiver));
  REQUIRE(eventually([&] { return values_of(receiver) == std::vector<int64_t>{1}; }));
}

TEST_CASE("Mailbox: what comes after its end is dropped", "[net][webhooks]") {
  int woken = 0, done = 0;
  Mailbox mail([&] { ++woken; });
  mail.post([&] { ++done; });
  for (const auto& task : mail.take()) task();
  mail.post([&] { ++done; });
  mail.close();
  mail.post([&] { ++done; });
  CHECK(mail.take().empty());
  CHECK(woken == 2);
  CHECK(done == 1);
}

}  // namespace hearth::net::webhooks
