// Gives memory back to the system that a flood has used and freed.
//
// glibc keeps freed memory for the next flood. Two kinds are kept: the end of each thread's arena, and pages in the
// midst of arenas. The first is fixed by settings (Trim::Trim), the second by malloc_trim(), which locks each arena
// in turn. So a thread looks two seconds after the process was busy, and trims only when the process is idle and at least
// 16 MB more are held than the last trim left: what trimming could not free once, it cannot free again. To look costs too, for
// mallinfo2() goes through all that is free: each look that finds nothing doubles the time until the next one.
#include "tools/trim.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <stop_token>

namespace hearth::tools {
namespace {

constexpr auto kPeriod = std::chrono::milliseconds(2'000);
constexpr auto kIdle = kPeriod / 4;          // of CPU time in a period: less is idle
constexpr int kPeriodsMax = 16;              // between two looks of an idle process
constexpr int64_t kFreeBytesMin = 16 << 20;  // held beyond what the last trim left: less is not worth it

constexpr int kArenaEndBytesMax = 1 << 20;
constexpr int kMappedBytesMin = 4 << 20;

// About how much memory of this process is in RAM and not in use: what the allocator keeps, with stacks and the like.
// The allocator's own count of free bytes would not do, since some of those may have been given back already.
int64_t free_bytes_held() {
  int64_t pages = 0, resident = 0, shared = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident >> shared;
  const struct mallinfo2 info = mallinfo2();
  return (resident - shared) * ::sysconf(_SC_PAGESIZE) - static_cast<int64_t>(info.uordblks + info.hblkhd);
}

std::chrono::microseconds cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

void run(const std::stop_token& stopping) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  int64_t left = 0;  // what the last trim left
  auto before = cpu_time();
  int periods = 1, passed = 0;  // between two looks, and since the last
  while (!never.wait_for(lock, stopping, kPeriod, [] { return false; }) && !stopping.stop_requested()) {
    const auto now = cpu_time();
    const bool is_idle = now - before < kIdle;
    before = now;
    if (!is_idle) {
      periods = 1;
      continue;
    }
    if (++passed < periods) continue;
    passed = 0;
    const int64_t held = free_bytes_held();
    left = std::min(left, held);
    if (held < left + kFreeBytesMin) {
      periods = std::min(2 * periods, kPeriodsMax);
      continue;
    }
    periods = 1;
    malloc_trim(0);
    left = free_bytes_held();
  }
}

}  // namespace

// malloc_trim passes over the end of each thread's arena (glibc 2.36, mtrim). Only a free() in that arena gives it
// back, and only beyond a threshold, which glibc raises up to 64 MB by itself. So the threshold is fixed here. glibc
// adapts it together with the size from which on memory is mapped by itself, so that size is fixed too.
Trim::Trim() {
  mallopt(M_TRIM_THRESHOLD, kArenaEndBytesMax);
  mallopt(M_MMAP_THRESHOLD, kMappedBytesMin);
  thread_ = std::jthread(run);
}

}  // namespace hearth::tools
