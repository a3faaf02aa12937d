// A listener whose events leave as server-sent events, and how a client comes back without a gap.
//
//   begin ─ Guard::open, listen ─▶ shard ─ story ─ wake, any thread ─▶ pump, home thread
//                                                                       │ queue_: items in order
//                                     large data: a worker makes text ◀─┤ is_encoding_: the rest waits behind it
//                                                                       ▼
//   Answer refused ─▶ 401 …     Answer ok ─▶ open: 200, first put     Event ─▶ put, patch     Revoked, Ended ─▶ cancel
//
// Resume. Each event of a stream with `eventIds` carries `id: LIFE:SEQUENCE`, where LIFE names the store's history
// and SEQUENCE the commit. A client that comes back sends the last id that it saw (Last-Event-ID):
//
//   commits   …  41  42  43  44  45          the client saw 42, then its connection broke
//   told          ▲   ▲   ·   ·
//                     └ Last-Event-ID: 42    the shard remembers which paths changed in 43-45, and tells what is there
//                                            now: one patch with id 45, or nothing when no path of this stream changed
//
// - Only net changes are told, never values in between: an id can be made up, and would show what was not allowed
//   then.
// - When the id is of another life (a restore, an unclean start without sync), too old, or the stream has a query,
//   the answer is a fresh put of everything. A client cannot tell the two apart, and need not: both lead to the
//   present value.
// - The answer to the listen is a read and a subscription at one sequence, so no event is lost or doubled between
//   them.
//
// Data of an event is made once for all streams of a style and kept in the event's body (event_data); head and tail
// are each stream's own. Above kInlineBytesMax a worker makes it; what comes behind waits, so that order is kept.
//
// Owners. Until there is a stream, waiting_ holds this object (held_), since the client may not be answered for a
// while. From open() on the stream's on_closed callback does. The shard's waker and all tasks hold it weakly or are
// posted back home.
#include "net/rest/event_stream.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "net/rest/event_text.h"
#include "net/rest/reply.h"

namespace hearth::net::rest {
namespace {

constexpr uint64_t kListener = 1;
constexpr size_t kCopyBytesMax = 4096;  // up to this, one piece costs less than three

// The data that an item would have to be told with, if it has any.
std::shared_ptr<const db::Body> body_of(const db::Item& item) {
  if (const auto* event = std::get_if<db::Event>(&item)) return event->body;
  if (const auto* answer = std::get_if<db::Answer>(&item)) return answer->first;
  return nullptr;
}

}  // namespace

void EventStream::start(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, RestRequest request,
                        const std::string& space, rules::Auth auth) {
  std::make_shared<EventStream>(with, std::move(exchange), std::move(request))->begin(space, std::move(auth));
}

EventStream::EventStream(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, RestRequest request)
    : with_(with), request_(std::move(request)), exchange_(std::move(exchange)), thread_(exchange_->thread()) {}

EventStream::~EventStream() {
  if (waker_ != nullptr) waker_->detach();
}

void EventStream::begin(const std::string& space, rules::Auth auth) {
  waker_ = http::Waker::make(with_.io, thread_, [weak = weak_from_this()] {
    if (const auto alive = weak.lock()) alive->pump();
  });
  const rules::Auth proven = auth;
  auto session =
      with_.guard.open(space, std::move(auth), "", waker_, rules::Unindexed::Refused, rules::Expired::Refused);
  if (!session.ok()) return refuse(session.error());
  session_ = std::move(session).value();
  session_->came_by({exchange_->request().connection, "rest"});
  // From here on a kick finds this session. One that came between the verdict and now has to be asked for.
  if (with_.guard.is_revoked(space, proven)) {
    return refuse({db::ErrorCode::InvalidToken, "Auth token was revoked: its user has been signed out since."});
  }
  // From here on the handler's Waiting owns this object, until there is a stream to own it.
  held_ = with_.waiting.hold(shared_from_this());
  db::Listen listen;
  listen.path = request_.path;
  listen.query = request_.query;
  listen.wants_ids = request_.event_ids && !request_.query;
  listen.resume = request_.last_event_id;
  session_->listen(kListener, kListener, std::move(listen));
}

void EventStream::pump() {
  if (session_ == nullptr) return;
  for (db::Item& item : session_->take()) queue_.push_back(std::move(item));
  tell_queued();
}

// Takes items off the queue in order, up to one whose data is large and not made yet.
void EventStream::tell_queued() {
  while (session_ != nullptr && !is_encoding_ && !queue_.empty()) {
    const std::shared_ptr<const db::Body> body = body_of(queue_.front());
    if (body != nullptr && body->byte_count() > kInlineBytesMax && body != encoded_) return encode(body);
    encoded_ = nullptr;
    const db::Item item = std::move(queue_.front());
    queue_.pop_front();
    take(item);
  }
}

// Has a worker make the text of a large body. The body keeps the text, so take() and other streams find it there.
void EventStream::encode(const std::shared_ptr<const db::Body>& body) {
  is_encoding_ = true;
  with_.workers.run([self = shared_from_this(), body] {
    event_data(*body, self->request_.style, self->with_.serialised);
    self->with_.io.post(self->thread_, [self, body] {
      self->is_encoding_ = false;
      self->encoded_ = body;
      self->tell_queued();
    });
  });
}

void EventStream::take(const db::Item& item) {
  if (const auto* answer = std::get_if<db::Answer>(&item)) {
    if (!answer->status.ok()) return refuse(answer->status.error());
    open();
    lease_ = answer->lease;
    tell(answer->first, answer->sequence);
  } else if (const auto* event = std::get_if<db::Event>(&item)) {
    if (event->kind == db::Event::Kind::Revoked) {
      if (event->error->code == db::ErrorCode::ExpiredToken) return end(kAuthRevoked);  // before watch_expiry()'s timer
      return end(cancel_text(*event->error));
    }
    tell(event->body, event->sequence);
  } else {
    const db::Error& reason = std::get<db::Ended>(item).reason;
    if (stream_ == nullptr) return refuse(reason);
    if (reason.code == db::ErrorCode::InvalidToken)
      return end(kAuthRevoked);  // an administrator has signed the user out
    // Another node has the namespace from here on: the client comes back with its last id, and goes on there.
    if (reason.code == db::ErrorCode::NotOwner) return end({});
    end(cancel_text(reason));
  }
}

void EventStream::refuse(const db::Error& error) {
  exchange_->respond(error_reply_of(error, {}));
  exchange_ = nullptr;
  session_ = nullptr;
  with_.waiting.let_go(held_);
}

void EventStream::open() {
  http::Response head = reply_head(200, "text/event-stream; charset=utf-8");
  head.headers.emplace_back("X-Accel-Buffering", "no");  // else nginx collects events before it passes them on
  stream_ = exchange_->open_stream(head.status, head.headers);
  exchange_ = nullptr;
  stream_->set_on_closed([self = shared_from_this()] { self->on_closed(); });
  with_.waiting.let_go(held_);
  next_keep_alive_ = http::IoPool::schedule(with_.keep_alive, [this] { keep_alive(); });
  watch_expiry();
}

void EventStream::watch_expiry() {
  const auto expires = session_->auth().expires;
  if (!expires) return;
  const auto left = std::max(std::chrono::milliseconds(0), *expires - with_.clock.now());
  expiry_ = http::IoPool::schedule(left, [this, expires] {
    if (with_.clock.now() < *expires) return watch_expiry();  // the clock was set back
    end(kAuthRevoked);
  });
}

// What a projection leaves of an event may be nothing, and so may the text in a style without priorities: then
// nothing is sent.
void EventStream::tell(const std::shared_ptr<const db::Body>& whole, uint64_t sequence) {
  const std::shared_ptr<const db::Body> shown = db::projected(whole, request_.path, request_.projection);
  if (shown == nullptr) return;
  const db::Body& body = *shown;
  const db::SharedBytes data = event_data(body, request_.style, with_.serialised);
  if (data->empty()) return;
  if (!request_.event_ids && data->size() <= kCopyBytesMax) {
    return stream_->send(std::string_view(*event_text(body, request_.style, request_.path)));
  }
  std::string head = event_head(body, request_.path);
  const std::string tail = event_tail(request_.event_ids ? with_.guard.event_id(sequence) : "");
  if (data->size() <= kCopyBytesMax) return stream_->send(head.append(*data).append(tail));
  stream_->send(head);
  stream_->send(data);
  stream_->send(tail);
}

// Also the moment at which the lease of a large first value ends: with nothing waiting, the client has it.
void EventStream::keep_alive() {
  if (stream_->backlog_bytes() == 0) lease_.reset();
  stream_->send(kKeepAlive);
  next_keep_alive_ = http::IoPool::schedule(with_.keep_alive, [this] { keep_alive(); });
}

void EventStream::end(std::string_view last_words) {
  session_ = nullptr;
  if (!last_words.empty()) stream_->send(last_words);
  stream_->close();  // on_closed() follows
}

void EventStream::on_closed() {
  waker_->detach();
  session_ = nullptr;
  lease_.reset();
  queue_.clear();
  next_keep_alive_.cancel();
  expiry_.cancel();
}

}  // namespace hearth::net::rest
