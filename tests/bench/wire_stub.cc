// The least that answers `hearth bench writes`, `latency` and `fanout`: the wire on one thread, with no tree, no disk,
// no rules, no JSON parser and no limits. A floor for what Hearth's sockets cost (README.md).
//
//   wire_stub PORT     until it is killed
//
//   epoll ─▶ each readable socket: recv, frames, messages ─▶ bytes for whoever is told, kept by connection
//         ◀─ once for all that the turn brought: one send for each connection that has bytes
//
// An event's frame is made once, and its bytes are appended for each who listens to just that path. A client that does
// not read is kept for without limit, and what is not understood ends the connection: clients are benchmarks.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

constexpr unsigned char kText = 0x81, kClose = 0x88, kPing = 0x89, kPong = 0x8a;  // whole frames
constexpr std::string_view kSocketId = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";    // RFC 6455, 1.3
constexpr std::string_view kHello = R"({"t":"c","d":{"t":"h","d":{"ts":1,"v":"5","h":"127.0.0.1","s":"stub"}}})";

void must(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

void append_frame(unsigned char kind, std::string_view text, std::string& to) {
  to += static_cast<char>(kind);
  if (text.size() < 126) {
    to += static_cast<char>(text.size());
  } else {
    must(text.size() <= UINT16_MAX, "a message is too long for a stub");
    to += static_cast<char>(126);
    to += static_cast<char>(text.size() >> 8);
    to += static_cast<char>(text.size());
  }
  to += text;
}

std::string accept_key(std::string_view head) {
  constexpr std::string_view name = "Sec-WebSocket-Key: ";
  const size_t at = head.find(name);
  must(at != std::string_view::npos, "an upgrade without a key");
  const std::string key(head.substr(at + name.size(), head.find('\r', at) - at - name.size()));
  const std::string whole = key + std::string(kSocketId);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(whole.data()), whole.size(), digest.data());
  std::array<unsigned char, 4 * (SHA_DIGEST_LENGTH + 2) / 3 + 1> text;
  const int length = EVP_EncodeBlock(text.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {reinterpret_cast<const char*>(text.data()), static_cast<size_t>(length)};
}

// What stands between `from` and `upto`, both of which are there.
std::string_view between(std::string_view text, std::string_view from, std::string_view upto) {
  const size_t begin = text.find(from);
  must(begin != std::string_view::npos, "a message is not understood");
  text.remove_prefix(begin + from.size());
  const size_t end = text.find(upto);
  must(end != std::string_view::npos, "a message is not understood");
  return text.substr(0, end);
}

struct Connection {
  explicit Connection(int of) : descriptor(of) {}
  ~Connection() { ::close(descriptor); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  const int descriptor;
  std::string in, out;
  bool is_wire = false;  // upgraded
  bool is_dirty = false;
  bool waits_to_write = false;
  bool is_over = false;
  std::set<std::string> paths;
};

class Stub {
 public:
  explicit Stub(uint16_t port) : listener_(::socket(AF_INET, SOCK_STREAM, 0)), epoll_(epoll_create1(0)) {
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "the port is taken");
    must(::listen(listener_, 1'000) == 0, "nobody can connect");
    watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> ready;
    for (;;) {
      const int count = epoll_wait(epoll_, ready.data(), ready.size(), -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& one = ready[static_cast<size_t>(i)];
        if (one.data.fd == listener_) {
          accept();
          continue;
        }
        Connection& connection = *connections_.at(one.data.fd);
        if ((one.events & EPOLLOUT) != 0) mark(connection);
        if ((one.events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) read(connection);
      }
      flush();
    }
  }

 private:
  void watch(int descriptor, uint32_t events, int how) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    must(epoll_ctl(epoll_, how, descriptor, &event) == 0, "epoll refuses a socket");
  }
  void mark(Connection& connection) {
    if (!std::exchange(connection.is_dirty, true)) dirty_.push_back(&connection);
  }
  void end(Connection& connection) {
    connection.is_over = true;  // flush() removes it: the turn may still hold it
    mark(connection);
  }

  void accept() {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    if (descriptor < 0) return;
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_.emplace(descriptor, std::make_unique<Connection>(descriptor));
    watch(descriptor, EPOLLIN, EPOLL_CTL_ADD);
  }

  void read(Connection& connection) {
    const ssize_t bytes = ::recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
    if (bytes < 0 && errno == EAGAIN) return;
    if (bytes <= 0) return end(connection);
    connection.in.append(buffer_.data(), static_cast<size_t>(bytes));
    size_t used = 0;
    try {
      while (!connection.is_over) {
        const size_t taken = connection.is_wire ? take_frame(connection, used) : take_head(connection, used);
        if (taken == 0) break;
        used += taken;
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "wire_stub: %s\n", error.what());
      end(connection);
    }
    connection.in.erase(0, used);
  }

  // A request is an upgrade, or one without a body, as DELETE of what an earlier run has left.
  size_t take_head(Connection& connection, size_t from) {
    const std::string_view all = std::string_view(connection.in).substr(from);
    const size_t end_of_head = all.find("\r\n\r\n");
    if (end_of_head == std::string_view::npos) return 0;
    const std::string_view head = all.substr(0, end_of_head + 2);
    if (head.find("Upgrade: websocket") == std::string_view::npos) {
      connection.out += "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull";
    } else {
      connection.out += "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
      connection.out += "Sec-WebSocket-Accept: " + accept_key(head) + "\r\n\r\n";
      append_frame(kText, kHello, connection.out);
      connection.is_wire = true;
    }
    mark(connection);
    return end_of_head + 4;
  }

  size_t take_frame(Connection& connection, size_t from) {
    const size_t there = connection.in.size() - from;
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(connection.in[from + i]); };
    if (there < 2) return 0;
    must((byte(1) & 0x80) != 0, "a client's frame is not masked");
    size_t length = byte(1) & 0x7f, head = 2;
    must(length < 127, "a frame is too long for a stub");
    if (length == 126) {
      if (there < 4) return 0;
      length = static_cast<size_t>(byte(2) << 8 | byte(3));
      head = 4;
    }
    if (there < head + 4 + length) return 0;
    char* const text = connection.in.data() + from + head + 4;
    for (size_t i = 0; i < length; ++i) text[i] = static_cast<char>(text[i] ^ connection.in[from + head + i % 4]);
    if (byte(0) == kText) {
      on_message(connection, {text, length});
    } else if (byte(0) == kPing) {
      append_frame(kPong, {text, length}, connection.out);
      mark(connection);
    } else {
      must(byte(0) == kClose || byte(0) == kPong, "a frame is not understood");
      if (byte(0) == kClose) end(connection);
    }
    return head + 4 + length;
  }

  void on_message(Connection& connection, std::string_view text) {
    if (text == "0") return;  // keep-alive
    const std::string_view number = between(text, R"("r":)", ",");
    const std::string_view action = between(text, R"("a":")", "\"");
    if (action == "p") {
      const std::string_view path = between(text, R"("p":")", "\"");
      constexpr std::string_view data = R"(","d":)";
      const size_t begin = static_cast<size_t>(path.end() - text.begin()) + data.size();
      must(text.substr(begin - data.size(), data.size()) == data && text.ends_with("}}}"), "a put is not understood");
      tell(path, text.substr(begin, text.size() - begin - 3));
    } else if (action == "q" || action == "n") {
      const std::string path(between(text, R"("p":")", "\""));
      if (action == "q") {
        listeners_[path].insert(&connection);
        connection.paths.insert(path);
      } else {
        listeners_[path].erase(&connection);
        connection.paths.erase(path);
      }
    }
    answer_.assign(R"({"t":"d","d":{"r":)").append(number).append(R"(,"b":{"s":"ok","d":""}}})");
    append_frame(kText, answer_, connection.out);
    mark(connection);
  }

  void tell(std::string_view path, std::string_view value) {
    path_ = path;
    const auto found = listeners_.find(path_);
    if (found == listeners_.end() || found->second.empty()) return;
    event_.assign(R"({"t":"d","d":{"a":"d","b":{"p":")").append(path.substr(1)).append(R"(","d":)").append(value);
    frame_.clear();
    append_frame(kText, event_ += "}}}", frame_);
    for (Connection* listener : found->second) {
      listener->out += frame_;
      mark(*listener);
    }
  }

  void flush() {
    for (Connection* const connection : std::exchange(dirty_, {})) {
      connection->is_dirty = false;
      if (!connection->is_over && !connection->out.empty()) {
        const ssize_t sent =
            ::send(connection->descriptor, connection->out.data(), connection->out.size(), MSG_NOSIGNAL);
        if (sent > 0) connection->out.erase(0, static_cast<size_t>(sent));
        connection->is_over = sent < 0 && errno != EAGAIN;
      }
      if (connection->is_over) {
        for (const std::string& path : connection->paths) listeners_[path].erase(connection);
        connections_.erase(connection->descriptor);
        continue;
      }
      if (const bool waits = !connection->out.empty(); waits != std::exchange(connection->waits_to_write, waits)) {
        watch(connection->descriptor, waits ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
      }
    }
  }

  const int listener_, epoll_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;  // by descriptor
  std::unordered_map<std::string, std::set<Connection*>> listeners_;  // by path
  std::vector<Connection*> dirty_;                                    // with bytes to send, or to be removed
  std::array<char, 64 << 10> buffer_;
  std::string path_, answer_, event_, frame_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    must(argc == 2, "say a port");
    Stub(static_cast<uint16_t>(std::atoi(argv[1]))).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "wire_stub: %s\n", error.what());
    return 1;
  }
}
