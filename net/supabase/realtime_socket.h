// A client's realtime socket: up to kChannelsMax channels, a heartbeat, and the limits of what may be under way. Messages
// above kInlineBytes are parsed by a worker, and nothing behind them is looked at meanwhile.
//
// Thread: the home of its connection.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "db/base/metrics.h"
#include "db/base/thread_pool.h"
#include "net/auth/verifier.h"
#include "net/io/half_received.h"
#include "net/io/io_pool.h"
#include "net/io/limits.h"
#include "net/supabase/credentials.h"
#include "net/supabase/phoenix.h"
#include "net/supabase/realtime_channel.h"
#include "net/websocket/websocket.h"
#include "rules/guard.h"

namespace hearth::net::supabase {

inline constexpr size_t kChannelsMax = 100;                    // of one socket
inline constexpr size_t kRealtimeMessageMax = 5'000'000;       // bytes; as upstream
inline constexpr size_t kAskedMax = 512;                       // messages that wait for their answer, of one socket
inline constexpr size_t kAskedBytesMax = 1u << 20;             // the same in bytes
inline constexpr size_t kMalformedMax = 10;                    // messages; then the socket is closed
inline constexpr size_t kInlineBytes = 64u << 10;              // larger messages are a worker's work
inline constexpr std::chrono::seconds kHeartbeatInterval{25};  // of a client; 2.119 can be told another one

struct RealtimeCounts {
  db::Gauge channels;
  db::Counter joins;
  db::Counter refused_messages;  // for want of room, or no message at all
};

// What all sockets of a server share. Outlives them.
struct RealtimeSurroundings {
  rules::Guard& guard;
  const Verifier& verifier;
  const db::Clock& clock;
  http::IoPool& io;
  db::ThreadPool& workers;
  RowFence& fence;
  RealtimeCounts& counts;
  size_t message_bytes_max = kRealtimeMessageMax;
  size_t backlog_bytes_pause = http::Limits{}.backlog_bytes_pause;
  std::shared_ptr<http::HalfReceived> half_received{};  // as the listener's; null: nobody counts
};

class RealtimeSocket final : public http::WebSocketHandler,
                             public RealtimeCarrier,
                             public std::enable_shared_from_this<RealtimeSocket> {
 public:
  RealtimeSocket(const RealtimeSurroundings& with, size_t thread, std::string space, PhoenixVersion version,
                 Credentials credentials, std::string_view peer, uint64_t connection);

  void start(std::shared_ptr<http::WebSocket> socket) { socket_ = std::move(socket); }

  void on_message(std::string&& message, http::MessageKind kind) override;
  void on_drained() override;
  void on_close(http::CloseCode code) override;

  PhoenixVersion version() const override { return version_; }
  bool is_full() const override { return socket_ == nullptr || socket_->backlog_bytes() > with_.backlog_bytes_pause; }
  void send(const PhoenixReply& reply) override;
  void send(http::SharedBytes frames) override;
  void on_asked(size_t bytes) override;
  void on_answered(size_t bytes) override;
  void remove(std::string_view topic) override;

 private:
  void accept(db::Result<PhoenixMessage>&& message);
  void join(const PhoenixMessage& message);
  void refuse(const PhoenixMessage& message, std::string_view reason);
  void hold_back();
  void share_what_is_asked();
  bool has_room(size_t more);

  const RealtimeSurroundings with_;
  const size_t thread_;
  const uint64_t connection_;  // its number
  const std::string space_;
  const PhoenixVersion version_;
  const Credentials credentials_;
  std::shared_ptr<http::WebSocket> socket_{};  // null before start and after on_close
  std::map<std::string, std::shared_ptr<RealtimeChannel>, std::less<>> channels_{};  // by topic
  std::optional<http::HalfReceived::Share> asked_{};                                 // nothing: nobody counts
  size_t asked_count_ = 0, asked_bytes_ = 0;
  size_t malformed_ = 0;
  bool is_parsing_ = false;
  bool is_held_ = false;
};

}  // namespace hearth::net::supabase
