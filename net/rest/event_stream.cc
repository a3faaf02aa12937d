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

std::shared_ptr<const db::Body> body_of(const db::Item& item) {
  if (const auto* event = std::get_if<db::Event>(&item)) return event->body;
  if (const auto* answer = std::get_if<db::Answer>(&item)) return answer->first;
  return nullptr;
}

}  // namespace

void EventStream::start(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, Request request,
                        const std::string& space, rules::Auth auth) {
  std::make_shared<EventStream>(with, std::move(exchange), std::move(request))->begin(space, std::move(auth));
}

EventStream::EventStream(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, Request request)
    : with_(with), request_(std::move(request)), exchange_(std::move(exchange)), thread_(exchange_->thread()) {}

EventStream::~EventStream() {
  if (waker_ != nullptr) waker_->detach();
}

void EventStream::begin(const std::string& space, rules::Auth auth) {
  waker_ = std::make_shared<http::Waker>(with_.io, thread_, [weak = weak_from_this()] {
    if (const auto alive = weak.lock()) alive->pump();
  });
  const rules::Auth proven = auth;
  auto session = with_.guard.open(space, std::move(auth), "", [waker = waker_] { waker->wake(); }, rules::Unindexed::Refused,
                                  rules::Expired::Refused);
  if (!session.ok()) return refuse(session.error());
  session_ = std::move(session).value();
  // A kick finds it from here on; one that came before has to be asked for.
  if (with_.guard.is_revoked(space, proven)) {
    return refuse({db::ErrorCode::InvalidToken, "Auth token was revoked: its user has been signed out since."});
  }
  // From here on, until there is a stream to own this, the handler does.
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

// Makes the text of a large body where it holds nobody up; the body keeps it, for all streams.
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
      if (event->error->code == db::ErrorCode::ExpiredToken) return end(kAuthRevoked);  // the timer is late
      return end(cancel_text(*event->error));
    }
    tell(event->body, event->sequence);
  } else {
    const db::Error& reason = std::get<db::Ended>(item).reason;
    if (stream_ == nullptr) return refuse(reason);
    if (reason.code == db::ErrorCode::InvalidToken)
      return end(kAuthRevoked);  // an administrator has signed the user out
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
  head.headers.emplace_back("X-Accel-Buffering", "no");  // nginx would hold events back
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
    if (with_.clock.now() < *expires) return watch_expiry();  // it was set back
    end(kAuthRevoked);
  });
}

void EventStream::tell(const std::shared_ptr<const db::Body>& whole, uint64_t sequence) {
  const std::shared_ptr<const db::Body> shown = db::projected(whole, request_.path, request_.projection);
  if (shown == nullptr) return;
  const db::Body& body = *shown;
  const db::SharedBytes data = event_data(body, request_.style, with_.serialised);
  if (data->empty()) return;
  std::string head = event_head(body, request_.path);
  const std::string tail = event_tail(request_.event_ids ? with_.guard.event_id(sequence) : "");
  if (data->size() <= kCopyBytesMax) return stream_->send(head.append(*data).append(tail));
  stream_->send(head);
  stream_->send(data);
  stream_->send(tail);
}

void EventStream::keep_alive() {
  if (stream_->backlog_bytes() == 0) lease_.reset();
  stream_->send(kKeepAlive);
  next_keep_alive_ = http::IoPool::schedule(with_.keep_alive, [this] { keep_alive(); });
}

void EventStream::end(std::string_view last_words) {
  session_ = nullptr;
  stream_->send(last_words);
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
