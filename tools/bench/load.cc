// Scenarios of many small writes: writes, latency, embedded.
//
//   writes    C connections × W unanswered puts          latency   the same with one of each
//   embedded  Namespace::set_async in this process, a Gate bounds what is under way
//
// Writes go round 100,000 leaves, so that caches and the log see what an app would do, and each writes a text that
// differs.
#include <fmt/format.h>

#include <stdexcept>

#include "db/host.h"
#include "tools/bench/gate.h"
#include "tools/bench/http.h"
#include "tools/bench/meter.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

constexpr std::string_view kText = "sixteen bytes...";

}  // namespace

// A leaf of its own for each of `leaves` successive writes, spread over a hundred parents, with a text that differs.
void make_leaf_write(uint64_t n, std::string& path, std::string& json, uint64_t leaves) {
  const uint64_t leaf = n * 48'271 % leaves;
  path = fmt::format("/writes/p{}/k{}", leaf % 100, leaf);
  json = fmt::format("\"{} {}\"", kText, n);
}

namespace {

Report measure_puts(const std::string& name, const BenchFlags& flags, size_t connections, size_t window,
                    Subject& subject, StatusLine& status) {
  Report report{name, {}, {}};
  report.set("connections", std::to_string(connections));
  report.set("window", std::to_string(window));
  report.set("seconds", std::to_string(flags.time.count()));
  report.set("leaves", std::to_string(kLeafWriteLeaves));
  subject.describe(report);
  // A server of --url may have the leaves of an earlier run, and to write what is there already costs no sync.
  http_ok(subject.address(), "DELETE", "/writes.json?ns=bench");
  Meter meter(subject);
  LoadResult result =
      run_load(subject.address(), "bench",
               {.connections = connections,
                .window = window,
                .time = flags.time,
                .make = [](uint64_t n, std::string& path, std::string& json) { make_leaf_write(n, path, json); },
                .what = name},
               status);
  meter.stop();
  report.add("writes_per_s", static_cast<double>(result.writes) / seconds_of(result.time));
  report.add("ack", result.acks);
  meter.add_cpu(report, "server_cpu_us_per_write", result.writes);
  meter.add_syncs(report, result.writes);
  return report;
}

}  // namespace

Report measure_writes(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  return measure_puts("writes", flags, flags.connections, flags.window, subject, status);
}

Report measure_latency(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  return measure_puts("latency", flags, 1, 1, subject, status);
}

Report measure_embedded(const BenchFlags& flags, StatusLine& status) {
  const TemporaryFolder folder(flags.folder);
  const auto sync = flags.sync == "os" ? db::SyncMode::Os : db::SyncMode::Group;
  db::Database::Options options;
  options.folder = folder.path() + "/data";
  options.sync = sync;
  auto opened = db::Host::open(options);
  if (!opened.ok()) throw std::runtime_error("bench: " + opened.error().message);
  const auto database = std::move(opened).value();
  auto space = database->space("bench");
  if (!space.ok()) throw std::runtime_error("bench: " + space.error().message);

  Report report{"embedded", {}, {}};
  report.set("in_flight", std::to_string(flags.in_flight));
  report.set("seconds", std::to_string(flags.time.count()));
  report.set("leaves", std::to_string(kLeafWriteLeaves));
  report.set("sync", flags.sync);
  report.set("folder", folder.path());

  Gate gate(flags.in_flight);
  Latencies acks;       // by the thread of callbacks alone
  std::string failure;  // by the thread of callbacks alone
  const auto begin = Steady::now();
  const auto cpu = own_cpu();
  const uint64_t syncs = database->figures().store.log_syncs;
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
  report.add("fsyncs_per_write",
             static_cast<double>(database->figures().store.log_syncs - syncs) / static_cast<double>(writes));
  return report;
}

}  // namespace hearth::tools
