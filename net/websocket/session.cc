// A WebSocket at work: messages in order, one long message without a long turn, silence, and the end.
//
//                       ┌──── Message, Ping, Close … ──▶ on_found ─▶ handler
//   bytes ─▶ on_bytes ──┤ FrameReader::next
//              │   ▲    └──── More: 256 kB of a compressed message are inflated, and it is not whole;
//              ▼   │          or 1,000 frames are handled, and more have been read
//            held_ │                     └─▶ read_later: post() ─┐   other connections have their turn here
//                  └── read_held ◀───────────────────────────────┘
//   held_: kept while paused, while the rest is read later, or behind older bytes
//
// Order. Bytes that came while held_ is not empty go behind it, so nothing overtakes. While the session is paused or
// reads later, its connection does not read: held_ then grows by no more than what one recv() had brought.
//
// Inflation in steps. 16 MB of text can come from 16 kB. To inflate that at once would hold up every other connection
// of the thread. A worker could do it, but the next frames of the same connection would have to wait for it all the
// same; so the io thread does it, a step at a time, and posts itself the next step.
//
// What is not whole (struct Unfinished) counts in the budget of half_received.h: the frames so far, what was inflated
// of them, what waits in held_, and what the handler says it keeps (hold()). It must also go on at the pace of
// LeastPace. While we do not read, the client cannot go on, so its time begins anew. An idle socket has no
// Unfinished.
//
// Silence. One Deadline serves everything that time decides; watch_silence() sets it to the nearest of: the client
// counts as gone, a ping is due, the unfinished message is too slow. Pings are sent as late as possible: an SDK
// speaks by itself (word_interval), so most idle clients need none.
//
// The end: Open ─ close() ─▶ Closing ─ the client's close frame ─▶ Closed.  Open ─ its close frame, an error ─▶
// Closed. In Closing we still read, and drop, what the client sends: closing the socket under a client that talks
// would make the kernel reset it, and the client would lose our last words. handler_->on_close() is called exactly
// once, by whichever of end() and on_gone() comes first (tell_of_end).
#include "net/websocket/session.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

#include "db/base/text.h"
#include "db/model/hash.h"
#include "net/websocket/deflate.h"

namespace hearth::net::http {
namespace {
constexpr size_t kFramesPerStep = 1'000;  // 64 kB, which are read at once, may hold ten times as many
static_assert(kFramesPerStep <= kIoStepMax.rows);
}  // namespace

// RFC 6455 §4.2.2: the hash proves to the client that we have read its key, and are no cache or plain web server.
std::string websocket_head(std::string_view key, bool deflated) {
  const std::string salted = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(), digest.data());
  std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
  head += db::base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  if (deflated) head.append("\r\nSec-WebSocket-Extensions: ").append(kDeflateAnswer);
  head += "\r\n\r\n";
  return head;
}

WebSocketSession::WebSocketSession(Connection& connection, std::shared_ptr<WebSocketHandler> handler,
                                   const WebSocketOptions& options, HalfReceived::Owner owner)
    : connection_(&connection),
      handler_(std::move(handler)),
      owner_(owner),
      deadline_(connection.loop(), *this),
      heard_at_(std::chrono::steady_clock::now()),
      sent_at_(heard_at_),
      message_bytes_max_(options.message_bytes_max),
      look_interval_(options.ping_interval),
      ping_interval_(options.ping_interval),
      idle_time_max_(options.idle_time_max),
      word_interval_(options.word_interval),
      word_delay_max_(options.word_delay_max),
      answers_pings_(options.answers_pings),
      is_deflated_(options.may_deflate) {
  Counters::add(connection.counters().websockets_open);
  if (word_interval_.count() > 0) look_interval_ = std::min(ping_interval_, word_interval_ + word_delay_max_);
  deadline_.set(look_interval_);
}

// From here on the handler hears messages. Exchange::accept_websocket() has returned before, so the handler knows its
// socket.
void WebSocketSession::start(std::string_view bytes) {
  if (connection_ == nullptr) return;
  keep(bytes);
  is_started_ = true;
  update_reading();
  read_held();
}

// ---- from the client ----

void WebSocketSession::on_bytes(std::string_view bytes) {
  if (state_ == State::Closed) return;
  // Any byte breaks the silence, also one of a message that is far from whole.
  heard_at_ = std::chrono::steady_clock::now();
  has_pinged_ = false;
  if (is_paused_ || reads_later_ || has_held()) {
    keep(bytes);
    return watch_unfinished(bytes.size());
  }
  // The handler may close the connection, and so end the last owner of this session.
  const auto self = shared_from_this();
  const size_t come = bytes.size();
  size_t frames = 0;
  is_reading_ = true;
  while (!is_paused_ && state_ != State::Closed && connection_ != nullptr) {
    const FrameReader::Found found = reader().next(bytes);
    if (found == FrameReader::Found::Nothing) break;
    if (found == FrameReader::Found::More) {
      read_later();
      break;
    }
    on_found(found);
    if (++frames == kFramesPerStep && !bytes.empty() && state_ != State::Closed) {
      read_later();
      break;
    }
  }
  is_reading_ = false;
  if ((is_paused_ || reads_later_) && state_ != State::Closed) keep(bytes);
  if (reader_ != nullptr && !reader_->is_within()) reader_.reset();
  if (connection_ != nullptr && state_ == State::Open) watch_unfinished(come);
}

// The state of a reader is 250 bytes, and most of the time there is none: whole frames come, and are handled.
FrameReader& WebSocketSession::reader() {
  if (reader_ == nullptr) {
    reader_ = std::make_unique<FrameReader>(message_bytes_max_, is_deflated_,
                                            [this](size_t bytes) { return !(refused_ = count_held(bytes)); });
    if (drops_messages_) reader_->drop_messages();
  }
  return *reader_;
}

void WebSocketSession::drop_messages() {
  drops_messages_ = true;
  if (reader_ != nullptr) reader_->drop_messages();
}

void WebSocketSession::keep(std::string_view bytes) {
  if (bytes.empty()) return;
  if (held_ == nullptr) held_ = std::make_unique<std::string>();
  *held_ += bytes;
}

// ---- what is not whole ----

// Made when the first byte of a message is left over, and not before: most messages are whole when they come.
WebSocketSession::Unfinished& WebSocketSession::unfinished() {
  if (unfinished_ == nullptr) {
    const Hub& hub = connection_->hub();
    unfinished_.reset(new Unfinished{HalfReceived::Share(hub.half_received, owner_),
                                     LeastPace(hub.limits.body_stall_max, hub.limits.receive_pace_min)});
    unfinished_->pace.begin(std::chrono::steady_clock::now());
    deadline_.set_earlier(hub.limits.body_stall_max);
  }
  return *unfinished_;
}

// `inflated`: bytes that the inflater is about to ask the allocator for, beyond what the reader holds.
std::optional<HalfReceived::Refusal> WebSocketSession::count_held(size_t inflated) {
  const size_t waiting = has_held() ? held_->capacity() : 0;
  return unfinished().share.hold((reader_ != nullptr ? reader_->held_bytes() : 0) + handler_bytes_ + waiting +
                                 inflated);
}

void WebSocketSession::watch_unfinished(size_t bytes_come) {
  const bool is_within = reader_ != nullptr && reader_->is_within();
  if (!is_within && handler_bytes_ == 0 && !has_held()) return unfinished_.reset();
  unfinished().pace.came(bytes_come, std::chrono::steady_clock::now());
  if (const auto refused = count_held(0)) give_up(CloseCode::TryAgainLater, HalfReceived::text_of(*refused));
}

void WebSocketSession::hold(size_t bytes) {
  if (handler_bytes_ == bytes) return;
  handler_bytes_ = bytes;
  if (is_reading_ || is_closed()) return;  // on_bytes() counts it at its end
  deadline_.loop().later([self = shared_from_this()] {
    if (!self->is_closed()) self->watch_unfinished(0);
  });
}

// Says why, and ends. Calls the handler's on_close(), so it must not be called from within a call of the handler's.
void WebSocketSession::give_up(CloseCode code, std::string_view reason) {
  close_code_ = code;
  std::string frame;
  append_close_frame(frame, code, reason);
  send_bytes(std::string_view(frame));
  end();
}

// Every frame counts as a request, control frames too: a client that sends nothing but pings costs as much as one
// that writes.
void WebSocketSession::on_found(FrameReader::Found found) {
  connection_->count_request();
  switch (found) {
    case FrameReader::Found::Nothing:
    case FrameReader::Found::More:
    case FrameReader::Found::Pong:
      return;
    case FrameReader::Found::Message: {
      std::string message = reader_->take_message();
      if (state_ == State::Open) handler_->on_message(std::move(message), reader_->kind());
      return;
    }
    case FrameReader::Found::Ping: {
      // A client that pings and does not read gets no pongs: they would pile up.
      if (backlog_bytes() > connection_->hub().limits.backlog_bytes_pause) return;
      std::string frame;
      append_frame(frame, Opcode::Pong, reader_->control());
      return send_bytes(std::string_view(frame));
    }
    case FrameReader::Found::Close: {
      if (state_ == State::Open) {
        close_code_ = reader_->close_code();
        std::string frame;
        append_close_frame(frame, close_code_, {});
        send_bytes(std::string_view(frame));
      }
      return end();
    }
    case FrameReader::Found::Error: {
      if (state_ == State::Open) {
        close_code_ = reader_->close_code();
        if (close_code_ == CloseCode::TooLarge) connection_->counters().reach(Limit::MessageSize);
        std::string frame;
        append_close_frame(frame, close_code_, refused_ ? HalfReceived::text_of(*refused_) : reader_->error());
        send_bytes(std::string_view(frame));
      }
      return end();
    }
  }
}

// Both sides have said goodbye, or the client has broken the protocol or a limit.
void WebSocketSession::end() {
  state_ = State::Closed;
  held_.reset();
  drop_messages();
  unfinished_.reset();
  deadline_.clear();
  connection_->close_after_sending();
  tell_of_end(
      connection_
          ->counters());  // not when the connection is gone: it may linger for seconds, and onDisconnect writes must not wait
}

void WebSocketSession::tell_of_end(Counters& counters) {
  const auto handler = std::exchange(handler_, nullptr);
  if (handler == nullptr) return;
  Counters::take(counters.websockets_open);
  handler->on_close(close_code_);
}

// A FIN without a close frame: nothing that we could still say would be an answer, so the connection goes at once.
void WebSocketSession::on_end() { connection_->close(); }

void WebSocketSession::on_drained() {
  if (state_ == State::Open) handler_->on_drained();
}

void WebSocketSession::on_server_closing() {
  if (state_ == State::Open && handler_->on_server_closing()) return;
  close(CloseCode::GoingAway, {});
}

void WebSocketSession::on_gone() {
  Counters& counters = connection_->counters();
  connection_ = nullptr;
  state_ = State::Closed;
  held_.reset();
  unfinished_.reset();
  deadline_.clear();
  tell_of_end(counters);
}

void WebSocketSession::on_deadline() {
  if (connection_ == nullptr) return;
  if (state_ == State::Closing) {
    // Closing the socket while the client still talks would reset the connection, and it would lose what it has not
    // read. It is waited for while it takes bytes or sends some, but no longer than goodbye_time_max.
    const Limits& limits = connection_->hub().limits;
    const auto now = std::chrono::steady_clock::now();
    const bool is_there = backlog_bytes() > 0 || now - heard_at_ < limits.linger_time_max;
    if (!is_there || now - closing_at_ >= limits.goodbye_time_max) return connection_->close();
    return deadline_.set(limits.linger_time_max);
  }
  const auto now = std::chrono::steady_clock::now();
  if (unfinished_ != nullptr) {
    // While we do not read, nothing can come: the client's time begins anew.
    if (!is_read() || backlog_bytes() > 0) unfinished_->pace.begin(now);
    if (unfinished_->pace.is_over(now)) {
      connection_->hub().half_received->count(HalfReceived::Refusal::TooSlow);
      return give_up(CloseCode::Policy, HalfReceived::text_of(HalfReceived::Refusal::TooSlow));
    }
  }
  watch_silence(now);
}

void WebSocketSession::watch_silence(IoLoop::Time now) {
  // A client that still takes what we send is there. (If it takes nothing, Connection::flush() ends it.)
  if (backlog_bytes() > 0) heard_at_ = now;
  const IoLoop::Time since = answers_pings_ ? heard_at_ : std::max(heard_at_, sent_at_);
  const auto silence = std::chrono::ceil<std::chrono::milliseconds>(now - since);
  // While we do not read we cannot hear the client. Its messages wait in the kernel, so it does not count as gone.
  const bool reads = is_read();
  if (reads && silence >= idle_time_max_) {
    connection_->counters().reach(Limit::IdleTime);
    return connection_->close();
  }
  const auto ping_at = ping_after();
  if (ping_at && silence >= *ping_at) {
    has_pinged_ = true;
    std::string frame;
    append_frame(frame, Opcode::Ping, {});
    send_bytes(std::string_view(frame));
  }
  auto next = reads ? idle_time_max_ - silence : std::chrono::milliseconds(look_interval_);
  if (ping_at && !has_pinged_) next = std::min(next, *ping_at - silence);
  if (unfinished_ != nullptr) next = std::min(next, unfinished_->pace.left(now));
  deadline_.set(std::clamp<std::chrono::milliseconds>(next, std::chrono::milliseconds(1), look_interval_));
}

// The length of silence after which the client is pinged. Nothing: it is not pinged, or has been and has not answered
// yet.
std::optional<std::chrono::milliseconds> WebSocketSession::ping_after() const {
  if (!answers_pings_ || has_pinged_) return std::nullopt;
  // An SDK sends its keepalive when nothing went either way for word_interval, so whatever we send puts it off. An
  // answer right behind the client's last word puts it off by less than word_delay_max, and may be ignored here.
  const bool speaks = word_interval_.count() > 0 && sent_at_ <= heard_at_ + word_delay_max_;
  return speaks ? word_interval_ + word_delay_max_ : ping_interval_;
}

// ---- to the client ----

void WebSocketSession::send_text(std::string_view payload) {
  if (!is_closed()) connection_->send(is_deflated_ ? deflated_frame_text(payload) : frame_text(payload));
}

void WebSocketSession::send_binary(std::string_view payload) {
  if (!is_closed()) connection_->send(frame_binary(payload));
}

void WebSocketSession::close(CloseCode code, std::string_view reason) {
  if (is_closed()) return;
  std::string frame;
  append_close_frame(frame, code, reason);
  send_bytes(std::string_view(frame));
  close_code_ = code;
  state_ = State::Closing;
  closing_at_ = std::chrono::steady_clock::now();
  drop_messages();
  unfinished_.reset();
  deadline_.set(connection_->hub().limits.linger_time_max);
  resume();  // what comes until the client's goodbye is dropped
}

void WebSocketSession::pause() {
  if (is_closed() || is_paused_) return;
  is_paused_ = true;
  update_reading();
}

void WebSocketSession::resume() {
  if (connection_ == nullptr || state_ == State::Closed || !is_paused_) return;
  is_paused_ = false;
  heard_at_ = std::chrono::steady_clock::now();
  update_reading();
  if (is_reading_ || (!has_held() && !reads_later_)) return;
  // The handler may have called resume() from within on_message(): what is held is read when that has returned.
  deadline_.loop().later([self = shared_from_this()] { self->read_held(); });
}

// What was read goes on to be inflated and handled when others of the thread have had their turn. By post() and not by
// later(), which would run in this same turn, before any other connection is heard.
void WebSocketSession::read_later() {
  reads_later_ = true;
  update_reading();
  deadline_.loop().post({[self = shared_from_this()] { self->read_held(); }, nullptr});
}

void WebSocketSession::read_held() {
  if (connection_ == nullptr || is_paused_ || !is_started_ || (!has_held() && !reads_later_)) return;
  if (std::exchange(reads_later_, false)) update_reading();
  const std::unique_ptr<const std::string> bytes = std::exchange(held_, nullptr);
  on_bytes(bytes != nullptr ? std::string_view(*bytes) : std::string_view());
}

}  // namespace hearth::net::http
