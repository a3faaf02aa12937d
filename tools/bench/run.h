// One run of the bench: the server that is measured and what its scenarios share. Thread: one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/bench/child.h"
#include "tools/bench/report.h"
#include "tools/flags.h"

namespace hearth::tools {

// The server under measurement: a child on a folder of its own, or one that runs already (then without CPU and memory).
class Subject {
 public:
  explicit Subject(const BenchFlags& flags);

  const Address& address() const { return child_ ? child_->address() : outside_; }
  bool is_child() const { return child_ != nullptr; }
  ServerProcess& child() { return *child_; }
  double cpu_micros() const;  // 0 when it is not a child
  void describe(Report& report) const;

  void restart(int signal);  // ends the child by that signal and starts it anew
  void start();              // the child, anew on its folder and port when it was stopped

 private:
  const BenchFlags& flags_;
  Address outside_;
  std::optional<TemporaryFolder> folder_;
  std::unique_ptr<ServerProcess> child_;
};

Report measure_writes(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_latency(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_fanout(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_tree(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_connections(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_reconnect(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_neighbours(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_embedded(const BenchFlags& flags, StatusLine& status);  // in this process
Report measure_rules(const BenchFlags& flags, StatusLine& status);     // in this process
Report measure_queries(const BenchFlags& flags, StatusLine& status);   // in this process

}  // namespace hearth::tools
