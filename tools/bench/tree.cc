// The scenario of one big tree: in by one PUT, out by one GET, then whether a small write in it costs what it costs
// in an empty one, and how long a restart takes.
//
//   PUT ─▶ GET, compared byte by byte ─▶ leaf writes, big against empty ─▶ restart ─▶ overwrites ─▶ leaf writes
//   ─▶ kill -9 ─▶ restart ─▶ PUT ─▶ kill -9 right behind it ─▶ restart ─▶ GET, compared again ─▶ DELETE
//
// The claims under test: a small write costs the same whatever is around it, and an acknowledged write survives kill
// -9. Big and empty tree take turns, and the best of ten rounds counts: whatever else the machine does only adds.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>

#include "tools/bench/http.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

constexpr size_t kLeavesOfAnObject = 10;
constexpr int kLeafRounds = 10;
constexpr uint64_t kWritesAlone = 100;        // of a round, one at a time
constexpr uint64_t kWritesPipelined = 1'000;  // of a round
constexpr size_t kLeafWindow = 32;

std::string object_name(uint64_t index) { return fmt::format("object{:06}", index); }

// Appends ten leaves of about 50 bytes of JSON each. Another `salt` makes other values.
void append_object(uint64_t index, uint64_t salt, std::string& to) {
  uint64_t random = (index + 1) * 0x9e3779b97f4a7c15 + salt;
  for (size_t leaf = 0; leaf < kLeavesOfAnObject; ++leaf) {
    random = random * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    fmt::format_to(std::back_inserter(to), R"({}"field{}":"{:016x} of the leaf {:06}-{}")", leaf == 0 ? '{' : ',', leaf,
                   random, index, leaf);
  }
  to += '}';
}

std::string big_tree(size_t objects) {
  std::string to;
  for (uint64_t i = 0; i < objects; ++i) {
    to += i == 0 ? "{\"" : ",\"";
    to += object_name(i);
    to += "\":";
    append_object(i, 0, to);
  }
  return to + "}";
}

struct Cost {
  double alone_ms = 0;      // median of write to event and answer, one at a time
  double pipelined_us = 0;  // server CPU of a write and its event
};

// Writes to one leaf, which the writer listens to.
class LeafWriter {
 public:
  LeafWriter(Subject& subject, const std::string& space, std::string leaf) : subject_(subject), leaf_(std::move(leaf)) {
    loop_.connect(subject.address(), space);
    bool listening = false;
    loop_.wire(0).listen(leaf_);
    loop_.run([&](size_t, uint64_t number, std::string_view) { listening |= number > 0; }, [&] { return listening; });
  }

  // One round. The best of all rounds is kept.
  void measure() {
    Latencies alone;
    run(kWritesAlone, 1, alone);
    Latencies ignored;
    const double cpu = subject_.cpu_micros();
    run(kWritesPipelined, kLeafWindow, ignored);
    const double pipelined = (subject_.cpu_micros() - cpu) / static_cast<double>(kWritesPipelined);
    cost_.alone_ms = measured_ ? std::min(cost_.alone_ms, alone.milliseconds(0.5)) : alone.milliseconds(0.5);
    cost_.pipelined_us = measured_ ? std::min(cost_.pipelined_us, pipelined) : pipelined;
    measured_ = true;
  }
  const Cost& cost() const { return cost_; }

 private:
  void run(uint64_t count, size_t window, Latencies& latencies) {
    uint64_t written = 0, answered = 0, events = 0;
    std::array<Steady::time_point, kLeafWindow + 1> sent_at;
    const auto write = [&] {
      sent_at[written++ % sent_at.size()] = Steady::now();
      loop_.wire(0).put(leaf_, std::to_string(++value_));
    };
    while (written < window) write();
    loop_.run(
        [&](size_t, uint64_t number, std::string_view) {
          if (number == 0) {
            ++events;
            return;
          }
          latencies.add(Steady::now() - sent_at[answered++ % sent_at.size()]);
          if (written < count) write();
        },
        [&] { return answered == count; });
    if (events != count) throw std::runtime_error(fmt::format("bench: {} writes made {} events", count, events));
  }

  Subject& subject_;
  std::string leaf_;
  WireLoop loop_;
  Cost cost_;
  bool measured_ = false;
  uint64_t value_ = 0;
};

// Measures the empty tree and the big one in turn, so that what changes on the machine changes both.
void compare(Report& report, const std::string& when, Subject& subject, const std::string& empty_space,
             const std::string& leaf, StatusLine& status) {
  LeafWriter empty(subject, empty_space, leaf);
  LeafWriter big(subject, "big", leaf);
  for (int round = 0; round < kLeafRounds; ++round) {
    status.say(fmt::format("tree: leaf writes {}, round {} of {}", when, round + 1, kLeafRounds));
    empty.measure();
    big.measure();
  }
  report.add(when + "_empty_write_p50_ms", empty.cost().alone_ms);
  report.add(when + "_write_p50_ms", big.cost().alone_ms);
  report.add(when + "_write_p50_ratio", big.cost().alone_ms / empty.cost().alone_ms);
  if (!subject.is_child()) return;
  report.add(when + "_empty_cpu_us_per_write", empty.cost().pipelined_us);
  report.add(when + "_cpu_us_per_write", big.cost().pipelined_us);
  report.add(when + "_cpu_ratio", big.cost().pipelined_us / empty.cost().pipelined_us);
}

void restart(Report& report, const std::string& name, int signal, Subject& subject, StatusLine& status) {
  status.say(fmt::format("tree: restart {}", name));
  subject.restart(signal);
  report.add("restart_" + name + "_s", seconds_of(subject.child().start_time()));
}

void add_peak(Report& report, const std::string& when, Subject& subject, size_t json_bytes) {
  if (!subject.is_child()) return;
  const double peak = subject.child().peak_memory_bytes();
  report.add("peak_memory_" + when + "_mb", peak / 1e6);
  report.add("peak_memory_" + when + "_per_json_byte", peak / static_cast<double>(json_bytes));
}

}  // namespace

Report measure_tree(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  const size_t objects = std::max<size_t>(1, flags.leaves / kLeavesOfAnObject);
  const std::string leaf = fmt::format("/{}/field5", object_name(objects / 2));
  const std::string whole = "/.json?ns=big";
  status.say("tree: making the JSON");
  const std::string json = big_tree(objects);

  Report report{"tree", {}, {}};
  report.set("leaves", std::to_string(objects * kLeavesOfAnObject));
  report.set("json_bytes", std::to_string(json.size()));
  report.set("overwrites", std::to_string(flags.overwrites));
  report.set("leaf_writes", fmt::format("best of {} x ({} alone, {} with window {})", kLeafRounds, kWritesAlone,
                                        kWritesPipelined, kLeafWindow));
  subject.describe(report);

  double cpu = subject.cpu_micros();
  auto begin = Steady::now();
  const auto add_times = [&](const std::string& what) {
    report.add(what + "_s", seconds_of(Steady::now() - begin));
    if (subject.is_child()) report.add(what + "_cpu_s", (subject.cpu_micros() - cpu) / 1e6);
    cpu = subject.cpu_micros();
    begin = Steady::now();
  };
  status.say("tree: PUT");
  http_ok(subject.address(), "PUT", whole + "&print=silent", json);
  add_times("put");
  add_peak(report, "after_put", subject, json.size());

  status.say("tree: GET");
  const std::string got = http_ok(subject.address(), "GET", whole);
  add_times("get");
  if (got != json) throw std::runtime_error("bench: the tree came back changed");
  add_peak(report, "after_get", subject, json.size());

  compare(report, "after_put", subject, "empty", leaf, status);
  if (subject.is_child()) restart(report, "clean", SIGTERM, subject, status);

  const auto overwrite = [&](uint64_t n, std::string& path, std::string& text) {
    const uint64_t index = n * 48'271 % objects;
    path = "/" + object_name(index);
    text.clear();
    append_object(index, n + 1, text);
  };
  cpu = subject.cpu_micros();
  LoadResult load = run_load(subject.address(), "big",
                             {.connections = flags.connections,
                              .window = flags.window,
                              .count = flags.overwrites,
                              .make = overwrite,
                              .what = "tree: overwrites"},
                             status);
  report.add("overwrites_per_s", static_cast<double>(load.writes) / seconds_of(load.time));
  report.add("overwrite_ack", load.acks);
  if (subject.is_child()) {
    report.add("overwrite_cpu_us", (subject.cpu_micros() - cpu) / static_cast<double>(load.writes));
  }
  compare(report, "after_overwrites", subject, "empty2", leaf, status);

  const auto remove = [&] {
    status.say("tree: DELETE");
    cpu = subject.cpu_micros();
    begin = Steady::now();
    http_ok(subject.address(), "DELETE", whole);
    add_times("delete");
    if (http_ok(subject.address(), "GET", whole) != "null") throw std::runtime_error("bench: the tree is still there");
  };
  if (!subject.is_child()) {
    remove();
    return report;
  }
  restart(report, "after_kill", SIGKILL, subject, status);
  status.say("tree: PUT, to be followed by a kill");
  http_ok(subject.address(), "PUT", whole + "&print=silent", json);
  restart(report, "after_put_and_kill", SIGKILL, subject, status);
  if (http_ok(subject.address(), "GET", whole) != json)
    throw std::runtime_error("bench: a killed server lost its tree");
  add_peak(report, "after_restart_and_get", subject, json.size());
  remove();
  return report;
}

}  // namespace hearth::tools
