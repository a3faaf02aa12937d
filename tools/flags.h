// What the command line says, as values. main.cc fills them in; each command takes its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/database.h"

namespace hearth::tools {

struct ServeFlags {
  bool dev = false;
  std::string data = "hearth-data";
  std::optional<std::string> host;  // nothing: both loopback addresses
  uint16_t port = 9000;             // 0: one that is free
  std::vector<std::string> namespaces;
  db::SyncMode sync = db::SyncMode::Group;
  std::string log_level = "info";
  size_t threads = 0;  // that serve connections; 0: as many as there are cores
};

struct BenchFlags {
  std::vector<std::string> scenarios = {"all"};
  bool json = false;
  std::string url;     // a running `hearth serve --dev`; empty: one is started for the run
  std::string folder;  // where the temporary data folder is made; empty: the system's
  std::string sync = "group";
  size_t threads = 2;  // of the server that is started
  std::chrono::seconds time{5};
  size_t connections = 8;  // writes
  size_t window = 32;      // writes not yet answered, for each connection
  size_t listeners = 200;  // fanout
  size_t listening_connections = 200;
  size_t fanout_window = 4;
  size_t leaves = 1'000'000;  // tree
  size_t overwrites = 100'000;
  size_t in_flight = 256;  // embedded
};

int serve(const ServeFlags& flags);
int bench(const BenchFlags& flags);

}  // namespace hearth::tools
