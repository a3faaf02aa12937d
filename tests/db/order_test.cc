// Each conversation's story, under load: several threads, several namespaces on several shards, writers, listeners and
// transactions. A run is found again by TEST_SEED, as far as threads allow.
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "db/child_events.h"
#include "db/client.h"
#include "db/host.h"
#include "db/model/hash.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using hearth::test::RandomTree;
using hearth::test::TempFolder;

namespace {

constexpr int kThreads = 4;
int rounds = 200;                     // of each client
constexpr int kRequestsInFlight = 8;  // at most, of a round
constexpr auto kPatience = std::chrono::seconds(60);

const Path kListened = Path::parse("p").value();
const Path kCounter = Path::parse("p/n").value();
constexpr uint64_t kListener = 1;

class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    more_.notify_one();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    const bool came = more_.wait_for(lock, kPatience, [this] { return rung_; });
    rung_ = false;
    return came;
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  bool rung_ = false;
};

// One client that listens at /p, writes below it, and checks all it is told. Thread: one.
class Teller {
 public:
  Teller(Host& database, const std::string& space, uint64_t seed)
      : random_(seed), client_(database.client(space, "", [this] { bell_.ring(); }).value()) {}

  // What went wrong first; empty: nothing.
  const std::string& wrong() const { return wrong_; }
  int64_t increments() const { return increments_; }
  const Value& value() const { return value_; }

  void run() {
    for (int round = 0; round < rounds && wrong_.empty(); ++round) {
      const size_t count = 1 + random_.below(kRequestsInFlight);
      for (size_t i = 0; i < count; ++i) ask();
      wait_for_answers();
    }
    if (!listening_) listen();
    wait_for_answers();
  }

  // After everyone's run: whatever is still to come stands before the answer to this.
  void finish() {
    client_->read(expect(Kind::Read), {kListened, Slot::Value, false, {}, false, kReadBytesMax, {}, nullptr});
    wait_for_answers();
    if (wrong_.empty() && !(read_ == value_)) fail("the value by events is not the value that is read");
  }

 private:
  enum class Kind { Write, Transaction, Read, Listen, Unlisten };
  struct Asked {
    Kind kind;
    std::string mark;  // of a write: the key that it sets, and nobody else does
  };

  void fail(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  uint64_t expect(Kind kind, std::string mark = {}) {
    asked_[++last_request_] = {kind, std::move(mark)};
    return last_request_;
  }

  void ask() {
    const size_t dice = random_.below(20);
    if (dice == 0) return listening_ ? unlisten() : listen();
    if (dice < 3)
      return client_->read(expect(Kind::Read), {kListened, Slot::Value, false, {}, false, kReadBytesMax, {}, nullptr});
    if (dice < 9) return transaction();
    if (!listening_) return listen();
    write();
  }

  void listen() {
    listening_ = true;
    Listen listen;
    listen.path = kListened;
    if (known_) listen.hash = node_hash(value_);  // as an SDK does when it comes back
    client_->listen(expect(Kind::Listen), kListener, std::move(listen));
  }

  void unlisten() {
    listening_ = false;
    client_->unlisten(expect(Kind::Unlisten), kListener);
  }

  void write() {
    Write write;
    write.base = kListened;
    const std::string mark = client_->id() + std::to_string(last_request_ % 16);
    const Value stamp = Value::integer(static_cast<int64_t>(last_request_ + 1));
    write.overwrites.push_back({kListened.child(mark).value(), Slot::Value, stamp});
    if (random_.chance(0.5)) {
      write.merge = true;
      write.overwrites.push_back({kListened.child("shared").value(), Slot::Value, random_.value(2)});
    }
    client_->write(expect(Kind::Write, mark), std::move(write));
  }

  // Adds one to the counter if it is what we know; most will be stale, for everybody does.
  void transaction() {
    Write write;
    write.base = kCounter;
    const Value known = value_.child("n");
    const int64_t next = known.is_null() ? 1 : known.as_integer() + 1;
    write.overwrites.push_back({kCounter, Slot::Value, Value::integer(next)});
    write.preconditions.push_back(std::make_shared<HashIs>(kCounter, node_hash(known)));
    write.wants_value = true;  // of a refusal: what stands there
    client_->write(expect(Kind::Transaction), std::move(write));
  }

  void wait_for_answers() {
    while (!asked_.empty() && wrong_.empty()) {
      const std::vector<Item> items = client_->take();
      for (const Item& item : items) hear(item);
      if (items.empty() && !bell_.wait()) fail("a request is not answered");
    }
  }

  void hear(const Item& item) {
    if (const auto* answer = std::get_if<Answer>(&item)) return hear(*answer);
    if (const auto* event = std::get_if<Event>(&item)) return hear(*event);
    fail("ended: " + std::get<Ended>(item).reason.message);
  }

  void hear(const Event& event) {
    if (!told_first_) fail("an event before the first value, or after the answer to unlisten");
    if (event.kind != Event::Kind::Changed) fail("revoked");
    if (event.sequence <= event_sequence_) fail("an event's sequence does not ascend");
    if (event.sequence < sequence_) fail("an event after an answer that is newer");
    event_sequence_ = sequence_ = event.sequence;
    if (event.body != nullptr) value_ = applied(value_, kListened, *event.body);
  }

  void hear(const Answer& answer) {
    const auto asked = asked_.begin();  // answers come in the order of the requests
    if (asked == asked_.end() || asked->first != answer.request) return fail("an answer out of order, or a second one");
    const Asked what = asked->second;
    asked_.erase(asked);
    if (what.kind == Kind::Unlisten) {
      told_first_ = false;
      return;
    }
    if (!answer.status.ok() && answer.status.error().code != ErrorCode::Stale)
      return fail(answer.status.error().message);
    if (answer.status.ok() && what.kind != Kind::Transaction) {
      if (answer.sequence < sequence_) fail("an answer's sequence is older than what was told before");
      sequence_ = answer.sequence;
    }
    switch (what.kind) {
      case Kind::Listen:
        told_first_ = known_ = true;
        event_sequence_ = answer.sequence;
        if (answer.first != nullptr) value_ = answer.first->value();
        break;
      case Kind::Read:
        read_ = answer.value;
        if (told_first_ && !(value_ == answer.value)) fail("a read is not what the events before it told");
        break;
      case Kind::Write:
        if (!told_first_) break;
        if (event_sequence_ < answer.sequence) fail("a write is acknowledged before its event");
        if (value_.child(what.mark).is_null()) fail("the event before a write's answer does not hold it");
        break;
      case Kind::Transaction:
        if (answer.status.ok()) {
          ++increments_;
          if (told_first_ && event_sequence_ < answer.sequence) fail("a transaction is acknowledged before its event");
        } else if (told_first_ && !(value_.child("n") == answer.value)) {
          fail("stale, but the listener does not know the newer value yet");
        }
        break;
      case Kind::Unlisten:
        break;
    }
  }

  RandomTree random_;
  Bell bell_;
  std::map<uint64_t, Asked> asked_;
  uint64_t last_request_ = 0;
  bool listening_ = false;   // as asked
  bool told_first_ = false;  // as heard: between the answers to listen and unlisten
  bool known_ = false;       // value_ was once the truth
  Value value_;
  Value read_;
  uint64_t sequence_ = 0;
  uint64_t event_sequence_ = 0;
  int64_t increments_ = 0;
  std::string wrong_;
  std::unique_ptr<Client> client_;  // goes first: it rings the bell
};

}  // namespace

TEST_CASE("order: every conversation hears one story, whatever others do", "[db][threads]") {
  const uint64_t seed = hearth::test::seed_of_run();
  WARN("TEST_SEED=" << seed);
  const TempFolder folder;
  Database::Options options;
  options.folder = folder.path();
  options.shards = 3;
  options.step_rows_max = GENERATE(4'000, 6);  // with 6, namespaces come and go all the time
  rounds = options.step_rows_max == 6 ? 30 : 200;
  INFO("step_rows_max " << options.step_rows_max);
  auto database = Host::open(options).value();
  const std::vector<std::string> spaces = {"one", "two", "three", "four"};

  // Each thread has a client of every namespace, so that each namespace is written by all threads.
  std::vector<std::vector<std::unique_ptr<Teller>>> tellers(kThreads);
  for (size_t t = 0; t < kThreads; ++t) {
    for (size_t s = 0; s < spaces.size(); ++s) {
      tellers[t].push_back(std::make_unique<Teller>(*database, spaces[s], seed + t * spaces.size() + s));
    }
  }
  std::vector<std::thread> threads;
  for (auto& own : tellers) {
    for (auto& teller : own) threads.emplace_back([&teller] { teller->run(); });
  }
  for (auto& thread : threads) thread.join();
  for (size_t s = 0; s < spaces.size(); ++s) {
    int64_t increments = 0;
    for (auto& own : tellers) {
      own[s]->finish();
      INFO("namespace " << spaces[s] << ", TEST_SEED=" << seed);
      CHECK(own[s]->wrong() == "");
      increments += own[s]->increments();
    }
    const Value counter = database->space(spaces[s]).value().get("p/n").value();
    CHECK((counter.is_null() ? 0 : counter.as_integer()) == increments);  // no lost update
    CHECK(increments > 0);
  }
}
