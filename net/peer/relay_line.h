// One connection to another node, from our side: a request goes out and its answer comes in, one after the other.
//
//   Idle ── ask() ──▶ Asked ── on_head ──▶ (pieces) ── on_whole ──▶ Idle, or closed
//                       └ on_head with 101: hand_over() gives the connection to a SpliceEnd
//
// Thread: the connection's home, which is the client's too.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "net/io/bytes.h"
#include "net/io/connection.h"
#include "net/io/protocol.h"
#include "net/peer/relay_answer.h"

namespace hearth::net::peer {

// Who has asked. Called on the home thread.
class RelayAsker {
 public:
  virtual ~RelayAsker() = default;
  virtual void on_head(RelayAnswer& answer) = 0;
  virtual void on_piece(std::string_view bytes) = 0;
  virtual void on_whole(bool is_reusable) = 0;  // the last call
  virtual void on_lost(bool has_begun) = 0;     // the connection is gone before that. The last call
};

class RelayLine final : public http::Protocol, public std::enable_shared_from_this<RelayLine> {
 public:
  explicit RelayLine(http::Connection& connection) : connection_(&connection) {}

  enum class Body : uint8_t { Expected, None };  // None: the request was a HEAD
  // Precondition: is_idle().
  void ask(std::string head, http::SharedBytes body, Body answers, std::shared_ptr<RelayAsker> asker);
  bool is_idle() const {
    return connection_ != nullptr && !connection_->is_closed() && asker_ == nullptr && !has_ended_;
  }

  void set_reading(bool wanted) {
    if (connection_ != nullptr) connection_->set_reading(wanted);
  }
  void end_sending();  // the client does not go on; the answer may still come
  void forget();       // the asker hears nothing more, and the connection closes
  // Within on_head(): from here on the connection is another protocol's, which hears first what stands behind the head.
  void hand_over(const http::MakeProtocol& make);

  std::chrono::steady_clock::time_point idle_since() const { return idle_since_; }

  const char* kind() const override { return "relay"; }
  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_server_closing() override;
  void on_gone() override;

 private:
  void finish(bool is_reusable);

  http::Connection* connection_;  // null: gone, or handed over
  std::shared_ptr<RelayAsker> asker_;
  std::unique_ptr<RelayAnswer> answer_;
  std::shared_ptr<http::Protocol> next_;
  std::chrono::steady_clock::time_point idle_since_ = std::chrono::steady_clock::now();
  bool has_ended_ = false;  // we send no more
  bool is_closing_ = false;
};

}  // namespace hearth::net::peer
