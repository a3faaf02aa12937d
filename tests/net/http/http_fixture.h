// A listener on a free port, with its threads and a handler of the test's. Thread: the test's; the handler runs on io
// threads and must not assert.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "net/http/serve.h"
#include "tests/support/http_client.h"

namespace hearth::test {

namespace http = net::http;

// Something that one thread waits for and another says.
class Signal {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    said_.notify_all();
  }
  bool wait(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return said_.wait_for(lock, patience, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable said_;
  bool set_ = false;
};

inline bool eventually(const std::function<bool()>& holds,
                       std::chrono::milliseconds patience = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// What the connections of a test speak beneath HTTP.
enum class Wire { Plain, Tls };

// One authority for all tests of the program: making keys takes time.
inline TestAuthority& authority() {
  static TestAuthority made;
  return made;
}

struct HttpFixture {
  explicit HttpFixture(http::Handler handler, http::Limits limits = {}, size_t threads = 2)
      : HttpFixture(Wire::Plain, std::move(handler), limits, threads) {}
  HttpFixture(Wire wire, http::Handler handler, http::Limits limits = {}, size_t threads = 2,
              http::Listener::Options options = {})
      : io(threads) {
    io.start();
    options.limits = limits;
    if (wire == Wire::Tls) {
      const auto pair = authority().issue("localhost");
      options.tls = {pair.certificate, pair.key};
      client_context = authority().client_context();
    }
    // "test": what the clients of tests call it.
    listener = http::serve(io, workers, options, std::move(handler), {"test"}).value();
  }
  ~HttpFixture() {
    listener.reset();
    io.stop();
  }
  uint16_t port() const { return listener->port(); }
  Endpoint at() const { return {listener->port(), client_context.get()}; }

  http::IoPool io;
  db::ThreadPool workers{2};  // done before the io threads' queues go, for it posts to them
  std::unique_ptr<http::Listener> listener;
  std::shared_ptr<SSL_CTX> client_context;  // null: plain
};

inline http::Response text_response(std::string body, int status = 200) {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", "text/plain"}};
  response.body = std::move(body);
  return response;
}

// Says what it heard: "PUT /target <body>".
inline void echo(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  exchange->respond(text_response(request.method + " " + request.target + " " + request.body));
}

}  // namespace hearth::test
