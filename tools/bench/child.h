// A `hearth serve` of this very program as a child process, so that its CPU time and memory are its own. Thread:
// one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "tools/bench/client.h"
#include "tools/temporary_folder.h"

namespace hearth::tools {

// Resident now, without the kernel's socket buffers.
double memory_bytes_of(pid_t process);

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
  double memory_bytes() const { return memory_bytes_of(process_); }

  void stop(int signal);  // and waits for the end

 private:
  pid_t process_ = -1;
  Address address_;
  Steady::duration start_time_{};
};

}  // namespace hearth::tools
