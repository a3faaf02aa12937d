#include "net/yjs/acceptor.h"

#include <utility>

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

// A client of y-websocket names its document here, and moves to the thread where the document's others are. One of Hocuspocus
// names its documents later, and stays.
void Acceptor::handle(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  const auto refuse = [&](uint16_t code, std::string_view why) {
    if (auto socket = exchange->accept_websocket(std::make_shared<RefusedSocket>(), options())) {
      socket->close(static_cast<http::CloseCode>(code), why.substr(0, kWordsMax));
    }
  };
  auto room = room_of(request.target, request.host());
  if (!room.ok()) return refuse(4400, room.error().message);
  auto space = with_.guard.resolve(room.value().space);
  if (!space.ok()) return refuse(4404, space.error().message);
  const auto path = path_of_room(room.value().name);
  // A name that is no path is refused in words of its own, and so is a request that asks for no WebSocket.
  if (!path.ok() || !exchange->wants_websocket()) {
    return accept(exchange, std::move(room).value(), space.value(), nullptr);
  }
  const std::shared_ptr seat = homes_.take(space.value(), path.value().text(), exchange->thread());
  if (seat->thread() == exchange->thread()) return accept(exchange, std::move(room).value(), space.value(), seat);
  exchange->move_to(seat->thread(),
                    [this, room = std::move(room).value(), space = std::move(space).value(),
                     seat](const std::shared_ptr<http::Exchange>& there) { accept(there, room, space, seat); });
}

void Acceptor::accept(const std::shared_ptr<http::Exchange>& exchange, Room room, const std::string& space,
                      std::shared_ptr<DocumentHomes::Seat> seat) {
  const http::Request& request = exchange->request();
  std::string credential = std::move(room.token);
  if (credential.empty()) credential = http::bearer_token(request.headers).value_or("");
  const size_t thread = exchange->thread();
  const DocumentPlace place{.home = {with_.guard, with_.io, with_.clock, thread, {request.connection, "yjs"}},
                            .verifier = with_.verifier,
                            .workers = with_.workers,
                            .rooms = rooms_.at(thread),
                            .space = space,
                            .asker = Asker(request.peer, request.is_behind_stranger),
                            .whence = http::whence_of(request)};
  std::shared_ptr<YjsSocket> handler;
  if (room.name.empty()) {
    handler = std::make_shared<HocuspocusSocket>(with_, place, request.peer);
  } else {
    handler = std::make_shared<YWebsocketSocket>(with_, place, request.peer, std::move(room.name),
                                                 std::move(credential), std::move(seat));
  }
  if (auto socket = exchange->accept_websocket(handler, options())) handler->start(std::move(socket));
}

http::WebSocketOptions Acceptor::options() const {
  http::WebSocketOptions options;
  options.message_bytes_max = with_.message_bytes_max;
  options.idle_time_max = kIdleTimeMax;
  options.word_interval = kWordInterval;
  options.may_deflate = may_deflate_;
  return options;
}

}  // namespace hearth::net::yjs
