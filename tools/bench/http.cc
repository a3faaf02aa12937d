// HTTP replies in pieces.
//
//   reply := head [ body ]        take_head ─▶ take_body, again with each piece that comes
//   body  := Content-Length bytes | ( size CRLF bytes CRLF )* "0" CRLF CRLF
//
// A reply without a length has no body (204). What has come of a body moves out of the connection's buffer at once, so
// that a large one is copied once and a stream, which has no end, holds nothing back.
#include "tools/bench/http.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::tools {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr size_t kReserveMax = 256 << 20;

std::string head_of(std::string_view method, std::string_view target, std::string_view host, std::string_view fields) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", method, target, host, fields);
}

std::string host_of(const Address& address) { return fmt::format("{}:{}", address.host, address.port); }

void check_status(const HttpReply& reply) {
  if (reply.status / 100 != 2) fail(fmt::format("the server answers {} {}", reply.status, reply.body.substr(0, 200)));
}

}  // namespace

bool ReplyReader::take_head(std::string_view bytes, size_t& at) {
  const size_t end = bytes.find("\r\n\r\n", at);
  if (end == std::string_view::npos) return false;
  std::string head(bytes.substr(at, end + kLineEnd.size() - at));
  for (char& c : head) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  at = end + 2 * kLineEnd.size();
  reply_.status = number_in<int>(std::string_view(head).substr(std::min(head.size(), head.find(' ') + 1)));
  reply_.body.clear();
  left_ = 0;
  is_behind_chunk_ = false;
  is_chunked_ = head.find("\r\ntransfer-encoding: chunked\r\n") != std::string::npos;
  constexpr std::string_view length = "\r\ncontent-length: ";
  if (const size_t found = head.find(length); found != std::string::npos && !is_chunked_) {
    left_ = number_in<size_t>(std::string_view(head).substr(found + length.size()));
    reply_.body.reserve(std::min(left_, kReserveMax));
  }
  is_in_body_ = true;
  return true;
}

bool ReplyReader::take_body(std::string_view bytes, size_t& at) {
  while (true) {
    const size_t count = std::min(left_, bytes.size() - at);
    reply_.body.append(bytes, at, count);
    at += count;
    left_ -= count;
    if (left_ > 0) return false;
    if (!is_chunked_) break;
    const size_t start = at + (is_behind_chunk_ ? kLineEnd.size() : 0);
    const size_t end = bytes.find(kLineEnd, start);
    if (end == std::string_view::npos) return false;
    left_ = number_in<size_t>(bytes.substr(start, end - start), 16);
    const bool is_last = left_ == 0;
    const size_t behind = end + (is_last ? 2 : 1) * kLineEnd.size();
    if (bytes.size() < behind) return false;
    at = behind;
    is_behind_chunk_ = true;
    if (is_last) break;
  }
  is_in_body_ = false;
  return true;
}

bool ReplyReader::take(std::string_view bytes, size_t& at) {
  return (is_in_body_ || take_head(bytes, at)) && take_body(bytes, at);
}

HttpReply http(const Address& address, std::string_view method, const std::string& target, std::string_view body,
               std::string_view fields) {
  Socket socket(address);
  send_all(socket, head_of(method, target, host_of(address),
                           fmt::format("Connection: close\r\nContent-Length: {}\r\n{}", body.size(), fields)));
  send_all(socket, body);
  ReplyReader reader;
  std::string incoming;
  size_t at = 0;
  do {
    incoming.erase(0, std::exchange(at, 0));
    socket.read_some(incoming);
  } while (!reader.take(incoming, at));
  return std::move(reader.reply());
}

std::string http_ok(const Address& address, std::string_view method, const std::string& target, std::string_view body,
                    std::string_view fields) {
  HttpReply reply = http(address, method, target, body, fields);
  if (reply.status / 100 != 2)
    fail(fmt::format("{} {}: {} {}", method, target, reply.status, reply.body.substr(0, 200)));
  return std::move(reply.body);
}

RestConnection::RestConnection(const Address& address) : Channel(address), host_(host_of(address)) {
  socket_.set_non_blocking();
}

uint64_t RestConnection::request(std::string_view method, std::string_view target, std::string_view body) {
  outgoing_ += body.empty() ? head_of(method, target, host_, "")
                            : head_of(method, target, host_, fmt::format("Content-Length: {}\r\n", body.size()));
  outgoing_ += body;
  return ++asked_;
}

size_t RestConnection::take(std::string_view bytes, const OnMessage& on_message) {
  size_t at = 0;
  while (at < bytes.size() && reader_.take(bytes, at)) {
    check_status(reader_.reply());
    if (answered_ == asked_) fail("an answer to nothing");
    on_message(++answered_, reader_.reply().body);
  }
  return at;
}

EventStream::EventStream(const Address& address, std::string_view target) : Channel(address) {
  send_all(socket_, head_of("GET", target, host_of(address), "Accept: text/event-stream\r\n"));
  socket_.set_non_blocking();
}

size_t EventStream::take(std::string_view bytes, const OnMessage& on_message) {
  size_t at = 0;
  if (!has_head_ && !(has_head_ = reader_.take_head(bytes, at))) return 0;
  const bool is_over = reader_.take_body(bytes, at);
  std::string& body = reader_.reply().body;
  check_status(reader_.reply());
  size_t start = 0;
  for (size_t end; (end = body.find("\n\n", start)) != std::string::npos; start = end + 2) {
    const std::string_view event = std::string_view(body).substr(start, end - start);
    if (event.starts_with("event: keep-alive\n")) continue;
    if (!event.starts_with("event: put\n") && !event.starts_with("event: patch\n")) {
      fail(fmt::format("a stream was told {}", event.substr(0, 200)));
    }
    on_message(0, event);
  }
  body.erase(0, start);
  if (is_over) fail("the server ended an event stream");
  return at;
}

}  // namespace hearth::tools
