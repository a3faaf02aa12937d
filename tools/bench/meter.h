// What a measurement cost the server, and what else the machine did in that time. Thread: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/bench/run.h"

namespace hearth::tools {

// The figures of a server at one moment: its /.metrics, where each number stands behind its name on a line of its own.
class ServerFigures {
 public:
  explicit ServerFigures(const Address& address);
  std::optional<double> find(std::string_view name) const;  // nothing: a server that does not tell

 private:
  std::string page_;
};

// Counts from its construction to stop(). What the server does not tell is left out of the report.
class Meter {
 public:
  explicit Meter(Subject& subject);
  void stop();

  void add_cpu(Report& report, const std::string& name, uint64_t count) const;  // microseconds for each of `count`
  // [NAME_]fsyncs_per_write.
  void add_syncs(Report& report, uint64_t writes, const std::string& prefix = "") const;
  void add_sends(Report& report, uint64_t events) const;  // events_per_send: for each system call that sends

 private:
  // By how much a figure has grown.
  std::optional<double> growth(std::string_view name) const;

  Subject& subject_;
  const ServerFigures before_;
  const double cpu_before_;
  double cpu_ = 0;
  std::optional<ServerFigures> after_;
};

// The time of all processors, from the kernel, since an earlier moment.
class ProcessorTime {
 public:
  ProcessorTime();
  double stolen_percent_since(const ProcessorTime& before) const;  // what other machines of the same host took

 private:
  double all_ = 0, stolen_ = 0;
};

}  // namespace hearth::tools
