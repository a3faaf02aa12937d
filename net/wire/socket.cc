// A dialogue on a WebSocket. Most of the work is Dialogue's; here frames become messages, and a second transport
// takes over.
//
//   GET /.ws        ─▶ start: Dialogue::open, hello, carry_by(this)
//   GET /.ws?s=id   ─▶ join: the session lives with a LongPoll, perhaps on another thread (drawn in long_poll.cc)
//                      │ attached: control a; pings are answered; other messages wait in Coming::early
//                      └▶ take_over: the dialogue comes here, then these are handled
//
// Owners: the WebSocketSession owns this handler until on_close(), and this holds the socket until then. That is a
// circle, and on_close(), which is always called, ends it. Others hold this weakly: a task that hands a dialogue over
// to a socket that has gone ends the dialogue instead.
//
// The dialogue may end within any call of it, so calls hold a copy of the pointer.
#include "net/wire/socket.h"

#include <utility>

#include "net/wire/long_poll.h"
#include "net/wire/message.h"
#include "net/wire/reply.h"

namespace hearth::net::wire {

namespace {
constexpr size_t kControlBytesMax = 256;
}  // namespace

WireSocket::WireSocket(const Surroundings& with, const Polls& polls, size_t thread, Upgrade upgrade)
    : with_(with),
      polls_(polls),
      connection_(upgrade.connection),
      coming_(std::make_unique<Coming>(Coming{std::move(upgrade)})),
      reader_(with.limits.message_bytes_max),
      thread_(static_cast<uint32_t>(thread)) {}

void WireSocket::start(std::shared_ptr<http::WebSocket> socket) {
  socket_ = std::move(socket);
  if (!coming_->upgrade.transport_of.empty()) return join();
  dialogue_ = std::make_shared<Dialogue>(with_);
  const auto hello = dialogue_->open(coming_->upgrade, thread_);
  if (!hello.ok()) {
    dialogue_.reset();
    return refuse(hello.error());
  }
  send_text(hello.value());
  coming_.reset();
  dialogue_->carry_by(*this, thread_);
}

void WireSocket::refuse(const db::Error& why) {
  using db::ErrorCode;
  if (why.code == ErrorCode::NotFound || why.code == ErrorCode::InvalidArgument) {
    // The request will be as wrong the next time. So the client is told the reason by control `s`: it prints it and
    // does not come back (§3). After a mere close it would try for ever, and its user could only guess.
    send_text(shutdown_text(why.message));
    return socket_->close(http::CloseCode::Policy);
  }
  socket_->close(http::CloseCode::TryAgainLater, why.message);
}

// ---- a second transport ----

// Each step is a post to the thread that owns what is asked. The client may go between any two of them.
void WireSocket::join() {
  const auto place = polls_.find(coming_->upgrade.transport_of);
  if (!place || place->poll->space() != coming_->upgrade.space) return on_attached(false);
  is_second_ = true;
  // Called by the long poll, on its thread: from there the dialogue moves here.
  const auto take = [weak = weak_from_this(), io = &with_.io, thread = thread_](std::shared_ptr<Dialogue> dialogue) {
    dialogue->leave(thread);
    io->post(thread, [weak, dialogue = std::move(dialogue)] {
      if (const auto self = weak.lock()) return self->take_over(dialogue);
      dialogue->end();
    });
  };
  with_.io.post(place->thread, [poll = place->poll, take, weak = weak_from_this(), io = &with_.io, thread = thread_] {
    const bool attached = poll->attach(take);
    io->post(thread, [weak, attached] {
      if (const auto self = weak.lock()) self->on_attached(attached);
    });
  });
}

void WireSocket::on_attached(bool attached) {
  if (socket_ == nullptr) return;
  if (attached) return send_text(attached_text());
  // The client stays with the transport that it has.
  is_second_ = false;
  send_text(redirect_text(coming_->upgrade.host));
  socket_->close(http::CloseCode::Normal);
}

// SDKs test the new transport with pings before they trust it. All else belongs behind what polls still bring.
void WireSocket::keep(MessageReader::Message&& message) {
  if (message.text.size() <= kControlBytesMax) {
    const Incoming control = parse_message({.text = message.text});
    if (std::holds_alternative<Ping>(control)) return send_text(pong_text());
    if (std::holds_alternative<Nothing>(control)) return;
  }
  coming_->early_bytes += message.text.size();
  coming_->early.push_back(std::move(message));
  if (coming_->early_bytes > kEarlyBytesMax) socket_->pause();
}

// The dialogue first, then what has waited for it, in order. Each message may end it.
void WireSocket::take_over(std::shared_ptr<Dialogue> dialogue) {
  if (socket_ == nullptr) return dialogue->end();
  is_second_ = false;
  const std::unique_ptr<Coming> came = std::move(coming_);
  dialogue_ = std::move(dialogue);
  dialogue_->carry_by(*this, thread_);
  if (came->early_bytes > kEarlyBytesMax) socket_->resume();
  tell_held();
  for (MessageReader::Message& message : came->early) {
    if (const auto still = dialogue_) still->on_message(std::move(message));
  }
}

// ---- what comes and goes ----

void WireSocket::on_message(std::string&& frame, http::MessageKind kind) {
  if (dialogue_ == nullptr && !is_second_) return;
  if (kind != http::MessageKind::Text) {
    return socket_->close(http::CloseCode::Unsupported, "This protocol is spoken in text.");
  }
  auto message = reader_.on_frame(std::move(frame));
  if (!message) return tell_held();
  if (is_second_) {
    keep(std::move(*message));
    return tell_held();
  }
  tell_held();
  const auto dialogue = dialogue_;
  dialogue->on_message(std::move(*message));
}

void WireSocket::on_drained() {
  if (const auto dialogue = dialogue_) dialogue->pump();
}

bool WireSocket::on_server_closing() {
  const auto dialogue = dialogue_;
  if (dialogue != nullptr) dialogue->drain();
  return dialogue != nullptr;
}

// Pushes leave by reference, as their frame is shared with other sockets; the rest is small and copied into the
// outbox.
void WireSocket::send(const Outgoing& message) {
  if (const auto* text = std::get_if<Text>(&message)) return send_text(text->json);
  if (std::holds_alternative<Push>(message)) return socket_->send(maker()(message, with_.serialised));
  send_text(text_of(message));
}

void WireSocket::send_text(std::string_view json) {
  if (json.size() <= kPieceUnitsMax) return socket_->send_text(json);
  socket_->send(frame_message(json, socket_->is_deflated() ? Packed::Yes : Packed::No));
}

void WireSocket::hold_back(bool held) {
  if (held) {
    socket_->pause();
  } else {
    socket_->resume();
  }
}

void WireSocket::on_close(http::CloseCode) {
  if (const auto dialogue = std::exchange(dialogue_, nullptr)) dialogue->end();
  if (std::exchange(is_second_, false)) {
    if (const auto place = polls_.find(coming_->upgrade.transport_of)) {
      with_.io.post(place->thread, [poll = place->poll] { poll->detach(); });
    }
  }
  socket_.reset();
  reader_ = MessageReader(with_.limits.message_bytes_max);
  if (coming_ != nullptr) coming_->early.clear();
}

}  // namespace hearth::net::wire
