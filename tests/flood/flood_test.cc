// Hostile clients against the real program: those who behave keep working, what the others use up has a bound, and it comes
// back. No test measures time: each counts what good clients are answered while the flood goes on, and bytes of memory.
#include <sys/resource.h>
#include <zlib.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "tests/scripts/program.h"
#include "tests/support/exposition.h"
#include "tests/support/http_client.h"

using namespace hearth::test;

namespace {

constexpr size_t kMega = 1u << 20;

// As many sockets as the floods need, here and in the programs that are started.
const bool kHasSockets = [] {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}();

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class Flooded {
 public:
  explicit Flooded(std::vector<std::string> flags = {}) : server_(with_usual(std::move(flags), folder_.path())) {
    REQUIRE(server_.port() != 0);
    // What every server needs once is no flood's fault.
    for (int i = 0; i < 50; ++i) REQUIRE(set("/warm/" + std::to_string(i), "1"));
  }

  uint16_t port() const { return server_.port(); }
  Reply ask(const Request& request) const { return server_.ask(request); }
  bool set(const std::string& path, const std::string& json, const std::string& space = "default") const {
    return ask({.method = "PUT", .target = path + ".json?ns=" + space, .body = json}).status == 200;
  }
  double figure(const std::string& name) const { return Exposition(ask({.target = "/.metrics"}).body).at(name); }
  double reached(const std::string& limit) const {
    return figure("hearth_limit_reached_total{limit=\"" + limit + "\"}");
  }
  size_t memory() { return of_status("VmRSS:"); }       // bytes
  size_t most_memory() { return of_status("VmHWM:"); }  // so far

 private:
  static std::vector<std::string> with_usual(std::vector<std::string> flags, const std::string& folder) {
    flags.insert(flags.end(), {"--dev", "--data", folder, "--sync", "os", "--log-level", "error"});
    return flags;
  }
  size_t of_status(const std::string& field) {
    const std::string status = contents("/proc/" + std::to_string(server_.program().process()) + "/status");
    const size_t at = status.find(field);
    REQUIRE(at != std::string::npos);
    return std::strtoull(status.c_str() + at + field.size(), nullptr, 10) * 1024;
  }

  TempFolder folder_;
  Server server_;
};

using Clients = std::vector<std::unique_ptr<HttpClient>>;
Clients clients_of(const Flooded& server, size_t count) {
  Clients clients;
  for (size_t i = 0; i < count; ++i) clients.push_back(std::make_unique<HttpClient>(server.port()));
  return clients;
}

std::unique_ptr<HttpClient> sdk_client(const Flooded& server, const std::string& space = "default",
                                       int receive_bytes = 0) {
  auto client = std::make_unique<HttpClient>(server.port(), "127.0.0.1", receive_bytes);
  REQUIRE(client->upgrade("/.ws?v=5&ns=" + space).status == 101);
  client->take_frame();
  return client;
}

std::string request(int number, const std::string& action, const std::string& body) {
  return R"({"t":"d","d":{"r":)" + std::to_string(number) + R"(,"a":")" + action + R"(","b":)" + body + "}}";
}

// Compressed, of that many zeros.
std::string bomb_of(size_t bytes) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  const std::string zeros(kMega, ' ');
  std::string packed;
  std::string piece(64 << 10, '\0');
  for (size_t done = 0; done < bytes; done += zeros.size()) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
    stream.avail_in = static_cast<uInt>(zeros.size());
    const bool is_last = done + zeros.size() >= bytes;
    do {
      stream.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream.avail_out = static_cast<uInt>(piece.size());
      deflate(&stream, is_last ? Z_FINISH : Z_NO_FLUSH);
      packed.append(piece, 0, piece.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  return packed;
}

}  // namespace

TEST_CASE("Flood: slowloris: 500 requests that never end", "[flood]") {
  Flooded server({"--max-head-time", "2"});
  Clients slow = clients_of(server, 500);
  for (const auto& client : slow) client->send("GET /a.json HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  std::atomic<bool> is_over = false;
  std::thread dribbling([&] {
    while (!is_over) {
      for (const auto& client : slow) client->send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  for (int i = 0; i < 300; ++i) CHECK(server.set("/good/" + std::to_string(i), "1"));
  // That bytes keep coming is no help.
  CHECK(eventually([&] { return server.reached("head_time") == 500; }));
  is_over = true;
  dribbling.join();
  for (const auto& client : slow) CHECK(client->reply().status == 408);
  slow.clear();
  CHECK(eventually([&] { return server.figure("hearth_connections") == 1; }));
}

TEST_CASE("Flood: 2,000 sockets that say nothing, twice", "[flood]") {
  Flooded server({"--max-head-time", "5"});
  size_t after_first = 0;
  for (int round = 0; round < 2; ++round) {
    Clients mute = clients_of(server, 2'000);
    CHECK(eventually([&] { return server.figure("hearth_connections") == 2'001; }));
    for (int i = 0; i < 100; ++i) CHECK(server.set("/good/" + std::to_string(i), "1"));
    CHECK(eventually([&] { return server.figure("hearth_connections") == 1; }));
    for (const auto& client : mute) CHECK(client->is_closed());
    if (round == 0) after_first = server.memory();
  }
  CHECK(server.reached("idle_time") == 4'000);
  CHECK(server.memory() < after_first + 8 * kMega);
}

TEST_CASE("Flood: a listener that never reads, under a writer", "[flood]") {
  Flooded server;
  const size_t before = server.memory();
  auto deaf = sdk_client(server, "default", 4096);
  deaf->send_text(request(1, "q", R"({"p":"/big","h":""})"));
  auto reader = sdk_client(server);
  reader->send_text(request(1, "q", R"({"p":"/counter","h":""})"));
  const std::string large(kMega, 'x');
  for (int i = 0; i < 300; ++i) {
    CHECK(server.set("/big", "\"" + large + std::to_string(i) + "\""));
    CHECK(server.set("/counter", std::to_string(i)));
  }
  CHECK(server.reached("listener_backlog") + server.reached("backlog_size") + server.reached("send_time") == 1);
  for (int i = 0; i < 300;) {  // all of it, in order
    const auto frame = reader->take_frame();
    if (frame.opcode == 9) continue;  // a ping: it has read nothing while all that was written
    REQUIRE(frame.opcode == 1);
    if (frame.payload.find(R"("p":"counter","d":)" + std::to_string(i) + "}") != std::string::npos) ++i;
  }
  // 300 MB went by. What waited may be 64 MB, and the rows that are not in a table file yet another 64 MB.
  CHECK(server.most_memory() < before + 300 * kMega);
}

TEST_CASE("Flood: bodies that inflate to a gigabyte", "[flood]") {
  Flooded server({"--max-body-size", "16MB"});
  const std::string bomb = bomb_of(1024 * kMega);
  CHECK(bomb.size() < 2 * kMega);
  const size_t before = server.memory();
  for (int i = 0; i < 5; ++i) {
    CHECK(server.ask({.method = "PUT", .target = "/bomb.json", .body = bomb, .headers = "Content-Encoding: gzip\r\n"})
              .status == 413);
    CHECK(server.set("/good", "1"));
  }
  CHECK(server.reached("body_size") == 5);
  CHECK(server.most_memory() < before + 160 * kMega);  // 16 MB, by how strings grow, on each thread that inflates
}

TEST_CASE("Flood: 100,000 listens and unlistens, again and again", "[flood]") {
  Flooded server({"--max-request-rate", "0"});
  auto client = sdk_client(server);
  size_t after_first = 0;
  for (int round = 0; round < 3; ++round) {
    for (int part = 0; part < 100; ++part) {  // some at a time, for the answers have to go somewhere
      std::string frames;
      for (int i = 0; i < 500; ++i) {
        const std::string path = R"({"p":"/l)" + std::to_string(part * 500 + i) + "\"";
        frames += HttpClient::frame(1, request(2 * i, "q", path + R"(,"h":""})"));
        frames += HttpClient::frame(1, request(2 * i + 1, "n", path + "}"));
      }
      REQUIRE(client->send(frames));
      // The value may come, or not: the listener may be gone. The answer to the last is the end.
      while (true) {
        const auto frame = client->take_frame();
        REQUIRE(frame.opcode == 1);
        if (frame.payload.find(R"("r":999,)") != std::string::npos) break;
      }
    }
    CHECK(server.figure("hearth_listeners") == 0);
    if (round == 0) after_first = server.memory();
  }
  CHECK(server.memory() < after_first + 16 * kMega);
}

TEST_CASE("Flood: one namespace that floods, beside one that does not", "[flood]") {
  Flooded server;
  std::atomic<bool> is_over = false;
  std::atomic<size_t> answered = 0;
  std::vector<std::thread> floods;
  for (int i = 0; i < 4; ++i) {
    floods.emplace_back([&, i] {
      HttpClient client(server.port());
      if (client.upgrade("/.ws?v=5&ns=flood").status != 101) return;
      std::string frames;
      for (int k = 0; k < 200; ++k) {
        frames += HttpClient::frame(
            1, request(k, "p", R"({"p":"/f)" + std::to_string(i) + "/" + std::to_string(k) + R"(","d":"some value"})"));
      }
      while (!is_over) {
        if (!client.send(frames)) return;
        for (bool all = false; !all; ++answered) {
          const auto frame = client.take_frame();
          if (frame.opcode != 1) return;
          all = frame.payload.find(R"("r":199,)") != std::string::npos;
        }
      }
    });
  }
  REQUIRE(eventually([&] { return answered > 1'000; }));
  auto listener = sdk_client(server, "good");
  listener->send_text(request(1, "q", R"({"p":"/n","h":""})"));
  for (int i = 0; i < 200; ++i) {
    CHECK(server.set("/n", std::to_string(i), "good"));
    const std::string told = R"("p":"n","d":)" + std::to_string(i) + "}";
    for (bool heard = false; !heard;) {
      const auto frame = listener->take_frame();
      REQUIRE(frame.opcode == 1);
      heard = frame.payload.find(told) != std::string::npos;
    }
  }
  const size_t at_the_end = answered;
  CHECK(eventually([&] { return answered > at_the_end; }));  // it has flooded all the while
  is_over = true;
  for (std::thread& flood : floods) flood.join();
  CHECK(eventually([&] { return server.figure("hearth_shard_requests_waiting") == 0; }));
}

TEST_CASE("Flood: large values that are asked for and not read", "[flood]") {
  Flooded server({"--max-answers-size", "100MB"});
  std::string large = "{";
  for (int i = 0; i < 20; ++i) {
    large += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":\"" + std::string(kMega, 'x') + "\"";
  }
  large += "}";
  REQUIRE(server.set("/large", large));
  REQUIRE(server.set("/small", "1"));
  const size_t before = server.memory();
  std::vector<std::unique_ptr<HttpClient>> deaf;
  for (int i = 0; i < 60; ++i) {
    deaf.push_back(sdk_client(server, "default", 4096));
    deaf.back()->send_text(request(1, "g", R"({"p":"/large","q":{}})"));
  }
  CHECK(eventually([&] { return server.reached("answers_size") >= 40; }));
  CHECK(server.ask({.target = "/small.json"}).body == "1");
  auto good = sdk_client(server);
  good->send_text(request(1, "g", R"({"p":"/small","q":{}})"));
  CHECK(good->take_frame().payload == R"({"t":"d","d":{"r":1,"b":{"s":"ok","d":1}}})");
  // Five answers as values and as text, and what the last one needed before it was refused; 60 would be 2.4 GB.
  CHECK(server.most_memory() < before + 500 * kMega);
  const auto refused = server.ask({.target = "/large.json"});
  CHECK(refused.status == 503);
  CHECK(refused.head.find("retry-after: ") != std::string::npos);
  deaf.clear();
  CHECK(eventually([&] { return server.figure("hearth_answer_bytes") == 0; }));
  CHECK(server.ask({.target = "/large.json"}).status == 200);
}

TEST_CASE("Flood: thousands of GETs in one go, of a client that reads nothing", "[flood]") {
  Flooded server({"--threads", "1", "--max-request-rate", "0"});
  REQUIRE(server.set("/v", "\"" + std::string(50'000, 'x') + "\""));
  REQUIRE(server.set("/small", "1"));
  const size_t before = server.memory();
  HttpClient deaf(server.port(), "127.0.0.1", 4096);
  deaf.set_patience(std::chrono::milliseconds(500));  // then the server takes no more
  std::thread flood([&] {
    for (int i = 0; i < 6'000; ++i) {
      if (!deaf.send("GET /v.json?ns=default HTTP/1.1\r\nHost: x\r\n\r\n")) return;
    }
  });
  for (int i = 0; i < 300; ++i) CHECK(server.ask({.target = "/small.json?ns=default"}).body == "1");
  // What is not read is not made: 6,000 answers would be 300 MB.
  CHECK(server.most_memory() < before + 60 * kMega);
  // db::kReadsHereMax and one read, the 64 kB that were heard, and what was sent; net/io/io_pool.h has the bound.
  CHECK(server.figure("hearth_longest_io_step{thread=\"0\",of=\"bytes\"}") < 1.5 * kMega);
  flood.join();
}

TEST_CASE("Flood: pings", "[flood]") {
  Flooded server({"--max-request-rate", "2000"});
  auto client = sdk_client(server);
  std::string pings;
  for (int i = 0; i < 3'000; ++i) pings += HttpClient::frame(9, "x");
  REQUIRE(client->send(pings));
  for (int i = 0; i < 100; ++i) CHECK(server.set("/good", std::to_string(i)));
  CHECK(server.reached("request_rate") >= 1);
  for (int i = 0; i < 3'000; ++i) CHECK(client->take_frame().opcode == 10);  // it is only slowed down
}

TEST_CASE("Flood: bodies that are announced large and come slowly", "[flood]") {
  Flooded server({"--max-pending-size", "8MB", "--max-pending-size-per-address", "8MB"});
  Clients slow = clients_of(server, 4);
  for (const auto& client : slow) {
    client->send("PUT /slow.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\n\"" +
                 std::string(100'000, 'x'));
  }
  CHECK(eventually([&] { return server.figure("hearth_pending_bytes") >= 400'000; }));
  for (int i = 0; i < 100; ++i) CHECK(server.set("/good/" + std::to_string(i), "\"" + std::string(10'000, 'x') + "\""));
  CHECK(server.reached("pending_size") == 0);
  CHECK(server.reached("pending_size_per_address") == 0);
  slow.clear();
  CHECK(eventually([&] { return server.figure("hearth_pending_bytes") == 0; }));
}

TEST_CASE("Flood: messages that do not end, of one address, beside another address", "[flood]") {
  Flooded server({"--max-pending-size-per-address", "40MB", "--max-body-time", "5"});
  const size_t before = server.memory();
  Clients greedy;
  const std::string piece = HttpClient::frame(1, std::string(16'384, 'a'));
  for (int i = 0; i < 30; ++i) {
    greedy.push_back(std::make_unique<HttpClient>(from_address("127.0.0.2", server.port())));
    auto& client = *greedy.back();
    REQUIRE(client.upgrade("/.ws?v=5&ns=default").status == 101);
    client.send(HttpClient::frame(1, "1000"));  // pieces, 900 of which come
    for (int k = 0; k < 900; ++k) {
      if (!client.send(piece)) break;
    }
    if (i % 10 == 0) CHECK(server.set("/good", "1"));
  }
  CHECK(server.reached("pending_size_per_address") >= 25);
  CHECK(server.figure("hearth_pending_bytes") <= 40.0 * 1e6);
  // What is in a budget of 40 MB, and as much again for strings that grow by copying: 30 of them would be 440 MB.
  CHECK(server.most_memory() < before + 140 * kMega);
  auto good = sdk_client(server);
  good->send_text(request(1, "p", R"({"p":"/from/another","d":1})"));
  CHECK(good->take_frame().payload.find(R"("s":"ok")") != std::string::npos);
  // Those that are left are given up, whatever they say to pings.
  CHECK(eventually([&] { return server.figure("hearth_pending_bytes") == 0; }));
  CHECK(server.reached("receive_pace") >= 1);
}

TEST_CASE("Flood: wrong credentials, right ones among them", "[flood]") {
  Flooded server;
  const auto status = [&](const std::string& credential) {
    return server
        .ask({.target = "/.settings/rules.json?ns=default", .headers = "Authorization: Bearer " + credential + "\r\n"})
        .status;
  };
  for (int i = 0; i < 100; ++i) CHECK(status("wrong" + std::to_string(i)) == 401);
  size_t slowed = 0;
  for (int i = 0; i < 100; ++i) {
    slowed += status("more" + std::to_string(i)) == 429 ? 1 : 0;
    CHECK(status("owner") == 200);
  }
  CHECK(slowed >= 50);  // some are forgotten meanwhile
  CHECK(server.reached("failed_logins") == static_cast<double>(slowed));
}

TEST_CASE("Flood: all budgets of memory at their limits at once", "[flood]") {
  constexpr size_t kEach = 20 * kMega;
  constexpr size_t kBudgets = 6;  // listeners, disconnect, remembered, pending, answers, outbound
  Flooded server({"--max-listeners-size",
                  "4MB",
                  "--max-namespace-listeners-size",
                  "20MB",
                  "--max-total-listeners-size",
                  "24MB",
                  "--max-disconnect-size",
                  "4MB",
                  "--max-namespace-disconnect-size",
                  "20MB",
                  "--max-total-disconnect-size",
                  "20MB",
                  "--max-remembered-size",
                  "20MB",
                  "--max-pending-size",
                  "20MB",
                  "--max-pending-size-per-address",
                  "20MB",
                  "--max-answers-size",
                  "20MB",
                  "--max-outbound-size",
                  "20MB",
                  "--max-namespace-idle-time",
                  "1",
                  "--max-request-rate",
                  "0"});
  // Rows that are in no table file yet, and blocks of those that are, are the store's and have limits of its own.
  const auto of_store = [&] {
    return server.figure("hearth_store_memtable_bytes") + server.figure("hearth_store_block_cache_bytes");
  };
  const auto held = [&](const std::string& of) { return server.figure("hearth_memory_bytes{of=\"" + of + "\"}"); };
  const auto is_ok = [](HttpClient& client, int number) {
    for (const std::string key = "\"r\":" + std::to_string(number) + ",";;) {
      const auto frame = client.take_frame();
      if (frame.opcode == 9) continue;  // a ping, on a busy machine
      REQUIRE(frame.opcode == 1);       // it is never cut off
      if (frame.payload.find(key) != std::string::npos) return frame.payload.find(R"("s":"ok")") != std::string::npos;
    }
  };
  const size_t before = server.memory();
  const double store_before = of_store();

  const std::string bound(50'000, 'x');
  Clients listening;
  for (int i = 0; i < 10; ++i) {
    listening.push_back(sdk_client(server));
    int count = 0;
    for (bool ok = true; ok; ++count) {
      REQUIRE(count < 1'000);
      const std::string value = std::to_string(i) + "-" + std::to_string(count) + bound;
      listening.back()->send_text(request(count, "q",
                                          R"({"p":"/c","q":{"i":"n","sp":")" + value + R"(","l":5,"vf":"l"},"t":)" +
                                              std::to_string(count) + R"(,"h":""})"));
      ok = is_ok(*listening.back(), count);
    }
  }
  CHECK(server.reached("listeners_size") >= 1);
  CHECK(server.reached("namespace_listeners_size") >= 1);
  CHECK(held("listeners") > 0.8 * kEach);
  CHECK(held("listeners") <= kEach);

  const std::string value(300'000, 'x');
  Clients leaving;
  for (int i = 0; i < 10; ++i) {
    leaving.push_back(sdk_client(server, "leaving"));
    int count = 0;
    for (bool ok = true; ok; ++count) {
      REQUIRE(count < 1'000);
      const std::string path = "/q" + std::to_string(i) + "/" + std::to_string(count);
      leaving.back()->send_text(request(count, "o", R"({"p":")" + path + R"(","d":")" + value + "\"}"));
      ok = is_ok(*leaving.back(), count);
    }
  }
  CHECK(server.reached("disconnect_size") >= 1);
  CHECK(server.reached("namespace_disconnect_size") >= 1);
  CHECK(held("disconnect") > 0.8 * kEach);
  CHECK(held("disconnect") <= kEach);

  Clients streams;
  constexpr int kStreams = 500;  // each value fits into the socket, so that nobody who does not read is cut off
  const auto space_of = [](int i) { return "stream" + std::to_string(i); };
  const auto open_streams = [&] { return server.figure("hearth_transports{transport=\"event_stream\"}"); };
  for (int i = 0; i < kStreams; ++i) {
    REQUIRE(server.set("/v", "\"" + std::string(30'000, 'x') + "\"", space_of(i)));
    streams.push_back(std::make_unique<HttpClient>(server.port()));
    REQUIRE(streams.back()->send("GET /v.json?eventIds=true&ns=" + space_of(i) +
                                 " HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"));
  }
  CHECK(eventually([&] { return open_streams() == kStreams; }));
  INFO(open_streams() << " streams");
  for (int i = 0; i < kStreams; ++i) REQUIRE(server.set("/w", "1", space_of(i)));
  CHECK(server.reached("remembered_size") >= 1);
  CHECK(held("remembered") > 0.5 * kEach);
  CHECK(held("remembered") <= 1.05 * kEach);

  // Values that are asked for and not read, and messages that do not end.
  REQUIRE(server.set("/large", "[\"" + std::string(2 * kMega, 'l') + "\",\"" + std::string(2 * kMega, 'm') + "\"]"));
  Clients deaf;
  for (int i = 0; i < 8; ++i) {
    deaf.push_back(sdk_client(server, "default", 4096));
    deaf.back()->send_text(request(1, "g", R"({"p":"/large","q":{}})"));
  }
  CHECK(eventually([&] { return server.reached("answers_size") >= 1; }));
  CHECK(held("answers") > 0.5 * kEach);
  CHECK(held("answers") <= kEach);
  Clients unfinished;
  const std::string piece = HttpClient::frame(1, std::string(16'384, 'a'));
  for (int i = 0; i < 20; ++i) {
    unfinished.push_back(std::make_unique<HttpClient>(from_address("127.0.0.2", server.port())));
    if (unfinished.back()->upgrade("/.ws?v=5&ns=default").status != 101) break;
    unfinished.back()->send(HttpClient::frame(1, "1000"));
    for (int k = 0; k < 100; ++k) {
      if (!unfinished.back()->send(piece)) break;
    }
  }
  CHECK(eventually([&] { return server.reached("pending_size") + server.reached("pending_size_per_address") >= 1; }));
  CHECK(server.figure("hearth_pending_bytes") > 0.5 * kEach);
  CHECK(server.figure("hearth_pending_bytes") <= kEach);
  CHECK(held("outbound") <= 1.2 * kEach);

  const auto above = [&] {
    return static_cast<double>(server.memory()) - static_cast<double>(before) - (of_store() - store_before);
  };
  const double at_most = above();
  constexpr size_t kOfStream =
      16u << 10;  // of a connection and a namespace of its own, which are in none of these budgets
  CHECK(at_most < 1.25 * kBudgets * kEach + kStreams * kOfStream);
  for (int i = 0; i < 100; ++i) CHECK(server.set("/good/" + std::to_string(i), "1"));

  listening.clear();
  leaving.clear();
  streams.clear();
  deaf.clear();
  unfinished.clear();
  CHECK(eventually([&] { return server.figure("hearth_pending_bytes") == 0 && held("answers") == 0; }));
  CHECK(eventually([&] { return held("listeners") == 0 && held("disconnect") == 0 && held("remembered") == 0; }));
  CHECK(server.ask({.target = "/q0.json?ns=leaving&shallow=true"}).body != "null");
  // The system has it back, but for the ends of the threads' arenas (tools/trim.cc).
  constexpr double kLeft = 28.0 * kMega;
  CHECK(eventually([&] { return above() < kLeft; }));
  INFO("of " << at_most << " bytes " << above() << " are left");
  CHECK(above() < kLeft);
}
