// HTTP over plain sockets of this machine, and how long tests wait. Thread: one each.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "tests/support/temp_folder.h"

namespace hearth::test {

inline constexpr std::chrono::seconds kPatience{30};  // with anything a process has to do

inline std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Folder : TempFolder {
  std::string operator/(const std::string& name) const { return path() + "/" + name; }
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

}  // namespace hearth::test
