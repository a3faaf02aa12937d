// The bench's clients: thousands of connections, one thread, and as little work as possible.
//
//   WireLoop ── epoll ─┬─ Wire 0 ─ Socket [ClientTls]      put(), listen() ─▶ outgoing_ ─▶ flush()
//                      ├─ Wire 1                           on_message ◀─ on_text ◀─ on_frame ◀─ take_frame ◀─ incoming_
//                      └─ …
//   turn(): flush what was touched ─▶ epoll_wait ─▶ receive, up to 64 connections ─▶ flush what that has queued
//
// Client and server share two cores, so whatever the client spends is missing in what is measured. Hence this is no
// general client:
// - A message is told by its first bytes: an answer (its number follows), an event (number 0) or the hello. Nothing
//   is parsed.
// - Frames are masked with zeros, which are a mask like any other and cost nothing.
// - What a callback queues leaves at the end of the turn, in one write for each connection. touched_ names those that
//   may have something; to ask all of 10,000 would cost more than the events.
//
// It trusts its server: anything unexpected throws, and the run is void. A figure of a run in which something failed
// would be worse than none. Silence of half a minute is a failure too, so that a run cannot hang.
//
// EPOLLOUT is asked for only while something is left to be written (Watched), since a socket is nearly always
// writable.
#include "tools/bench/client.h"
#include "db/base/give_back.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace hearth::tools {

void fail(std::string_view what) { throw std::runtime_error(fmt::format("bench: {}", what)); }

namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr std::chrono::seconds kSilenceMax{30};
constexpr int kSilenceMilliseconds = static_cast<int>(std::chrono::milliseconds(kSilenceMax).count());
constexpr uint8_t kTextFrame = 1, kCloseFrame = 8, kPingFrame = 9, kPongFrame = 10;

[[noreturn]] void fail_errno(std::string_view what) { fail(fmt::format("{}: {}", what, std::strerror(errno))); }

// Binds to a source address. IP_BIND_ADDRESS_NO_PORT leaves the port to connect(), which may use one port for several
// targets: else one address would run out of ports at some 28,000 connections.
void bind_to(int descriptor, const std::string& source) {
  sockaddr_in from{};
  from.sin_family = AF_INET;
  const int on = 1;
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (inet_pton(AF_INET, source.c_str(), &from.sin_addr) != 1 ||
      bind(descriptor, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
    fail_errno(fmt::format("cannot come from {}", source));
  }
}

void send_all(Socket& socket, std::string_view bytes) {
  while (!bytes.empty()) bytes.remove_prefix(socket.write_some(bytes));
}

// Reads the head of a reply and returns it in lower case. What came behind it stays in `incoming`.
std::string read_head(Socket& socket, std::string& incoming) {
  size_t end;
  while ((end = incoming.find("\r\n\r\n")) == std::string::npos) socket.read_some(incoming);
  std::string head = incoming.substr(0, end + 4);
  incoming.erase(0, end + 4);
  for (char& c : head) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return head;
}

template <typename Number>
Number number_in(std::string_view text, int base = 10) {
  Number number{};
  if (std::from_chars(text.data(), text.data() + text.size(), number, base).ec != std::errc{})
    fail("a number was expected");
  return number;
}

void read_exactly(Socket& socket, std::string& incoming, size_t count) {
  while (incoming.size() < count) socket.read_some(incoming);
}

std::string read_chunks(Socket& socket, std::string& incoming) {
  std::string body;
  size_t at = 0;
  while (true) {
    size_t end;
    while ((end = incoming.find("\r\n", at)) == std::string::npos) socket.read_some(incoming);
    const auto size = number_in<size_t>(std::string_view(incoming).substr(at, end - at), 16);
    read_exactly(socket, incoming, end + 2 + size + 2);
    if (size == 0) return body;
    body.append(incoming, end + 2, size);
    at = end + 2 + size + 2;
    if (at > kReadBytes) {
      incoming.erase(0, at);
      at = 0;
    }
  }
}

}  // namespace

Address parse_url(std::string_view url) {
  constexpr std::string_view scheme = "http://", tls_scheme = "https://";
  const bool is_tls = url.starts_with(tls_scheme);
  if (!is_tls && !url.starts_with(scheme)) fail("--url has to be http://HOST:PORT or https://HOST:PORT");
  url.remove_prefix(is_tls ? tls_scheme.size() : scheme.size());
  url = url.substr(0, url.find('/'));
  const size_t colon = url.rfind(':');
  if (colon == std::string_view::npos) fail("--url has to be http://HOST:PORT or https://HOST:PORT");
  std::string_view host = url.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {std::string(host), std::string(url.substr(colon + 1)), is_tls};
}

Socket::Socket(const Address& address) : descriptor_(-1) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found); code != 0) {
    fail(fmt::format("{}: {}", address.host, gai_strerror(code)));
  }
  for (const addrinfo* at = found; at != nullptr && descriptor_ < 0; at = at->ai_next) {
    descriptor_ = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (descriptor_ >= 0 && !address.source.empty()) bind_to(descriptor_, address.source);
    if (descriptor_ >= 0 && ::connect(descriptor_, at->ai_addr, at->ai_addrlen) != 0) {
      close(descriptor_);
      descriptor_ = -1;
    }
  }
  freeaddrinfo(found);
  if (descriptor_ < 0 && errno == ECONNREFUSED) {
    throw Refused(fmt::format("bench: cannot connect to {}:{}: {}", address.host, address.port, std::strerror(errno)));
  }
  if (descriptor_ < 0) fail_errno(fmt::format("cannot connect to {}:{}", address.host, address.port));
  const int on = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (address.is_tls) tls_.emplace(descriptor_, address.is_ours ? "" : address.host);
}

Socket::~Socket() { close(descriptor_); }

void Socket::set_non_blocking() { fcntl(descriptor_, F_SETFL, fcntl(descriptor_, F_GETFL) | O_NONBLOCK); }

size_t Socket::write_some(std::string_view bytes) {
  if (tls_) return tls_->write_some(bytes);
  const ssize_t count = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return static_cast<size_t>(count);
  if (errno == EAGAIN || errno == EINTR) return 0;
  fail_errno("send");
}

bool Socket::read_some(std::string& to) {
  if (tls_) return tls_->read_some(to);
  thread_local std::array<char, kReadBytes> buffer;
  const ssize_t count = recv(descriptor_, buffer.data(), buffer.size(), 0);
  if (count > 0) {
    to.append(buffer.data(), static_cast<size_t>(count));
    return true;
  }
  if (count == 0) fail("the server closed the connection");
  if (errno == EAGAIN || errno == EINTR) return false;
  fail_errno("receive");
}

// A connection for each request: scenarios with HTTP measure long requests, or neighbours who pay for their own
// connections.
HttpReply http(const Address& address, std::string_view method, const std::string& target, std::string_view body,
               std::string_view fields) {
  Socket socket(address);
  send_all(socket, fmt::format("{} {} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n",
                               method, target, address.host, address.port, body.size(), fields));
  send_all(socket, body);
  std::string incoming;
  const std::string head = read_head(socket, incoming);
  HttpReply reply;
  reply.status = number_in<int>(std::string_view(head).substr(std::min(head.size(), head.find(' ') + 1)));
  if (head.find("transfer-encoding: chunked") != std::string::npos) {
    reply.body = read_chunks(socket, incoming);
  } else if (const size_t at = head.find("content-length: "); at != std::string::npos) {
    const auto size = number_in<size_t>(std::string_view(head).substr(at + 16));
    incoming.reserve(size + kReadBytes);
    read_exactly(socket, incoming, size);
    reply.body = std::move(incoming);
  }
  return reply;
}

std::string http_ok(const Address& address, std::string_view method, const std::string& target, std::string_view body) {
  HttpReply reply = http(address, method, target, body);
  if (reply.status / 100 != 2)
    fail(fmt::format("{} {}: {} {}", method, target, reply.status, reply.body.substr(0, 200)));
  return std::move(reply.body);
}

// The head is sent before the socket becomes non-blocking, since it always fits. The answer is read by receive().
Wire::Wire(const Address& address, const std::string& space) : socket_(address) {
  send_all(socket_,
           fmt::format("GET /.ws?v=5&ns={} HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aGVhcnRoLWJlbmNoLWtleQ==\r\n\r\n",
                       space, address.host, address.port));
  socket_.set_non_blocking();
}

void Wire::wait_for_greeting() {
  while (!greeted_) {
    pollfd wanted{socket_.descriptor(), POLLIN, 0};
    if (poll(&wanted, 1, kSilenceMilliseconds) == 0) fail("the server does not say hello");
    receive([](uint64_t, std::string_view) {});
  }
}

void Wire::add_frame(uint8_t opcode, std::string_view payload) {
  outgoing_ += static_cast<char>(0x80 | opcode);
  if (payload.size() < 126) {
    outgoing_ += static_cast<char>(0x80 | payload.size());
  } else {
    if (payload.size() > 16384) fail("a message this long goes in pieces, which this client does not make");
    outgoing_ += static_cast<char>(0x80 | 126);
    outgoing_ += static_cast<char>(payload.size() >> 8);
    outgoing_ += static_cast<char>(payload.size() & 0xff);
  }
  outgoing_.append(4, '\0');
  outgoing_ += payload;
}

uint64_t Wire::request(std::string_view action, std::string_view body) {
  add_frame(kTextFrame, fmt::format(R"({{"t":"d","d":{{"r":{},"a":"{}","b":{}}}}})", ++last_number_, action, body));
  return last_number_;
}

uint64_t Wire::put(std::string_view path, std::string_view json) {
  return request("p", fmt::format(R"({{"p":"{}","d":{}}})", path, json));
}

uint64_t Wire::listen(std::string_view path, std::string_view hash) {
  return request("q", fmt::format(R"({{"p":"{}","h":"{}"}})", path, hash));
}

uint64_t Wire::unlisten(std::string_view path) { return request("n", fmt::format(R"({{"p":"{}"}})", path)); }

void Wire::flush() {
  while (wants_to_write()) {
    const size_t count = socket_.write_some(std::string_view(outgoing_).substr(sent_));
    if (count == 0) return;
    sent_ += count;
  }
  db::give_back(outgoing_);
  sent_ = 0;
}

bool Wire::take_head() {
  const size_t end = incoming_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string_view line = std::string_view(incoming_).substr(0, incoming_.find('\r'));
  if (line.find(" 101 ") == std::string_view::npos) fail(fmt::format("no WebSocket: {}", line));
  incoming_.erase(0, end + 4);
  return true;
}

// A whole frame at `at`, or false. `payload` is a view into `bytes`. The server does not mask.
bool Wire::take_frame(std::string_view bytes, size_t& at, uint8_t& opcode, std::string_view& payload) const {
  const std::string_view rest = bytes.substr(at);
  if (rest.size() < 2) return false;
  const auto byte = [&](size_t index) { return static_cast<uint8_t>(rest[index]); };
  size_t head = 2;
  uint64_t size = byte(1) & 0x7f;
  if (size >= 126) {
    const size_t more = size == 126 ? 2 : 8;
    head += more;
    if (rest.size() < head) return false;
    size = 0;
    for (size_t i = 2; i < head; ++i) size = size << 8 | byte(i);
  }
  if (rest.size() - head < size) return false;
  opcode = byte(0) & 0x0f;
  payload = rest.substr(head, size);
  at += head + size;
  return true;
}

// A long message is its number of pieces and then these (net/wire/protocol.md §2).
void Wire::on_frame(std::string_view text, const OnMessage& on_message) {
  if (pieces_left_ > 0) {
    pieces_ += text;
    if (--pieces_left_ == 0) on_text(std::exchange(pieces_, {}), on_message);
  } else if (text.starts_with('{')) {
    on_text(text, on_message);
  } else {
    pieces_left_ = number_in<size_t>(text);
  }
}

void Wire::on_text(std::string_view text, const OnMessage& on_message) {
  constexpr std::string_view answer = R"({"t":"d","d":{"r":)";
  constexpr std::string_view event = R"({"t":"d","d":{"a":)";
  if (text.starts_with(answer)) {
    const auto number = number_in<uint64_t>(text.substr(answer.size()));
    if (text.find(R"("s":"ok")") == std::string_view::npos) fail(fmt::format("refused: {}", text.substr(0, 200)));
    on_message(number, text);
  } else if (text.starts_with(event)) {
    on_message(0, text);
  } else if (text.starts_with(R"({"t":"c","d":{"t":"h")")) {
    greeted_ = true;
    on_message(0, text);
  } else {
    fail(fmt::format("not understood: {}", text.substr(0, 200)));
  }
}

void Wire::receive(const OnMessage& on_message) {
  const size_t before = incoming_.size();
  if (!socket_.read_some(incoming_)) return;
  bytes_in_ += incoming_.size() - before;
  take_messages(on_message);
}

void Wire::take_messages(const OnMessage& on_message) {
  if (!upgraded_ && !(upgraded_ = take_head())) return;
  size_t at = 0;
  uint8_t opcode;
  std::string_view payload;
  while (take_frame(incoming_, at, opcode, payload)) {
    if (opcode == kTextFrame) on_frame(payload, on_message);
    if (opcode == kPingFrame) add_frame(kPongFrame, payload);
    if (opcode == kCloseFrame) fail("the server closed the WebSocket");
  }
  incoming_.erase(0, at);
  if (incoming_.empty()) incoming_ = std::string();
}

WireLoop::WireLoop() : poll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (poll_ < 0) fail_errno("epoll_create1");
}

WireLoop::~WireLoop() { close(poll_); }

size_t WireLoop::connect(const Address& address, const std::string& space) {
  const size_t index = begin(address, space);
  wires_[index]->wait_for_greeting();
  return index;
}

size_t WireLoop::begin(const Address& address, const std::string& space) {
  wires_.push_back(std::make_unique<Wire>(address, space));
  watched_.emplace_back();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = wires_.size() - 1;
  if (epoll_ctl(poll_, EPOLL_CTL_ADD, wires_.back()->descriptor(), &event) != 0) fail_errno("epoll_ctl");
  return wires_.size() - 1;
}

void WireLoop::flush(size_t index) {
  if (wires_[index]->wants_to_write()) wires_[index]->flush();
  if (wires_[index]->wants_to_write() == watched_[index].for_writing) return;
  watched_[index].for_writing = wires_[index]->wants_to_write();
  epoll_event event{};
  event.events = watched_[index].for_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index;
  if (epoll_ctl(poll_, EPOLL_CTL_MOD, wires_[index]->descriptor(), &event) != 0) fail_errno("epoll_ctl");
}

void WireLoop::flush() {
  for (const size_t index : touched_) flush(index);
  touched_.clear();
}

bool WireLoop::turn(const OnMessage& on_message, std::chrono::milliseconds time) {
  flush();
  std::array<epoll_event, 64> ready{};
  const int count = epoll_wait(poll_, ready.data(), static_cast<int>(ready.size()), static_cast<int>(time.count()));
  if (count < 0 && errno != EINTR) fail_errno("epoll_wait");
  for (int i = 0; i < count; ++i) {
    const size_t index = ready[static_cast<size_t>(i)].data.u64;
    touched_.push_back(index);  // a ping wants an answer
    if ((ready[static_cast<size_t>(i)].events & ~static_cast<uint32_t>(EPOLLOUT)) == 0) continue;
    wires_[index]->receive([&](uint64_t number, std::string_view text) { on_message(index, number, text); });
  }
  flush();
  return count != 0;
}

void WireLoop::run(const OnMessage& on_message, const std::function<bool()>& done) {
  while (!done()) {
    if (!turn(on_message, kSilenceMax)) fail("the server has been silent for too long");
  }
}

// Keeps `window` writes of each connection unanswered: each answer starts the next write. Answers come in order, so
// the time at which a write was sent is found in a ring by its number; one more place than the window keeps old and
// new apart.
LoadResult run_load(const Address& address, const std::string& space, const Load& load, StatusLine& progress) {
  WireLoop loop;
  std::vector<std::vector<Steady::time_point>> sent_at(load.connections);
  for (auto& ring : sent_at) ring.resize(load.window + 1);
  LoadResult result;
  uint64_t started = 0;
  std::string path, json;
  for (size_t i = 0; i < load.connections; ++i) loop.connect(address, space);
  const auto begin = Steady::now();
  auto now = begin;
  const auto is_over = [&] { return load.count > 0 ? started == load.count : now - begin >= load.time; };
  const auto start = [&](size_t connection) {
    load.make(started++, path, json);
    const uint64_t number = loop.wire(connection).put(path, json);
    sent_at[connection][number % sent_at[connection].size()] = now;
  };
  for (size_t w = 0; w < load.window; ++w) {
    for (size_t i = 0; i < load.connections && !is_over(); ++i) start(i);
  }
  auto said = begin;
  loop.run(
      [&](size_t connection, uint64_t number, std::string_view) {
        if (number == 0) return;
        now = Steady::now();
        ++result.writes;
        result.acks.add(now - sent_at[connection][number % sent_at[connection].size()]);
        if (!is_over()) start(connection);
        if (now - said < std::chrono::milliseconds(250)) return;
        said = now;
        progress.say(fmt::format("{}: {} writes in {:.1f} s", load.what, result.writes, seconds_of(now - begin)));
      },
      [&] { return result.writes == started; });
  result.time = Steady::now() - begin;
  return result;
}

}  // namespace hearth::tools
