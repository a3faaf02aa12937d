// The two kinds of sockets: y-websocket has one document, Hocuspocus any number up to kDocumentsMax. Both say something
// when they have been silent for kSilenceMax, because their clients believe a silent server to be gone.
//
// Thread: the home of its connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/metrics.h"
#include "net/io/half_received.h"
#include "net/io/limits.h"
#include "net/websocket/websocket.h"
#include "net/yjs/document_client.h"
#include "net/yjs/document_homes.h"

namespace hearth::net::yjs {

inline constexpr size_t kDocumentsMax = 100;                     // of one Hocuspocus socket
inline constexpr size_t kNameBytesMax = 16u << 10;               // of a document; as of a target
inline constexpr size_t kAskedMax = 512;                         // edits that wait for the disk, of one socket
inline constexpr size_t kAskedBytesMax = 4u << 20;               // the same in bytes
inline constexpr std::chrono::milliseconds kSilenceMax{26'000};  // clients wait 30 s
inline constexpr size_t kWordsMax = 120;                         // bytes of the reason of a close frame

struct YjsCounts {
  db::Gauge documents;  // places of clients
  db::Counter refused;  // documents that were not opened, or ended
};

// What all sockets of a server share. Outlives them.
struct YjsSurroundings {
  rules::Guard& guard;
  const Verifier& verifier;
  const db::Clock& clock;
  http::IoPool& io;
  db::ThreadPool& workers;
  YjsCounts& counts;
  size_t message_bytes_max = 16u << 20;
  size_t backlog_bytes_pause = http::Limits{}.backlog_bytes_pause;
  std::shared_ptr<http::HalfReceived> half_received{};  // as the listener's; null: nobody counts
};

class YjsSocket : public http::WebSocketHandler,
                  public DocumentCarrier,
                  public std::enable_shared_from_this<YjsSocket> {
 public:
  YjsSocket(const YjsSurroundings& with, DocumentPlace place, std::string_view peer);

  virtual void start(std::shared_ptr<http::WebSocket> socket);
  void on_message(std::string&& frame, http::MessageKind kind) override;
  void on_close(http::CloseCode code) override;

  bool is_full() const override { return socket_ == nullptr || socket_->backlog_bytes() > with_.backlog_bytes_pause; }
  void send(std::string_view message) override;
  void send(http::SharedBytes frame) override;
  void on_asked(size_t bytes) override;
  void on_answered(size_t bytes) override;

 protected:
  virtual void on_frame(std::string_view frame) = 0;
  virtual void keep_alive() = 0;
  virtual void end_documents() = 0;
  void close(uint16_t code, std::string_view words);
  std::shared_ptr<DocumentClient> open(Dialect dialect, std::string name);

  const YjsSurroundings with_;
  const DocumentPlace place_;
  std::shared_ptr<http::WebSocket> socket_{};  // null before start and after on_close

 private:
  void hold_back();
  void share_what_is_asked();
  void watch_silence();

  std::optional<http::HalfReceived::Share> share_{};
  size_t asked_count_ = 0, asked_bytes_ = 0;
  bool is_held_ = false;
  bool has_spoken_ = false;  // since the timer was set
  http::Timer silence_;
};

class YWebsocketSocket final : public YjsSocket {
 public:
  YWebsocketSocket(const YjsSurroundings& with, DocumentPlace place, std::string_view peer, std::string name,
                   std::string credential, std::shared_ptr<DocumentHomes::Seat> seat)
      : YjsSocket(with, std::move(place), peer),
        name_(std::move(name)),
        credential_(std::move(credential)),
        seat_(std::move(seat)) {}
  void start(std::shared_ptr<http::WebSocket> socket) override;
  void on_drained() override;
  void on_leaving(std::string_view name, Leaving why, const std::string& words) override;
  void hear_through(http::Gate* gate) override {
    if (socket_ != nullptr) socket_->hear_through(gate);
  }

 private:
  void on_frame(std::string_view frame) override;
  void keep_alive() override { send(query_awareness_message("")); }
  void end_documents() override;

  const std::string name_;
  std::string credential_;
  std::shared_ptr<DocumentHomes::Seat> seat_;  // until the socket is closed
  std::shared_ptr<DocumentClient> document_{};
};

class HocuspocusSocket final : public YjsSocket {
 public:
  using YjsSocket::YjsSocket;
  void on_drained() override;
  void on_leaving(std::string_view name, Leaving why, const std::string& words) override;
  // With the room of its only document. Who has several is heard as any: each has a room of its own.
  void hear_through(http::Gate* gate) override {
    if (socket_ != nullptr && (gate == nullptr || documents_.size() == 1)) socket_->hear_through(gate);
  }

 private:
  void on_frame(std::string_view frame) override;
  void keep_alive() override { send(kPing); }
  void end_documents() override;

  std::map<std::string, std::shared_ptr<DocumentClient>, std::less<>> documents_{};  // by name
};

}  // namespace hearth::net::yjs
