#include "db/base/small_mutex.h"

#include <catch2/catch.hpp>
#include <mutex>
#include <thread>
#include <vector>

using hearth::db::SmallMutex;

TEST_CASE("SmallMutex: one at a time, and whoever waits is woken", "[db][base]") {
  static_assert(sizeof(SmallMutex) == 4);
  SmallMutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int step = 0; step < 20'000; ++step) {
        const std::lock_guard lock(mutex);
        const int before = count;
        if (step % 1'000 == 0) std::this_thread::yield();  // others come and wait
        count = before + 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(count == 80'000);
}
