// Rates and quantiles are those between two samples. The first sample has none, and neither has a rate where no time
// has passed, or where a counter is lower than before. A rate is told for the time that has really passed: where a
// worker was late, one sample covers more than five seconds, and is right for that span.
//
//   samples     s1        s2        s3                   each: the figures since the start
//   columns     null      s2 − s1   s3 − s2              what is kept: differences, and gauges as they are
//
// A quantile of a span is that of a difference of two distributions. It lies in one bucket, and is told as the place
// within the bucket at which it would lie were all its values spread evenly:
//
//   up to       1 ms     2 ms     5 ms
//   counts      60       30       10           the 0.75th has rank 75: the 15th of 30 in the second bucket, so 1.5 ms
//
// Above all bounds nothing but the last bound is known, and that is told.
//
// The timer is on one io thread, and the figures are collected by a worker. is_collecting_ lets one collection be under
// way; a tick that finds it set, or finds no room among the workers, makes no sample. Under mutex_ are before_ and the
// ring.
#include "net/admin/api/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace hearth::net::admin {
namespace {

constexpr double kNanosecondsPerMillisecond = 1e6;

std::optional<double> in_milliseconds(std::optional<double> nanoseconds) {
  if (nanoseconds) *nanoseconds /= kNanosecondsPerMillisecond;
  return nanoseconds;
}

void append_figure(std::string& to, std::optional<double> value) {
  if (!value || !std::isfinite(*value)) {
    to += "null";
  } else if (*value == std::floor(*value)) {
    to += fmt::format("{:.0f}", *value);
  } else {
    to += fmt::format("{:.4g}", *value);
  }
}

}  // namespace

std::optional<double> quantile(const db::Distribution& earlier, const db::Distribution& later, double part) {
  std::vector<double> counts;
  double all = 0;
  for (size_t i = 0; i < later.counts.size(); ++i) {
    const uint64_t before = i < earlier.counts.size() ? earlier.counts[i] : 0;
    counts.push_back(static_cast<double>(later.counts[i] - std::min(before, later.counts[i])));
    all += counts.back();
  }
  if (all == 0 || later.bounds.empty()) return {};
  double rank = part * all;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (rank > counts[i]) {
      rank -= counts[i];
      continue;
    }
    // Within a bucket the values are taken to lie evenly. Of the last bucket, which has no upper bound, the lower one
    // is told.
    const double lower = i == 0 ? 0 : static_cast<double>(later.bounds[i - 1]);
    if (i >= later.bounds.size()) return lower;
    return lower + (static_cast<double>(later.bounds[i]) - lower) * rank / counts[i];
  }
  return static_cast<double>(later.bounds.back());
}

void Chart::start(http::IoPool& io, db::ThreadPool& workers, std::function<ChartFigures()> collect) {
  io_ = &io;
  workers_ = &workers;
  collect_ = std::move(collect);
  io.post(0, [this] { schedule(); });
}

// While a worker is still collecting, no other one is asked; the next sample then covers more time.
void Chart::schedule() {
  if (is_stopped_) return;
  if (!is_collecting_.exchange(true)) {
    const bool is_taken = workers_->try_run([this] {
      if (!is_stopped_) add(collect_());
      is_collecting_ = false;
    });
    if (!is_taken) is_collecting_ = false;
  }
  next_ = http::IoPool::schedule(kChartInterval, [this] { schedule(); });
}

void Chart::add(const ChartFigures& now) {
  const std::lock_guard lock(mutex_);
  Sample sample;
  size_t column = 0;
  const auto put = [&](std::optional<double> value) { sample[column++] = value; };
  const double seconds =
      before_ ? std::chrono::duration<double>(now.time - before_->time).count() : 0;  // 0, or less: no rates
  const auto rate = [&](uint64_t later, uint64_t earlier) -> std::optional<double> {
    if (seconds <= 0 || later < earlier) return {};
    return static_cast<double>(later - earlier) / seconds;
  };
  const ChartFigures& before = before_ ? *before_ : now;
  const db::Figures &data = now.database, &old = before.database;
  put(static_cast<double>(now.time.count()));
  put(rate(data.commits, old.commits));
  put(rate(data.writes, old.writes));
  put(rate(data.events, old.events));
  put(rate(now.traffic.requests, before.traffic.requests));
  put(in_milliseconds(quantile(old.commit_time, data.commit_time, 0.5)));
  put(in_milliseconds(quantile(old.commit_time, data.commit_time, 0.99)));
  put(in_milliseconds(quantile(old.store.log_sync_time, data.store.log_sync_time, 0.5)));
  put(in_milliseconds(quantile(old.store.log_sync_time, data.store.log_sync_time, 0.99)));
  put(in_milliseconds(quantile(old.read_time, data.read_time, 0.5)));
  put(in_milliseconds(quantile(old.read_time, data.read_time, 0.99)));
  put(static_cast<double>(now.traffic.connections));
  put(static_cast<double>(data.sessions));
  put(static_cast<double>(data.listeners));
  put(static_cast<double>(now.process.resident_bytes));
  put(static_cast<double>(data.store.sst_bytes + data.store.log_bytes));
  put(data.store.disk_bytes_free ? std::optional(static_cast<double>(*data.store.disk_bytes_free)) : std::nullopt);
  // Milliseconds of each second in which writes were slowed or stopped.
  const auto stalled = [](const db::StoreFigures& store) {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(store.slowed_time + store.stopped_time).count());
  };
  put(rate(stalled(data.store), stalled(old.store)));
  before_ = now;
  if (ring_.size() < kChartSamplesMax) {
    ring_.push_back(sample);
  } else {
    ring_[first_] = sample;
    first_ = (first_ + 1) % kChartSamplesMax;
  }
}

size_t Chart::size() const {
  const std::lock_guard lock(mutex_);
  return ring_.size();
}

std::string Chart::text() const {
  const std::lock_guard lock(mutex_);
  std::string text = fmt::format(R"({{"every":{},"columns":{{)", kChartInterval.count());
  for (size_t column = 0; column < kColumns.size(); ++column) {
    text += fmt::format(R"({}"{}":[)", column == 0 ? "" : ",", kColumns[column]);
    for (size_t i = 0; i < ring_.size(); ++i) {
      if (i > 0) text += ',';
      append_figure(text, ring_[(first_ + i) % ring_.size()][column]);
    }
    text += ']';
  }
  return text + "}}";
}

}  // namespace hearth::net::admin
