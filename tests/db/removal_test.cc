// Namespaces that are removed, whole stores that are compacted.
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "db/client.h"
#include "db/host.h"
#include "db/store/tree_store.h"
#include "db/upkeep/backups.h"
#include "db/upkeep/fsck.h"
#include "tests/support/open_host.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

std::unique_ptr<Host> open(const std::string& folder) {
  Database::Options options;
  options.folder = folder;
  options.sync = SyncMode::Os;
  return open_host(options);
}

// Rows of all tables but the store's own.
size_t rows_in(const std::string& folder) { return rows_on_disk(folder, Table::Name, Table::End); }

// What a conversation hears, until it ends.
class Hearing {
 public:
  Hearing(Host& database, const std::string& name) {
    auto opened = database.client(name, "", [this] { wake(); });
    REQUIRE(opened.ok());
    client_ = std::move(opened).value();
  }
  Client& client() { return *client_; }
  std::optional<Error> ended() {
    std::unique_lock lock(mutex_);
    for (int tries = 0; tries < 20; ++tries) {
      for (Item& item : client_->take()) {
        if (const auto* ended = std::get_if<Ended>(&item)) return ended->reason;
      }
      woken_.wait_for(lock, std::chrono::seconds(1));
    }
    return {};
  }

 private:
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable woken_;
  std::unique_ptr<Client> client_;
};

Result<Written> write(Host& database, const std::string& name, const std::string& path, bool only_existing) {
  Write write;
  write.base = Path::parse(path).value();
  write.overwrites.push_back({write.base, Slot::Value, Value::integer(1)});
  write.only_existing = only_existing;
  std::promise<Answer> answered;
  database.write(name, std::move(write), [&](Answer answer) { answered.set_value(std::move(answer)); });
  const Answer answer = answered.get_future().get();
  if (!answer.status.ok()) return answer.status.error();
  return Written{answer.sequence, answer.time};
}

}  // namespace

TEST_CASE("removal: name, data, settings, indexes and queues are gone, also from the disk; others stay") {
  const TempFolder folder;
  {
    auto database = open(folder.path());
    Namespace gone = database->space("gone").value();
    REQUIRE(gone.set_indexes(R"([{"at":"/list","by":"n"}])").ok());
    for (int i = 0; i < 50; ++i) REQUIRE(gone.set("list/k" + std::to_string(i) + "/n", Value::integer(i)).ok());
    REQUIRE(database->space("kept").value().set("a", Value::integer(1)).ok());
    Hearing hearing(*database, "gone");
    Disconnect queued;
    queued.path = Path::parse("list/last").value();
    queued.overwrites.push_back({queued.path, Slot::Value, Value::integer(1)});
    hearing.client().on_disconnect(1, std::move(queued), nullptr);

    REQUIRE(database->remove("gone").ok());
    const auto reason = hearing.ended();
    REQUIRE(reason);
    CHECK(reason->code == ErrorCode::NotFound);
    CHECK(database->namespaces() == std::vector<std::string>{"kept"});
    CHECK_FALSE(database->exists("gone"));
    CHECK(gone.get("").value().is_null());
    CHECK(database->space("kept").value().get("a").value() == Value::integer(1));
    CHECK(database->remove("gone").error().code == ErrorCode::NotFound);
    CHECK(database->remove("never").error().code == ErrorCode::NotFound);
    CHECK(database->remove("no name").error().code == ErrorCode::InvalidArgument);
  }
  CHECK(rows_in(folder.path()) == 3);  // of the other one: name, head, leaf
  const auto checked = fsck(folder.path(), Repair::No, nullptr);
  REQUIRE(checked.ok());
  CHECK(checked.value().problems == 0);
}

TEST_CASE("removal: the name can be used again, is empty, and no event id of before means anything") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  uint64_t last = 0;
  for (int i = 0; i < 3; ++i) last = space.set("a", Value::integer(i)).value().sequence;
  REQUIRE(database->remove("chat").ok());
  const Result<Written> again = space.set("b", Value::integer(1));
  REQUIRE(again.ok());
  CHECK(again.value().sequence > last + 1);
  CHECK(space.get("").value() == Value::object({{"b", Value::integer(1)}}));
  CHECK(database->exists("chat"));

  // Who saw the last write of before is told everything, not that nothing has changed.
  std::promise<void> first_woken;
  std::atomic<bool> is_woken = false;
  auto client = database->client("chat", "", [&] {
    if (!is_woken.exchange(true)) first_woken.set_value();
  });
  REQUIRE(client.ok());
  Listen listen;
  listen.resume = database->life() + ":" + std::to_string(last);
  client.value()->listen(1, 1, std::move(listen));
  first_woken.get_future().wait();
  const std::vector<Item> items = client.value()->take();
  REQUIRE(items.size() == 1);
  const auto& answer = std::get<Answer>(items.front());
  CHECK_FALSE(answer.resumed);
  REQUIRE(answer.first != nullptr);
  CHECK(answer.first->value() == Value::object({{"b", Value::integer(1)}}));
  client.value().reset();
  REQUIRE(database->remove("chat").ok());
  database.reset();
  CHECK(open(folder.path())->namespaces().empty());
  CHECK(rows_in(folder.path()) == 0);
}

TEST_CASE(
    "removal: writes that come with it or after it are refused or make a new one, and never bring the old one back") {
  const TempFolder folder;
  for (int round = 0; round < 20; ++round) {
    auto database = open(folder.path());
    REQUIRE(database->create("busy").ok());
    REQUIRE(database->space("busy").value().set("old", Value::integer(1)).ok());
    std::atomic<bool> is_removed = false;
    std::vector<std::jthread> writers;
    std::atomic<int> after = 0;
    for (int i = 0; i < 3; ++i) {
      writers.emplace_back([&, i](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const bool is_late = is_removed;
          const Result<Written> done = write(*database, "busy", "new/w" + std::to_string(i), true);
          if (done.ok() && is_late) ++after;
        }
      });
    }
    REQUIRE(database->remove("busy").ok());
    is_removed = true;
    writers.clear();
    CHECK(after == 0);
    CHECK(database->namespaces().empty());
    database.reset();
    CHECK(rows_in(folder.path()) == 0);
  }
}

TEST_CASE("removal: a write that waits behind it is refused, and does not bring the old one back") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  std::promise<void> reached, go_on;
  Write first;
  first.overwrites.push_back({Path::parse("a").value(), Slot::Value, Value::integer(1)});
  // The shard's thread waits in here.
  database->write("chat", std::move(first), [&](const Answer&) {
    reached.set_value();
    go_on.get_future().wait();
  });
  reached.get_future().wait();
  Result<void> removed;
  std::jthread remover([&] { removed = database->remove("chat"); });
  while (database->figures().shard_requests_waiting < 1) std::this_thread::yield();
  std::promise<Result<Written>> answered;
  space.set_async("b", Value::integer(1), [&](const Result<Written>& done) { answered.set_value(done); });
  go_on.set_value();
  const Result<Written> late = answered.get_future().get();
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code == ErrorCode::Unavailable);
  CHECK_THAT(late.error().message, Catch::Contains("has just been removed"));
  remover.join();
  CHECK(removed.ok());
  CHECK(database->namespaces().empty());
  database.reset();
  CHECK(rows_in(folder.path()) == 0);
}

TEST_CASE("removal: what is queued behind it is answered, whatever it is") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  REQUIRE(space.set("a", Value::integer(1)).ok());
  for (int round = 0; round < 50; ++round) {
    std::promise<void> all;
    std::atomic<int> left = 100;
    const auto answered = [&](const Result<Written>&) {
      if (--left == 0) all.set_value();
    };
    std::jthread remover([&] { (void)database->remove("chat"); });
    for (int i = 0; i < 100; ++i) space.set_async("k" + std::to_string(i), Value::integer(i), answered);
    std::atomic<int> cancelled = 0;
    auto listener = space.listen("k1", {.cancelled = [&](const Error&) { ++cancelled; }});
    REQUIRE(listener.ok());
    CHECK(all.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    remover.join();
    listener.value().stop();
    (void)database->remove("chat");
    CHECK(database->namespaces().empty());
  }
  database.reset();
  CHECK(rows_in(folder.path()) == 0);  // none of them was written to the one that was gone
}

TEST_CASE("removal: a listener hears that it is over, and one that comes later listens to the new one") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  REQUIRE(space.set("a", Value::integer(1)).ok());
  std::promise<void> first;
  std::promise<Error> over;
  auto listener = space.listen("a", {.value = [&](const Value&) { first.set_value(); },
                                     .cancelled = [&](const Error& error) { over.set_value(error); }});
  first.get_future().wait();
  REQUIRE(database->remove("chat").ok());
  CHECK(over.get_future().get().message == "The namespace was removed by an administrator.");
  std::promise<Value> later;
  std::atomic<int> told = 0;
  auto again = space.listen("a", {.value = [&](const Value& value) {
                              if (++told == 2) later.set_value(value);
                            }});
  REQUIRE(space.set("a", Value::integer(2)).ok());
  CHECK(later.get_future().get() == Value::integer(2));
}

TEST_CASE("compact: gives back what was removed, and everything else is there") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace large = database->space("large").value();
  const std::string text(100, 'x');
  for (int i = 0; i < 20; ++i) {
    std::vector<std::pair<std::string, Value>> entries;
    for (int k = 0; k < 1000; ++k)
      entries.emplace_back("k" + std::to_string(i * 1000 + k), Value::string(text + std::to_string(i * k)));
    REQUIRE(large.update("list", std::move(entries)).ok());
  }
  REQUIRE(database->space("kept").value().set("a", Value::string("b")).ok());
  const auto compact = [&] {
    std::promise<Result<Compacted>> done;
    database->compact([&](const Result<Compacted>& result) { done.set_value(result); });
    return done.get_future().get();
  };
  const auto first = compact();
  REQUIRE(first.ok());
  CHECK(first.value().bytes_after > 100'000);
  REQUIRE(database->remove("large").ok());
  const auto second = compact();
  REQUIRE(second.ok());
  CHECK(second.value().bytes_before >= first.value().bytes_after);
  CHECK(second.value().bytes_after < first.value().bytes_after / 20);
  CHECK(database->space("kept").value().get("a").value() == Value::string("b"));
}

TEST_CASE("compact: one at a time, beside a removal, and given up by who closes") {
  const TempFolder folder;
  auto database = open(folder.path());
  REQUIRE(database->space("a").value().set("b", Value::integer(1)).ok());
  std::promise<void> reached, go_on;
  std::atomic<int> done = 0;
  // The thread of compactions is in this callback, and the next one waits for it.
  database->compact([&](const Result<Compacted>& result) {
    if (result.ok()) ++done;
    reached.set_value();
    go_on.get_future().wait();
  });
  reached.get_future().wait();
  database->compact([&](const Result<Compacted>& result) {
    if (!result.ok() && result.error().code == ErrorCode::Unavailable) ++done;
  });
  std::promise<Result<Compacted>> refused;
  database->compact([&](const Result<Compacted>& result) { refused.set_value(result); });
  CHECK(refused.get_future().get().error().message == "a compaction is under way; try again when it is done");
  CHECK(database->remove("a").ok());
  database->give_up_compaction();
  go_on.set_value();
  database.reset();
  CHECK(done == 2);
}

TEST_CASE("removal: not while a restore is under way") {
  const TempFolder folder;
  auto database = open(folder.path());
  REQUIRE(database->space("a").value().set("b", Value::integer(1)).ok());
  std::promise<void> reached, go_on;
  // The thread of restores is in this callback, and what comes next waits for it.
  database->restore("none", {}, [&](const auto& result) {
    CHECK(result.error().code == ErrorCode::NotFound);
    reached.set_value();
    go_on.get_future().wait();
  });
  reached.get_future().wait();
  std::promise<void> over;
  database->restore("none", {}, [&](const auto&) { over.set_value(); });
  CHECK(database->remove("a").error().message == "a restore is under way; try again when it is done");
  go_on.set_value();
  over.get_future().wait();
  CHECK(database->remove("a").ok());
}
