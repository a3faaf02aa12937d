// A `hearth serve` of this very program as a child process, so that its CPU time and memory are its own, and the folder
// it works in. Thread: one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "tools/bench_client.h"

namespace hearth::tools {

// A new folder that is removed with everything in it at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& parent);  // "": the system's folder for such
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ServerProcess {
 public:
  // `hearth serve` with these arguments; ready when this returns. Throws when it does not get there.
  explicit ServerProcess(const std::vector<std::string>& arguments);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const Address& address() const { return address_; }
  Steady::duration start_time() const { return start_time_; }  // from the start of the process to its line on stdout
  std::chrono::nanoseconds cpu() const;                        // user and system, all threads, from the start
  double peak_memory_bytes() const;                            // resident

  void stop(int signal);  // and waits for the end

 private:
  pid_t process_ = -1;
  Address address_;
  Steady::duration start_time_{};
};

}  // namespace hearth::tools
