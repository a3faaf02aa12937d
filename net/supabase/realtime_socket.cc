// Messages of a socket, to the channel of their topic.
//
//   "phoenix"   heartbeat ─▶ reply
//   a topic     phx_join ─▶ a new channel, which ends the one before
//               phx_leave, and the rest ─▶ its channel; where there is none: "unmatched topic"
//
// Backpressure. What was asked and is not answered yet is counted; above a limit the socket reads no further. What the
// client does not read stays in its sessions' stories (RealtimeChannel::is_full), whose shard ends those that grow too
// large.
#include "net/supabase/realtime_socket.h"

#include <utility>

#include "net/io/limit_log.h"
#include "net/websocket/frame.h"

namespace hearth::net::supabase {

RealtimeSocket::RealtimeSocket(const RealtimeSurroundings& with, size_t thread, std::string space,
                               PhoenixVersion version, Credentials credentials, std::string_view peer,
                               uint64_t connection)
    : with_(with),
      thread_(thread),
      connection_(connection),
      space_(std::move(space)),
      version_(version),
      credentials_(std::move(credentials)) {
  if (with_.half_received != nullptr) asked_.emplace(with_.half_received, http::HalfReceived::owner_of(peer));
}

void RealtimeSocket::send(const PhoenixReply& reply) {
  if (socket_ != nullptr) socket_->send_text(phoenix_text(reply, version_));
}

void RealtimeSocket::send(http::SharedBytes frames) {
  if (socket_ != nullptr) socket_->send(std::move(frames));
}

void RealtimeSocket::on_asked(size_t bytes) {
  ++asked_count_;
  asked_bytes_ += bytes;
  hold_back();
}

void RealtimeSocket::on_answered(size_t bytes) {
  --asked_count_;
  asked_bytes_ -= bytes;
  share_what_is_asked();
  hold_back();
}

void RealtimeSocket::hold_back() {
  if (socket_ == nullptr) return;
  const bool is_wanted = is_parsing_ || asked_count_ > kAskedMax || asked_bytes_ > kAskedBytesMax;
  if (is_wanted == is_held_) return;
  is_held_ = is_wanted;
  if (is_wanted) {
    socket_->pause();
  } else {
    socket_->resume();
  }
}

// Gives back the room of messages that have been answered, or need no answer.
void RealtimeSocket::share_what_is_asked() {
  if (asked_ && !is_parsing_) (void)asked_->hold(asked_bytes_);
}

// Whether the server has room for a message of that size. A small one always has.
bool RealtimeSocket::has_room(size_t more) {
  if (!asked_) return true;
  if (!asked_->hold(asked_bytes_ + more) || more <= 1'024) return true;
  with_.counts.refused_messages.add();
  http::tell_of_limit("pending_size");
  return false;
}

void RealtimeSocket::on_message(std::string&& message, http::MessageKind kind) {
  if (socket_ == nullptr) return;
  if (!has_room(message.size())) {
    return socket_->close(http::CloseCode::TryAgainLater, "The server has no room for this message now.");
  }
  if (kind == http::MessageKind::Binary || message.size() <= kInlineBytes) {
    const auto self = shared_from_this();
    accept(kind == http::MessageKind::Binary ? parse_phoenix_binary(message)
                                             : parse_phoenix_text(std::move(message), version_));
    return share_what_is_asked();
  }
  is_parsing_ = true;
  hold_back();
  with_.workers.run([weak = weak_from_this(), io = &with_.io, thread = thread_, version = version_,
                     text = std::make_shared<std::string>(std::move(message))] {
    const auto parsed = std::make_shared<db::Result<PhoenixMessage>>(parse_phoenix_text(std::move(*text), version));
    io->post(thread, [weak, parsed] {
      const auto self = weak.lock();
      if (self == nullptr || self->socket_ == nullptr) return;
      self->is_parsing_ = false;
      self->accept(std::move(*parsed));
      self->share_what_is_asked();
      self->hold_back();
    });
  });
}

void RealtimeSocket::accept(db::Result<PhoenixMessage>&& parsed) {
  if (!parsed.ok()) {
    with_.counts.refused_messages.add();
    if (++malformed_ >= kMalformedMax)
      socket_->close(http::CloseCode::InvalidData, parsed.error().message.substr(0, 100));
    return;
  }
  PhoenixMessage message = std::move(parsed).value();
  if (message.topic == "phoenix") {
    if (message.event == "heartbeat") {
      send({std::nullopt, message.ref, message.topic, "phx_reply", phoenix_status("ok", "{}")});
    }
    return;
  }
  if (message.event == "phx_join") return join(message);
  const auto found = channels_.find(message.topic);
  if (found == channels_.end()) {
    if (message.event == "phx_leave") {
      send({message.join_ref, message.ref, message.topic, "phx_reply", phoenix_status("ok", "{}")});
    } else {
      refuse(message, "unmatched topic");
    }
    return;
  }
  const auto channel = found->second;
  if (message.event != "phx_leave") return channel->on_message(std::move(message));
  remove(message.topic);
  channel->leave(message.ref);
}

void RealtimeSocket::refuse(const PhoenixMessage& message, std::string_view reason) {
  const auto& join_ref = message.join_ref ? message.join_ref : message.ref;
  send({.join_ref = join_ref,
        .ref = message.ref,
        .topic = message.topic,
        .event = "phx_reply",
        .payload = phoenix_status("error", phoenix_reason(reason))});
}

void RealtimeSocket::join(const PhoenixMessage& message) {
  if (!message.payload) return;
  if (!message.topic.starts_with(kTopicStart) || message.topic.size() == kTopicStart.size()) {
    return refuse(message, "TopicNameRequired: A channel's topic is realtime:NAME");
  }
  if (message.topic.size() > 4'096) return refuse(message, "TopicNameRequired: A topic has at most 4,096 bytes");
  if (const auto old = channels_.find(message.topic); old != channels_.end()) {
    const auto channel = old->second;
    remove(message.topic);
    channel->replace();
  }
  if (channels_.size() >= kChannelsMax) {
    return refuse(message, "ChannelRateLimitReached: A socket has at most 100 channels");
  }
  with_.counts.joins.add();
  with_.counts.channels.add();
  const RealtimeChannel::Place place{.home = {with_.guard, with_.io, with_.clock, thread_, {connection_, "supabase"}},
                                     .verifier = with_.verifier,
                                     .fence = with_.fence,
                                     .space = space_};
  const auto channel = std::make_shared<RealtimeChannel>(*this, place, credentials_, message);
  channels_[message.topic] = channel;
  channel->start(*message.payload);
}

void RealtimeSocket::remove(std::string_view topic) {
  const auto found = channels_.find(topic);
  if (found == channels_.end()) return;
  with_.counts.channels.add(-1);
  channels_.erase(found);
}

void RealtimeSocket::on_drained() {
  // A channel may end while it speaks.
  std::vector<std::shared_ptr<RealtimeChannel>> all;
  for (const auto& [topic, channel] : channels_) all.push_back(channel);
  for (const auto& channel : all) {
    if (is_full()) return;  // the rest when there is room again
    channel->pump();
  }
}

void RealtimeSocket::on_close(http::CloseCode) {
  with_.counts.channels.add(-static_cast<int64_t>(channels_.size()));
  socket_.reset();
  for (const auto& [topic, channel] : std::exchange(channels_, {})) channel->end();
  asked_.reset();
}

}  // namespace hearth::net::supabase
