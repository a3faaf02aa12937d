#include "db/base/thread_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>

using namespace hearth::db;

TEST_CASE("Workers run everything they were given, and refuse what does not fit", "[base]") {
  std::promise<void> go;
  std::atomic<int> ran = 0;
  {
    ThreadPool workers(1, 3);
    std::promise<void> busy;
    workers.run([&] {
      busy.set_value();
      go.get_future().wait();
      ++ran;
    });
    REQUIRE(busy.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    for (int i = 0; i < 3; ++i) CHECK(workers.try_run([&] { ++ran; }));
    CHECK_FALSE(workers.try_run([&] { ran += 100; }));
    workers.run([&] { ++ran; });  // let in all the same
    go.set_value();
  }
  CHECK(ran == 5);
}
