#include "net/auth/key_source.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/key_server.h"
#include "tests/support/signer.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::net;
using db::ErrorCode;
using test::eventually;
using test::KeyServer;
using test::refreshed;
using test::Signer;

namespace {

const std::string kOne = test::key_set_of({Signer::ec("one").jwk()});
const std::string kTwo = test::key_set_of({Signer::ec("two").jwk()});

bool has(const KeySource& source, const std::string& kid) {
  const auto keys = source.keys();
  return keys != nullptr && keys->find(kid) != nullptr;
}

}  // namespace

TEST_CASE("KeySource: keys are fetched at once, and again when asked for", "[auth][net]") {
  KeyServer server(kOne);
  KeySource source(server.url(), test::fetch_keys, test::quick_times());
  REQUIRE(refreshed(source).ok());  // of the fetch that is under way, or of the next
  CHECK(has(source, "one"));
  server.publish(kTwo);
  REQUIRE(refreshed(source).ok());
  CHECK(has(source, "two"));
  CHECK_FALSE(has(source, "one"));
}

TEST_CASE("KeySource: whoever asks too soon after a fetch gets what there is", "[auth][net]") {
  KeyServer server(kOne);
  KeySource::Times times = test::quick_times();
  times.demand_interval = std::chrono::hours(1);
  KeySource source(server.url(), test::fetch_keys, times);
  REQUIRE(eventually([&] { return has(source, "one"); }));
  server.publish(kTwo);
  for (int i = 0; i < 100; ++i) CHECK(refreshed(source).ok());
  CHECK(has(source, "one"));
  CHECK(server.asked() == 1);
}

TEST_CASE("KeySource: all who ask meanwhile wait for the one fetch", "[auth][net]") {
  KeyServer server(kOne);
  server.hang();
  KeySource source(server.url(), test::fetch_keys, test::quick_times());
  std::atomic<size_t> told = 0;
  std::atomic<size_t> refused = 0;
  for (size_t i = 0; i < kKeyWaitersMax; ++i)
    source.refresh([&](db::Result<void> result) { result.ok() ? ++told : ++refused; });
  CHECK(told == 0);
  CHECK(source.keys() == nullptr);
  source.refresh([&](db::Result<void> result) { result.ok() ? ++told : ++refused; });  // one more than may wait
  CHECK(refused == 1);
  server.release();
  REQUIRE(eventually([&] { return told == kKeyWaitersMax; }));
  CHECK(server.asked() == 1);
  CHECK(refused == 1);
}

TEST_CASE("KeySource: a server that fails leaves the keys that are known", "[auth][net]") {
  struct Case {
    std::string what;
    int status;
    std::string body;
    http::Headers headers;
  };
  const std::vector<Case> cases = {
      {"an error", 500, "{}", {}},
      {"not found", 404, kTwo, {}},
      {"garbage", 200, "<html>", {}},
      {"no usable key", 200, R"({"keys":[]})", {}},
      {"a redirect", 302, "", {{"Location", "/elsewhere"}}},
      {"too large", 200, test::key_set_of({Signer::ec("two").jwk(), std::string(kKeySetBytesMax, ' ') + "{}"}), {}},
  };
  KeyServer server(kOne);
  KeySource source(server.url(), test::fetch_keys, test::quick_times());
  REQUIRE(refreshed(source).ok());
  for (const Case& c : cases) {
    INFO(c.what);
    server.publish(c.body, c.status, c.headers);
    const auto outcome = refreshed(source);
    REQUIRE_FALSE(outcome.ok());
    CHECK(outcome.error().code == ErrorCode::Unavailable);
    CHECK(has(source, "one"));
  }
  for (const std::string& target : server.targets()) CHECK(target == "/keys");  // redirects are not followed
  server.publish(kTwo);
  CHECK(refreshed(source).ok());
  CHECK(has(source, "two"));
}

TEST_CASE("KeySource: a server that is slow is given up, and delays nobody who knows the keys", "[auth][net]") {
  KeyServer server(kOne);
  KeySource source(server.url(), test::fetch_keys, test::quick_times());
  REQUIRE(refreshed(source).ok());
  server.hang();
  const auto outcome = refreshed(source);  // fetch_keys has less patience than this test
  REQUIRE_FALSE(outcome.ok());
  CHECK(outcome.error().code == ErrorCode::Unavailable);
  CHECK(has(source, "one"));
}

TEST_CASE("KeySource: nobody there, then somebody", "[auth][net]") {
  const auto down = std::make_shared<std::atomic<bool>>(true);
  KeyServer server(kOne);
  std::vector<std::string> told;
  std::mutex mutex;
  KeySource source(
      "http://127.0.0.1:1/keys",
      [&](const std::string& url, const std::atomic<bool>& stop) {
        return test::fetch_keys(*down ? url : server.url(), stop);
      },
      test::quick_times(),
      [&](const std::string& location, const std::string& failure) {
        const std::lock_guard lock(mutex);
        told.push_back(location + (failure.empty() ? " is back" : " failed"));
      });
  CHECK_FALSE(refreshed(source).ok());
  CHECK(source.keys() == nullptr);
  *down = false;
  CHECK(refreshed(source).ok());
  CHECK(refreshed(source).ok());
  CHECK(has(source, "one"));
  const std::lock_guard lock(mutex);
  REQUIRE(told.size() >= 2);
  CHECK(told.front() == "http://127.0.0.1:1/keys failed");
  CHECK(told.back() == "http://127.0.0.1:1/keys is back");
}

TEST_CASE("KeySource: keys are fetched again ahead of their end, and after a failure", "[auth][net]") {
  struct Case {
    std::string what, cache_control;
    int status;
    bool again;
  };
  for (const Case& c : {Case{"the answer's time", "public, max-age=1", 200, true}, Case{"no time", "", 200, true},
                        Case{"a long time", "max-age=3600", 200, false}, Case{"a failure", "", 500, true}}) {
    INFO(c.what);
    KeyServer server;
    server.publish(kOne, c.status, {{"Cache-Control", c.cache_control}});
    KeySource::Times times;
    times.lifetime_min = times.lifetime = times.retry_min = times.retry_max = std::chrono::milliseconds(20);
    KeySource source(server.url(), test::fetch_keys, times);
    if (c.again) {
      CHECK(eventually([&] { return server.asked() >= 3; }));
    } else {
      REQUIRE(eventually([&] { return has(source, "one"); }));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // ten times what the others need
      CHECK(server.asked() == 1);
    }
  }
}

TEST_CASE("KeySource: keys that could not be fetched again for long are not believed", "[auth][net]") {
  KeyServer server(kOne);
  KeySource::Times times = test::quick_times();
  times.age_max = std::chrono::milliseconds(300);
  KeySource source(server.url(), test::fetch_keys, times);
  REQUIRE(eventually([&] { return has(source, "one"); }));
  server.publish("", 500);
  CHECK(eventually([&] { return source.keys() == nullptr; }));
}

TEST_CASE("KeySource: who waits when it goes is told so", "[auth][net]") {
  KeyServer server(kOne);
  server.hang();
  std::atomic<size_t> refused = 0;
  {
    KeySource source(
        server.url(),
        [&](const std::string& url, const std::atomic<bool>& stop) -> db::Result<Fetched> {
          ASSIGN_OR_RETURN(http::Document document, http::fetch(url, {kKeySetBytesMax, std::chrono::minutes(5)}, stop));
          return Fetched{std::move(document.body), {}};
        },
        test::quick_times());
    REQUIRE(eventually([&] { return server.asked() == 1; }));
    source.refresh([&](const db::Result<void>& result) {
      refused += !result.ok() && result.error().code == ErrorCode::Unavailable;
    });
  }  // does not wait for five minutes
  CHECK(refused == 1);
}

TEST_CASE("KeySource: a file is read again, and keeps its last good keys", "[auth]") {
  const test::TempFolder folder;
  const std::string path = folder.path() + "/keys.json";
  const auto write = [&](const std::string& text) { std::ofstream(path, std::ios::trunc) << text; };
  write(kOne);
  KeySource source(
      path, [](const std::string& name, const std::atomic<bool>&) { return fetch_file(name); }, test::quick_times());
  REQUIRE(refreshed(source).ok());
  CHECK(has(source, "one"));
  write("{");
  CHECK_FALSE(refreshed(source).ok());
  CHECK(has(source, "one"));
  write(kTwo);
  REQUIRE(refreshed(source).ok());
  CHECK(has(source, "two"));
  CHECK(fetch_file(folder.path() + "/none").error() ==
        db::Error{ErrorCode::Io, "cannot read " + folder.path() + "/none"});
}
