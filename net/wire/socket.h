// A dialogue on a WebSocket: opened by `GET /.ws`, fed with what comes in, sent what it says. A slow client is held back by its
// own socket, and an idle one costs no buffers.
//
// With `s=` it is a second transport for a session that began by long polling (net/wire/protocol.md §10.4): it says
// that it is there, answers pings, and keeps what else it hears until the long poll has handed the dialogue over.
//
// Thread: the home io thread of its connection, all of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/websocket/websocket.h"
#include "net/wire/dialogue.h"
#include "net/wire/frame.h"
#include "net/wire/polls.h"
#include "net/wire/upgrade.h"

namespace hearth::net::wire {

// Every client says "0" when nothing went either way for kWordInterval, and all but a few answer pings (answers_pings,
// upgrade.h). So one that says nothing for kIdleTimeMax is gone, or frozen: it is known within a minute.
inline constexpr std::chrono::seconds kWordInterval{45};  // SDK: realtime/WebSocketConnection.ts
inline constexpr std::chrono::seconds kWordDelayMax{5};
inline constexpr std::chrono::seconds kPingInterval{20};  // of silence, where what we send puts the "0" off
inline constexpr std::chrono::seconds kIdleTimeMax{56};
inline constexpr size_t kEarlyBytesMax = 1u << 20;  // that a second transport keeps before it reads no further

class WireSocket final : public http::WebSocketHandler,
                         public Transport,
                         public std::enable_shared_from_this<WireSocket> {
 public:
  // `thread`: the home.
  WireSocket(const Surroundings& with, const Polls& polls, size_t thread, Upgrade upgrade);

  // Sends the hello, or the reason why there is none.
  void start(std::shared_ptr<http::WebSocket> socket);

  void on_message(std::string&& frame, http::MessageKind kind) override;
  void on_drained() override;
  bool on_server_closing() override;
  void on_close(http::CloseCode code) override;

  bool is_full() const override { return socket_->backlog_bytes() > with_.backlog_bytes_pause; }
  void send(const Outgoing& message) override;
  void send(db::SharedBytes made) override { socket_->send(std::move(made)); }
  Make maker() const override { return socket_->is_deflated() ? packed_frames_of : static_cast<Make>(frames_of); }
  void hold_back(bool held) override;
  void close() override { socket_->close(http::CloseCode::GoingAway); }
  uint64_t connection() const override { return connection_; }

 private:
  void refuse(const db::Error& why);
  void join();
  void on_attached(bool attached);
  void keep(MessageReader::Message&& message);
  void tell_held() { socket_->hold(reader_.held_bytes() + (coming_ != nullptr ? coming_->early_bytes : 0)); }
  void take_over(std::shared_ptr<Dialogue> dialogue);
  void send_text(std::string_view json);

  const Surroundings& with_;
  const Polls& polls_;
  const uint64_t connection_;
  // Until the dialogue is here.
  struct Coming {
    const Upgrade upgrade;
    std::vector<MessageReader::Message> early{};  // messages that wait for the dialogue to be handed over
    size_t early_bytes = 0;
  };
  std::unique_ptr<Coming> coming_;           // null once it is
  std::shared_ptr<http::WebSocket> socket_;  // null before start and after on_close
  std::shared_ptr<Dialogue> dialogue_;       // null when there was no hello, and until it is handed over
  MessageReader reader_;
  const uint32_t thread_;
  bool is_second_ = false;  // a second transport, which waits for the dialogue
};

}  // namespace hearth::net::wire
