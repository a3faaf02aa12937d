#include "net/io/waker.h"

#include <catch2/catch.hpp>
#include <future>

using hearth::db::Wake;
using hearth::net::http::IoPool;
using hearth::net::http::Waker;

TEST_CASE("Waker: word from any thread arrives on the home thread, and none after detach", "[net][http]") {
  IoPool io(2);
  io.start();
  std::promise<size_t> where;
  const auto waker = Waker::make(io, 1, [&] { where.set_value(io.current()); });
  const Wake wake(waker);
  wake();
  CHECK(where.get_future().get() == 1);
  waker->detach();
  wake();  // a second value for the promise would throw
  std::promise<void> after;
  io.post(1, [&] { after.set_value(); });
  after.get_future().get();
  io.stop();
  io.join();
}

TEST_CASE("Waker: after a move word arrives on the new home", "[net][http]") {
  IoPool io(2);
  io.start();
  std::promise<size_t> where;
  const auto waker = Waker::make(io, 0, [&] { where.set_value(io.current()); });
  waker->move_to(1);
  const Wake wake(waker);
  wake();
  CHECK(where.get_future().get() == 1);
  io.stop();
  io.join();
}
