// An app that has a loop of its own, as a game has: callbacks run there and nowhere else, once in each tick, and nothing in it
// waits for a disk. Run: tick FOLDER
#include <hearth/db/database.h>

#include <cstdio>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

using namespace hearth::db;

namespace {

// What the database wants done in the app's loop, in order.
class Loop {
 public:
  void post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  void tick() {
    std::deque<std::function<void()>> now;
    {
      const std::lock_guard lock(mutex_);
      now.swap(tasks_);
    }
    for (const auto& task : now) task();
  }

 private:
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
};

}  // namespace

int main(int argc, char** argv) {
  Loop loop;
  const std::thread::id home = std::this_thread::get_id();
  bool strayed = false;
  int ticks = 0;
  int64_t shown = -1;
  {
    Database::Options options;
    options.folder = argc > 1 ? argv[1] : "tick-data";
    options.run = [&loop](std::function<void()> task) { loop.post(std::move(task)); };
    auto database = Database::open(options).value();
    Namespace game = database->space("game").value();

    ListenerCallbacks callbacks;
    callbacks.value = [&](const Value& score) {
      strayed = strayed || std::this_thread::get_id() != home;
      shown = score.is_null() ? 0 : score.as_integer();
      // A listener may write. It may not wait: set() would be refused here, set_async() is not.
      if (shown < 10) game.set_async("score", Value::integer(shown + 1));
    };
    const Listener listener = game.listen("score", std::move(callbacks)).value();
    for (; shown < 10 && ticks < 100'000; ++ticks) {
      loop.tick();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    // Closing while busy is safe: what was accepted is finished, and nobody is called.
    for (int i = 0; i < 1'000; ++i) game.set_async("busy/" + std::to_string(i), Value::integer(i));
  }
  loop.tick();
  std::printf("the score is %lld%s\n", static_cast<long long>(shown), strayed ? ", but a callback strayed" : "");
  return shown == 10 && !strayed ? 0 : 1;
}
