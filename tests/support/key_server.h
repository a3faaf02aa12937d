// A server that publishes keys, over real HTTP, as well or badly as a test wants it to. Thread: the test's.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "net/auth/key_source.h"
#include "net/outgoing/fetch.h"
#include "tests/net/http/http_fixture.h"

namespace hearth::test {

class KeyServer {
 public:
  explicit KeyServer(std::string body = "")
      : body_(std::move(body)),
        server_([this](std::shared_ptr<http::Exchange> exchange) { handle(std::move(exchange)); }) {}
  ~KeyServer() { release(); }

  std::string url() const { return fmt::format("http://127.0.0.1:{}/keys", server_.port()); }

  void publish(std::string body, int status = 200, http::Headers headers = {}) {
    const std::lock_guard lock(mutex_);
    body_ = std::move(body);
    status_ = status;
    headers_ = std::move(headers);
  }
  // From here on requests wait for release(), which answers them.
  void hang() {
    const std::lock_guard lock(mutex_);
    hangs_ = true;
  }
  void release() {
    std::vector<std::shared_ptr<http::Exchange>> waiting;
    {
      const std::lock_guard lock(mutex_);
      hangs_ = false;
      waiting.swap(waiting_);
    }
    for (const auto& one : waiting) answer(*one);
  }

  size_t asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::vector<std::string> targets() const {
    const std::lock_guard lock(mutex_);
    return targets_;
  }

 private:
  void handle(std::shared_ptr<http::Exchange> exchange) {
    {
      const std::lock_guard lock(mutex_);
      ++asked_;
      targets_.push_back(exchange->request().target);
      if (hangs_) return waiting_.push_back(std::move(exchange));
    }
    answer(*exchange);
  }
  void answer(http::Exchange& exchange) {
    http::Response response;
    {
      const std::lock_guard lock(mutex_);
      response.status = status_;
      response.headers = headers_;
      response.body = body_;
    }
    exchange.respond(std::move(response));
  }

  mutable std::mutex mutex_;  // Guards all below but the server.
  std::string body_;
  int status_ = 200;
  http::Headers headers_;
  bool hangs_ = false;
  size_t asked_ = 0;
  std::vector<std::string> targets_;
  std::vector<std::shared_ptr<http::Exchange>> waiting_;
  HttpFixture server_;  // last: its threads use the rest
};

// As the server fetches keys, with less patience.
inline db::Result<net::Fetched> fetch_keys(const std::string& url, const std::atomic<bool>& stop) {
  ASSIGN_OR_RETURN(http::Document document,
                   http::fetch(url, {net::kKeySetBytesMax, std::chrono::milliseconds(700)}, stop));
  return net::Fetched{std::move(document.body), document.max_age};
}

// Times for tests: nothing is fetched unasked, but for the first time, and everything asked for is.
inline net::KeySource::Times quick_times() {
  net::KeySource::Times times;
  times.demand_interval = std::chrono::milliseconds(0);
  times.retry_min = times.retry_max = std::chrono::minutes(10);
  return times;
}

// The outcome of refresh(), when it has come.
inline db::Result<void> refreshed(net::KeySource& source) {
  Signal came;
  db::Result<void> outcome;
  source.refresh([&](db::Result<void> result) {
    outcome = std::move(result);
    came.set();
  });
  if (!came.wait()) return db::Error{db::ErrorCode::Timeout, "no refresh() came back"};
  return outcome;
}

}  // namespace hearth::test
