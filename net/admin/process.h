// Figures of this process, as the system has them. Linux. Thread: any; reads /proc.
#pragma once

#include <chrono>
#include <cstdint>

namespace hearth::net::admin {

struct ProcessFigures {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  std::chrono::nanoseconds cpu_time{0};  // of all threads, user and system
  uint64_t threads = 0;
  uint64_t open_descriptors = 0;
  uint64_t descriptors_max = 0;
  std::chrono::milliseconds started{0};  // since the epoch
};

// Figures that cannot be read are 0.
ProcessFigures process_figures();

}  // namespace hearth::net::admin
