// The scenario of queries: what they cost with an index and without, at two sizes; what live windows cost the writer.
//
//   small (1,000 children), large (--leaves)   last 50, 50 single reads, counts; a write beside a window
//   large, when its index covers               last 50, and the write
//   live (2,000 children)                      1,000 windows that are the same, then 1,000 that differ
//
// The two sizes show whether a cost depends on the size: with an index it should hardly. The 50 single reads are the
// yardstick: a window should cost about what its children cost. All runs in this process, so that no network is in
// the figures; CPU is of all threads.
#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

#include "db/client.h"
#include "db/host.h"
#include "db/model/index.h"
#include "tools/bench/gate.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

using db::Query;
using db::Value;

constexpr uint32_t kWindow = 50;
constexpr int kRounds = 500;     // of each reading
constexpr int kWrites = 2'000;   // beside a window
constexpr size_t kLive = 1'000;  // windows, and writes under them
constexpr std::string_view kIndexes =
    R"([{"at":"/small","by":"score"},{"at":"/large","by":"score"},{"at":"/live","by":"score"}])";

template <typename T>
T must(db::Result<T> result) {
  if (!result.ok()) throw std::runtime_error("bench: " + result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

std::string key_of(int i) { return fmt::format("p{:07}", i); }

Value players(int count) {
  std::vector<std::pair<std::string, Value>> all;
  all.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    all.emplace_back(key_of(i), Value::object({{"score", Value::integer(static_cast<int64_t>(i) * 7919 % count)},
                                               {"name", Value::string(fmt::format("player {}", i))},
                                               {"other", Value::integer(i % 1'000)}}));
  }
  return Value::object(all);
}

// The most memory that this process has used so far, in MB. Linux.
double peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kb = 0;
    if (word == "VmHWM:" && status >> kb) return kb / 1024;
  }
  return 0;
}

// Waits until all indexes are complete, and the one of "large" by that child is among them.
void wait_for_indexes(db::Host& database, const std::string& by, bool covers = false) {
  for (;;) {
    std::promise<bool> promise;
    database.indexes("bench", [&](const db::Result<db::IndexPlan>& plan) {
      bool is_there = false;
      for (const db::Index& index : must(plan).indexes)
        is_there |= index.spec.pattern() == "/large" && index.spec.by() == by && index.spec.covers == covers;
      promise.set_value(is_there && !plan.value().is_building());
    });
    if (promise.get_future().get()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

template <typename Task>
// CPU for one call of `task`, with warm caches.
double cpu_of(int rounds, const Task& task) {
  task();  // once for the caches
  const auto cpu = own_cpu();
  for (int i = 0; i < rounds; ++i) task();
  return (own_cpu() - cpu).count() / rounds;
}

// Measures reading the last fifty of an order, and reading the same children one by one.
void add_reads(db::Namespace& space, const std::string& list, int size, Report& report) {
  const Query last = Query::by_child("score").limit_to_last(kWindow);
  std::vector<std::string> keys;
  const Value window = must(space.get(list, last));
  for (auto child = window.children(); !child.done(); child.next()) keys.push_back(child.key());
  if (keys.size() != kWindow) throw std::runtime_error("bench: the window is not full");
  report.add(list + "_limit_to_last_50_cpu_us", cpu_of(kRounds, [&] { must(space.get(list, last)); }));
  report.add(list + "_50_single_reads_cpu_us", cpu_of(kRounds, [&] {
               for (const std::string& key : keys) must(space.get(list + "/" + key));
             }));
  report.add(list + "_count_cpu_us", cpu_of(kRounds, [&] { must(space.count(list)); }));
  const Query tenth = Query::by_child("score").start_at(Value::integer(size - size / 10));
  report.add(list + "_count_of_a_tenth_cpu_us", cpu_of(10, [&] { must(space.count(list, tenth)); }));
}

// One client with many listeners. Counts what it is told, on a thread that polls once a millisecond.
class Listens {
 public:
  Listens(db::Host& database, const std::string& path)
      : path_(must(db::Path::parse(path))),
        client_(must(database.client("bench", "", [] {}))),
        reader_([this] { read(); }) {}
  ~Listens() {
    is_over_ = true;
    reader_.join();
  }
  void add(const Query& query) {
    db::Listen listen;
    listen.path = path_;
    listen.query = query;
    ++asked_;
    client_->listen(asked_, asked_, std::move(listen));
  }
  void wait_until_answered() {
    while (answers_.load() < asked_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  uint64_t events() const { return events_.load(); }
  uint64_t bodies() const { return bodies_.load(); }

 private:
  void read() {
    const db::Body* last = nullptr;
    while (!is_over_) {
      for (const db::Item& item : client_->take()) {
        const auto* event = std::get_if<db::Event>(&item);
        if (event == nullptr) {
          ++answers_;
          continue;
        }
        ++events_;
        bodies_ += event->body.get() != last;
        last = event->body.get();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  const db::Path path_;
  const std::unique_ptr<db::Client> client_;
  uint64_t asked_ = 0;
  std::atomic<uint64_t> answers_ = 0, events_ = 0;
  std::atomic<uint64_t> bodies_ = 0;  // different ones in a row
  std::atomic<bool> is_over_ = false;
  std::thread reader_;
};

// CPU for each of `count` writes of scores, to 500 players from `first` on.
double cpu_of_writes(db::Namespace& space, const std::string& list, int first, int count, int64_t score) {
  Gate gate(64);
  const auto cpu = own_cpu();
  for (int i = 0; i < count; ++i) {
    gate.enter();
    space.set_async(list + "/" + key_of(first + i % 500) + "/score", Value::integer(score + i),
                    [&](const db::Result<db::Written>&) { gate.leave(); });
  }
  gate.wait_until_empty();
  return (own_cpu() - cpu).count() / count;
}

// 1,000 windows that are the same are one view, whose event is made once; 1,000 that differ are 1,000 views. Bodies
// for each write show how many were made.
void add_windows(db::Host& database, db::Namespace& space, Report& report) {
  for (const bool same : {true, false}) {
    must(space.set("live", players(2'000)));
    Listens listens(database, "live");
    for (size_t i = 0; i < kLive; ++i) {
      const Query query = Query::by_child("score");
      listens.add(same ? query.limit_to_last(kWindow)
                       : query.start_at(Value::integer(static_cast<int64_t>(2 * i))).limit_to_first(kWindow));
    }
    listens.wait_until_answered();
    const double cpu = cpu_of_writes(space, "live", 0, static_cast<int>(kLive), 1'000);
    const std::string name = same ? "same_windows" : "different_windows";
    report.add(name + "_cpu_us_per_write", cpu);
    report.add(name + "_events_per_write", static_cast<double>(listens.events()) / kLive);
    report.add(name + "_bodies_per_write", static_cast<double>(listens.bodies()) / kLive);
  }
}

}  // namespace

Report measure_queries(const BenchFlags& flags, StatusLine& progress) {
  const TemporaryFolder folder(flags.folder);
  db::Database::Options options;
  options.folder = folder.path() + "/data";
  options.sync = flags.sync == "os" ? db::SyncMode::Os : db::SyncMode::Group;
  options.indexes.own = kIndexes;
  const auto database = must(db::Host::open(std::move(options)));
  db::Namespace space = must(database->space("bench"));
  const auto leaves = static_cast<int>(flags.leaves);

  Report report{"queries", {}, {}};
  report.set("small", "1000");
  report.set("large", std::to_string(leaves));
  report.set("window", std::to_string(kWindow));
  report.set("sync", flags.sync);
  report.set("folder", folder.path());

  progress.say("queries: filling");
  must(space.set("small", players(1'000)));
  must(space.set("large", Value()));
  for (int at = 0; at < leaves; at += 100'000) {
    std::vector<std::pair<std::string, Value>> part;
    for (int i = at; i < std::min(leaves, at + 100'000); ++i) {
      part.emplace_back(key_of(i), Value::object({{"score", Value::integer(static_cast<int64_t>(i) * 7919 % leaves)},
                                                  {"name", Value::string(fmt::format("player {}", i))},
                                                  {"other", Value::integer(i % 1'000)}}));
    }
    must(space.update("large", std::move(part)));
  }
  wait_for_indexes(*database, "score");
  for (const auto& [list, size] : {std::pair<std::string, int>{"small", 1'000}, {"large", leaves}}) {
    progress.say("queries: reading " + list);
    add_reads(space, list, size, report);
    progress.say("queries: writing beside a window of " + list);
    cpu_of_writes(space, list, 0, kWrites, -20'000);  // from here on, these are far from the window
    Listens window(*database, list);
    window.add(Query::by_child("score").limit_to_last(kWindow));
    window.wait_until_answered();
    report.add(list + "_write_beside_window_cpu_us", cpu_of_writes(space, list, 0, kWrites, -10'000));
    if (window.events() != 0) report.add(list + "_events_beside_window", static_cast<double>(window.events()));
  }
  progress.say("queries: without an index");
  const Query by_other = Query::by_child("other").limit_to_last(kWindow);
  must(space.get("large", by_other));  // fills the block cache
  const double before = peak_mb();
  const auto start = Steady::now();
  must(space.get("large", by_other));
  report.add("large_without_index_ms", seconds_of(Steady::now() - start) * 1'000);
  report.add("large_without_index_more_memory_mb", peak_mb() - before);
  progress.say("queries: building an index anew");
  must(space.set_indexes(R"([{"at":"/small","by":"score"},{"at":"/large","by":"other"},{"at":"/live","by":"score"}])"));
  const auto building = Steady::now();
  wait_for_indexes(*database, "other");
  report.add("index_build_children_per_second", leaves / seconds_of(Steady::now() - building));
  progress.say("queries: building an index that covers");
  must(space.set_indexes(R"([{"at":"/large","by":"score","covers":true},{"at":"/live","by":"score"}])"));
  wait_for_indexes(*database, "score", true);
  const Query last = Query::by_child("score").limit_to_last(kWindow);
  report.add("large_covered_limit_to_last_50_cpu_us", cpu_of(kRounds, [&] { must(space.get("large", last)); }));
  report.add("large_covered_write_cpu_us", cpu_of_writes(space, "large", 0, kWrites, -10'000));
  progress.say("queries: live windows");
  add_windows(*database, space, report);
  return report;
}

}  // namespace hearth::tools
