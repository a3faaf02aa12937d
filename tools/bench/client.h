// A lean client, so that what is measured is the server: connections that one loop drives, and WebSockets among them
// (http.h has the others). The client trusts its server: anything unexpected throws std::runtime_error and ends the
// run. client.cc tells what is left out, and why.
//
// A connection is small, so that ten thousand of them fit beside the server: an idle one holds no buffers.
//
// WebSocket frames are masked with zero, which is a mask like any other (RFC 6455 §5.3) and costs nothing.
//
// Thread: one.
#pragma once

#include <charconv>
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

// The number at the start of `text`.
template <typename Number>
Number number_in(std::string_view text, int base = 10) {
  Number number{};
  if (std::from_chars(text.data(), text.data() + text.size(), number, base).ec != std::errc{})
    fail("a number was expected");
  return number;
}

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
  int descriptor_ = -1;
  std::optional<ClientTls> tls_;
};

// Sends until all of it is sent; for sockets that block.
void send_all(Socket& socket, std::string_view bytes);

// One connection of a loop, of whatever protocol: queues what goes out, and cuts what comes in into messages.
class Channel {
 public:
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int descriptor() const { return socket_.descriptor(); }
  uint64_t bytes_in() const { return bytes_in_; }  // all that came, heads and frames too
  bool wants_to_write() const { return sent_ < outgoing_.size(); }
  void flush();  // sends what is queued, as far as that goes now

  // Reads what there is. A message is an answer (with the number of its request, from 1 on) or not asked for (0).
  using OnMessage = std::function<void(uint64_t number, std::string_view text)>;
  void receive(const OnMessage& on_message);

 protected:
  explicit Channel(const Address& address) : socket_(address) {}
  // Hands out the whole messages at the front of `bytes`; returns how many bytes they are.
  virtual size_t take(std::string_view bytes, const OnMessage& on_message) = 0;

  Socket socket_;
  std::string outgoing_;

 private:
  size_t sent_ = 0;
  std::string incoming_;
  uint64_t bytes_in_ = 0;
};

// One connection that speaks the Firebase protocol. A message of number 0 is the greeting or an event.
class Wire : public Channel {
 public:
  // Connects and asks for the upgrade. Blocks for the connection. What is queued from here on goes behind the upgrade.
  Wire(const Address& address, const std::string& space);
  void wait_for_greeting();  // blocks

  // Refusals throw, but for those of this status, which are answers like any other; is_ok tells them apart.
  void allow(std::string_view status);

  // Queues a request and returns its number, counted from 1; flush() sends what is queued.
  uint64_t put(std::string_view path, std::string_view json);
  uint64_t put_if(std::string_view path, std::string_view json, std::string_view hash);  // what a transaction sends
  uint64_t merge(std::string_view path, std::string_view json);        // an object of paths below `path`
  uint64_t listen(std::string_view path, std::string_view hash = "");  // `hash`: of the value that the client has
  uint64_t unlisten(std::string_view path);
  // `query` as the protocol has it: {"i":"name","l":1,"vf":"l"}
  uint64_t listen_query(std::string_view path, std::string_view query);
  uint64_t authenticate(std::string_view token);

 private:
  uint64_t request(std::string_view action, std::string_view body);
  void add_frame(uint8_t opcode, std::string_view payload);
  bool take_head(std::string_view bytes, size_t& at) const;
  bool take_frame(std::string_view bytes, size_t& at, uint8_t& opcode, std::string_view& payload) const;
  size_t take(std::string_view bytes, const OnMessage& on_message) override;
  void on_frame(std::string_view text, const OnMessage& on_message);
  void on_text(std::string_view text, const OnMessage& on_message);

  std::string allowed_;  // as it stands in an answer; "": none
  std::string pieces_;   // of a long message
  size_t pieces_left_ = 0;
  bool upgraded_ = false;
  bool greeted_ = false;
  uint64_t last_number_ = 0;
};
bool is_ok(std::string_view answer);

// A server that says nothing at all for so long does not answer.
inline constexpr std::chrono::seconds kSilenceMax{30};

// Waits for many connections at once.
class WireLoop {
 public:
  WireLoop();
  ~WireLoop();
  WireLoop(const WireLoop&) = delete;
  WireLoop& operator=(const WireLoop&) = delete;

  size_t connect(const Address& address, const std::string& space);  // waits for the greeting; returns the index
  size_t begin(const Address& address, const std::string& space);    // the greeting comes as a message; the index
  size_t add(std::unique_ptr<Channel> channel);                      // of another kind; returns the index
  size_t size() const { return channels_.size(); }
  // The connection of that index, which the caller knows to be of this kind. What it queues is sent in this turn.
  template <typename Kind>
  Kind& at(size_t index) {
    touched_.push_back(index);
    return static_cast<Kind&>(*channels_[index]);
  }
  Wire& wire(size_t index) { return at<Wire>(index); }

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
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<Watched> watched_;
  std::vector<size_t> touched_;  // connections that may have something to send
};

// Writes on `connections`, each with up to `window` unanswered, for a time or a number of writes.
struct Load {
  enum class Action : uint8_t { Put, Merge };

  size_t connections = 1;
  size_t window = 1;
  Steady::duration time{};  // 0: until `count`
  uint64_t count = 0;
  // The n-th write (from 0) of all.
  std::function<void(uint64_t n, std::string& path, std::string& json)> make;
  std::string what;  // for the progress line
  Action action = Action::Put;
  std::string token{};  // whose the writes are; "": nobody's
  // Told of the answer to the n-th write; the rules may refuse it then. Without this a refusal throws.
  std::function<void(uint64_t n, bool is_written)> on_answer{};
};
struct LoadResult {
  uint64_t writes = 0;
  Steady::duration time{};
  Latencies acks;
};
// Connections go round the namespaces.
LoadResult run_load(const Address& address, const std::vector<std::string>& spaces, const Load& load,
                    StatusLine& progress);
LoadResult run_load(const Address& address, const std::string& space, const Load& load, StatusLine& progress);

}  // namespace hearth::tools
