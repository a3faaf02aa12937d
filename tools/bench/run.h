// One run of the bench: the server that is measured and what its scenarios share. Thread: one.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/child.h"
#include "tools/bench/report.h"

namespace hearth::tools {

struct BenchFlags {
  std::vector<std::string> scenarios = {"all"};
  bool json = false;
  std::string url;     // a running `hearth serve --dev`; empty: one is started for the run
  std::string folder;  // where the temporary data folder is made; empty: the system's
  std::string sync = "group";
  std::string history = "off";
  size_t threads = 2;  // of the server that is started
  bool tls = false;    // spoken to it
  std::chrono::seconds time{5};
  size_t connections = 8;  // writes
  size_t window = 32;      // writes not yet answered, for each connection
  size_t listeners = 200;  // fanout
  size_t listening_connections = 200;
  size_t fanout_window = 4;
  size_t rooms = 50;
  size_t room_listeners = 20;  // of each
  size_t pipeline = 1;         // get, mixed: requests not yet answered, for each connection
  size_t contenders = 8;
  uint64_t wins = 3'000;      // of all contenders
  size_t accounts = 100'000;  // transfer
  size_t tellers = 64;
  size_t teller_window = 40;  // transfers not yet answered, for each
  size_t leaves = 1'000'000;  // tree
  size_t overwrites = 100'000;
  size_t in_flight = 256;            // embedded
  size_t idle_connections = 10'000;  // connections
  size_t clients = 1'000;            // reconnect
  size_t children = 200'000;         // neighbours
  std::vector<std::string> attacks;  // none: all
  std::string engine;                // cluster: a PostgreSQL that has none yet
  size_t shards = 16;                // cluster
  size_t rounds = 5;                 // cluster: turns of all that is compared
  size_t followers = 0;              // cluster: nodes beside the one that is measured
};

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

// The n-th of small puts, to one of so many leaves, each to another than the one before, a text that differs.
inline constexpr uint64_t kLeafWriteLeaves = 100'000;
void make_leaf_write(uint64_t n, std::string& path, std::string& json, uint64_t leaves = kLeafWriteLeaves);

Report measure_writes(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_latency(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_fanout(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_sse(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_rooms(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_get(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_mixed(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_contended(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_transfer(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_tree(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_connections(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_reconnect(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_neighbours(const BenchFlags& flags, Subject& subject, StatusLine& status);
Report measure_embedded(const BenchFlags& flags, StatusLine& status);  // in this process
Report measure_rules(const BenchFlags& flags, StatusLine& status);     // in this process
Report measure_queries(const BenchFlags& flags, StatusLine& status);   // in this process
Report measure_cluster(const BenchFlags& flags, StatusLine& status);   // on the engine of --engine

}  // namespace hearth::tools
