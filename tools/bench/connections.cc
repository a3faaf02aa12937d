// The scenario of many connections that are idle but for one event each: what a connection costs the server in
// memory, and whether every client is told its own event, once.
//
//   100 warm connections ─▶ memory ─▶ 10,000 connections, each with a listener ─▶ memory ─▶ an event each ─▶ memory
//
// Resident memory of one connection is a difference between two large numbers. So what is paid once is paid before
// (the warm connections), and each number is read when it has stopped moving: allocator and kernel settle for some
// seconds.
#include <fmt/format.h>

#include <cmath>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tools/bench/http.h"
#include "tools/bench/run.h"
#include "tools/descriptors.h"

namespace hearth::tools {
namespace {

using std::chrono::milliseconds;

constexpr size_t kWarmConnections = 100;          // for memory that the first clients cost and later ones do not
constexpr size_t kWritesAhead = 64;               // unanswered
constexpr size_t kConnectionsOfASource = 10'000;  // of one address: --max-connections-per-address allows few more
constexpr milliseconds kSettleStep{250};
constexpr int kSettleSteps = 20;
constexpr double kSettledBytes = 64 << 10;  // more or less in one step is nothing

std::string path_of(size_t connection) { return fmt::format("/connections/c{}", connection); }

// The server's memory, once it changes no more.
double settled_memory(const ServerProcess& server) {
  double now = server.memory_bytes();
  for (int step = 0; step < kSettleSteps; ++step) {
    std::this_thread::sleep_for(kSettleStep);
    const double before = std::exchange(now, server.memory_bytes());
    if (std::abs(now - before) < kSettledBytes) break;
  }
  return now;
}

// Opens `count` connections, each of which listens to a path of its own; the first to that of number `first`. They
// come from several loopback addresses, since the server limits connections of one address.
void listen_each(WireLoop& loop, Address address, size_t first, size_t count, StatusLine& status) {
  size_t listening = 0;
  const auto on_message = [&](size_t, uint64_t number, std::string_view) { listening += number > 0 ? 1 : 0; };
  for (size_t i = 0; i < count; ++i) {
    if (address.host == "127.0.0.1") address.source = fmt::format("127.0.0.{}", 1 + i / kConnectionsOfASource);
    loop.wire(loop.connect(address, "bench")).listen(path_of(first + i));
    loop.turn(on_message, milliseconds(0));
    if (i % 500 == 0) status.say(fmt::format("connections: {} of {}", i, count));
  }
  loop.run(on_message, [&] { return listening == count; });
}

// Writes once to each path, and checks that each connection is told of its own write once, and of nothing else.
class Round {
 public:
  Round(WireLoop& loop, const Address& address)
      : loop_(loop), count_(loop.size()), writer_(loop.connect(address, "bench")), sent_at_(count_), heard_(count_) {}

  Latencies run() {
    write_more();
    loop_.run(
        [this](size_t connection, uint64_t number, std::string_view text) { on_message(connection, number, text); },
        [this] { return acks_ == count_ && events_ == count_; });
    return std::move(delivery_);
  }

  // Unlistens everywhere. An event that was sent twice would come before the answer, and be found.
  void end() {
    size_t left = 0;
    for (size_t i = 0; i < count_; ++i) loop_.wire(i).unlisten(path_of(i));
    loop_.run(
        [&](size_t connection, uint64_t number, std::string_view text) {
          left += number > 0 ? 1 : 0;
          if (number == 0) on_message(connection, number, text);
        },
        [&] { return left == count_; });
  }

 private:
  void write_more() {
    for (; writes_ < count_ && writes_ - acks_ < kWritesAhead; ++writes_) {
      sent_at_[writes_] = Steady::now();
      loop_.wire(writer_).put(path_of(writes_), "1");
    }
  }
  void on_message(size_t connection, uint64_t number, std::string_view text) {
    if (connection == writer_) {
      acks_ += number > 0 ? 1 : 0;
      return write_more();
    }
    // The quote behind the path tells this connection's path from longer ones that begin like it.
    if (heard_[connection] || text.find(path_of(connection).substr(1) + '"') == std::string_view::npos) {
      throw std::runtime_error(fmt::format("bench: connection {} was told {}{}", connection, text.substr(0, 200),
                                           heard_[connection] ? ", after its event" : ""));
    }
    heard_[connection] = true;
    delivery_.add(Steady::now() - sent_at_[connection]);
    ++events_;
  }

  WireLoop& loop_;
  const size_t count_;
  const size_t writer_;
  std::vector<Steady::time_point> sent_at_;
  std::vector<bool> heard_;
  Latencies delivery_;
  size_t writes_ = 0, acks_ = 0, events_ = 0;
};

}  // namespace

Report measure_connections(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  const size_t count = flags.idle_connections;
  need_descriptors(count + kWarmConnections);
  Report report{"connections", {}, {}};
  report.set("connections", std::to_string(count));
  report.set("window", std::to_string(kWritesAhead));
  subject.describe(report);

  WireLoop warm;
  listen_each(warm, subject.address(), count, kWarmConnections, status);
  http_ok(subject.address(), "PUT", path_of(count) + ".json?ns=bench", "1");
  const double before = subject.is_child() ? settled_memory(subject.child()) : 0;
  const double cpu = subject.cpu_micros();
  const auto begin = Steady::now();
  WireLoop loop;
  listen_each(loop, subject.address(), 0, count, status);
  const auto each = static_cast<double>(count);
  report.add("connects_per_s", each / seconds_of(Steady::now() - begin));
  if (subject.is_child()) {
    report.add("server_cpu_us_per_connect", (subject.cpu_micros() - cpu) / each);
    status.say("connections: idle");
    report.add("memory_before_mb", before / 1e6);
    report.add("memory_bytes_per_connection", (settled_memory(subject.child()) - before) / each);
  }

  status.say("connections: an event each");
  const double idle_cpu = subject.cpu_micros();
  Round round(loop, subject.address());
  const auto first_write = Steady::now();
  Latencies delivery = round.run();
  report.add("events_per_s", each / seconds_of(Steady::now() - first_write));
  report.add("delivery", delivery);
  if (subject.is_child()) {
    report.add("server_cpu_us_per_event", (subject.cpu_micros() - idle_cpu) / each);
    report.add("memory_after_events_bytes_per_connection", (settled_memory(subject.child()) - before) / each);
  }
  round.end();
  report.add("told_once", static_cast<double>(delivery.count()));
  return report;
}

}  // namespace hearth::tools
