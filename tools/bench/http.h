// HTTP for the bench: a request by itself, many on one kept-alive connection, and event streams. Thread: one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/bench/client.h"

namespace hearth::tools {

// Of the emulator, and of `hearth serve --dev`: an admin.
inline constexpr std::string_view kOwner = "Authorization: Bearer owner\r\n";

struct HttpReply {
  int status = 0;
  std::string body;
};
// On a connection of its own. Content lengths and chunks are understood. `fields`: more of the head, each with its CRLF.
HttpReply http(const Address& address, std::string_view method, const std::string& target, std::string_view body = {},
               std::string_view fields = {});

// Makes the request and returns the body. Throws unless the answer is 2xx.
std::string http_ok(const Address& address, std::string_view method, const std::string& target,
                    std::string_view body = {}, std::string_view fields = {});

// Cuts replies out of what comes, in whatever pieces that is. Both functions read on at `at`, which moves.
class ReplyReader {
 public:
  bool take(std::string_view bytes, size_t& at);       // true: reply() is whole
  bool take_head(std::string_view bytes, size_t& at);  // true: the status is known, and the body is read next
  bool take_body(std::string_view bytes, size_t& at);  // appends what there is; true: to the end
  HttpReply& reply() { return reply_; }

 private:
  HttpReply reply_;
  size_t left_ = 0;  // bytes of the body, or of the chunk
  bool is_in_body_ = false;
  bool is_chunked_ = false;
  bool is_behind_chunk_ = false;  // its line's end comes next
};

// Requests on one connection, which is kept alive. Answers come in order; one that is not 2xx throws.
class RestConnection : public Channel {
 public:
  explicit RestConnection(const Address& address);
  // Queues the request; its number, counted from 1, comes back with the body of its answer.
  uint64_t request(std::string_view method, std::string_view target, std::string_view body = {});

 private:
  size_t take(std::string_view bytes, const OnMessage& on_message) override;

  const std::string host_;
  ReplyReader reader_;
  uint64_t asked_ = 0, answered_ = 0;
};

// What `Accept: text/event-stream` gets. A message is the two lines of an event, put or patch; the first has the value
// that was there. Anything else but keep-alive throws.
class EventStream : public Channel {
 public:
  EventStream(const Address& address, std::string_view target);

 private:
  size_t take(std::string_view bytes, const OnMessage& on_message) override;

  ReplyReader reader_;
  bool has_head_ = false;
};

}  // namespace hearth::tools
