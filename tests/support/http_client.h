// A client of HTTP and WebSocket, plain or over TLS, which says exactly what a test wants said. It waits a bounded time
// for everything; what does not come in that time is missing from what it returns. Thread: one each, and one
// more that sends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/tls.h"

namespace hearth::test {

// Where a server is. With `tls`, that is what it speaks.
struct Endpoint {
  Endpoint(uint16_t the_port, SSL_CTX* the_tls = nullptr) : port(the_port), tls(the_tls) {}
  uint16_t port;
  SSL_CTX* tls;
  const char* from = nullptr;  // the IPv4 address that the client has; null: the system's choice
};
inline Endpoint from_address(const char* address, uint16_t port) {
  Endpoint endpoint(port);
  endpoint.from = address;
  return endpoint;
}

class HttpClient {
 public:
  struct Reply {
    int status = 0;      // 0: no answer came
    std::string head{};  // in lower case
    std::string body{};  // without the chunk sizes
    bool whole = false;
    bool has(std::string_view field) const { return head.find(field) != std::string::npos; }
  };

  struct Frame {
    int opcode = -1;  // -1: none came
    std::string payload{};
    int close_code() const {
      return payload.size() < 2 ? 0 : static_cast<uint8_t>(payload[0]) << 8 | static_cast<uint8_t>(payload[1]);
    }
  };

  // `receive_bytes`: the socket's buffer, small for slow readers; 0: the system's choice.
  // `first` is said before anything else, TLS too. `session`: of an earlier connection, to be resumed.
  explicit HttpClient(Endpoint to_server, const std::string& host = "127.0.0.1", int receive_bytes = 0,
                      std::string_view first = "", SSL_SESSION* session = nullptr) {
    const bool six = host.find(':') != std::string::npos;
    socket_ = ::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_bytes > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    const uint16_t port = to_server.port;
    const int yes = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (six) {
      sockaddr_in6 to{};
      to.sin6_family = AF_INET6;
      to.sin6_port = htons(port);
      ::inet_pton(AF_INET6, host.c_str(), &to.sin6_addr);
      connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    } else {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(port);
      ::inet_pton(AF_INET, host.c_str(), &to.sin_addr);
      if (to_server.from != nullptr) {
        sockaddr_in from{};
        from.sin_family = AF_INET;
        ::inet_pton(AF_INET, to_server.from, &from.sin_addr);
        ::bind(socket_, reinterpret_cast<sockaddr*>(&from), sizeof from);
      }
      connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    if (!first.empty()) send_raw(first);
    if (connected_ && to_server.tls != nullptr) connected_ = shake_hands(to_server.tls, session);
  }
  ~HttpClient() { close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool is_connected() const { return connected_; }
  void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  void shutdown_send() {
    if (!tls_) return void(::shutdown(socket_, SHUT_WR));
    tls_->end();  // close_notify is the end of what we say; the socket stays
    send_raw(tls_->to_send());
  }
  // As one who knows nothing of TLS, or has broken off: FIN alone.
  void shutdown_socket() { ::shutdown(socket_, SHUT_WR); }
  SSL* tls() { return tls_ ? tls_->ssl() : nullptr; }
  bool has_tls_ended() const { return tls_ && tls_->has_ended(); }  // the server has said goodbye

  // False when the other side does not take it all.
  bool send(std::string_view bytes) {
    if (!tls_) return send_raw(bytes);
    const std::lock_guard order(sending_);
    return send_raw([&] {
      const std::lock_guard lock(sealing_);
      tls_->seal(bytes);
      return tls_->to_send();
    }());
  }
  bool send_raw(std::string_view bytes) {
    while (!bytes.empty()) {
      pollfd ready{socket_, POLLOUT, 0};
      if (::poll(&ready, 1, static_cast<int>(patience_.count())) <= 0) return false;
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  // GET when there is no body, else PUT. `fields`: each with its CRLF.
  void ask(std::string_view target, std::string_view fields = "", std::string_view body = "",
           std::string_view method = "") {
    std::string text(!method.empty() ? method : body.empty() ? "GET" : "PUT");
    text.append(" ").append(target).append(" HTTP/1.1\r\nHost: test\r\n").append(fields);
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    send(text.append("\r\n").append(body));
  }

  // True when the other side has closed, after what has not been taken yet.
  bool is_closed() {
    while (buffer_.empty() && receive()) {
    }
    return buffer_.empty() && ended_;
  }
  // Whether nothing comes, and the connection stays, for `time`.
  bool is_silent_for(std::chrono::milliseconds time) {
    const auto patience = std::exchange(patience_, time);
    const bool came = !buffer_.empty() || receive();
    patience_ = patience;
    return !came && !ended_;
  }

  std::string take(size_t count) {
    while (buffer_.size() < count && receive()) {
    }
    return cut(count);
  }
  // Up to and with `mark`; all there is when it does not come.
  std::string take_until(std::string_view mark) {
    size_t at = 0;
    while ((at = buffer_.find(mark)) == std::string::npos && receive()) {
    }
    return cut(at == std::string::npos ? buffer_.size() : at + mark.size());
  }
  std::string take_all() {
    while (receive()) {
    }
    return cut(buffer_.size());
  }

  enum class Body { AsSaid, None };
  Reply reply(Body body = Body::AsSaid) {
    Reply reply;
    reply.head = take_until("\r\n\r\n");
    for (char& c : reply.head) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    if (!reply.head.ends_with("\r\n\r\n")) return reply;
    reply.status = std::atoi(reply.head.c_str() + std::string_view("http/1.1 ").size());
    if (body == Body::None || reply.status == 204 || reply.status == 304 || reply.status < 200) {
      reply.whole = true;
    } else if (reply.has("\r\ntransfer-encoding: chunked\r\n")) {
      take_chunks(reply);
    } else if (const size_t at = reply.head.find("\r\ncontent-length: "); at != std::string::npos) {
      const auto length = static_cast<size_t>(std::atoll(reply.head.c_str() + at + 18));
      reply.body = take(length);
      reply.whole = reply.body.size() == length;
    } else {
      reply.body = take_all();
      reply.whole = ended_;
    }
    return reply;
  }

  // --- WebSocket ---

  Reply upgrade(std::string_view target = "/socket", std::string_view behind = "") {
    std::string text = "GET " + std::string(target) +
                       " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    send(text.append(behind));
    return reply(Body::None);
  }

  enum class Fin { Yes, No };
  // As a client sends it: masked.
  static std::string frame(int opcode, std::string_view payload, Fin fin = Fin::Yes) {
    std::string text;
    text += static_cast<char>((fin == Fin::Yes ? 0x80 : 0) | opcode);
    const uint64_t size = payload.size();
    const int length_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
    text += static_cast<char>(0x80 | (length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127));
    for (int i = length_bytes - 1; i >= 0; --i) text += static_cast<char>(size >> (8 * i));
    const std::string_view key = "\x12\xf4\x56\x78";
    text += key;
    for (size_t i = 0; i < payload.size(); ++i) text += static_cast<char>(payload[i] ^ key[i % 4]);
    return text;
  }
  void send_text(std::string_view payload) { send(frame(1, payload)); }
  void send_close(int code) { send(frame(8, std::string{static_cast<char>(code >> 8), static_cast<char>(code)})); }

  Frame take_frame() {
    Frame frame;
    const std::string head = take(2);
    if (head.size() < 2) return frame;
    uint64_t size = static_cast<uint8_t>(head[1]) & 0x7f;
    if (size >= 126) {
      const std::string length = take(size == 126 ? 2 : 8);
      size = 0;
      for (const char c : length) size = size << 8 | static_cast<uint8_t>(c);
    }
    frame.payload = take(size);
    if (frame.payload.size() == size) frame.opcode = static_cast<uint8_t>(head[0]) & 0x0f;
    return frame;
  }

 private:
  bool receive() {
    while (!ended_) {
      const std::string came = receive_raw();
      if (!tls_ && !came.empty()) buffer_ += came;
      if (!tls_ || came.empty()) return !came.empty();
      const std::string opened = open(came);
      buffer_ += opened;
      ended_ = tls_->has_ended() || tls_->has_failed();
      if (!opened.empty()) return true;
    }
    return false;
  }
  // And answers what TLS itself is asked; when another thread is sending, that one does.
  std::string open(const std::string& came) {
    std::unique_lock order(sending_, std::try_to_lock);
    std::string opened;
    std::string answer;
    {
      const std::lock_guard lock(sealing_);
      tls_->came(came);
      opened = tls_->opened();
      if (order) answer = tls_->to_send();
    }
    send_raw(answer);
    return opened;
  }
  // "" when nothing comes in time, or nothing will.
  std::string receive_raw() {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(patience_.count())) <= 0) return {};
    char bytes[64 << 10];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT);
    ended_ = count <= 0;
    return {bytes, static_cast<size_t>(std::max<ssize_t>(count, 0))};
  }
  bool shake_hands(SSL_CTX* context, SSL_SESSION* session) {
    tls_.emplace(context, "localhost");
    if (session != nullptr) SSL_set_session(tls_->ssl(), session);
    for (;;) {
      const bool is_done = tls_->shake_hands();
      send_raw(tls_->to_send());
      if (is_done) break;
      const std::string came = receive_raw();
      if (came.empty()) return false;
      tls_->came(came);
    }
    buffer_ = tls_->opened();  // what came with the last of the handshake
    return true;
  }
  std::string cut(size_t count) {
    std::string bytes = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return bytes;
  }
  void take_chunks(Reply& reply) {
    for (;;) {
      const std::string line = take_until("\r\n");
      const size_t size = std::strtoull(line.c_str(), nullptr, 16);
      if (!line.ends_with("\r\n")) return;
      const std::string chunk = take(size + 2);
      if (!chunk.ends_with("\r\n")) return;
      reply.body.append(chunk, 0, size);
      if (size == 0) break;
    }
    reply.whole = true;
  }

  int socket_ = -1;
  std::optional<TestTls> tls_;
  std::mutex sealing_;  // Guards tls_.
  std::mutex sending_;  // Held while what was sealed is sent: records are numbered. Taken first.
  bool connected_ = false;
  bool ended_ = false;
  std::chrono::milliseconds patience_{20'000};
  std::string buffer_;
};

}  // namespace hearth::test
