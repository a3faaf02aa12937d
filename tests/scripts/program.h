// The real `hearth` as a child process. Thread: one.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/raw_client.h"

extern char** environ;

namespace hearth::test {

// A program may do much, on a machine that does more; one that hangs is killed then.
inline constexpr std::chrono::seconds kProgramPatience{120};

// A child whose standard output and error go to files.
class Program {
 public:
  explicit Program(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, (files_ / "out").c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (files_ / "err").c_str(), flags, 0600);
    const int code = posix_spawnp(&process_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) throw std::runtime_error("cannot start " + words[0]);
  }
  ~Program() {
    if (!status_) signal(SIGKILL);
    wait();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::string output() const { return contents(files_ / "out"); }
  std::string errors() const { return contents(files_ / "err"); }
  pid_t process() const { return process_; }
  bool is_running() {
    poll();
    return !status_;
  }
  void signal(int number) const { kill(process_, number); }

  // The exit code; 128 + n when signal n ended it.
  int wait() {
    const auto deadline = std::chrono::steady_clock::now() + kProgramPatience;
    while (!status_) {
      if (std::chrono::steady_clock::now() > deadline) signal(SIGKILL);
      poll();
      if (!status_) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return *status_;
  }

 private:
  void poll() {
    int status = 0;
    if (status_ || waitpid(process_, &status, WNOHANG) != process_) return;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  Folder files_;
  pid_t process_ = -1;
  std::optional<int> status_;
};

// What `hearth` with these words says, and how it ends.
struct Told {
  int status;
  std::string output, errors;
};
inline Told run(std::vector<std::string> words) {
  words.insert(words.begin(), HEARTH_BIN_DIR "/hearth");
  Program program(std::move(words));
  const int status = program.wait();
  return {status, program.output(), program.errors()};
}

// `hearth serve` with these flags and a free port, ready or ended when made.
class Server {
 public:
  explicit Server(std::vector<std::string> flags, std::vector<std::string> before = {})
      : program_(words(std::move(flags), std::move(before))) {
    const auto deadline = std::chrono::steady_clock::now() + kProgramPatience;
    while (program_.is_running() && std::chrono::steady_clock::now() < deadline) {
      const std::string line = program_.output();
      if (line.ends_with('\n')) {
        port_ = static_cast<uint16_t>(std::atoi(line.c_str() + line.rfind(':') + 1));
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  Program& program() { return program_; }
  uint16_t port() const { return port_; }  // 0: it did not start
  Reply ask(const Request& request) const { return test::ask(port_, request); }
  int stop(int signal) {
    program_.signal(signal);
    return program_.wait();
  }

 private:
  static std::vector<std::string> words(std::vector<std::string>&& flags, std::vector<std::string>&& before) {
    std::vector<std::string> all = std::move(before);
    all.insert(all.end(), {HEARTH_BIN_DIR "/hearth", "serve"});
    bool has_port = false;
    for (std::string& flag : flags) {
      has_port |= flag == "--port";
      all.push_back(std::move(flag));
    }
    if (!has_port) all.insert(all.end(), {"--port", "0"});
    return all;
  }

  Program program_;
  uint16_t port_ = 0;
};

}  // namespace hearth::test
