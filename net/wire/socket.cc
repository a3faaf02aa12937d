#include "net/wire/socket.h"

#include <algorithm>
#include <utility>

#include "net/http/log.h"
#include "net/wire/reply.h"

namespace hearth::net::wire {

bool Acceptor::accept(const std::shared_ptr<http::Exchange>& exchange) const {
  const http::Request& request = exchange->request();
  auto upgrade = parse_upgrade(request.target, request.header("Host").value_or(""));
  if (!upgrade) return false;
  upgrade->connection = request.connection;
  const auto handler = std::make_shared<WireSocket>(with_, exchange->thread(), std::move(*upgrade));
  http::WebSocketOptions options;
  options.message_bytes_max = kFrameBytesMax;
  options.ping_interval = kPingInterval;
  options.idle_time_max = kIdleTimeMax;
  if (auto socket = exchange->accept_websocket(handler, options)) handler->start(std::move(socket));
  return true;
}

WireSocket::WireSocket(const Surroundings& with, size_t thread, Upgrade upgrade)
    : with_(with), thread_(thread), upgrade_(std::move(upgrade)) {}

WireSocket::~WireSocket() {
  if (waker_ != nullptr) waker_->detach();
}

void WireSocket::start(std::shared_ptr<http::WebSocket> socket) {
  socket_ = std::move(socket);
  if (!upgrade_.transport_of.empty()) {
    // A second transport for a session that has none to share: the client stays with the one it has (§10.4).
    send_text(redirect_text(upgrade_.host));
    return socket_->close(http::CloseCode::Normal);
  }
  const auto space = with_.guard.resolve(upgrade_.space);
  if (!space.ok()) return refuse(space.error());
  waker_ = std::make_shared<http::Waker>(with_.io, thread_, [weak = weak_from_this()] {
    if (const auto alive = weak.lock()) alive->pump();
  });
  auto data =
      with_.guard.open(space.value(), rules::Auth{}, upgrade_.last_session, [waker = waker_] { waker->wake(); });
  if (!data.ok()) return refuse(data.error());
  session_.emplace(std::move(data).value(), with_.verifier, upgrade_.connection);
  http::log(http::LogLevel::Debug, "session opened", {{"connection", upgrade_.connection}, {"ns", space.value()}});
  send_text(session_->hello(with_.clock.now(), upgrade_.host));
}

void WireSocket::refuse(const db::Error& why) {
  using db::ErrorCode;
  if (why.code == ErrorCode::NotFound || why.code == ErrorCode::InvalidArgument) {
    // It will be as wrong the next time: the client prints the reason and does not come back (§3). A mere close would
    // have it try for ever, and its user guess.
    send_text(shutdown_text(why.message));
    return socket_->close(http::CloseCode::Policy);
  }
  socket_->close(http::CloseCode::TryAgainLater, why.message);
}

void WireSocket::on_message(std::string&& frame, http::MessageKind kind) {
  if (!session_ || over_) return;
  if (kind != http::MessageKind::Text) {
    over_ = true;
    return socket_->close(http::CloseCode::Unsupported, "This protocol is spoken in text.");
  }
  auto message = reader_.on_frame(std::move(frame));
  if (!message) return;
  if (decoding_) {
    held_.push_back(std::move(*message));
  } else {
    decode(std::move(*message));
  }
  hold_back();
}

void WireSocket::decode(MessageReader::Message&& message) {
  if (message.text.size() <= kInlineBytesMax) return accept(parse_message(std::move(message)));
  decoding_ = true;
  const auto text = std::make_shared<MessageReader::Message>(std::move(message));
  with_.workers.run([self = shared_from_this(), text] {
    const auto incoming = std::make_shared<Incoming>(parse_message(std::move(*text)));
    self->with_.io.post(self->thread_, [self, incoming] {
      self->decoding_ = false;
      self->accept(std::move(*incoming));
      self->accept_held();
    });
  });
}

void WireSocket::accept(Incoming&& incoming) {
  if (!session_ || over_) return;
  session_->on_message(std::move(incoming), queue_);
  send_queued();
  watch_expiry();
}

void WireSocket::watch_expiry() {
  if (!session_ || session_->expires() == watched_) return;
  watched_ = session_->expires();
  expiry_.cancel();
  if (!watched_) return;
  const auto left = std::max(std::chrono::milliseconds(0), *watched_ - with_.clock.now());
  expiry_ = http::IoPool::schedule(left, [this] {
    watched_.reset();
    if (!session_ || over_) return;
    session_->expire(queue_);
    send_queued();
  });
}

// What came while a large message was decoded, up to the next large one.
void WireSocket::accept_held() {
  size_t taken = 0;
  while (taken < held_.size() && !decoding_) decode(std::move(held_[taken++]));
  held_.erase(held_.begin(), held_.begin() + static_cast<ptrdiff_t>(taken));
  if (held_.empty()) held_.shrink_to_fit();
  hold_back();
}

void WireSocket::pump() {
  while (session_ && !over_ && !encoding_ && socket_->backlog_bytes() <= with_.backlog_bytes_pause) {
    const size_t before = queue_.size();
    over_ = !session_->on_items(queue_);
    if (queue_.size() == before && !over_) break;
    send_queued();
  }
  hold_back();
}

void WireSocket::send_queued() {
  if (socket_ == nullptr) return queue_.clear();
  size_t sent = 0;
  while (sent < queue_.size() && !encoding_) {
    Outgoing& message = queue_[sent++];
    if (size_of(message) <= kInlineBytesMax) {
      send(message);
    } else {
      encode(std::move(message));
    }
  }
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(sent));
  if (queue_.empty()) queue_.shrink_to_fit();
  if (over_ && !encoding_) socket_->close(http::CloseCode::GoingAway);
}

void WireSocket::send(const Outgoing& message) {
  if (const auto* text = std::get_if<Text>(&message)) return send_text(text->json);
  if (std::holds_alternative<Push>(message)) return socket_->send(frames_of(message, with_.serialised));
  send_text(text_of(message));
}

void WireSocket::send_text(std::string_view json) {
  if (json.size() <= kPieceUnitsMax) return socket_->send_text(json);
  socket_->send(frame_message(json));
}

void WireSocket::encode(Outgoing&& message) {
  encoding_ = true;
  with_.workers.run([self = shared_from_this(), message = std::make_shared<Outgoing>(std::move(message))] {
    self->with_.io.post(self->thread_, [self, frames = frames_of(*message, self->with_.serialised)] {
      self->encoding_ = false;
      if (self->socket_ != nullptr) self->socket_->send(frames);
      self->send_queued();
      self->pump();
    });
  });
}

// Reads on, or not.
void WireSocket::hold_back() {
  if (socket_ == nullptr || !session_) return;
  const bool pause = decoding_ || session_->is_behind();
  if (pause == paused_) return;
  paused_ = pause;
  if (pause) {
    socket_->pause();
  } else {
    socket_->resume();
  }
}

void WireSocket::on_close(http::CloseCode) {
  if (waker_ != nullptr) waker_->detach();
  expiry_.cancel();
  session_.reset();  // its onDisconnect writes are written
  socket_.reset();
  reader_ = MessageReader();
  held_.clear();
  queue_.clear();
}

}  // namespace hearth::net::wire
