// A Session at work on one io thread: the dialogue decodes what the client sends and serialises what the session
// says, each in order. A message above kInlineBytesMax goes to the worker pool, and everything behind it waits.
//
//   text  ─▶ [worker: parse_message] ─▶ Session::on_message
//   bytes ◀─ [worker: bytes_of]      ◀─ Session::on_items  ◀─ wake, from any thread
//
// One Transport at a time carries the dialogue: a WebSocket (socket.h), or long polling (long_poll.h) and then the
// WebSocket that the client changes over to. While the transport is full, the dialogue takes nothing from the
// session. While the session is behind with its answers, the transport reads nothing from the client.
//
// Thread: the home io thread of its transport. The dialogue moves to another thread between leave() and carry_by().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/base/lazy.h"
#include "db/base/metrics.h"
#include "db/base/result.h"
#include "db/base/thread_pool.h"
#include "net/auth/verifier.h"
#include "net/io/half_received.h"
#include "net/io/io_pool.h"
#include "net/io/limits.h"
#include "net/io/waker.h"
#include "net/wire/frame.h"
#include "net/wire/session.h"
#include "net/wire/upgrade.h"
#include "rules/guard.h"

namespace hearth::net::wire {

inline constexpr size_t kAlwaysTakenBytes = 1u << 10;  // a message of that size is never refused for want of room
inline constexpr size_t kInlineBytesMax = 64u << 10;   // larger messages are a worker's work

// What all dialogues and transports of a server share. Outlives them.
struct Surroundings {
  rules::Guard& guard;
  const Verifier& verifier;
  const db::Clock& clock;
  http::IoPool& io;
  db::ThreadPool& workers;
  size_t backlog_bytes_pause = http::Limits{}.backlog_bytes_pause;  // as the listener's
  db::Counter* serialised = nullptr;                                // counts pushes that were made; null: nobody counts
  Limits limits{};
  bool may_deflate = false;                             // WebSockets, if their clients offer it
  LimitsReached* reached = nullptr;                     // null: nobody counts
  std::shared_ptr<http::HalfReceived> half_received{};  // as the listener's; null: nobody counts
  size_t receive_pace_min = http::Limits{}.receive_pace_min;
  std::chrono::milliseconds receive_stall_max = http::Limits{}.body_stall_max;
  std::string node{};  // of a cluster: stands in the ids of long polls; "": there is none
};

// Carries a dialogue to its client. Called on the dialogue's thread.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual bool is_full() const = 0;
  virtual void send(const Outgoing& message) = 0;  // a message of at most kInlineBytesMax
  // The bytes of a larger message. A worker has made them by the function that maker() returns.
  virtual void send(db::SharedBytes made) = 0;
  using Make = db::SharedBytes (*)(const Outgoing&, db::Counter* serialised);
  virtual Make maker() const = 0;

  virtual void flush() {}                 // no more comes in this turn
  virtual void hold_back(bool held) = 0;  // true: read nothing from the client from here on; false: read on
  virtual void on_sent_all() {}           // nothing waits to be serialised
  // The client has said that it sends no more by this transport (§10.4). What it said before has been handled.
  virtual void on_end_of_transmission() {}
  virtual void close() = 0;                          // the dialogue is over, and all of it has been sent
  virtual uint64_t connection() const { return 0; }  // its number; 0: it has none of its own
};

class Dialogue : public std::enable_shared_from_this<Dialogue> {
 public:
  explicit Dialogue(const Surroundings& with) : with_(with) {}  // which outlives it
  ~Dialogue();
  Dialogue(const Dialogue&) = delete;
  Dialogue& operator=(const Dialogue&) = delete;

  // Begins on `thread`, which is the calling one. Returns the hello to send first. Errors: as Guard::resolve and
  // Guard::open.
  db::Result<std::string> open(const Upgrade& upgrade, size_t thread);

  // Precondition: open() has succeeded, and end() has not been called.
  std::string session_id() const { return session_->id(); }

  // From here on `transport` carries the dialogue. The transport calls end() or leave() before it goes. `thread` is
  // the calling one.
  void carry_by(Transport& transport, size_t thread);
  // Takes a quiet dialogue off its transport. Nothing happens to it any more on this thread; it goes on when it is
  // carried on `thread`.
  void leave(size_t thread);
  // Whether no worker has anything of the dialogue, and nothing waits to be sent.
  bool is_quiet() const { return !decoding_ && !encoding_ && queue_.empty(); }

  void on_message(MessageReader::Message&& message);
  // Takes what the session has to say and sends it, if the transport has room.
  void pump();

  // The server is closing: what was asked is answered, and then the transport closes. Messages that come from here on
  // are dropped; the client sends them again when it has connected again, so nothing is done twice.
  void drain();

  // The client is gone. Its onDisconnect writes are written.
  void end();

 private:
  // What there is while something large is on its way.
  struct Large {
    std::vector<MessageReader::Message> held;  // messages behind one that a worker decodes
    std::vector<db::Lease> leases;             // of large values that the client has not read yet
    bool empty() const { return held.empty() && leases.empty(); }
  };
  struct Expiry {
    std::optional<std::chrono::seconds> watched{};  // nothing: the dialogue is over, and its transport ends then
    http::Timer timer{};
  };
  void decode(MessageReader::Message&& message);
  void accept(Incoming&& incoming);
  void accept_held();
  void send_queued();
  void leave_soon();
  void encode(Outgoing&& message);
  void hold_back();
  void drop_held();
  void drop_leases();
  bool hold_asked(size_t more);
  void watch_expiry();
  bool takes_messages() const { return session_ && !over_ && !is_draining_; }

  const Surroundings& with_;
  Transport* transport_ = nullptr;
  std::shared_ptr<http::Waker> waker_;
  std::optional<Session> session_;  // nothing before open() and after end()
  std::vector<Outgoing> queue_;     // messages behind one that a worker serialises
  db::Lazy<Large> large_;
  std::unique_ptr<Expiry> expiry_;  // null: there is none to wait for
  // Counts requests of the client, from when they have come until they are answered; null: they are few bytes.
  std::unique_ptr<http::HalfReceived::Share> asked_;
  size_t coming_bytes_ = 0;  // of messages that the session has not got yet
  uint32_t thread_ = 0;      // once it is open
  bool decoding_ = false;
  bool encoding_ = false;
  bool is_draining_ = false;
  bool over_ = false;  // closes when the queue is sent
  bool held_back_ = false;
};

}  // namespace hearth::net::wire
