// A lean client, so that what is measured is the server: HTTP requests one at a time, and WebSocket connections that
// one loop drives. It trusts its server: anything unexpected throws std::runtime_error and ends the run. client.cc
// tells what it leaves out, and why.
//
// A connection is small, so that ten thousand of them fit beside the server: an idle one holds no buffers.
//
// WebSocket frames are masked with zero, which is a mask like any other (RFC 6455 §5.3) and costs nothing.
//
// Thread: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/report.h"
#include "tools/bench/tls.h"

namespace hearth::tools {

// Throws: the measurement is void.
[[noreturn]] void fail(std::string_view what);

struct Address {
  std::string host;
  std::string port;
  bool is_tls = false;
  bool is_ours = false;  // the bench's own server, which has no name
  std::string source{};  // the address of ours to come from; "": whichever
};
Address parse_url(std::string_view url);  // http://host:port, https://host:port

struct HttpReply {
  int status = 0;
  std::string body;
};
// On a connection of its own. Content lengths and chunks are understood. `fields`: more of the head, each with its CRLF.
HttpReply http(const Address& address, std::string_view method, const std::string& target, std::string_view body = {},
               std::string_view fields = {});

// Makes the request and returns the body. Throws unless the answer is 2xx.
std::string http_ok(const Address& address, std::string_view method, const std::string& target,
                    std::string_view body = {});

// Thrown when nobody listens at the address now.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Socket {
 public:
  // Errors: Refused, among others.
  explicit Socket(const Address& address);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int descriptor() const { return descriptor_; }
  void set_non_blocking();
  size_t write_some(std::string_view bytes);  // 0: would block
  bool read_some(std::string& to);            // false: would block. Throws at the end of the stream

 private:
  int descriptor_;
  std::optional<ClientTls> tls_;
};

// One connection that speaks the Firebase protocol.
class Wire {
 public:
  // Connects and asks for the upgrade. Blocks for the connection. What is queued from here on goes behind the upgrade.
  Wire(const Address& address, const std::string& space);
  void wait_for_greeting();  // blocks

  int descriptor() const { return socket_.descriptor(); }
  uint64_t bytes_in() const { return bytes_in_; }  // all that came, heads and frames too
  bool wants_to_write() const { return sent_ < outgoing_.size(); }

  // Queues a request and returns its number, counted from 1; flush() sends what is queued.
  uint64_t put(std::string_view path, std::string_view json);
  uint64_t listen(std::string_view path, std::string_view hash = "");  // `hash`: of the value that the client has
  uint64_t unlisten(std::string_view path);
  void flush();

  // Reads what there is. Every message is an answer (its number; refusals throw), or the greeting or an event (0).
  using OnMessage = std::function<void(uint64_t number, std::string_view text)>;
  void receive(const OnMessage& on_message);

 private:
  uint64_t request(std::string_view action, std::string_view body);
  void add_frame(uint8_t opcode, std::string_view payload);
  bool take_head();
  bool take_frame(std::string_view bytes, size_t& at, uint8_t& opcode, std::string_view& payload) const;
  void take_messages(const OnMessage& on_message);
  void on_frame(std::string_view text, const OnMessage& on_message);
  void on_text(std::string_view text, const OnMessage& on_message);

  Socket socket_;
  std::string outgoing_;
  size_t sent_ = 0;
  std::string incoming_;
  std::string pieces_;  // of a long message
  size_t pieces_left_ = 0;
  uint64_t bytes_in_ = 0;
  bool upgraded_ = false;
  bool greeted_ = false;
  uint64_t last_number_ = 0;
};

// Waits for many connections at once.
class WireLoop {
 public:
  WireLoop();
  ~WireLoop();
  WireLoop(const WireLoop&) = delete;
  WireLoop& operator=(const WireLoop&) = delete;

  size_t connect(const Address& address, const std::string& space);  // waits for the greeting; returns the index
  size_t begin(const Address& address, const std::string& space);    // the greeting comes as a message; the index
  size_t size() const { return wires_.size(); }
  Wire& wire(size_t index) {
    touched_.push_back(index);
    return *wires_[index];
  }

  // Hands out what comes until `done`, and sends what the calls queue, once for each connection and turn.
  // Throws when nothing at all comes for half a minute.
  using OnMessage = std::function<void(size_t connection, uint64_t number, std::string_view text)>;
  void run(const OnMessage& on_message, const std::function<bool()>& done);
  // One turn: handles what comes within `time`. Returns false when nothing came.
  bool turn(const OnMessage& on_message, std::chrono::milliseconds time);

 private:
  void flush();
  void flush(size_t index);

  struct Watched {
    bool for_writing = false;
  };
  int poll_;
  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<Watched> watched_;
  std::vector<size_t> touched_;  // connections that may have something to send
};

// Writes on `connections`, each with up to `window` unanswered, for a time or a number of writes.
struct Load {
  size_t connections = 1;
  size_t window = 1;
  Steady::duration time{};  // 0: until `count`
  uint64_t count = 0;
  // The n-th write (from 0) of all.
  std::function<void(uint64_t n, std::string& path, std::string& json)> make;
  std::string what;  // for the progress line
};
struct LoadResult {
  uint64_t writes = 0;
  Steady::duration time{};
  Latencies acks;
};
LoadResult run_load(const Address& address, const std::string& space, const Load& load, StatusLine& progress);

}  // namespace hearth::tools
