// The real `hearth` as a child process, and one HTTP request at a time to it. Thread: one.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

extern char** environ;

namespace hearth::test {

inline constexpr std::chrono::seconds kPatience{30};  // with anything a process has to do

inline std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A new folder, removed at the end.
class Folder {
 public:
  Folder() {
    path_ = (std::filesystem::temp_directory_path() / "hearth-test-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

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
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
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

struct Reply {
  int status = 0;
  std::string head;  // in lower case
  std::string body;
};

// A connection to a port of this machine.
class Connection {
 public:
  explicit Connection(uint16_t port, const std::string& host = "127.0.0.1") {
    const bool six = host.find(':') != std::string::npos;
    socket_ = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    sockaddr_in6 other{};
    other.sin6_family = AF_INET6;
    other.sin6_port = htons(port);
    inet_pton(six ? AF_INET6 : AF_INET, host.c_str(), six ? static_cast<void*>(&other.sin6_addr) : &four.sin_addr);
    const auto* address = six ? reinterpret_cast<const sockaddr*>(&other) : reinterpret_cast<const sockaddr*>(&four);
    connected_ = connect(socket_, address, six ? sizeof other : sizeof four) == 0;
    const timeval patience{kPatience.count(), 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Connection() { close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_connected() const { return connected_; }
  void send_text(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      text.remove_prefix(static_cast<size_t>(count));
    }
  }
  // All that comes until `mark`, or until the other side closes (or is silent for too long).
  std::string read_until(std::string_view mark) {
    std::string all;
    char bytes[4096];
    while (mark.empty() || all.find(mark) == std::string::npos) {
      const ssize_t count = recv(socket_, bytes, sizeof bytes, 0);
      if (count <= 0) break;
      all.append(bytes, static_cast<size_t>(count));
    }
    return all;
  }
  std::string read_to_end() { return read_until(""); }

 private:
  int socket_;
  bool connected_ = false;
};

struct Request {
  std::string method = "GET";
  std::string target = "/.json";
  std::string body = "";
  std::string headers = "";  // each with \r\n
};

// On a connection of its own. Status 0: nobody listens, or no answer came.
inline Reply ask(uint16_t port, const Request& request, const std::string& host = "127.0.0.1") {
  Connection connection(port, host);
  Reply reply;
  if (!connection.is_connected()) return reply;
  connection.send_text(
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n{}",
                  request.method, request.target, port, request.headers, request.body.size(), request.body));
  const std::string all = connection.read_to_end();
  const size_t end = all.find("\r\n\r\n");
  if (end == std::string::npos) return reply;
  reply.head = all.substr(0, end);
  for (char& c : reply.head) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  reply.status = std::atoi(reply.head.c_str() + reply.head.find(' '));
  reply.body = all.substr(end + 4);
  return reply;
}

// `hearth serve` with these flags and a free port, ready or ended when made.
class Server {
 public:
  explicit Server(std::vector<std::string> flags, std::vector<std::string> before = {})
      : program_(words(std::move(flags), std::move(before))) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
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
