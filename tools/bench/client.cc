// The bench's clients: thousands of connections, one thread, and as little work as possible.
//
//   WireLoop ── epoll ─┬─ Wire ─ Socket [ClientTls]        put(), listen() ─▶ outgoing_ ─▶ flush()
//                      ├─ RestConnection                   on_message ◀─ take(incoming_): frames, or HTTP replies
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
#include <cstring>
#include <utility>

namespace hearth::tools {

void fail(std::string_view what) { throw std::runtime_error(fmt::format("bench: {}", what)); }

namespace {

constexpr size_t kReadBytes = 64 * 1024;
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

Socket::Socket(const Address& address) {
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

void send_all(Socket& socket, std::string_view bytes) {
  while (!bytes.empty()) bytes.remove_prefix(socket.write_some(bytes));
}

void Channel::flush() {
  while (wants_to_write()) {
    const size_t count = socket_.write_some(std::string_view(outgoing_).substr(sent_));
    if (count == 0) return;
    sent_ += count;
  }
  db::give_back(outgoing_);
  sent_ = 0;
}

void Channel::receive(const OnMessage& on_message) {
  const size_t before = incoming_.size();
  if (!socket_.read_some(incoming_)) return;
  bytes_in_ += incoming_.size() - before;
  incoming_.erase(0, take(incoming_, on_message));
  if (incoming_.empty()) incoming_ = std::string();
}

// The head is sent before the socket becomes non-blocking, since it always fits. The answer is read by receive().
Wire::Wire(const Address& address, const std::string& space) : Channel(address) {
  send_all(socket_,
           fmt::format("GET /.ws?v=5&ns={} HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aGVhcnRoLWJlbmNoLWtleQ==\r\n\r\n",
                       space, address.host, address.port));
  socket_.set_non_blocking();
}

void Wire::allow(std::string_view status) { allowed_ = fmt::format(R"("s":"{}")", status); }

bool is_ok(std::string_view answer) { return answer.find(R"("s":"ok")") != std::string_view::npos; }

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

uint64_t Wire::put_if(std::string_view path, std::string_view json, std::string_view hash) {
  return request("p", fmt::format(R"({{"p":"{}","d":{},"h":"{}"}})", path, json, hash));
}

uint64_t Wire::merge(std::string_view path, std::string_view json) {
  return request("m", fmt::format(R"({{"p":"{}","d":{}}})", path, json));
}

uint64_t Wire::authenticate(std::string_view token) {
  return request("auth", fmt::format(R"({{"cred":"{}"}})", token));
}

uint64_t Wire::listen(std::string_view path, std::string_view hash) {
  return request("q", fmt::format(R"({{"p":"{}","h":"{}"}})", path, hash));
}

uint64_t Wire::listen_query(std::string_view path, std::string_view query) {
  return request("q", fmt::format(R"({{"p":"{}","q":{},"t":1,"h":""}})", path, query));
}

uint64_t Wire::unlisten(std::string_view path) { return request("n", fmt::format(R"({{"p":"{}"}})", path)); }

bool Wire::take_head(std::string_view bytes, size_t& at) const {
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return false;
  const std::string_view line = bytes.substr(0, bytes.find('\r'));
  if (line.find(" 101 ") == std::string_view::npos) fail(fmt::format("no WebSocket: {}", line));
  at = end + 4;
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
    const bool is_expected = is_ok(text) || (!allowed_.empty() && text.find(allowed_) != std::string_view::npos);
    if (!is_expected) fail(fmt::format("refused: {}", text.substr(0, 200)));
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

size_t Wire::take(std::string_view bytes, const OnMessage& on_message) {
  size_t at = 0;
  if (!upgraded_ && !(upgraded_ = take_head(bytes, at))) return 0;
  uint8_t opcode;
  std::string_view payload;
  while (take_frame(bytes, at, opcode, payload)) {
    if (opcode == kTextFrame) on_frame(payload, on_message);
    if (opcode == kPingFrame) add_frame(kPongFrame, payload);
    if (opcode == kCloseFrame) fail("the server closed the WebSocket");
  }
  return at;
}

WireLoop::WireLoop() : poll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (poll_ < 0) fail_errno("epoll_create1");
}

WireLoop::~WireLoop() { close(poll_); }

size_t WireLoop::connect(const Address& address, const std::string& space) {
  const size_t index = begin(address, space);
  at<Wire>(index).wait_for_greeting();
  return index;
}

size_t WireLoop::begin(const Address& address, const std::string& space) {
  return add(std::make_unique<Wire>(address, space));
}

size_t WireLoop::add(std::unique_ptr<Channel> channel) {
  channels_.push_back(std::move(channel));
  watched_.emplace_back();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = channels_.size() - 1;
  if (epoll_ctl(poll_, EPOLL_CTL_ADD, channels_.back()->descriptor(), &event) != 0) fail_errno("epoll_ctl");
  return channels_.size() - 1;
}

void WireLoop::flush(size_t index) {
  if (channels_[index]->wants_to_write()) channels_[index]->flush();
  if (channels_[index]->wants_to_write() == watched_[index].for_writing) return;
  watched_[index].for_writing = channels_[index]->wants_to_write();
  epoll_event event{};
  event.events = watched_[index].for_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index;
  if (epoll_ctl(poll_, EPOLL_CTL_MOD, channels_[index]->descriptor(), &event) != 0) fail_errno("epoll_ctl");
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
    channels_[index]->receive([&](uint64_t number, std::string_view text) { on_message(index, number, text); });
  }
  flush();
  return count != 0;
}

void WireLoop::run(const OnMessage& on_message, const std::function<bool()>& done) {
  while (!done()) {
    if (!turn(on_message, kSilenceMax)) fail("the server has been silent for too long");
  }
}

LoadResult run_load(const Address& address, const std::string& space, const Load& load, StatusLine& progress) {
  return run_load(address, std::vector<std::string>{space}, load, progress);
}

// Keeps `window` writes of each connection unanswered: each answer starts the next write. Answers come in order, so
// the write that an answer belongs to is found in a ring by its number; one more place than the window keeps old and
// new apart.
LoadResult run_load(const Address& address, const std::vector<std::string>& spaces, const Load& load,
                    StatusLine& progress) {
  struct Sent {
    Steady::time_point at;
    uint64_t n;
  };
  WireLoop loop;
  std::vector<std::vector<Sent>> sent(load.connections, std::vector<Sent>(load.window + 1));
  LoadResult result;
  uint64_t started = 0;
  size_t signed_in = 0;
  std::string path, json;
  for (size_t i = 0; i < load.connections; ++i) {
    loop.connect(address, spaces[i % spaces.size()]);
    if (load.on_answer) loop.wire(i).allow("permission_denied");
    if (!load.token.empty()) loop.wire(i).authenticate(load.token);
  }
  if (!load.token.empty()) {
    loop.run([&](size_t, uint64_t number, std::string_view text) { signed_in += number > 0 && is_ok(text) ? 1 : 0; },
             [&] { return signed_in == load.connections; });
  }
  const auto begin = Steady::now();
  auto now = begin;
  const auto is_over = [&] { return load.count > 0 ? started == load.count : now - begin >= load.time; };
  const auto start = [&](size_t connection) {
    const uint64_t n = started++;
    load.make(n, path, json);
    Wire& wire = loop.wire(connection);
    const uint64_t number = load.action == Load::Action::Put ? wire.put(path, json) : wire.merge(path, json);
    sent[connection][number % sent[connection].size()] = {now, n};
  };
  for (size_t w = 0; w < load.window; ++w) {
    for (size_t i = 0; i < load.connections && !is_over(); ++i) start(i);
  }
  auto said = begin;
  loop.run(
      [&](size_t connection, uint64_t number, std::string_view text) {
        if (number == 0) return;
        now = Steady::now();
        const Sent& write = sent[connection][number % sent[connection].size()];
        ++result.writes;
        result.acks.add(now - write.at);
        if (load.on_answer) load.on_answer(write.n, is_ok(text));
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
