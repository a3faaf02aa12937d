// Figures of this process from /proc/self/stat (man 5 proc). The name of the program stands in it in parentheses and
// may hold blanks and parentheses too, so fields are counted from behind the last one.
#include "net/admin/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace hearth::net::admin {
namespace {

// Fields of /proc/self/stat, counted from behind the name, which may hold anything (man 5 proc).
constexpr size_t kThreads = 17;
constexpr size_t kStarted = 19;
constexpr size_t kVirtualBytes = 20;
constexpr size_t kResidentPages = 21;
constexpr size_t kFields = 22;

// When the machine started, since the epoch: a process's start is told in ticks from there.
std::chrono::milliseconds booted() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    int64_t seconds = 0;
    if (word == "btime" && file >> seconds) return std::chrono::seconds(seconds);
  }
  return {};
}

}  // namespace

ProcessFigures process_figures() {
  ProcessFigures figures;
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(std::min(line.rfind(')') + 1, line.size())));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  if (fields.size() >= kFields) {
    const auto number = [&fields](size_t at) { return std::strtoull(fields[at].c_str(), nullptr, 10); };
    figures.threads = number(kThreads);
    figures.virtual_bytes = number(kVirtualBytes);
    figures.resident_bytes = number(kResidentPages) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    const auto ticks = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
    figures.started = booted() + std::chrono::milliseconds(number(kStarted) * 1000 / ticks);
  }
  timespec cpu{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
    figures.cpu_time = std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec);
  }
  std::error_code failed;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", failed);
       !failed && at != std::filesystem::directory_iterator(); at.increment(failed)) {
    ++figures.open_descriptors;
  }
  if (figures.open_descriptors > 0) --figures.open_descriptors;  // the descriptor by which we look
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.descriptors_max = limit.rlim_cur;
  return figures;
}

}  // namespace hearth::net::admin
