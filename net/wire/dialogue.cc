// A session at work: order and backpressure in both directions, with workers for what is large.
//
//                             ┌─ ≤ 64 kB: here ────────────────────┐
//   transport ─▶ on_message ─▶┤                                    ├─▶ accept ─▶ Session::on_message ─▶ guard
//                             └─ larger: a worker (decoding_) ─────┘
//                                what comes behind it: held_
//                             ┌─ ≤ 64 kB: here ────────────────────┐
//   transport ◀─ send_queued ◀┤                                    ├─ queue_ ◀─ Session::on_items ◀─ pump ◀─ wake
//                             └─ larger: a worker (encoding_) ─────┘
//                                what is said behind it: queue_
//
// Order. The requests of a client take effect in the order sent, and what it hears is one story. So each direction
// has at most one message at a worker, and everything behind that waits. The flags decoding_ and encoding_ are the
// whole state of it. A worker holds the dialogue by shared_ptr and gives its result back by post() to `thread`, where
// the dialogue still is: leave() demands is_quiet().
//
// Backpressure, to the client: while the transport is full, pump() takes nothing from the session. Its story then
// grows on the shard's side, until that cuts the reader off (db/shard/story.h). Pump takes once and not until nothing
// is left: what is left wakes the dialogue again, after other connections had their turn. Backpressure, from the
// client: while a message is decoded, or too many requests are unanswered, hold_back() stops the transport from
// reading.
//
// Memory. asked_ is this client's share of half_received.h: messages that have come, and requests until their
// answers. A message that finds no room is refused by its number, and its middle is dropped at once; a small one is
// always taken, or a client that is over its limit could not even unlisten. leases_ keep large first values counted
// until the transport has room again.
//
// Three ends: the client goes (end(): its onDisconnect writes are written), the session says so (over_: what is
// queued is sent first), the server drains (drain(): what was asked is answered, what comes from here on is not
// taken).
//
// Every call into transport_ or session_ may end the dialogue. So callers outside hold a shared_ptr of it while they
// call.
#include "net/wire/dialogue.h"

#include <algorithm>
#include <utility>

#include "net/io/limit_log.h"
#include "net/io/log.h"
#include "net/io/spread.h"

namespace hearth::net::wire {

Dialogue::~Dialogue() {
  if (waker_ != nullptr) waker_->detach();
}

db::Result<std::string> Dialogue::open(const Upgrade& upgrade, size_t thread) {
  thread_ = static_cast<uint32_t>(thread);
  ASSIGN_OR_RETURN(const std::string space, with_.guard.resolve(upgrade.space));
  waker_ = http::Waker::make(with_.io, thread, [weak = weak_from_this()] {
    // A word that was on its way when the dialogue moved finds it elsewhere; there it is asked anyway.
    if (const auto alive = weak.lock(); alive && alive->with_.io.is_home(alive->thread_)) alive->pump();
  });
  // The shard holds the waker and not the dialogue: a word for a client that has gone is then dropped.
  ASSIGN_OR_RETURN(auto data, with_.guard.open(space, rules::Auth{}, upgrade.last_session, waker_));
  session_.emplace(std::move(data), with_.verifier,
                   Session::Client{Asker(upgrade.peer, upgrade.is_behind_stranger), upgrade.connection, upgrade.whence},
                   with_.limits, with_.reached);
  http::log(http::LogLevel::Debug, "session opened", {{"connection", upgrade.connection}, {"ns", space}});
  return session_->hello(with_.clock.now(), upgrade.host);
}

// pump(): what was said while nobody carried the dialogue has been queued by the shard, and no other wake may come
// for it.
void Dialogue::carry_by(Transport& transport, size_t thread) {
  db::invariant(thread == thread_, "a dialogue is carried on the thread that it was left to");
  transport_ = &transport;
  if (session_) session_->carried_by(transport.connection());
  held_back_ = false;
  watch_expiry();
  pump();
}

void Dialogue::leave(size_t thread) {
  db::invariant(is_quiet(), "what a worker has of a dialogue comes back to where it was taken from");
  transport_ = nullptr;
  expiry_.reset();
  drop_held();
  thread_ = static_cast<uint32_t>(thread);
  waker_->move_to(thread);
}

void Dialogue::end() {
  if (waker_ != nullptr) waker_->detach();
  transport_ = nullptr;
  expiry_.reset();
  session_.reset();  // rules::Session's destructor has its onDisconnect writes written
  asked_.reset();
  drop_held();
  drop_leases();
  queue_.clear();
}

void Dialogue::drop_held() {
  if (large_.empty()) return;
  auto& held = large_.make().held;
  for (const MessageReader::Message& message : held) coming_bytes_ -= message.text.size();
  held.clear();
  large_.tidy();
}

void Dialogue::drop_leases() {
  if (large_.empty()) return;
  large_.make().leases.clear();
  large_.tidy();
}

void Dialogue::drain() {
  is_draining_ = true;
  drop_held();
  send_queued();
}

void Dialogue::on_message(MessageReader::Message&& message) {
  if (!takes_messages()) return;
  if (!hold_asked(message.text.size()) && message.text.size() > kAlwaysTakenBytes) {
    message.no_room = true;
    message.drop_middle();
    http::tell_of_limit("pending_size");
  }
  coming_bytes_ += message.text.size();
  if (decoding_) {
    large_.make().held.push_back(std::move(message));
  } else {
    decode(std::move(message));
  }
  hold_back();
}

void Dialogue::decode(MessageReader::Message&& message) {
  if (message.too_large) {
    if (with_.reached != nullptr) with_.reached->message_size.add();
    http::tell_of_limit("message_size");
  }
  const size_t bytes = message.text.size();
  if (bytes <= kInlineBytesMax) {
    accept(parse_message(std::move(message)));
    coming_bytes_ -= bytes;
    return;
  }
  decoding_ = true;
  const auto text = std::make_shared<MessageReader::Message>(std::move(message));
  with_.workers.run([self = shared_from_this(), thread = thread_, text, bytes] {
    const auto incoming = std::make_shared<Incoming>(parse_message(std::move(*text)));
    self->with_.io.post(thread, [self, incoming, bytes] {
      self->decoding_ = false;
      self->accept(std::move(*incoming));
      self->coming_bytes_ -= bytes;
      self->accept_held();
    });
  });
}

// An end of transmission is the transport's business. It comes through here so that all that the client said before
// is handled.
void Dialogue::accept(Incoming&& incoming) {
  if (!takes_messages()) return;
  if (std::holds_alternative<EndOfTransmission>(incoming)) {
    if (transport_ != nullptr) transport_->on_end_of_transmission();
    return;
  }
  session_->on_message(std::move(incoming), queue_);
  send_queued();
  watch_expiry();
}

// Called after everything that may have changed the credential. One timer, only while there is an expiry to wait for.
void Dialogue::watch_expiry() {
  if (!session_ || over_) return;
  const auto expires = session_->expires();
  if (expires == (expiry_ != nullptr ? expiry_->watched : std::nullopt)) return;
  expiry_.reset();
  if (!expires) return;
  const auto left = std::max(std::chrono::milliseconds(0), *expires - with_.clock.now());
  expiry_ = std::make_unique<Expiry>();
  expiry_->watched = expires;
  expiry_->timer = http::IoPool::schedule(left, [this, expires = *expires] {
    const bool is_past = with_.clock.now() >= expires;
    expiry_.reset();
    if (!session_ || over_) return;
    if (!is_past) return watch_expiry();  // the clock was set back
    session_->expire(queue_);
    send_queued();
  });
}

// Handles what came while a large message was decoded. Stops at the next large one, behind which the rest waits again.
void Dialogue::accept_held() {
  size_t taken = 0;
  // Each may end the dialogue, and what it holds.
  while (taken < large_->held.size() && !decoding_) decode(std::move(large_.make().held[taken++]));
  if (taken > 0 && !large_.empty()) {
    auto& held = large_.make().held;
    held.erase(held.begin(), held.begin() + static_cast<ptrdiff_t>(std::min(taken, held.size())));
    if (held.empty()) held.shrink_to_fit();
    large_.tidy();
  }
  hold_back();
}

void Dialogue::pump() {
  if (transport_ != nullptr && !encoding_ && !transport_->is_full()) drop_leases();
  // Once: when something is left, Story::take wakes this dialogue again, and others have their turn before.
  if (session_ && !over_ && !encoding_ && transport_ != nullptr && !transport_->is_full()) {
    const size_t before = queue_.size();
    over_ = !session_->on_items(queue_);
    if (queue_.size() > before || over_) send_queued();
  }
  watch_expiry();  // a credential may have been verified
  (void)hold_asked(0);
  hold_back();
}

// Counts what was asked and is not answered yet, and `more` bytes that have come now. Returns false when there is no
// room for them.
bool Dialogue::hold_asked(size_t more) {
  if (with_.half_received == nullptr || !session_) return true;
  const size_t bytes = session_->unanswered_bytes() + coming_bytes_ + more;
  if (asked_ == nullptr) {
    if (bytes <= http::kUncountedBytes) return true;
    asked_ = std::make_unique<http::HalfReceived::Share>(with_.half_received,
                                                         http::HalfReceived::owner_of(session_->address()));
  }
  const bool has_room = !asked_->hold(bytes);
  if (bytes == 0) asked_.reset();
  return has_room;
}

// Sends up to the first large message, which goes to a worker. Messages are counted and erased in one go at the end:
// a queue of 1,000 events would be moved 1,000 times otherwise.
void Dialogue::send_queued() {
  if (transport_ == nullptr) return queue_.clear();
  size_t sent = 0;
  while (sent < queue_.size() && !encoding_) {
    Outgoing& message = queue_[sent++];
    if (db::Lease lease = lease_of(message)) large_.make().leases.push_back(std::move(lease));
    if (size_of(message) <= kInlineBytesMax) {
      transport_->send(message);
    } else {
      encode(std::move(message));
    }
  }
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(sent));
  if (queue_.empty()) queue_.shrink_to_fit();
  if (sent > 0) transport_->flush();
  if (encoding_) return;
  // In a cluster mostly a shard has moved, and with it many sessions.
  if (over_ && !with_.node.empty()) return leave_soon();
  if (over_ || (is_draining_ && session_->unanswered() == 0)) return transport_->close();
  transport_->on_sent_all();
}

void Dialogue::leave_soon() {
  expiry_ = std::make_unique<Expiry>();
  expiry_->timer = http::IoPool::schedule(http::some_of(http::kLeavingSpread), [this] {
    if (transport_ != nullptr) transport_->close();
  });
}

// The transport that a worker's bytes are for is still there afterwards, or there is none: it cannot change meanwhile
// (is_quiet).
void Dialogue::encode(Outgoing&& message) {
  encoding_ = true;
  with_.workers.run([self = shared_from_this(), thread = thread_, make = transport_->maker(),
                     message = std::make_shared<Outgoing>(std::move(message))] {
    self->with_.io.post(thread, [self, made = make(*message, self->with_.serialised)] {
      self->encoding_ = false;
      if (self->transport_ != nullptr) {
        self->transport_->send(made);
        self->transport_->flush();
      }
      self->send_queued();
      self->pump();
    });
  });
}

// Tells the transport whether to read, when that has changed.
void Dialogue::hold_back() {
  if (transport_ == nullptr || !session_) return;
  const bool wanted = decoding_ || session_->is_behind();
  if (wanted == held_back_) return;
  held_back_ = wanted;
  transport_->hold_back(wanted);
}

}  // namespace hearth::net::wire
