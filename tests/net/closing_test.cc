// A database that is closed while a server serves it, and by way of C.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "db/host.h"
#include "net/c/hearth.h"
#include "net/server.h"
#include "rules/guard.h"
#include "tests/support/raw_client.h"
#include "tests/support/raw_socket.h"
#include "tests/support/watchdog.h"

using namespace hearth;
using hearth::test::ask;
using hearth::test::Connection;
using hearth::test::Folder;
using hearth::test::frame;
using hearth::test::kUpgrade;
using hearth::test::Watchdog;

namespace {

void wait_until(const std::function<bool()>& is_so) {
  for (int tries = 0; !is_so() && tries < 60'000; ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(is_so());
}

constexpr std::string_view kStream = "GET /.json HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
}  // namespace

TEST_CASE("Closing: a server goes on, refuses what needs the database, and is stopped before, meanwhile or after",
          "[net]") {
  const Watchdog watchdog;
  enum class Stopped { Before, Meanwhile, After };
  const Stopped stopped = GENERATE(Stopped::Before, Stopped::Meanwhile, Stopped::After);
  CAPTURE(static_cast<int>(stopped));
  const Folder folder;
  db::Database::Options options;
  options.folder = folder / "data";
  options.sync = db::SyncMode::Os;
  auto database = db::Host::open(options).value();
  rules::Guard guard(*database, {.dev = true, .admin_secret{}, .default_namespace = "default"});
  net::Server::Options serving;
  serving.port = 0;
  auto server = net::Server::start(guard, serving).value();
  const uint16_t port = server->port();

  Connection stream(port), socket(port);
  stream.send_text(kStream);
  stream.read_until("\n\n");
  socket.send_text(kUpgrade);
  socket.read_until("\"s\":\"");
  std::atomic<int64_t> last{0};
  std::atomic<int> answered{0}, refused{0}, odd{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int64_t i = 1; refused < 5; ++i) {
      const auto reply = ask(port, {.method = "PUT", .target = "/n.json", .body = std::to_string(i)});
      if (reply.status == 200) last = i;
      if (reply.status == 200) ++answered;
      if (reply.status != 200) ++refused;
      if (reply.status != 200 && reply.status != 503 && reply.status != 0) ++odd;
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 20'000 && refused == 0; ++i) {
      socket.send_text(
          frame(fmt::format(R"({{"t":"d","d":{{"r":{},"a":"p","b":{{"p":"/a/{}","d":1}}}}}})", i, i % 50)));
    }
  });
  wait_until([&] { return answered > 20; });
  if (stopped == Stopped::Before) server->stop();
  if (stopped == Stopped::Meanwhile) threads.emplace_back([&] { server->stop(); });
  database->close();
  socket.read_to_end();
  const std::string heard = stream.read_to_end();
  for (std::thread& thread : threads) thread.join();
  CHECK(odd == 0);
  if (stopped == Stopped::After) {
    CHECK_THAT(heard, Catch::Contains("event: cancel"));
    CHECK(ask(port, {.target = "/n.json"}).status == 503);
    CHECK(ask(port, {.method = "PUT", .target = "/n.json", .body = "1"}).status == 503);
    CHECK(ask(port, {.target = "/.health"}).status == 503);
    Connection again(port), later(port);
    later.send_text(kUpgrade);
    later.read_to_end();
    again.send_text(kStream);
    CHECK_THAT(again.read_until("\r\n"), Catch::Contains("503"));
    server->stop();
  }
  server.reset();
  database.reset();
  database = db::Host::open(options).value();
  CHECK(database->space("default").value().get("n").value().as_integer() >= last);
}

namespace {

// What a C program has: listeners that come and go in callbacks.
struct Party {
  hearth_database* database = nullptr;
  std::mutex mutex;  // Guards listeners.
  std::deque<hearth_listener*> listeners;
  std::atomic<int> told{0}, over{0}, odd{0};
  std::atomic<bool> is_closed{false}, closes{false};

  static void tell(void* user, const char* json, const char* why) {
    auto& party = *static_cast<Party*>(user);
    if (party.is_closed) ++party.odd;
    ++(json != nullptr ? party.told : party.over);
    if (json == nullptr && std::string(why).empty()) ++party.odd;
    if (hearth_set(party.database, "t", "b", "1", nullptr) != HEARTH_INVALID_ARGUMENT) ++party.odd;
    party.listen();
    hearth_listener* oldest = nullptr;
    {
      const std::lock_guard lock(party.mutex);
      if (party.listeners.size() > 20) {
        oldest = party.listeners.front();
        party.listeners.pop_front();
      }
    }
    hearth_unlisten(oldest);
    if (party.told == 100 && party.closes) {
      hearth_close(party.database);
      party.is_closed = true;
    }
  }
  void listen() {
    hearth_listener* one = nullptr;
    const hearth_status status = hearth_listen(database, "t", "a", tell, this, &one, nullptr);
    if (status != HEARTH_OK && status != HEARTH_UNAVAILABLE) ++odd;
    const std::lock_guard lock(mutex);
    if (status == HEARTH_OK) listeners.push_back(one);
  }
};

char* wait_and_write(void* user, const char*) {
  auto& begun = *static_cast<std::atomic<bool>*>(user);
  begun = true;
  begun.wait(true);
  return strdup("7");
}

}  // namespace

TEST_CASE("Closing: from C, with callbacks, a transaction and a server under way", "[net]") {
  const Watchdog watchdog;
  for (int round = 0; round < 8; ++round) {
    const bool in_callback = round % 2 == 1;
    CAPTURE(in_callback);
    const Folder folder;
    Party party;
    party.closes = in_callback;
    REQUIRE(hearth_open((folder / "data").c_str(), nullptr, &party.database, nullptr) == HEARTH_OK);
    REQUIRE(hearth_set(party.database, "t", "a", "1", nullptr) == HEARTH_OK);
    const hearth_serve_options open{nullptr, 0, 1, nullptr, "t"};
    hearth_server* server = nullptr;
    REQUIRE(hearth_serve(party.database, &open, &server, nullptr) == HEARTH_OK);
    const uint16_t port = hearth_server_port(server);
    std::atomic<bool> begun{false};
    hearth_status written = HEARTH_OK;
    std::thread transaction(
        [&] { written = hearth_transaction(party.database, "t", "c", wait_and_write, &begun, nullptr, nullptr); });
    wait_until([&] { return begun.load(); });
    for (int i = 0; i < 3; ++i) party.listen();
    if (in_callback) {
      wait_until([&] { return party.is_closed.load(); });
    } else {
      wait_until([&] { return party.told > 100; });
    }
    begun = false;
    begun.notify_all();
    if (!in_callback) {
      hearth_close(party.database);
      party.is_closed = true;
      CHECK(party.over > 0);
    }
    transaction.join();
    if (in_callback) CHECK(written == HEARTH_UNAVAILABLE);
    CHECK((written == HEARTH_OK || written == HEARTH_UNAVAILABLE));
    CHECK(ask(port, {.target = "/a.json"}).status == 503);
    for (hearth_listener* one : party.listeners) hearth_unlisten(one);
    hearth_server_stop(server);
    CHECK(party.odd == 0);

    hearth_database* again = nullptr;
    char* json = nullptr;
    REQUIRE(hearth_open((folder / "data").c_str(), nullptr, &again, nullptr) == HEARTH_OK);
    REQUIRE(hearth_get(again, "t", "c", &json, nullptr) == HEARTH_OK);
    CHECK(std::string(json) == (written == HEARTH_OK ? "7" : "null"));
    hearth_free(json);
    hearth_close(again);
    hearth_close(nullptr);
  }
}
