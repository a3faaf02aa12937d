#include "net/admin/process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <latch>
#include <thread>

using hearth::net::admin::process_figures;
using hearth::net::admin::ProcessFigures;

TEST_CASE("Process: descriptors and threads are counted as they come and go", "[admin]") {
  const ProcessFigures before = process_figures();
  const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::latch ends(1);
  std::thread thread([&ends] { ends.wait(); });
  const ProcessFigures with = process_figures();
  CHECK(with.open_descriptors == before.open_descriptors + 1);
  CHECK(with.threads == before.threads + 1);
  ends.count_down();
  thread.join();
  close(descriptor);
  CHECK(process_figures().open_descriptors == before.open_descriptors);
}

TEST_CASE("Process: memory, CPU time and start are those of this process", "[admin]") {
  const ProcessFigures before = process_figures();
  // Pages of its own: malloc might give what was there before, and is still resident.
  constexpr size_t kBytes = 64u << 20;
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  std::memset(memory, 'x', kBytes);
  uint64_t sum = 0;
  for (size_t i = 0; i < kBytes; ++i) sum += static_cast<const unsigned char*>(memory)[i];
  const ProcessFigures after = process_figures();
  CHECK(sum == kBytes * 'x');
  CHECK(::munmap(memory, kBytes) == 0);
  CHECK(after.resident_bytes >= before.resident_bytes + kBytes / 2);
  CHECK(after.virtual_bytes >= after.resident_bytes);
  CHECK(after.cpu_time > before.cpu_time);
  CHECK(after.descriptors_max > after.open_descriptors);
  CHECK(after.started == before.started);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  CHECK(after.started <= now + std::chrono::seconds(2));  // the system's boot time is in whole seconds
  CHECK(after.started > now - std::chrono::hours(1));
}
