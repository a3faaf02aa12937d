#include "tools/trim.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

namespace hearth::tools {
namespace {

constexpr auto kPeriod = std::chrono::milliseconds(2'000);
constexpr auto kIdle = kPeriod / 4;           // of CPU time in a period: less is idle
constexpr size_t kFreedBytesMin = 16u << 20;  // since the last time: less is not worth it

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
  size_t given_back = 0;  // part of what the allocator calls free
  auto before = cpu_time();
  while (!never.wait_for(lock, stopping, kPeriod, [] { return false; }) && !stopping.stop_requested()) {
    const auto now = cpu_time();
    const bool is_idle = now - before < kIdle;
    before = now;
    if (!is_idle) continue;
    const size_t free = mallinfo2().fordblks;
    given_back = std::min(given_back, free);
    if (free < given_back + kFreedBytesMin) continue;
    malloc_trim(0);
    given_back = mallinfo2().fordblks;
  }
}

}  // namespace

Trim::Trim() : thread_(run) {}

}  // namespace hearth::tools
