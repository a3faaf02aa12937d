// A listener with a handler of the test's own, on a port of its own.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/http/serve.h"
#include "tests/support/tcp_client.h"

namespace hearth::net::http {

using test::HttpReply;
using test::TcpClient;

inline std::string get(std::string_view target, std::string_view fields = "") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n", target, fields);
}
inline std::string put(std::string_view target, std::string_view body, std::string_view fields = "") {
  return fmt::format("PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{}\r\n{}", target, body.size(), fields, body);
}

// Waits for a condition that another thread brings about. False when it never comes.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 4000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

class Fixture {
 public:
  explicit Fixture(Handler handler, Limits limits = {}, size_t threads = 2) : io(threads), workers(2) {
    io.start();
    auto opened = serve(io, workers, {.limits = limits}, std::move(handler), {"x"});
    if (!opened.ok()) throw std::runtime_error(opened.error().message);
    listener = std::move(opened).value();
  }
  ~Fixture() {
    listener.reset();
    io.stop();
    io.join();
  }

  uint16_t port() const { return listener->port(); }

  IoPool io;
  db::ThreadPool workers;
  std::unique_ptr<Listener> listener;
};

// Answers with what was asked.
inline void echo(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  Response response;
  response.headers.emplace_back("Content-Type", "text/plain");
  response.body = request.method + " " + request.target + "\n" + request.body;
  exchange->respond(std::move(response));
}

}  // namespace hearth::net::http
