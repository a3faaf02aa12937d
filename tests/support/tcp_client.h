// A client that sends bytes as a test writes them, and reads what comes. Blocking, with patience. Thread: one.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace hearth::test {

struct HttpReply {
  int status = 0;
  std::string head;  // up to and with the empty line
  std::string body;  // without its chunks

  // "" when it is not there.
  std::string header(std::string name) const {
    const auto lower = [](std::string text) {
      std::transform(text.begin(), text.end(), text.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return text;
    };
    const size_t at = lower(head).find("\r\n" + lower(std::move(name)) + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = head.find(": ", at) + 2;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

class TcpClient {
 public:
  static constexpr std::chrono::seconds kPatience{20};

  explicit TcpClient(uint16_t port, const char* address = "127.0.0.1", int receive_buffer_bytes = 0) {
    const bool is_v6 = std::string_view(address).find(':') != std::string_view::npos;
    fd_ = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int failed = 0;
    if (is_v6) {
      sockaddr_in6 to{};
      to.sin6_family = AF_INET6;
      to.sin6_port = htons(port);
      inet_pton(AF_INET6, address, &to.sin6_addr);
      failed = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
    } else {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(port);
      inet_pton(AF_INET, address, &to.sin_addr);
      failed = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
    if (failed != 0) {
      ::close(fd_);
      throw std::runtime_error("cannot connect");
    }
  }
  ~TcpClient() { close(); }
  TcpClient(const TcpClient&) = delete;
  TcpClient& operator=(const TcpClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void end_sending() { shutdown(fd_, SHUT_WR); }

  // False when the server takes no more.
  bool try_send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void send(std::string_view bytes) {
    if (!try_send(bytes)) throw std::runtime_error("the server takes no more");
  }

  // What comes next, added to what has been read ahead. False at the end. Throws when nothing comes for kPatience.
  bool read_some() {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) <= 0) {
      throw std::runtime_error("the server says nothing");
    }
    char buffer[65536];
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0) {
      was_reset_ = got < 0;
      return false;
    }
    ahead_.append(buffer, static_cast<size_t>(got));
    return true;
  }

  std::string read(size_t count) {
    while (ahead_.size() < count) need_more();
    return take(count);
  }
  std::string read_until(std::string_view end) {
    size_t at = 0;
    while ((at = ahead_.find(end)) == std::string::npos) need_more();
    return take(at + end.size());
  }
  std::string read_to_end() {
    while (read_some()) {
    }
    return std::exchange(ahead_, {});
  }
  bool is_silent_for(std::chrono::milliseconds time) {
    pollfd ready{fd_, POLLIN, 0};
    return ahead_.empty() && poll(&ready, 1, static_cast<int>(time.count())) == 0;
  }
  bool was_reset() const { return was_reset_; }

  enum class Body { Expected, None };  // None: the answer to a HEAD
  HttpReply read_reply(Body body = Body::Expected) {
    HttpReply reply;
    reply.head = read_until("\r\n\r\n");
    reply.status = std::stoi(reply.head.substr(9, 3));
    const bool has_none = body == Body::None || reply.status < 200 || reply.status == 204 || reply.status == 304;
    if (has_none) return reply;
    if (reply.header("Transfer-Encoding") == "chunked") {
      for (;;) {
        const size_t size = std::stoul(read_until("\r\n"), nullptr, 16);
        reply.body += read(size);
        if (read(2) != "\r\n") throw std::runtime_error("a chunk does not end as it should");
        if (size == 0) return reply;
      }
    }
    const std::string length = reply.header("Content-Length");
    reply.body = length.empty() ? read_to_end() : read(std::stoul(length));
    return reply;
  }
  HttpReply ask(std::string_view request) {
    send(request);
    return read_reply();
  }

 private:
  void need_more() {
    if (!read_some()) throw std::runtime_error("the connection ended after: " + ahead_.substr(0, 200));
  }
  std::string take(size_t count) {
    std::string taken = ahead_.substr(0, count);
    ahead_.erase(0, count);
    return taken;
  }

  int fd_ = -1;
  std::string ahead_;
  bool was_reset_ = false;
};

}  // namespace hearth::test
