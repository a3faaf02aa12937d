#include "net/supabase/row_fence.h"

#include <catch2/catch.hpp>
#include <future>

using hearth::net::http::IoPool;
using hearth::net::supabase::RowFence;

TEST_CASE("RowFence: an answer waits for the other threads that tell rows of its namespace", "[net][supabase]") {
  IoPool io(3);
  io.start();
  RowFence fence(io);
  const auto passes = [&](std::string_view space, size_t home) {
    std::promise<size_t> where;
    const uint64_t before = fence.hops();
    fence.pass(space, home, [&] { where.set_value(IoPool::current()); });
    (void)where.get_future().get();
    return fence.hops() - before;
  };
  CHECK(passes("shop", 0) == 0);
  fence.add("shop", 0);
  CHECK(passes("shop", 0) == 0);  // its own thread has the right order anyway
  CHECK(passes("shop", 1) == 1);
  CHECK(passes("other", 1) == 0);
  fence.add("shop", 2);
  fence.add("shop", 2);
  CHECK(passes("shop", 1) == 2);
  CHECK(passes("shop", 2) == 1);
  fence.remove("shop", 2);
  CHECK(passes("shop", 1) == 2);
  fence.remove("shop", 2);
  fence.remove("shop", 0);
  CHECK(passes("shop", 1) == 0);
  io.stop();
  io.join();
}

TEST_CASE("RowFence: what a thread was told before is done before the answer goes on", "[net][supabase]") {
  IoPool io(2);
  io.start();
  RowFence fence(io);
  fence.add("shop", 1);
  int told = 0, early = 0;
  for (int i = 1; i <= 1'000; ++i) {
    std::promise<void> done;
    io.post(1, [&] { ++told; });
    fence.pass("shop", 0, [&] {
      if (told != i) ++early;
      done.set_value();
    });
    done.get_future().get();
  }
  CHECK(early == 0);
  io.stop();
  io.join();
}
