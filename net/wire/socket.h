// A wire::Session on a WebSocket: opened by `GET /.ws`, fed with what comes in, sent what it says.
//
// Order is kept both ways, also past what is decoded or serialised elsewhere: a message above kInlineBytesMax goes to
// the worker pool, and everything behind it waits.
//
//   frame ─▶ MessageReader ─▶ [worker: parse_message] ─▶ Session::on_message
//   bytes ◀─ outbox        ◀─ [worker: frames_of]     ◀─ Session::on_items  ◀─ wake, from any thread
//
// Nothing is read while the session is behind with its answers, and nothing is taken from it while much waits to be
// sent: a slow client is held back by its own socket, and an idle one costs no buffers.
//
// Thread: the home io thread of its connection, all of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "net/auth/verifier.h"
#include "net/http/exchange.h"
#include "net/http/io_pool.h"
#include "net/http/limits.h"
#include "net/http/waker.h"
#include "net/http/websocket.h"
#include "net/http/worker_pool.h"
#include "net/wire/frame.h"
#include "net/wire/session.h"
#include "net/wire/upgrade.h"
#include "rules/guard.h"

namespace hearth::net::wire {

inline constexpr size_t kInlineBytesMax = 64u << 10;      // larger messages are not the io thread's work
inline constexpr std::chrono::seconds kPingInterval{40};  // of silence
inline constexpr std::chrono::seconds kIdleTimeMax{90};   // SDKs keep alive every 45 s (wire-protocol.md §2.3)

// What all sockets of a server share. Must outlive them.
struct Surroundings {
  rules::Guard& guard;
  const Verifier& verifier;
  const db::Clock& clock;
  http::IoPool& io;
  http::WorkerPool& workers;
  size_t backlog_bytes_pause = http::Limits{}.backlog_bytes_pause;  // as the listener's
  db::Counter* serialised = nullptr;                                // pushes that were; null: nobody counts
};

class WireSocket final : public http::WebSocketHandler, public std::enable_shared_from_this<WireSocket> {
 public:
  // `thread`: the home.
  WireSocket(const Surroundings& with, size_t thread, Upgrade upgrade);
  ~WireSocket() override;

  // Says hello, or why not.
  void start(std::shared_ptr<http::WebSocket> socket);

  void on_message(std::string&& frame, http::MessageKind kind) override;
  void on_drained() override { pump(); }
  void on_close(http::CloseCode code) override;

 private:

  void refuse(const db::Error& why);
  void decode(MessageReader::Message&& message);
  void accept(Incoming&& incoming);
  void accept_held();
  void pump();
  void send_queued();
  void send(const Outgoing& message);
  void send_text(std::string_view json);
  void encode(Outgoing&& message);
  void hold_back();
  void watch_expiry();

  const Surroundings with_;
  const size_t thread_;
  const Upgrade upgrade_;
  std::shared_ptr<http::Waker> waker_;
  std::shared_ptr<http::WebSocket> socket_;  // null before start and after on_close
  std::optional<Session> session_;           // nothing when there was no hello
  MessageReader reader_;
  std::vector<MessageReader::Message> held_;  // behind one that a worker decodes
  std::vector<Outgoing> queue_;               // behind one that a worker serialises
  std::optional<std::chrono::seconds> watched_;  // the expiry that expiry_ is for
  http::Timer expiry_;
  bool decoding_ = false;
  bool encoding_ = false;
  bool over_ = false;  // closes when the queue is sent
  bool paused_ = false;
};

// Takes the requests that are for this protocol. Thread: any.
class Acceptor {
 public:
  Acceptor(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, http::WorkerPool& workers,
           db::Counter* serialised = nullptr)
      : with_{.guard = guard,
              .verifier = verifier,
              .clock = clock_,
              .io = io,
              .workers = workers,
              .serialised = serialised} {}

  // False when the exchange is for somebody else. On the exchange's home thread.
  bool accept(const std::shared_ptr<http::Exchange>& exchange) const;

 private:
  const db::SystemClock clock_;
  const Surroundings with_;
};

}  // namespace hearth::net::wire
