// The server that is measured, as a child process.
//
// It is ready when it has said on standard output where it listens: that line is read a byte at a time up to its end,
// and no further, since the pipe is closed then. start_time() is from fork() to that line, what a user waits for
// after a restart. Between fork() and exec() only calls that are allowed there are made; the words were built before.
#include "tools/bench/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace hearth::tools {
namespace {

// Of a file in /proc, in bytes.
double memory_figure(pid_t process, const char* file, std::string_view name) {
  std::ifstream from(fmt::format("/proc/{}/{}", process, file));
  double kilobytes = 0;
  for (std::string word; from >> word;) {
    if (word == name) from >> kilobytes;
  }
  return kilobytes * 1024;
}

}  // namespace

// smaps_rollup is exact. VmRSS in `status` is not: threads add up what they changed only now and then.
double memory_bytes_of(pid_t process) { return memory_figure(process, "smaps_rollup", "Rss:"); }

ServerProcess::ServerProcess(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"hearth", "serve"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("bench: no pipe");
  const auto begin = Steady::now();
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) {
    // The server does not outlive the bench, however that ends.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(ends[1], STDOUT_FILENO) >= 0) execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  close(ends[1]);
  std::string line;
  char byte;
  while (process_ > 0 && read(ends[0], &byte, 1) == 1 && byte != '\n') line += byte;
  close(ends[0]);
  start_time_ = Steady::now() - begin;
  const size_t at = line.find("http");
  if (at == std::string::npos) {
    stop(SIGKILL);
    throw std::runtime_error("bench: the server did not start");
  }
  address_ = parse_url(line.substr(at));
  address_.is_ours = true;
}

ServerProcess::~ServerProcess() { stop(SIGKILL); }

std::chrono::nanoseconds ServerProcess::cpu() const {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(process_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    throw std::runtime_error("bench: the server is gone");
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

double ServerProcess::peak_memory_bytes() const { return memory_figure(process_, "status", "VmHWM:"); }

void ServerProcess::stop(int signal) {
  if (process_ < 0) return;
  kill(process_, signal);
  while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

}  // namespace hearth::tools
