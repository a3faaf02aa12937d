// A database as a node of a cluster: several of them on one log, of which one at a time owns a shard and the others follow.
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "tests/db/cluster_node.h"

using namespace hearth::test;
using namespace hearth::test::cluster;

TEST_CASE("Replica: who does not own a namespace refuses whatever is asked of it, and knows its name",
          "[db][cluster]") {
  MemoryLog log;
  Node owner(log), other(log);
  const std::string name = name_in(1);
  owner.take(1);
  REQUIRE(owner.write(name, set("a", Value::integer(1))).status.ok());
  other.catch_up(1);
  CHECK(other.host->namespaces() == std::vector<std::string>{name});
  CHECK(other.host->exists(name));
  Host& host = *other.host;
  CHECK(other.write(name, set("a", Value::integer(2))).status.error().code == ErrorCode::NotOwner);
  CHECK(other.write(name_in(0), set("a", Value::integer(2))).status.error().code == ErrorCode::NotOwner);
  CHECK(other.read(name, "a").status.error().code == ErrorCode::NotOwner);
  CHECK(host.create("another").error().code == ErrorCode::NotOwner);
  CHECK(host.remove(name).error().code == ErrorCode::NotOwner);
  CHECK(host.client(name, "", [] {}).error().code == ErrorCode::NotOwner);
  CHECK(host.beside(name, {}).error().code == ErrorCode::NotOwner);
  CHECK(host.keep_beside(name, {}).error().code == ErrorCode::NotOwner);
  CHECK(host.with_rows_beside().value().empty());
  const auto is_not_owner = [&](const auto& ask) {
    std::promise<ErrorCode> told;
    ask([&](const auto& result) {
      if constexpr (std::is_same_v<std::decay_t<decltype(result)>, Answer>) {
        told.set_value(result.status.ok() ? ErrorCode::Io : result.status.error().code);
      } else {
        told.set_value(result.ok() ? ErrorCode::Io : result.error().code);
      }
    });
    return told.get_future().get() == ErrorCode::NotOwner;
  };
  CHECK(is_not_owner([&](auto done) { host.judge(name, set("a", Value()), done); }));
  CHECK(is_not_owner([&](auto done) { host.setting(name, "rules", done); }));
  CHECK(is_not_owner([&](auto done) { host.changes(name, {}, done); }));
  CHECK(is_not_owner([&](auto done) { host.undo(name, {kCluster, 1}, "", done); }));
  CHECK(is_not_owner([&](auto done) { host.purge(name, at("a"), done); }));
  CHECK(is_not_owner([&](auto done) { host.history(name, {}, done); }));
  CHECK(is_not_owner([&](auto done) { host.indexes(name, done); }));
  CHECK(is_not_owner([&](auto done) { host.live(name, {}, done); }));
  CHECK(is_not_owner([&](auto done) { host.documents(name, Path(), 1, done); }));
  CHECK(is_not_owner([&](auto done) { host.document(name, at("a"), done); }));
  CHECK(is_not_owner([&](auto done) { host.stats(name, Path(), done); }));
  CHECK(is_not_owner([&](auto done) { host.end_conversations(name, "label", kMoved, done); }));
  CHECK(owner.said(name, "a") == "1");
  CHECK(owner.host->life() == kCluster);
  CHECK(other.host->life() == kCluster);
}

TEST_CASE("Replica: a shard is owned behind all that its log has, and followed again by who has disowned it",
          "[db][cluster]") {
  MemoryLog log;
  Node one(log), two(log);
  const std::string name = name_in(0);
  one.take(0);
  CHECK(one.replica->owns(0));
  CHECK_FALSE(one.replica->owns(1));
  REQUIRE(one.write(name, set("a", Value::integer(1))).status.ok());
  const auto too_early = two.replica->own(0, one.replica->applied(0));
  CHECK(too_early.error().code == ErrorCode::Unavailable);
  CHECK(too_early.error().message.find("batch 1") != std::string::npos);
  one.replica->disown(0, kMoved);
  CHECK_FALSE(one.replica->owns(0));
  CHECK(one.said(name, "a") == "refused");
  two.take(0);
  CHECK(two.said(name, "a") == "1");
  REQUIRE(two.write(name, set("b", Value::integer(2))).status.ok());
  one.catch_up(0);
  two.replica->disown(0, kMoved);
  one.take(0);
  CHECK(one.said(name, "") == R"({"a":1,"b":2})");
  CHECK(one.lost().empty());
  REQUIRE(one.replica->sync_applied().ok());
  CHECK(one.replica->durable(0) == 2);
  CHECK(one.replica->applied(0).sequence == 2);
  one.close();
  one.open();
  CHECK(one.said(name, "a") == "refused");  // at the open nobody is served
  CHECK(one.replica->durable(0) == 2);
}

TEST_CASE("Replica: a log that was lost is told once; the group is void, and conversations hear the end and no answer",
          "[db][cluster]") {
  MemoryLog log;
  Node one(log), two(log);
  const std::string name = name_in(0);
  one.take(0);
  REQUIRE(one.write(name, set("a", Value::integer(1))).status.ok());
  Talk talk(*one.host, "", name);
  talk.client->listen(1, 10, listen_to("a"));
  CHECK(talk.until(1) == Words{"a1 a=1"});
  (void)log.take(0);  // by somebody else
  talk.client->write(2, set("a", Value::integer(2)));
  REQUIRE(becomes([&] { return one.lost().size() == 1; }));
  CHECK(one.write(name, set("a", Value::integer(3))).status.error().code == ErrorCode::NotOwner);
  CHECK(one.lost() == std::vector<uint32_t>{0});
  one.replica->disown(0, kMoved);
  CHECK(talk.until(2) == Words{"end"});
  CHECK(one.lost() == std::vector<uint32_t>{0});
  two.take(0);
  CHECK(two.said(name, "a") == "1");
  REQUIRE(two.write(name, set("a", Value::integer(4))).status.ok());
  two.replica->disown(0, kMoved);
  one.take(0);
  CHECK(one.said(name, "a") == "4");
  REQUIRE(one.write(name, set("a", Value::integer(5))).status.ok());
  // It can be lost again, and that is told again.
  (void)log.take(0);
  CHECK(one.write(name, set("a", Value::integer(6))).status.error().code == ErrorCode::NotOwner);
  CHECK(one.lost() == std::vector<uint32_t>{0, 0});
  CHECK(one.host->health().ok());
}

TEST_CASE("Replica: what is written by conversations as the shard goes is taken, or not answered", "[db][cluster]") {
  MemoryLog log;
  Node one(log), two(log);
  const std::string name = name_in(0);
  one.take(0);
  Talk talk(*one.host, "", name);
  std::atomic<int> told{0}, taken{0};
  constexpr int kWrites = 300;
  for (int i = 0; i < kWrites; ++i) {
    talk.client->write(static_cast<uint64_t>(i + 1), set("own/" + std::to_string(i), Value::boolean(true)));
    one.host->write(name, set("rest/" + std::to_string(i), Value::boolean(true)), [&](const Answer& answer) {
      if (answer.status.ok()) ++taken;
      ++told;
    });
    if (i == kWrites / 2) one.replica->disown(0, kMoved);
  }
  CHECK(becomes([&] { return told == kWrites; }));  // a request by itself is always answered
  const auto items = talk.items_until(kWrites + 1);
  CHECK(std::holds_alternative<Ended>(items.back()));
  int answered = 0;
  for (const Item& item : items) {
    const auto* answer = std::get_if<Answer>(&item);
    if (answer == nullptr) continue;
    CHECK(answer->status.ok());
    ++answered;
  }
  two.take(0);
  // What was answered is there. What was not may be, for its answer may have been on its way.
  const auto count = [&](std::string_view path) {
    const Answer answer = two.read(name, path);
    REQUIRE(answer.status.ok());
    return static_cast<int>(answer.value.child_count());
  };
  CHECK(count("own") >= answered);
  CHECK(count("rest") == taken);
}

TEST_CASE("Replica: who listened at the old owner goes on at the new one by its id, without gap or repeat",
          "[db][cluster]") {
  MemoryLog log;
  Node one(log, a_day()), two(log, a_day());
  const std::string name = name_in(1);
  one.take(1);
  uint64_t seen = one.write(name, set("a/x", Value::integer(1))).sequence;
  {
    Talk talk(*one.host, "", name);
    Listen listen = listen_to("a");
    listen.wants_ids = true;
    talk.client->listen(1, 10, listen);
    CHECK(talk.until(1) == Words{R"(a1 a={"x":1})"});
    REQUIRE(one.write(name, set("a/y", Value::integer(2))).status.ok());
    one.replica->disown(1, kMoved);
    const auto items = talk.items_until(2);
    REQUIRE(items.size() == 2);
    seen = std::get<Event>(items[0]).sequence;
    CHECK(std::get<Ended>(items[1]).reason == kMoved);
  }
  two.take(1);
  {
    Talk same(*two.host, "", name);  // nothing has happened
    same.client->listen(1, 10, resumed_at("a", seen));
    const auto items = same.items_until(1);
    CHECK(std::get<Answer>(items.back()).resumed);
    CHECK(std::get<Answer>(items.back()).first == nullptr);
  }
  REQUIRE(two.write(name, set("a/z", Value::integer(3))).status.ok());
  REQUIRE(two.write(name, set("b", Value::integer(3))).status.ok());
  one.catch_up(1);
  two.replica->disown(1, kMoved);
  one.take(1);
  Talk talk(*one.host, "", name);
  talk.client->listen(1, 10, resumed_at("a", seen));
  const auto items = talk.items_until(1);
  CHECK(std::get<Answer>(items.back()).resumed);
  CHECK(Talk::word(items.back()) == "a1 a+ z=3");
  // An id that never was is never skipped over: the whole value.
  talk.client->listen(2, 20, resumed_at("a", 1000));
  CHECK(talk.until(2) == Words{R"(a2 a={"x":1,"y":2,"z":3})"});
}

TEST_CASE(
    "Replica: what a session of a dead owner has queued is written once, when the grace is over, or as it is back",
    "[db][cluster]") {
  MemoryLog log;
  Node one(log);
  Node two(log, {}, std::chrono::milliseconds(2'000));
  const std::string name = name_in(0);
  const auto queue = [&](Talk& talk, std::string_view path) {
    Disconnect gone;
    gone.path = at(path);
    gone.overwrites = {{gone.path, Slot::Value, Value::string("gone")}};
    talk.client->on_disconnect(1, gone, nullptr);
    REQUIRE(talk.until(1) == Words{"a1"});
  };
  std::string session;
  one.take(0);
  {
    Talk ada(*one.host, "", name), bob(*one.host, "", name);
    queue(ada, "ada");
    queue(bob, "bob");
    session = bob.client->id();
    one.host->close();  // as a process that is killed: nobody is left to write it
  }
  one.host.reset();
  two.take(0);
  CHECK(two.said(name, "") == "null");
  Talk back(*two.host, session, name);
  CHECK(becomes([&] { return two.said(name, "bob") == "\"gone\""; }));
  const Answer before = two.write(name, set("bob", Value::string("back")));
  REQUIRE(before.status.ok());
  CHECK(becomes([&] { return two.said(name, "ada") == "\"gone\""; }));
  const Answer then = two.write(name, set("ada", Value::string("back")));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(two.said(name, "") == R"({"ada":"back","bob":"back"})");
  CHECK(two.write(name, set("c", Value::integer(1))).sequence == then.sequence + 1);  // nothing between
  // The rows are gone on every node.
  one.open();
  one.catch_up(0);
  two.replica->disown(0, kMoved);
  one.take(0);
  CHECK(one.said(name, "ada") == "\"back\"");
}

TEST_CASE("Replica: a restore is acknowledged when the log has it, and where it has not it never was",
          "[db][cluster]") {
  MemoryLog log;
  Node one(log), two(log);
  const std::string name = name_in(0);
  one.take(0);
  REQUIRE(one.write(name, set("a", Value::string("before"))).status.ok());
  const auto restore = [&](const std::string& json) {
    const std::string upload = one.host->begin_upload().value();
    REQUIRE(one.host->upload(upload, 0, json).ok());
    RestoreRequest request;
    request.space = name;
    request.existing = Existing::Replace;
    std::promise<Result<std::vector<RestoredTree>>> told;
    one.host->restore(upload, request, [&](auto result) { told.set_value(std::move(result)); });
    return told.get_future().get();
  };
  const size_t batches = log.batches(0).size();
  std::string after = R"({"a":"before"})";
  SECTION("it can be put there") {
    after = R"({"b":"restored"})";
    CHECK(restore(after).ok());
    CHECK(log.batches(0).size() == batches + 1);
    CHECK(one.lost().empty());
  }
  SECTION("its file can't") {
    log.is_away = true;
    CHECK_FALSE(restore(R"({"b":"restored"})").ok());
    log.is_away = false;
  }
  SECTION("its batch can't") {
    log.behave = [] { return MemoryLog::Behaviour::Taken; };
    CHECK_FALSE(restore(R"({"b":"restored"})").ok());
    log.behave = [] { return MemoryLog::Behaviour::Honest; };
  }
  // As its owner dies: another one has what the log has.
  two.take(0);
  CHECK(two.said(name, "") == after);
  if (one.lost().empty()) return;
  // What is here and not there is no part of the cluster any more.
  one.replica->disown(0, kMoved);
  CHECK(one.replica->must_be_planted(0));
}

TEST_CASE("Replica: a session whose shard moves leaves its queue to the new owner", "[db][cluster]") {
  MemoryLog log;
  Node one(log), two(log, {}, std::chrono::milliseconds(200));
  const std::string name = name_in(0);
  one.take(0);
  Talk talk(*one.host, "", name);
  Disconnect gone;
  gone.path = at("ada");
  gone.overwrites = {{gone.path, Slot::Value, Value::string("gone")}};
  talk.client->on_disconnect(1, gone, nullptr);
  REQUIRE(talk.until(1) == Words{"a1"});
  one.replica->disown(0, kMoved);
  CHECK(talk.until(2) == Words{"end"});
  talk.client->end();
  CHECK(log.batches(0).size() == 1);  // not written here
  two.take(0);
  CHECK(becomes([&] { return two.said(name, "ada") == "\"gone\""; }));
  CHECK(log.batches(0).size() == 2);
}

TEST_CASE("Replica: a shard that was seeded at one node is planted at another, and goes on by the log",
          "[db][cluster]") {
  MemoryLog log;
  Node one(log, a_day()), two(log, a_day());
  one.take(0);
  one.take(1);
  const std::string name = name_in(1), other = name_in(0);
  RandomTree random(7);
  for (int i = 0; i < 100; ++i) {
    Write write;
    write.base = random.path(2);
    write.overwrites = random.overwrites(write.base, 1);
    write.base = write.overwrites.front().path;
    (void)one.write(name, write);
  }
  REQUIRE(one.write(other, set("a", Value::integer(1))).status.ok());
  REQUIRE(one.host->create("removed").ok());
  REQUIRE(one.host->remove("removed").ok());
  const auto seed = [&](Planting& to) {
    return one.replica->seed(1, [&](std::string_view piece) { return to.add(piece); });
  };
  CHECK(one.replica->plant(1).error().code == ErrorCode::Unavailable);  // it is owned
  {
    auto planting = two.replica->plant(1).value();  // and given up
    CHECK(two.replica->must_be_planted(1));
  }
  CHECK(two.replica->own(1, {}).error().code == ErrorCode::Unavailable);
  two.close();
  two.open();
  CHECK(two.replica->must_be_planted(1));
  CHECK_FALSE(two.replica->must_be_planted(0));
  {
    auto planting = two.replica->plant(1).value();
    REQUIRE(one.write(name, set("later", Value::integer(1))).status.ok());
    REQUIRE(seed(*planting).ok());
    REQUIRE(one.write(name, set("later", Value::integer(2))).status.ok());  // behind the seed
    const LogPosition planted = planting->finish().value();
    CHECK(planted.sequence == two.replica->applied(1).sequence);
  }
  CHECK_FALSE(two.replica->must_be_planted(1));
  CHECK(two.replica->applied(1).sequence + 1 == one.replica->applied(1).sequence);
  two.catch_up(1);
  two.catch_up(0);
  for (const uint32_t shard : {0u, 1u}) one.replica->disown(shard, kMoved);
  two.take(1);
  CHECK(two.said(name, "later") == "2");
  two.close();
  one.close();
  CHECK(difference_of(one.folder(), two.folder()).empty());
  CHECK(digests_of(one.folder()) == digests_of(two.folder()));
  CHECK(histories_of(one.folder()) == histories_of(two.folder()));
}

TEST_CASE("Replica: a folder that is not the cluster's is no node of it", "[db][cluster]") {
  const TempFolder folder;
  {
    const auto single = open(folder);
    REQUIRE(single->create("t").ok());
    CHECK(single->replica() == nullptr);
  }
  MemoryLog log;
  Database::Options options;
  options.folder = folder.path();
  options.shards = kShards;
  options.log = &log;
  options.follows = true;
  options.cluster_id = kCluster;
  CHECK(Host::open(options).error().code == ErrorCode::InvalidArgument);
  CHECK(Host::open(options).error().code == ErrorCode::InvalidArgument);  // and the first try has not made it one
  const TempFolder fresh;
  options.folder = fresh.path();
  CHECK(Host::open(options).ok());
  options.shards = kShards + 1;
  CHECK(Host::open(options).error().code == ErrorCode::InvalidArgument);
  options.shards = kShards;
  options.cluster_id = "fedcba9876543210";
  CHECK(Host::open(options).error().code == ErrorCode::InvalidArgument);
}
