#include "net/http/connection.h"

#include <algorithm>

#include "db/model/json.h"

namespace hearth::net::http {
namespace {

constexpr size_t kBodyRoom = 64;          // behind a body, for simdjson
constexpr size_t kReadsPerTurn = 16;      // of one connection, before the others get theirs
constexpr size_t kInputMax = 1 << 20;     // unread requests kept while one is answered

using Clock = std::chrono::steady_clock;

}  // namespace

struct Connection::Parser {
  explicit Parser(const Limits& limits) {
    http.header_limit(limits.header_bytes_max);
    http.body_limit(limits.body_bytes_max);
    http.eager(false);
  }
  beast_http::request_parser<beast_http::string_body> http;
  std::string raw_target;  // when the parser was fed another one
};

Connection::Connection(ServerCore& core, IoPool::Loop& loop, tcp::socket socket)
    : core_(core), loop_(loop), socket_(std::move(socket)), last_input_(Clock::now()), last_sent_(last_input_),
      last_ping_(last_input_), began_(last_input_) {
  ++core_.connections;
  loop_.members.insert(this);
}

Connection::~Connection() {
  loop_.members.erase(this);
  --core_.connections;
}

void Connection::start() {
  SystemError failed;
  socket_.non_blocking(true, failed);
  socket_.set_option(tcp::no_delay(true), failed);
  const auto remote = socket_.remote_endpoint(failed);
  if (failed) return closed();
  peer_ = remote.address().to_string();
  peer_is_loopback_ = remote.address().is_loopback() ||
                      (remote.address().is_v6() && remote.address().to_v6().is_v4_mapped() &&
                       asio::ip::make_address_v4(asio::ip::v4_mapped, remote.address().to_v6()).is_loopback());
  if (core_.connections > core_.limits.connections_max) {
    refuse(503, "The server has as many connections as it may; try again later.");
    return;
  }
  wait_for_input();
}

void Connection::wait_for_input() {
  if (!open_ || waiting_input_ || paused_) return;
  waiting_input_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](SystemError failed) {
    self->waiting_input_ = false;
    if (!self->open_) return;
    if (failed) return self->closed();
    self->read_input();
  });
}

void Connection::read_input() {
  for (size_t reads = 0; reads < kReadsPerTurn && open_ && !paused_; ++reads) {
    if (mode_ == Mode::Answering && input_.size() > kInputMax) return;  // goes on when the answer is out
    SystemError failed;
    const size_t count = socket_.read_some(asio::buffer(loop_.read_buffer), failed);
    if (failed == asio::error::would_block || failed == asio::error::try_again) break;
    if (failed) return closed();
    last_input_ = Clock::now();
    take_in({loop_.read_buffer.data(), count});
    if (count < loop_.read_buffer.size()) break;
  }
  if (open_) wait_for_input();
}

void Connection::take_in(std::string_view bytes) {
  switch (mode_) {
    case Mode::Http:
      if (input_.empty() && parser_ == nullptr) began_ = last_input_;
      input_ += bytes;
      return parse_http();
    case Mode::Answering:
      input_ += bytes;
      return;
    case Mode::Stream:
      return;  // nothing a reader of events says is of interest
    case Mode::WebSocket:
      input_ += bytes;
      return parse_frames();
  }
}

void Connection::refuse(int status, std::string_view why) {
  mode_ = Mode::Answering;
  parser_.reset();
  input_.clear();
  send_response(error_response(status, why), false, false, false, false);
  finish_response(false);
}

void Connection::parse_http() {
  if (parsing_) return;  // an answer given at once comes back here; the loop below goes on
  parsing_ = true;
  while (open_ && mode_ == Mode::Http && !input_.empty() && !close_when_sent_) {
    if (parser_ == nullptr) {
      // Blank lines before a request are forgiven; a target with raw spaces is mended for the parser, and kept as sent.
      input_.erase(0, std::min(input_.find_first_not_of("\r\n"), input_.size()));
      const size_t line_end = input_.find('\n');
      if (line_end == std::string::npos) {
        if (input_.size() > core_.limits.header_bytes_max) refuse(431, "The request's header is too large.");
        break;
      }
      parser_ = std::make_unique<Parser>(core_.limits);
      continue_sent_ = false;
      const size_t first_space = input_.find(' ');
      size_t last_space = input_.rfind(' ', line_end);
      if (first_space < last_space && last_space != std::string::npos) {
        parser_->raw_target = input_.substr(first_space + 1, last_space - first_space - 1);
        if (parser_->raw_target.find(' ') != std::string::npos) {
          std::replace(input_.begin() + static_cast<ptrdiff_t>(first_space) + 1,
                       input_.begin() + static_cast<ptrdiff_t>(last_space), ' ', '+');
        }
      }
    }
    SystemError failed;
    auto& http = parser_->http;
    const bool had_head = http.is_header_done();
    const size_t used = http.put(asio::buffer(input_), failed);
    input_.erase(0, used);
    if (failed && failed != beast_http::error::need_more) {
      if (failed == beast_http::error::header_limit) refuse(431, "The request's header is too large.");
      else if (failed == beast_http::error::body_limit) refuse(413, "Payload is too large");
      else refuse(400, "The request is not HTTP: " + failed.message() + ".");
      break;
    }
    if (!had_head && http.is_header_done()) {
      if (const auto length = http.content_length()) {
        http.get().body().reserve(std::min<uint64_t>(*length, core_.limits.body_bytes_max) + kBodyRoom);
      }
      const auto expect = http.get()["Expect"];
      if (!continue_sent_ && !http.is_done() && equal_ignoring_case({expect.data(), expect.size()}, "100-continue")) {
        continue_sent_ = true;
        send(std::string_view("HTTP/1.1 100 Continue\r\n\r\n"));
      }
    }
    if (!http.is_done()) {
      if (used == 0 && failed == beast_http::error::need_more) break;
      if (input_.empty()) break;
      continue;
    }

    auto message = http.release();
    Request request;
    request.method = std::string(message.method_string());
    request.target = std::move(parser_->raw_target);
    if (request.target.empty()) request.target = std::string(message.target());
    for (const auto& field : message) request.headers.emplace_back(field.name_string(), field.value());
    request.body = std::move(message.body());
    request.peer = peer_;
    request.peer_is_loopback = peer_is_loopback_;
    request.keep_alive = message.keep_alive() && !draining_;
    request.is_http_1_0 = message.version() < 11;
    parser_.reset();
    mode_ = Mode::Answering;
    const auto encoding = request.header("Content-Encoding");
    auto exchange = std::make_shared<Exchange>(shared_from_this(), std::move(request));
    if (encoding && !equal_ignoring_case(*encoding, "identity")) {
      core_.unpack_and_handle(std::move(exchange));
    } else {
      core_.handler(std::move(exchange));
    }
  }
  parsing_ = false;
  if (input_.empty() && input_.capacity() > (64u << 10)) std::string().swap(input_);
}

void Connection::send_head(const Response& head, std::string_view framing, bool keep_alive, bool http_1_0) {
  std::string text = http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ";
  text += std::to_string(head.status);
  text += ' ';
  text += reason_phrase(head.status);
  text += "\r\n";
  for (const auto& [name, value] : head.headers) text.append(name).append(": ").append(value).append("\r\n");
  text += framing;
  if (!keep_alive) {
    text += "Connection: close\r\n";
  } else if (http_1_0) {
    text += "Connection: keep-alive\r\n";
  }
  text += "\r\n";
  send(std::string_view(text));
}

void Connection::send_response(const Response& response, bool gzip, bool head_only, bool keep_alive, bool http_1_0) {
  std::string framing;
  if (gzip) framing += "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n";
  const bool bodyless = response.status == 204 || response.status == 304;
  if (!bodyless) framing += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  send_head(response, framing, keep_alive, http_1_0);
  if (head_only || bodyless) return;
  if (response.body.size() > (64u << 10)) {
    send(std::make_shared<const std::string>(response.body));
  } else {
    send(std::string_view(response.body));
  }
}

void Connection::finish_response(bool keep_alive) {
  if (!open_) return;
  if (!keep_alive || draining_) return close_when_sent();
  mode_ = Mode::Http;
  last_input_ = Clock::now();
  began_ = last_input_;
  if (input_.empty()) return wait_for_input();
  if (parsing_) return;
  parse_http();
  wait_for_input();
}

bool Connection::begin_stream() {
  if (!open_) return false;
  mode_ = Mode::Stream;
  std::string().swap(input_);
  wait_for_input();
  return true;
}

std::string Connection::accept_websocket(const Request& request) {
  const auto key = request.header("Sec-WebSocket-Key");
  const auto version = request.header("Sec-WebSocket-Version");
  if (!key || key->size() != 24) return "A WebSocket upgrade needs a Sec-WebSocket-Key.";
  if (!version || *version != "13") return "Only version 13 of the WebSocket protocol is spoken here.";
  Response head;
  head.status = 101;
  head.headers = {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", accept_key(*key)}};
  send_head(head, "", true, false);
  mode_ = Mode::WebSocket;
  last_ping_ = last_input_ = Clock::now();
  // What came behind the request is read when the handler has had its say.
  loop_.post([self = shared_from_this()] {
    if (!self->open_) return;
    self->parse_frames();
    self->wait_for_input();
  });
  return {};
}

void Connection::parse_frames() {
  if (parsing_) return;
  parsing_ = true;
  size_t used = 0;
  while (open_ && !paused_ && mode_ == Mode::WebSocket && !close_when_sent_) {
    bool broken = false;
    const auto head = read_head(std::string_view(input_).substr(used), broken);
    if (broken) {
      close_websocket(1002, "a frame that no client may send");
      break;
    }
    if (!head) break;
    if (head->payload_bytes + message_.size() > core_.limits.websocket_message_bytes_max) {
      close_websocket(1009, "the message is larger than this server takes");
      break;
    }
    if (input_.size() - used < head->head_bytes + head->payload_bytes) {
      if (used == 0) input_.reserve(head->head_bytes + head->payload_bytes);
      break;
    }
    std::string payload = input_.substr(used + head->head_bytes, head->payload_bytes);
    used += head->head_bytes + head->payload_bytes;
    unmask(payload.data(), payload.size(), head->mask);
    if (!on_frame(*head, std::move(payload))) break;
  }
  parsing_ = false;
  if (!open_ || close_when_sent_) {
    std::string().swap(input_);
    return;
  }
  input_.erase(0, used);
  if (input_.empty() && input_.capacity() > 0) std::string().swap(input_);  // an idle connection holds no buffer
}

bool Connection::on_frame(const FrameHead& head, std::string&& payload) {
  switch (head.opcode) {
    case Opcode::Ping:
      send(std::string_view(frame_of(Opcode::Pong, payload)));
      return true;
    case Opcode::Pong:
      return true;
    case Opcode::Close: {
      uint16_t code = 1000;
      if (payload.size() >= 2) {
        code = static_cast<uint16_t>(static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]));
      }
      close_websocket(code, "");
      return false;
    }
    case Opcode::Text:
    case Opcode::Binary:
      if (in_message_) {
        close_websocket(1002, "a message began inside another");
        return false;
      }
      in_message_ = true;
      binary_ = head.opcode == Opcode::Binary;
      break;
    case Opcode::Continuation:
      if (!in_message_) {
        close_websocket(1002, "a continuation of nothing");
        return false;
      }
      break;
  }
  if (message_.empty()) {
    message_ = std::move(payload);
  } else {
    message_ += payload;
  }
  if (!head.final) return true;
  in_message_ = false;
  std::string message;
  message.swap(message_);
  if (!binary_ && !db::is_utf8(message)) {
    close_websocket(1007, "text that is not UTF-8");
    return false;
  }
  if (handlers.message) handlers.message(std::move(message));
  return open_;
}

void Connection::close_websocket(uint16_t code, std::string_view reason) {
  if (!open_ || close_when_sent_) return;
  send(std::string_view(frame_of(Opcode::Close, close_payload(code, reason))));
  close_when_sent();
}

void Connection::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  loop_.post([self = shared_from_this()] {
    if (!self->open_ || self->paused_) return;
    if (self->mode_ == Mode::WebSocket) self->parse_frames();
    self->wait_for_input();
  });
}

void Connection::send(SharedBytes bytes) {
  if (!open_) return;
  if (outbox_.empty()) last_sent_ = Clock::now();
  outbox_.add(std::move(bytes));
  mark_dirty();
}

void Connection::send(std::string_view bytes) {
  if (!open_) return;
  if (outbox_.empty()) last_sent_ = Clock::now();
  outbox_.add(bytes);
  mark_dirty();
}

void Connection::mark_dirty() {
  if (dirty_) return;
  dirty_ = true;
  loop_.mark_dirty(shared_from_this());
}

void Connection::flush() {
  dirty_ = false;
  if (!open_) return;
  const size_t before = outbox_.bytes();
  if (!outbox_.send(socket_.native_handle())) return closed();
  if (outbox_.bytes() < before) last_sent_ = Clock::now();
  if (outbox_.empty() && close_when_sent_) {
    SystemError ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    return closed();
  }
  if (!outbox_.empty() && !waiting_output_) {
    waiting_output_ = true;
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](SystemError failed) {
      self->waiting_output_ = false;
      if (!self->open_) return;
      if (failed) return self->closed();
      self->mark_dirty();
    });
  }
  if (before > outbox_.bytes() && outbox_.bytes() <= core_.limits.outbox_low_bytes && handlers.drained) handlers.drained();
}

void Connection::close_when_sent() {
  if (!open_) return;
  close_when_sent_ = true;
  mark_dirty();
}

void Connection::abort() {
  if (open_) closed();
}

void Connection::drain() {
  draining_ = true;
  if (!open_) return;
  switch (mode_) {
    case Mode::Http:
      return close_when_sent();
    case Mode::Answering:
      return;
    case Mode::Stream:
      return close_when_sent();
    case Mode::WebSocket:
      return close_websocket(1001, "the server stops");
  }
}

void Connection::closed() {
  if (!open_) return;
  const auto self = shared_from_this();
  open_ = false;
  SystemError ignored;
  socket_.close(ignored);
  outbox_.clear();
  std::string().swap(input_);
  parser_.reset();
  Handlers last;
  std::swap(last, handlers);
  if (last.closed) last.closed();
  // Whoever is told of the close may hold the last handler; the rest goes with this frame.
}

void Connection::tick(Clock::time_point now) {
  if (!open_) return;
  const auto self = shared_from_this();
  const Limits& limits = core_.limits;
  if (!outbox_.empty() && now - last_sent_ > limits.stall_timeout) return closed();
  switch (mode_) {
    case Mode::Http: {
      const bool inside = parser_ != nullptr || !input_.empty();
      const bool reading_body = parser_ != nullptr && parser_->http.is_header_done();
      if (inside && now - (reading_body ? last_input_ : began_) > limits.request_timeout) {
        return refuse(408, "The rest of the request did not come.");
      }
      if (!inside && now - last_input_ > limits.idle_timeout) close_when_sent();
      return;
    }
    case Mode::Answering:
    case Mode::Stream:
      return;
    case Mode::WebSocket:
      if (now - last_input_ > limits.websocket_idle_timeout) return closed();
      if (now - last_input_ > limits.ping_interval && now - last_ping_ > limits.ping_interval) {
        last_ping_ = now;
        send(std::string_view(frame_of(Opcode::Ping, "")));
      }
  }
}

}  // namespace hearth::net::http
