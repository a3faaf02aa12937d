// What the log says of limits and of slow requests: a line of each kind at once, and then with how many it stands for.
#include "net/io/limit_log.h"

#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "net/io/log.h"
#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
namespace http = hearth::net::http;

namespace {

// The lines that are logged as long as it lives.
class Lines {
 public:
  Lines() {
    http::log_to(http::LogLevel::Info, [this](http::LogLevel, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    });
  }
  ~Lines() { http::log_to(http::LogLevel::Off, nullptr); }
  std::vector<std::string> with(std::string_view text) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& line : lines_) {
      if (line.find(text) != std::string::npos) found.push_back(line);
    }
    return found;
  }

 private:
  mutable std::mutex mutex_;  // Guards lines_.
  std::vector<std::string> lines_;
};

}  // namespace

TEST_CASE("Limits have the flag that sets them", "[net][http][log]") {
  CHECK(http::flag_of_limit("pending_size_per_address") == "--max-pending-size-per-address");
  CHECK(http::flag_of_limit("receive_pace") == "--min-receive-pace");
  CHECK(http::flag_of_limit("verify_time") == "--max-verify-time");
  CHECK(http::flag_of_limit("head_size").empty());
}

TEST_CASE("A limit that is reached is in the log, with its flag and how often", "[net][http][log]") {
  const Lines lines;
  http::Limits limits;
  limits.body_bytes_max = 1'000;
  limits.pending_bytes_max = limits.pending_bytes_per_address_max = 100'000;
  HttpFixture server([](const std::shared_ptr<http::Exchange>& exchange) { exchange->respond({}); }, limits);
  for (int i = 0; i < 5; ++i) {
    HttpClient client(server.port());
    client.ask("/", "", std::string(1'001, 'x'));
    CHECK(client.reply().status == 413);
  }
  const auto told = lines.with("limit=body_size");
  REQUIRE(told.size() == 1);
  CHECK(told[0] == "limit reached limit=body_size flag=--max-body-size count=1");
}

TEST_CASE("A slow request is in the log, with what it did and without its path", "[net][http][log]") {
  const Lines lines;
  HttpFixture server([&](const std::shared_ptr<http::Exchange>& exchange) {
    exchange->set_deed("read with a query");
    const bool waits = exchange->request().target.starts_with("/wait");
    if (waits) exchange->set_on_leaving([](http::Leaving) {});
    const bool is_slow = !exchange->request().target.starts_with("/quick");
    server.workers.run([exchange, is_slow] {
      if (is_slow) std::this_thread::sleep_for(http::kSlowRequestTime + 50ms);
      exchange->respond({});
    });
  });
  HttpClient quick(server.port()), slow(server.port()), waiting(server.port());
  quick.ask("/quick.json");
  slow.ask("/private/path.json?auth=secret");
  waiting.ask("/wait.json?wait=20s");
  CHECK(quick.reply().status == 200);
  CHECK(slow.reply().status == 200);
  CHECK(waiting.reply().status == 200);  // whoever asked to wait is not kept waiting
  const auto told = lines.with("slow request");
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], Catch::StartsWith(R"(slow request method=GET at=data did="read with a query" status=200 ms=1)"));
  CHECK_THAT(told[0], Catch::Contains(" peer=127.0.0.1 ") && !Catch::Contains("private") && !Catch::Contains("secret"));
}
