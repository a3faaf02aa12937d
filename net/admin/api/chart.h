// Figures of the last 15 minutes, for charts of those who have no Prometheus: a ring of samples, one each 5 seconds from the
// start of the server on, so that whoever opens the console sees what was before. A sample is what /.metrics reads, less its
// text: about 0.5 ms of a worker each 5 seconds (0.01 % of a core), and 50 kB for the whole ring.
//
//   timer of the first io thread ─ each 5 s ─▶ worker: Sources::figures ─▶ sample: the difference to the one before ─▶ ring
//   GET /.inspect/figures.json ◀─ columns, the oldest first ─────────────────────────────────────────────────────────┘
//
// Thread: any, but for what says otherwise.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/base/thread_pool.h"
#include "db/model/figures.h"
#include "net/admin/process.h"
#include "net/io/io_pool.h"
#include "net/io/listener.h"
#include "rules/guard.h"

namespace hearth::net::admin {

inline constexpr std::chrono::milliseconds kChartInterval{5'000};
inline constexpr size_t kChartSamplesMax = 180;

// What is sampled, all of one moment.
struct ChartFigures {
  db::Timestamp time{};
  db::Figures database{};
  http::Stats traffic{};
  ProcessFigures process{};
};

// The value below which that part (0.99) of what the later distribution has and the earlier has not lies, between its bounds;
// nothing where nothing came.
std::optional<double> quantile(const db::Distribution& earlier, const db::Distribution& later, double part);

class Chart {
 public:
  // The columns, in the order of their values in a sample; the first is the time.
  static constexpr std::array<std::string_view, 18> kColumns = {
      "time",       "commits",   "writes",   "events",   "requests",  "commit_p50",
      "commit_p99", "sync_p50",  "sync_p99", "read_p50", "read_p99",  "connections",
      "sessions",   "listeners", "memory",   "store",    "disk_free", "stalled"};

  Chart() = default;
  Chart(const Chart&) = delete;
  Chart& operator=(const Chart&) = delete;

  // Samples from here on, by `collect` on a worker. All outlive the io threads.
  void start(http::IoPool& io, db::ThreadPool& workers, std::function<ChartFigures()> collect);
  void stop() { is_stopped_ = true; }  // nothing is collected any more, once workers have done what they have

  void add(const ChartFigures& figures);
  std::string text() const;
  size_t size() const;

 private:
  using Sample = std::array<std::optional<double>, kColumns.size()>;
  void schedule();

  http::IoPool* io_ = nullptr;
  db::ThreadPool* workers_ = nullptr;
  std::function<ChartFigures()> collect_;
  http::Timer next_;  // of the first io thread
  std::atomic<bool> is_stopped_ = false;
  std::atomic<bool> is_collecting_ = false;
  mutable std::mutex mutex_;  // Guards all below.
  std::optional<ChartFigures> before_;
  std::vector<Sample> ring_;
  size_t first_ = 0;  // the oldest, once the ring is full
};

}  // namespace hearth::net::admin
