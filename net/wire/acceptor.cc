// The first look at a request: by which transport it comes. The limits of silence are those of the
// SDKs (socket.h). A frame may be a little larger than a message, so that a message that is too large reaches
// MessageReader, which can refuse it by its number; beyond that the WebSocket is closed.
#include "net/wire/acceptor.h"

#include <utility>

#include "net/wire/poll_request.h"
#include "net/wire/reply.h"
#include "net/wire/socket.h"

namespace hearth::net::wire {
namespace {

// Of a client that is told where to go.
class RedirectedSocket final : public http::WebSocketHandler {
 public:
  void on_message(std::string&&, http::MessageKind) override {}
  void on_close(http::CloseCode) override {}
};

}  // namespace

void Acceptor::redirect(const std::shared_ptr<http::Exchange>& exchange, const std::string& host) {
  const auto socket = exchange->accept_websocket(std::make_shared<RedirectedSocket>());
  if (socket == nullptr) return;
  socket->send_text(redirect_text(host));
  socket->close(http::CloseCode::Normal);
}

void Acceptor::handle(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  if (is_poll_target(request.target)) return polls_.handle(exchange);
  auto upgrade = parse_upgrade(request.target, request.host());
  if (!upgrade) return exchange->respond(http::error_response(404, "Not found."));  // the router gives us no such path
  set_asker(*upgrade, request);
  const auto handler = std::make_shared<WireSocket>(with_, polls_, exchange->thread(), std::move(*upgrade));
  http::WebSocketOptions options;
  options.message_bytes_max = with_.limits.message_bytes_max + kFrameExtraBytes;
  options.may_deflate = with_.may_deflate;
  options.ping_interval = kPingInterval;
  options.idle_time_max = kIdleTimeMax;
  options.word_interval = kWordInterval;
  options.word_delay_max = kWordDelayMax;
  options.answers_pings = answers_pings(request);
  if (auto socket = exchange->accept_websocket(handler, options)) handler->start(std::move(socket));
}

}  // namespace hearth::net::wire
