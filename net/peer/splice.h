// Two connections that are one: what comes on either leaves on the other, byte by byte. So a WebSocket goes on at the node
// that owns its namespace while its client is connected here.
//
//   client ══▶ SpliceEnd ── send() ──▶ SpliceEnd ══▶ the owner's node
//              reading stops while the other end has more than backlog_bytes_pause to send; that is the bound of what waits
//
// Either end's end is the other's. Neither pings nor limits of silence are ours: the owner sees to them, through us.
// Thread: both connections have the same home.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "net/io/connection.h"
#include "net/io/protocol.h"

namespace hearth::net::peer {

class SpliceEnd final : public http::Protocol, public std::enable_shared_from_this<SpliceEnd> {
 public:
  // `on_over` is called once, when this end's connection is gone; empty: nobody asks.
  SpliceEnd(http::Connection& connection, std::function<void()> on_over)
      : connection_(&connection), on_over_(std::move(on_over)) {}

  // Both are alive. From here on bytes go both ways.
  static void join(const std::shared_ptr<SpliceEnd>& one, const std::shared_ptr<SpliceEnd>& other);

  const char* kind() const override { return "relayed socket"; }
  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_server_closing() override;
  void on_gone() override;

  void close();                                            // both
  uint64_t passed_bytes() const { return passed_bytes_; }  // from here to the other end

 private:
  http::Connection* connection_;  // null: gone
  std::weak_ptr<SpliceEnd> other_;
  std::function<void()> on_over_;
  http::Timer leaving_;
  uint64_t passed_bytes_ = 0;
};

}  // namespace hearth::net::peer
