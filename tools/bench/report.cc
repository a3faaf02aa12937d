// Reports as text for people and as JSON for scripts. Settings stand in each report: a figure without them means
// nothing. Names of figures end with their unit, so that a script needs no table of units.
#include "tools/bench/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "db/model/json.h"

namespace hearth::tools {

// Reorders what it holds: nth_element costs less than sorting a million latencies.
double Latencies::milliseconds(double quantile) {
  if (micros_.empty()) return 0;
  const auto last = static_cast<double>(micros_.size() - 1);
  const auto at = micros_.begin() + static_cast<std::ptrdiff_t>(quantile * last + 0.5);
  std::nth_element(micros_.begin(), at, micros_.end());
  return *at / 1000.0;
}

void Report::add(const std::string& name, Latencies& latencies) {
  add(name + "_p50_ms", latencies.milliseconds(0.5));
  add(name + "_p99_ms", latencies.milliseconds(0.99));
  add(name + "_p999_ms", latencies.milliseconds(0.999));
  add(name + "_max_ms", latencies.milliseconds(1));
}

std::string text_of(const Report& report) {
  std::string to = report.scenario + "\n ";
  for (const auto& [name, value] : report.settings) to += fmt::format(" {}={}", name, value);
  to += '\n';
  for (const auto& figure : report.figures) to += fmt::format("  {:<34} {:>14.3f}\n", figure.name, figure.value);
  return to;
}

std::string json_of(const std::vector<Report>& reports) {
  std::string to = "[";
  for (const Report& report : reports) {
    to += to.size() > 1 ? ",\n" : "";
    to += "{\"scenario\":";
    db::append_json_string(report.scenario, to);
    to += ",\"settings\":{";
    for (size_t i = 0; i < report.settings.size(); ++i) {
      to += i > 0 ? "," : "";
      db::append_json_string(report.settings[i].first, to);
      to += ':';
      db::append_json_string(report.settings[i].second, to);
    }
    to += "},\"figures\":{";
    for (size_t i = 0; i < report.figures.size(); ++i) {
      to += i > 0 ? "," : "";
      db::append_json_string(report.figures[i].name, to);
      to += fmt::format(":{:.3f}", report.figures[i].value);
    }
    to += "}}";
  }
  return to + "]\n";
}

StatusLine::StatusLine() : on_(isatty(STDERR_FILENO) == 1) {}

void StatusLine::say(std::string_view what) {
  if (!on_) return;
  fmt::print(stderr, "\r\x1b[K{}", what);
  std::fflush(stderr);
  dirty_ = true;
}

void StatusLine::clear() {
  if (!dirty_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  dirty_ = false;
}

}  // namespace hearth::tools
