// The results of a run of the bench: figures with the exact settings that they belong to. Thread: one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::tools {

using Steady = std::chrono::steady_clock;

inline double seconds_of(Steady::duration time) { return std::chrono::duration<double>(time).count(); }

class Latencies {
 public:
  void add(Steady::duration time) {
    micros_.push_back(static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count()));
  }
  void add(const Latencies& others) { micros_.insert(micros_.end(), others.micros_.begin(), others.micros_.end()); }
  size_t count() const { return micros_.size(); }
  double milliseconds(double quantile);  // 0: the least, 1: the most

 private:
  std::vector<uint32_t> micros_;
};

struct Report {
  struct Figure {
    std::string name;  // ends with its unit, as in ack_p50_ms
    double value;
  };
  std::string scenario;
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<Figure> figures;

  void set(std::string name, std::string value) { settings.emplace_back(std::move(name), std::move(value)); }
  void add(std::string name, double value) { figures.push_back({std::move(name), value}); }
  void add(const std::string& name, Latencies& latencies);  // name_p50_ms, _p99_ms, _p999_ms, _max_ms
};

std::string text_of(const Report& report);
std::string json_of(const std::vector<Report>& reports);

// Says what is being done, on one line of a terminal, which is overwritten. Says nothing when standard error is no
// terminal.
class StatusLine {
 public:
  StatusLine();
  ~StatusLine() { clear(); }
  void say(std::string_view what);
  void clear();

 private:
  bool on_;
  bool dirty_ = false;
};

}  // namespace hearth::tools
