#include "net/yjs/acceptor.h"

#include "net/yjs/room.h"

namespace hearth::net::yjs {
namespace {

// Stock clients renew what they say of themselves every 15 s, and answer pings.
constexpr std::chrono::seconds kIdleTimeMax{60}, kWordInterval{15};

// A socket that is accepted to be told, by its close code, why it is refused.
class RefusedSocket final : public http::WebSocketHandler {
 public:
  void on_message(std::string&&, http::MessageKind) override {}
  void on_close(http::CloseCode) override {}
};

}  // namespace

void Acceptor::handle(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  http::WebSocketOptions options;
  options.message_bytes_max = with_.message_bytes_max;
  options.idle_time_max = kIdleTimeMax;
  options.word_interval = kWordInterval;
  options.may_deflate = may_deflate_;
  const auto refuse = [&](uint16_t code, std::string_view why) {
    if (auto socket = exchange->accept_websocket(std::make_shared<RefusedSocket>(), options)) {
      socket->close(static_cast<http::CloseCode>(code), why.substr(0, kWordsMax));
    }
  };
  auto room = room_of(request.target, request.host());
  if (!room.ok()) return refuse(4400, room.error().message);
  const auto space = with_.guard.resolve(room.value().space);
  if (!space.ok()) return refuse(4404, space.error().message);
  std::string credential = std::move(room.value().token);
  if (credential.empty()) credential = http::bearer_token(request.headers).value_or("");
  const size_t thread = exchange->thread();
  const DocumentPlace place{.home = {with_.guard, with_.io, with_.clock, thread, {request.connection, "yjs"}},
                            .verifier = with_.verifier,
                            .workers = with_.workers,
                            .rooms = rooms_.at(thread),
                            .space = space.value(),
                            .asker = Asker(request.peer, request.is_behind_stranger),
                            .whence = http::whence_of(request)};
  std::shared_ptr<YjsSocket> handler;
  if (room.value().name.empty()) {
    handler = std::make_shared<HocuspocusSocket>(with_, place, request.peer);
  } else {
    handler = std::make_shared<YWebsocketSocket>(with_, place, request.peer, std::move(room.value().name),
                                                 std::move(credential));
  }
  if (auto socket = exchange->accept_websocket(handler, options)) handler->start(std::move(socket));
}

}  // namespace hearth::net::yjs
