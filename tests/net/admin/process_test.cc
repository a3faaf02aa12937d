#include "net/admin/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
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
  constexpr size_t kBytes = 64u << 20;
  std::string memory(kBytes, 'x');
  uint64_t sum = 0;
  for (const char c : memory) sum += static_cast<uint64_t>(c);
  const ProcessFigures after = process_figures();
  CHECK(sum == kBytes * 'x');
  CHECK(after.resident_bytes >= before.resident_bytes + kBytes / 2);
  CHECK(after.virtual_bytes >= after.resident_bytes);
  CHECK(after.cpu_time > before.cpu_time);
  CHECK(after.descriptors_max > after.open_descriptors);
  CHECK(after.started == before.started);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  CHECK(after.started <= now + std::chrono::seconds(2));  // the system's boot time is in whole seconds
  CHECK(after.started > now - std::chrono::hours(1));
}
