#include "db/calls/turns.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace hearth::db {

TEST_CASE("Turns: one thread at a time at one place, many at different ones, none waits for its own", "[db]") {
  Turns turns;
  std::atomic<int> inside{0};
  std::atomic<int> at_once_max{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const Turns::Turn turn(turns, "a/b");
        at_once_max = std::max(at_once_max.load(), ++inside);
        std::this_thread::yield();
        --inside;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(at_once_max == 1);

  const Turns::Turn outer(turns, "a/b");
  const Turns::Turn inner(turns, "a/b");  // the same thread: a transaction within a transaction
  std::thread elsewhere([&] { const Turns::Turn turn(turns, "c"); });
  elsewhere.join();
}

}  // namespace hearth::db
