// Several clients that change one value by compare-and-set: who is told first, and that nobody is left behind.
#include <algorithm>
#include <future>
#include <thread>

#include "tests/db/talk.h"

using namespace hearth::test;

namespace {

// Holds the shard's thread until open().
class Gate {
 public:
  Write write(int64_t value) const {
    Write held = set("gate", Value::integer(value));
    held.preconditions = {std::make_shared<Closed>(*this)};
    return held;
  }
  void wait_for_shard() { begun_->get_future().wait(); }
  void open() {
    if (!std::exchange(is_open_, true)) opened_->set_value();
  }

 private:
  struct Closed final : Precondition {
    explicit Closed(const Gate& gate) : begun(gate.begun_), opened(gate.opened_->get_future().share()) {}
    Result<void> check(const Moment&) const override {
      begun->set_value();
      opened.wait();
      return {};
    }
    const std::shared_ptr<std::promise<void>> begun;
    const std::shared_future<void> opened;
  };
  std::shared_ptr<std::promise<void>> begun_ = std::make_shared<std::promise<void>>();
  std::shared_ptr<std::promise<void>> opened_ = std::make_shared<std::promise<void>>();
  bool is_open_ = false;
};

Write set_if(std::string_view path, int64_t from, int64_t to) {
  Write write = set(path, Value::integer(to));
  write.preconditions = {std::make_shared<ValueIs>(at(path), Value::integer(from))};
  return write;
}

// Clients by name; who was woken, in order.
struct Scene {
  Scene() {
    Database::Options options;
    options.folder = folder.path();
    options.shards = 1;
    options.sync = SyncMode::Os;
    database = Host::open(options).value();
    for (const char name : {'A', 'B', 'C', 'G'}) {
      clients[name] = database
                          ->client("t", "",
                                   [this, name] {
                                     const std::lock_guard lock(mutex);
                                     woken += name;
                                   })
                          .value();
    }
  }
  // The shard stands still in the group of this write.
  void hold(Gate& gate) {
    ++writes;
    clients['G']->write(static_cast<uint64_t>(writes), gate.write(writes));
    gate.wait_for_shard();
  }
  void write_if(char who, int64_t from, int64_t to) { clients[who]->write(++writes, set_if("n", from, to)); }
  // Waits until those were woken, lets everybody take what there is, and tells in which order they were.
  std::string woken_until(std::string_view wanted) {
    std::string found;
    const auto has = [&](char name) { return found.find(name) != std::string::npos; };
    for (int i = 0; i < 5'000 && !std::all_of(wanted.begin(), wanted.end(), has); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::lock_guard lock(mutex);
      found = woken;
    }
    for (auto& [name, client] : clients) (void)client->take();
    const std::lock_guard lock(mutex);
    return std::exchange(woken, {});
  }

  TempFolder folder;
  std::unique_ptr<Host> database;
  std::mutex mutex;  // Guards woken.
  std::string woken;
  std::map<char, std::unique_ptr<Client>> clients;
  int64_t writes = 100;  // and requests: each has a number
};

}  // namespace

TEST_CASE("contest: who has lost is told before who has won, and the one first who lost most", "[db]") {
  Scene scene;
  scene.clients['A']->write(1, set("n", Value::integer(1)));
  scene.woken_until("A");
  // In one group A wins, and the others are stale: C twice, B once.
  Gate gate;
  scene.hold(gate);
  scene.write_if('A', 1, 2);
  scene.write_if('B', 1, 3);
  scene.write_if('C', 1, 4);
  scene.write_if('C', 1, 5);
  gate.open();
  const std::string first = scene.woken_until("ABCG");
  INFO(first);
  CHECK(first.find('C') < first.find('B'));
  CHECK(first.find('B') < first.find('A'));

  // A wins in one group, and B's stale write comes while that is under way: A waits for the group of B's.
  Gate before, within;
  scene.hold(before);
  scene.write_if('A', 2, 3);
  scene.clients['G']->write(++scene.writes, within.write(-1));
  before.open();
  within.wait_for_shard();
  scene.write_if('B', 2, 9);
  within.open();
  const std::string second = scene.woken_until("AB");
  INFO(second);
  CHECK(second.find('B') < second.find('A'));

  // When there is nothing more to do, a winner is told all the same.
  scene.write_if('A', 3, 4);
  CHECK(scene.woken_until("A").find('A') != std::string::npos);
}
