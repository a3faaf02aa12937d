#include "db/client.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <future>
#include <optional>
#include <thread>

#include "db/base/mail_batch.h"
#include "db/base/random.h"
#include "db/child_events.h"
#include "db/host.h"
#include "db/model/hash.h"
#include "tests/db/talk.h"
#include "tests/support/lossy_env.h"

using namespace hearth::test;

namespace {

Disconnect put_later(std::string_view path, Value value) {
  return {Disconnect::Kind::Put, at(path), {{at(path), Slot::Value, std::move(value)}}};
}

}  // namespace

TEST_CASE("Client: pipelined requests are answered in order, each on what those before it did", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk talk(*database);
  talk.client->write(1, set("a", Value::integer(1)));
  talk.client->read(2, get("a"));
  talk.client->listen(3, 30, listen_to("a"));
  talk.client->write(4, set("a", Value::integer(2)));
  talk.client->reply(5, {});
  talk.client->read(6, get("a"));
  talk.client->unlisten(7, 30);
  talk.client->write(8, set("a", Value::integer(3)));
  talk.client->read(9, get(""));
  CHECK(talk.until(9) == Words{"a1", "a2 =1", "a3 a=1", "e30 a=2", "a4", "a5", "a6 =2", "a7", "a8", R"(a9 ={"a":3})"});
}

TEST_CASE("Client: everyone who listens is told before the writer's answer, the writer too", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk writer(*database), reader(*database);
  writer.client->listen(1, 10, listen_to("a"));
  reader.client->listen(1, 20, listen_to(""));
  CHECK(reader.until(1) == Words{"a1 =null"});
  writer.client->write(2, set("a/b", Value::integer(1)));
  CHECK(writer.until(2) == Words{"a1 a=null", "e10 a/b=1", "a2"});
  reader.client->reply(2, {});
  CHECK(reader.until(2) == Words{"e20 a/b=1", "a2"});
}

TEST_CASE("Client: the newer value is told before a stale answer", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk one(*database), two(*database);
  one.client->listen(1, 10, listen_to("n"));
  one.until(1);
  two.client->write(1, set("n", Value::integer(5)));
  two.until(1);
  Write write = set("n", Value::integer(1));
  write.preconditions.push_back(std::make_shared<HashIs>(at("n"), ""));
  one.client->write(2, write);
  CHECK(one.until(2) == Words{"e10 n=5", "a2 refused"});
}

TEST_CASE("Client: a large first value comes first, then each change since, with no gap", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < 20'000; ++i) children.emplace_back("k" + std::to_string(i), Value::integer(i));
  const Value large = Value::object(children);
  Namespace space = database->space("t").value();
  REQUIRE(space.set("big", large).ok());

  Talk reader(*database), writer(*database);
  reader.client->listen(1, 10, listen_to("big"));
  for (uint64_t i = 1; i <= 100; ++i) {
    writer.client->write(i, set("big/k" + std::to_string(i), Value::string("new")));
  }
  writer.until(100);
  reader.client->read(2, get("big"));
  const std::vector<Item> items = reader.items_until(2);
  const auto* first = std::get_if<Answer>(&items.front());
  REQUIRE(first != nullptr);
  CHECK(first->request == 1);
  Value value = first->first->value();
  CHECK(value.child_count() == 20'000);
  uint64_t sequence = first->sequence;
  for (size_t i = 1; i + 1 < items.size(); ++i) {
    const auto& event = std::get<Event>(items[i]);
    CHECK(event.sequence == ++sequence);
    value = applied(value, at("big"), *event.body);
  }
  CHECK(value == std::get<Answer>(items.back()).value);
}

TEST_CASE("Client: whoever has the value already is sent none", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  REQUIRE(database->space("t").value().set("a", json(R"({"x":1,"y":0.1})")).ok());
  struct Case {
    std::string path, hash;
    bool sent;
  };
  const std::vector<Case> cases = {{"a", node_hash(json(R"({"x":1,"y":0.1})")), false},
                                   {"a", node_hash(json(R"({"x":1})")), true},
                                   {"a", "", true},
                                   {"none", "", false},
                                   {"none", node_hash(Value::integer(1)), true}};
  for (const Case& that : cases) {
    INFO("/" << that.path << " " << that.hash);
    Talk talk(*database);
    Listen listen = listen_to(that.path);
    listen.hash = that.hash;
    talk.client->listen(1, 10, listen);
    const std::vector<Item> items = talk.items_until(1);
    CHECK((std::get<Answer>(items.back()).first != nullptr) == that.sent);
  }
}

TEST_CASE("Client: a herd that comes back is told nothing, or shares one value", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  const Value value = json(R"({"x":1,"y":{"z":2}})");
  REQUIRE(database->space("t").value().set("a", value).ok());
  std::vector<std::unique_ptr<Talk>> herd;
  for (int i = 0; i < 100; ++i) herd.push_back(std::make_unique<Talk>(*database));
  const bool knows = GENERATE(true, false);
  for (auto& talk : herd) {
    Listen listen = listen_to("a");
    if (knows) listen.hash = node_hash(value);
    talk->client->listen(1, 10, listen);
  }
  const Body* shared = nullptr;
  for (auto& talk : herd) {
    const Answer answer = std::get<Answer>(talk->items_until(1).back());
    REQUIRE(answer.status.ok());
    CHECK((answer.first == nullptr) == knows);
    if (shared == nullptr) shared = answer.first.get();
    CHECK(answer.first.get() == shared);  // one read made it for all
  }
}

TEST_CASE("Client: a listener that comes back is told the net change, or everything when that is not known", "[db]") {
  struct Case {
    std::string name;
    std::vector<std::pair<std::string, std::string>> writes;
    std::string resume;  // LIFE and SEEN stand for the database's life and the sequence of the value that was seen
    std::string answer;
    bool resumed;
  };
  const std::vector<Case> cases = {
      {"nothing changed", {}, "LIFE:SEEN", "a1", true},
      {"changes elsewhere", {{"b", "1"}}, "LIFE:SEEN", "a1", true},
      {"each place once, as it is now",
       {{"a/x", "5"}, {"a/x", "6"}, {"a/y", "null"}},
       "LIFE:SEEN",
       "a1 a+ x=6 y=null",
       true},
      {"a change above the listener", {{"", R"({"a":{"x":9}})"}}, "LIFE:SEEN", R"(a1 a={"x":9})", true},
      {"another life", {{"a/x", "5"}}, "0123456789abcdef:1", R"(a1 a={"x":5,"y":2})", false},
      {"an event that was not yet", {}, "LIFE:999", R"(a1 a={"x":1,"y":2})", false},
      {"no number", {}, "LIFE:x", R"(a1 a={"x":1,"y":2})", false},
      {"no id at all", {}, "", R"(a1 a={"x":1,"y":2})", false},
  };
  const auto with = [](std::string in, const std::string& word, const std::string& by) {
    const size_t found = in.find(word);
    return found == std::string::npos ? in : in.replace(found, word.size(), by);
  };
  for (const Case& that : cases) {
    INFO(that.name);
    const TempFolder folder;
    const auto database = open(folder);
    Namespace space = database->space("t").value();
    REQUIRE(space.set("a", json(R"({"x":1,"y":2})")).ok());
    Talk before(*database);
    Listen first = listen_to("a");
    first.wants_ids = true;
    before.client->listen(1, 10, std::move(first));
    const uint64_t seen = std::get<Answer>(before.items_until(1).back()).sequence;
    for (const auto& [path, value] : that.writes) REQUIRE(space.set(path, json(value)).ok());

    Talk after(*database);
    Listen listen = listen_to("a");
    listen.resume = with(with(that.resume, "LIFE", database->life()), "SEEN", std::to_string(seen));
    after.client->listen(1, 10, listen);
    const Answer answer = std::get<Answer>(after.items_until(1).back());
    CHECK(Talk::word(answer) == that.answer);
    CHECK(answer.resumed == that.resumed);
  }
}

TEST_CASE("Client: a takeover ends the old conversation and runs what it queued, before the new one's requests",
          "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk old(*database);
  old.client->on_disconnect(1, put_later("gone", Value::increment(Value::integer(1))), nullptr);
  CHECK(old.until(1) == Words{"a1"});
  Talk next(*database, old.client->id());
  next.client->read(1, get("gone"));
  CHECK(next.until(1) == Words{"a1 =1"});
  CHECK(old.until(99) == Words{"end"});
  old.client->end();  // once is enough
  Talk third(*database, old.client->id());
  third.client->read(1, get("gone"));
  CHECK(third.until(1) == Words{"a1 =1"});
}

TEST_CASE("Client: what was queued is written when the client goes, unless it was cancelled", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  {
    Talk talk(*database);
    talk.client->on_disconnect(1, put_later("a/x", Value::integer(1)), nullptr);
    talk.client->on_disconnect(2, put_later("a/y", Value::integer(2)), nullptr);
    talk.client->on_disconnect(3, {Disconnect::Kind::Cancel, at("a/x"), {}}, nullptr);
    CHECK(talk.until(3) == Words{"a1", "a2", "a3"});
  }
  Talk after(*database);
  after.client->write(1, set("b", Value::integer(1)));  // behind the end of the other
  after.client->read(2, get("a"));
  CHECK(after.until(2) == Words{"a1", R"(a2 ={"y":2})"});
}

TEST_CASE("Client: all conversations of a label are ended, in order, and no others", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database), also_ada(*database), bob(*database), nobody(*database), was_ada(*database);
  ada.client->set_label("ada");
  also_ada.client->set_label("ada");
  bob.client->set_label("bob");
  was_ada.client->set_label("ada");
  was_ada.client->set_label("");
  ada.client->on_disconnect(1, put_later("gone", Value::integer(1)), nullptr);
  ada.client->write(2, set("a", Value::integer(1)));
  for (Talk* talk : {&also_ada, &bob, &nobody, &was_ada}) {
    talk->client->reply(1, {});
    CHECK(talk->until(1) == Words{"a1"});
  }
  CHECK(ada.until(2) == Words{"a1", "a2"});
  std::promise<Answer> answer;
  database->end_conversations("t", "ada", {ErrorCode::InvalidToken, "enough"},
                              [&](Answer got) { answer.set_value(std::move(got)); });
  CHECK(answer.get_future().get().value == Value::integer(2));
  for (Talk* talk : {&ada, &also_ada}) {
    talk->client->write(3, set("a", Value::integer(2)));  // comes too late
    const std::vector<Item> items = talk->items_until(99);
    REQUIRE(items.size() == 1);
    CHECK(std::get<Ended>(items.front()).reason == Error{ErrorCode::InvalidToken, "enough"});
  }
  for (Talk* talk : {&bob, &nobody, &was_ada}) {
    talk->client->read(4, get(""));
    CHECK(talk->until(4) == Words{R"(a4 ={"a":1,"gone":1})"});
  }

  // A label counts from the call on, also within a turn whose other requests are passed on at its end: whoever labels a
  // conversation asks right after that whether the label is still good.
  std::optional<Talk> late;
  Answer ended;
  {
    const MailBatch batch;
    late.emplace(*database);
    late->client->set_label("ada");
    std::thread([&] {
      std::promise<Answer> told;
      database->end_conversations("t", "ada", {ErrorCode::InvalidToken, "enough"},
                                  [&](Answer got) { told.set_value(std::move(got)); });
      ended = told.get_future().get();
    }).join();
  }
  CHECK(ended.value == Value::integer(1));
  CHECK(late->until(99) == Words{"end"});
}

// The process that is killed in the test below, which starts it: a fork alone would share this one's dead threads.
TEST_CASE("Client: (a process that queues and waits to be killed)", "[.][child]") {
  const char* folder = std::getenv("CLIENT_TEST_FOLDER");
  REQUIRE(folder != nullptr);
  Database::Options options;
  options.folder = folder;
  const auto database = Host::open(options).value();
  Talk talk(*database);
  talk.client->on_disconnect(1, put_later("gone", Value::increment(Value::integer(1))), nullptr);
  const std::string answered = talk.until(1).front() + " " + talk.client->id() + "\n";
  REQUIRE(write(STDOUT_FILENO, answered.data(), answered.size()) > 0);
  pause();
}

namespace {

// Starts it, kills it once its write is queued, and answers the name of its session.
std::string kill_a_client(const TempFolder& folder) {
  setenv("CLIENT_TEST_FOLDER", folder.path().c_str(), 1);
  int answers[2];
  REQUIRE(pipe(answers) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(answers[1], STDOUT_FILENO);
    execl("/proc/self/exe", "db_test", "[child]", nullptr);
    _exit(1);
  }
  close(answers[1]);
  std::string answer;
  for (char c = 0; read(answers[0], &c, 1) == 1 && c != '\n';) answer += c;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(answers[0]);
  REQUIRE(answer.starts_with("a1 "));
  return answer.substr(3);
}

Words value_of_gone(Host& database, std::string_view replaces = "") {
  Talk talk(database, replaces);
  talk.client->read(1, get("gone"));
  return talk.until(1);
}

}  // namespace

TEST_CASE("Client: what a killed process left queued is written once, when its session has not come back in time",
          "[db]") {
  const TempFolder folder;
  kill_a_client(folder);
  {
    const auto database = open(folder);
    CHECK(value_of_gone(*database) == Words{"a1"});
  }
  for (int opens = 0; opens < 2; ++opens) {  // that it was closed in between changes nothing
    const auto database = open(folder, std::chrono::milliseconds(1));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (value_of_gone(*database) == Words{"a1"} && std::chrono::steady_clock::now() < end) {
    }
    CHECK(value_of_gone(*database) == Words{"a1 =1"});
  }
}

TEST_CASE("Client: a session of a killed process that comes back ends first, whatever time is left", "[db]") {
  const TempFolder folder;
  const std::string session = kill_a_client(folder);
  for (int opens = 0; opens < 2; ++opens) {
    const auto database = open(folder);
    CHECK(value_of_gone(*database, "another") == Words{opens == 0 ? "a1" : "a1 =1"});
    CHECK(value_of_gone(*database, session) == Words{"a1 =1"});
  }
}

namespace {

// Allowed as long as nothing stands at /locked.
class Unlocked final : public Precondition {
 public:
  Result<void> check(const Moment& moment) const override {
    ASSIGN_OR_RETURN(const bool locked, moment.before.exists(at("locked")));
    if (locked) return Error{ErrorCode::PermissionDenied, "Permission denied"};
    return {};
  }
};

Listen while_unlocked(std::string_view path) {
  Listen listen = listen_to(path);
  listen.check = std::make_shared<Unlocked>();
  return listen;
}

}  // namespace

TEST_CASE("Client: who is ended or revoked by what the disk then refuses is told so, and nothing else of it", "[db]") {
  const TempFolder folder;
  LossyEnv disk;
  Database::Options options;
  options.folder = folder.path();
  options.environment = &disk;
  {
    const auto database = Host::open(options).value();
    Talk ada(*database), watcher(*database);
    watcher.client->listen(1, 7, while_unlocked("room"));
    watcher.client->listen(2, 8, listen_to("locked"));
    REQUIRE(watcher.until(2) == Words{"a1 room=null", "a2 locked=null"});
    ada.client->set_label("ada");
    ada.client->on_disconnect(1, put_later("room", Value::integer(1)), nullptr);
    REQUIRE(ada.until(1) == Words{"a1"});
    disk.fail_syncs();

    SECTION("ended, while what it had queued is lost") {
      std::promise<Result<void>> done;
      database->end_conversations("t", "ada", {ErrorCode::InvalidToken, "signed out"},
                                  [&](Answer answer) { done.set_value(answer.status); });
      CHECK_FALSE(done.get_future().get().ok());
      CHECK(ada.until(99) == Words{"end"});
      watcher.client->reply(3, {});
      CHECK(watcher.until(3) == Words{"a3"});
    }
    SECTION("revoked, by a write that did not happen") {
      watcher.client->write(3, set("locked", Value::boolean(true)));
      CHECK(watcher.until(3) == Words{"e7 revoked", "a3 refused"});
    }
  }
}

TEST_CASE(
    "Client: a write whose listeners can't be matched is refused, and ends them, for some of them are as if it were "
    "taken",
    "[db]") {
  const TempFolder folder;
  LossyEnv disk;
  Database::Options options;
  options.folder = folder.path();
  options.environment = &disk;
  {
    const auto database = Host::open(options).value();
    Namespace space = database->space("t").value();
    REQUIRE(space.set("a", json(R"({"x":1,".priority":1})"))
                .ok());  // from here on what is removed is told with all beside it
    for (int i = 0; i < 200; ++i) REQUIRE(space.set("b/" + std::to_string(i), Value::string(random_hex(2'000))).ok());
    std::promise<Result<Compacted>> compacted;
    database->compact([&](Result<Compacted> done) { compacted.set_value(std::move(done)); });
    REQUIRE(compacted.get_future().get().ok());
  }
  const auto database = Host::open(options).value();  // what was written is in a file, and not in memory
  Talk talk(*database), writer(*database);
  talk.client->listen(1, 6, while_unlocked("z"));
  talk.client->listen(2, 7, listen_to("z"));
  Listen everything = listen_to("");
  everything.resume = database->life() + ":201";  // and nothing has changed since
  talk.client->listen(3, 8, everything);
  REQUIRE(talk.until(3) == Words{"a1 z=null", "a2 z=null", "a3"});
  Write write;
  write.merge = true;
  write.overwrites = {{at("a/x"), Slot::Value, {}}, {at("locked"), Slot::Value, Value::boolean(true)}};
  // What the write itself looks at is in memory from here on.
  std::promise<Result<void>> judged;
  database->judge("t", write, [&](Answer answer) { judged.set_value(answer.status); });
  REQUIRE(judged.get_future().get().ok());
  disk.fail_reads(true);
  writer.client->write(1, write);
  CHECK(writer.until(1) == Words{"a1 refused"});
  talk.client->reply(4, {});
  Words heard = talk.until(4);
  std::sort(heard.begin(), heard.end());
  CHECK(heard == Words{"a4", "e6 revoked", "e7 revoked", "e8 revoked"});
  // Whoever asks again is served, by a disk that can be read.
  disk.fail_reads(false);
  talk.client->listen(5, 9, while_unlocked("z"));
  CHECK(talk.until(5) == Words{"a5 z=null"});
  writer.client->write(2, set("z", Value::integer(3)));
  CHECK(writer.until(2) == Words{"a2"});
  talk.client->reply(6, {});
  CHECK(talk.until(6) == Words{"e9 z=3", "a6"});
}
