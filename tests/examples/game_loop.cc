// A game's loop on the embedded API: 60 ticks a second, and nothing in the loop waits for a disk. Run: game_loop FOLDER
// [TICKS]
//
//   tick := callbacks of the database, then the players' moves, then at most one write of all that has moved
//
// Callbacks run in the loop alone, so the game needs no lock. While a write is on its way to the disk, moves gather for
// the next one: a slow disk makes writes larger, not ticks longer.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "db/database.h"

using hearth::db::Database;
using hearth::db::Error;
using hearth::db::Listener;
using hearth::db::ListenerCallbacks;
using hearth::db::Namespace;
using hearth::db::Result;
using hearth::db::Value;
using hearth::db::Written;

namespace {

// What the database wants called, in order. Threads of the database add callbacks, the loop runs them.
class Callbacks {
 public:
  void add(std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(callback));
  }
  void run_all() {
    std::vector<std::function<void()>> now;
    {
      const std::lock_guard lock(mutex_);
      now.swap(waiting_);
    }
    for (const auto& callback : now) callback();
  }

 private:
  std::mutex mutex_;  // guards waiting_
  std::vector<std::function<void()>> waiting_;
};

struct Position {
  int64_t x = 0, y = 0;
  bool operator==(const Position&) const = default;
};

using Positions = std::map<std::string, Position>;

// Thread: the loop's.
class World {
 public:
  explicit World(Namespace space) : space_(std::move(space)) {}

  Result<void> listen() {
    ListenerCallbacks callbacks;
    const auto see = [this](const std::string& name, const Value& at, const std::string&) {
      seen_[name] = {at.child("x").as_integer(), at.child("y").as_integer()};
    };
    callbacks.child_added = see;
    callbacks.child_changed = see;
    callbacks.child_removed = [this](const std::string& name, const Value&) { seen_.erase(name); };
    ASSIGN_OR_RETURN(listener_, space_.listen("players", std::move(callbacks)));
    return {};
  }

  void move(const std::string& name, Position to) { moved_[name] = to; }

  void write() {
    if (is_writing_ || moved_.empty()) return;
    std::vector<std::pair<std::string, Value>> entries;
    for (const auto& [name, at] : moved_) {
      entries.emplace_back(name, Value::object({{"x", Value::integer(at.x)}, {"y", Value::integer(at.y)}}));
    }
    moved_.clear();
    is_writing_ = true;
    ++writes_;
    space_.update_async("players", std::move(entries), [this](Result<Written> written) {
      is_writing_ = false;
      if (!written.ok()) failure_ = written.error();
    });
  }

  const std::optional<Error>& failure() const { return failure_; }
  bool is_saved() const { return !is_writing_ && moved_.empty(); }
  const Positions& seen() const { return seen_; }
  int writes() const { return writes_; }

 private:
  Namespace space_;
  Listener listener_;
  Positions seen_;   // what the listener has told: moves of this loop, and of whoever else writes
  Positions moved_;  // not yet in a write
  bool is_writing_ = false;
  std::optional<Error> failure_;
  int writes_ = 0;
};

Result<void> play(const std::string& folder, int ticks) {
  Callbacks callbacks;
  Database::Options options;
  options.folder = folder;
  options.run = [&callbacks](std::function<void()> callback) { callbacks.add(std::move(callback)); };
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::open(options));
  ASSIGN_OR_RETURN(Namespace space, database->space("game"));
  World world(std::move(space));
  RETURN_IF_ERROR(world.listen());

  using Clock = std::chrono::steady_clock;
  const Clock::duration period = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1.0 / 60));
  Clock::time_point next = Clock::now();
  Clock::duration longest{};
  for (int tick = 1; tick <= ticks || !world.is_saved(); ++tick) {
    const Clock::time_point start = Clock::now();
    callbacks.run_all();
    if (world.failure()) return *world.failure();
    if (tick <= ticks) {
      world.move("ada", {tick, 0});
      world.move("bob", {0, 2 * tick});
    }
    world.write();
    longest = std::max(longest, Clock::now() - start);
    next += period;
    std::this_thread::sleep_until(next);
  }

  // The listener has told of a write before the write is answered, so what is seen here is what was written last.
  for (const auto& [name, at] : world.seen()) {
    std::printf("%s is at %lld,%lld\n", name.c_str(), static_cast<long long>(at.x), static_cast<long long>(at.y));
  }
  std::printf("%d ticks, %d writes; the longest tick worked for %.1f ms\n", ticks, world.writes(),
              std::chrono::duration<double, std::milli>(longest).count());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const int ticks = argc > 2 ? std::atoi(argv[2]) : 120;
  if (argc < 2 || argc > 3 || ticks < 1) {
    std::fprintf(stderr, "usage: game_loop FOLDER [TICKS]\n");
    return 2;
  }
  const Result<void> result = play(argv[1], ticks);
  if (!result.ok()) std::fprintf(stderr, "game_loop: %s\n", result.error().message.c_str());
  return result.ok() ? 0 : 1;
}
