// Scenarios of many small operations: writes, latency, fanout, embedded.
//
//   writes    C connections × W unanswered puts          latency   the same with one of each
//   fanout    one writer ─▶ L leaves ─▶ N connections, each listening to all of them; a few writes under way
//   embedded  Namespace::set_async in this process, a Gate bounds what is under way
//
// Writes go round 100,000 leaves, so that caches and the log see what an app would do, and each writes a text that
// differs. The value of a fanout write is the time of writing: each event tells its own age, without a table.
#include <fmt/format.h>

#include <stdexcept>

#include "db/host.h"
#include "tools/bench/gate.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

constexpr uint64_t kLeaves = 100'000;  // different leaves that writes go to
constexpr std::string_view kText = "sixteen bytes...";

// `before`: the server's CPU before the load. Without a child nobody knows it.
void add_cpu(Report& report, const Subject& subject, const std::string& name, double before, uint64_t count) {
  if (subject.is_child() && count > 0) report.add(name, (subject.cpu_micros() - before) / static_cast<double>(count));
}

// A leaf of its own for each of kLeaves successive writes, spread over a hundred parents, with a text that differs.
void make_leaf_write(uint64_t n, std::string& path, std::string& json) {
  const uint64_t leaf = n * 48'271 % kLeaves;
  path = fmt::format("/writes/p{}/k{}", leaf % 100, leaf);
  json = fmt::format("\"{} {}\"", kText, n);
}

Report measure_puts(const std::string& name, const BenchFlags& flags, size_t connections, size_t window,
                    Subject& subject, StatusLine& status) {
  Report report{name, {}, {}};
  report.set("connections", std::to_string(connections));
  report.set("window", std::to_string(window));
  report.set("seconds", std::to_string(flags.time.count()));
  report.set("leaves", std::to_string(kLeaves));
  subject.describe(report);
  const double cpu = subject.cpu_micros();
  LoadResult result =
      run_load(subject.address(), "bench", {connections, window, flags.time, 0, make_leaf_write, name}, status);
  report.add("writes_per_s", static_cast<double>(result.writes) / seconds_of(result.time));
  report.add("ack", result.acks);
  add_cpu(report, subject, "server_cpu_us_per_write", cpu, result.writes);
  return report;
}

// The number at the end of an event's data.
int64_t number_of_event(std::string_view text) {
  const size_t at = text.rfind("\"d\":");
  if (at == std::string_view::npos) throw std::runtime_error("bench: an event without data");
  return std::strtoll(text.data() + at + 4, nullptr, 10);
}

}  // namespace

Report measure_writes(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  return measure_puts("writes", flags, flags.connections, flags.window, subject, status);
}

Report measure_latency(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  return measure_puts("latency", flags, 1, 1, subject, status);
}

// Each listening connection listens to the same few leaves. One more connection writes to them in turn; a write counts
// as delivered when every connection has its event, and so many are under way at most.
Report measure_fanout(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  const size_t connections = std::min(flags.listening_connections, flags.listeners);
  const size_t leaves = flags.listeners / connections;
  Report report{"fanout", {}, {}};
  report.set("listeners", std::to_string(leaves * connections));
  report.set("connections", std::to_string(connections));
  report.set("leaves", std::to_string(leaves));
  report.set("window", std::to_string(flags.fanout_window));
  report.set("seconds", std::to_string(flags.time.count()));
  subject.describe(report);

  WireLoop loop;
  size_t listening = 0;
  for (size_t i = 0; i < connections; ++i) {
    const size_t index = loop.connect(subject.address(), "bench");
    for (size_t leaf = 0; leaf < leaves; ++leaf) loop.wire(index).listen(fmt::format("/fanout/leaf{}", leaf));
  }
  const size_t writer = loop.connect(subject.address(), "bench");
  loop.run([&](size_t, uint64_t number, std::string_view) { listening += number > 0 ? 1 : 0; },
           [&] { return listening == leaves * connections; });

  const double cpu = subject.cpu_micros();
  const auto begin = Steady::now();
  uint64_t writes = 0, acks = 0, events = 0;
  int64_t last_stamp = 0;
  Latencies delivery;
  // The value written is the microsecond of writing, so that each event tells its age; no two are the same.
  const auto stamp = [&] {
    return std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - begin).count();
  };
  const auto write_more = [&] {
    while (Steady::now() - begin < flags.time && writes - events / connections < flags.fanout_window) {
      last_stamp = std::max<int64_t>(last_stamp + 1, stamp());
      loop.wire(writer).put(fmt::format("/fanout/leaf{}", writes++ % leaves), std::to_string(last_stamp));
    }
  };
  auto said = begin;
  write_more();
  loop.run(
      [&](size_t connection, uint64_t number, std::string_view text) {
        if (connection == writer) {
          acks += number > 0 ? 1 : 0;
          return;
        }
        ++events;
        delivery.add(std::chrono::microseconds(std::max<int64_t>(0, stamp() - number_of_event(text))));
        if (events % connections != 0) return;
        write_more();
        if (Steady::now() - said < std::chrono::milliseconds(250)) return;
        said = Steady::now();
        status.say(fmt::format("fanout: {} events in {:.1f} s", events, seconds_of(said - begin)));
      },
      [&] { return acks == writes && events == writes * connections; });
  const double time = seconds_of(Steady::now() - begin);
  report.add("events_per_s", static_cast<double>(events) / time);
  report.add("writes_per_s", static_cast<double>(writes) / time);
  report.add("delivery", delivery);
  add_cpu(report, subject, "server_cpu_us_per_event", cpu, events);
  return report;
}

Report measure_embedded(const BenchFlags& flags, StatusLine& status) {
  const TemporaryFolder folder(flags.folder);
  const auto sync = flags.sync == "os" ? db::SyncMode::Os : db::SyncMode::Group;
  db::Database::Options options;
  options.folder = folder.path() + "/data";
  options.sync = sync;
  auto opened = db::Host::open(std::move(options));
  if (!opened.ok()) throw std::runtime_error("bench: " + opened.error().message);
  const auto database = std::move(opened).value();
  auto space = database->space("bench");
  if (!space.ok()) throw std::runtime_error("bench: " + space.error().message);

  Report report{"embedded", {}, {}};
  report.set("in_flight", std::to_string(flags.in_flight));
  report.set("seconds", std::to_string(flags.time.count()));
  report.set("leaves", std::to_string(kLeaves));
  report.set("sync", flags.sync);
  report.set("folder", folder.path());

  Gate gate(flags.in_flight);
  Latencies acks;       // by the thread of callbacks alone
  std::string failure;  // by the thread of callbacks alone
  const auto begin = Steady::now();
  const auto cpu = own_cpu();
  auto said = begin;
  uint64_t writes = 0;
  std::string path, json;
  for (auto now = begin; now - begin < flags.time; now = Steady::now()) {
    gate.enter();
    make_leaf_write(writes++, path, json);
    const auto sent = Steady::now();
    space.value().set_async(path, db::Value::string(json), [&, sent](const db::Result<db::Written>& written) {
      acks.add(Steady::now() - sent);
      if (!written.ok()) failure = written.error().message;
      gate.leave();
    });
    if (now - said < std::chrono::milliseconds(250)) continue;
    said = now;
    status.say(fmt::format("embedded: {} writes in {:.1f} s", writes, seconds_of(now - begin)));
  }
  gate.wait_until_empty();
  const double time = seconds_of(Steady::now() - begin);
  if (!failure.empty()) throw std::runtime_error("bench: " + failure);
  report.add("writes_per_s", static_cast<double>(writes) / time);
  report.add("ack", acks);
  report.add("cpu_us_per_write", (own_cpu() - cpu).count() / static_cast<double>(writes));
  return report;
}

}  // namespace hearth::tools
