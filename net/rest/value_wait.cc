// A GET that waits for a value with another ETag. It listens in order to be woken, and reads in order to know.
//
//   listen ─▶ Changed ─▶ look: read ─▶ ETag is another ─▶ finish with the value
//                         │     ▲ └──▶ the same ─ changed meanwhile? look again : wait on
//                         └─────┘ is_stale_: one read at a time
//   over_, the client leaves, the server closes ─▶ finish_unchanged: 304
//
// The event itself cannot be the answer: a query or a projection shapes the value, and its ETag is that of the shaped
// value. The read begins after the event, so it sees at least the commit that the event told of. pump()
// and finish() hold `self`: to let go of waiting_ may destroy this object.
#include "net/rest/value_wait.h"

#include <utility>
#include <variant>

namespace hearth::net::rest {
namespace {
constexpr uint64_t kListen = 1;
constexpr uint64_t kRead = 2;
}  // namespace

void ValueWait::start(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, const RestRequest& request,
                      db::Read read, const std::string& space, rules::Auth auth, Tell tell) {
  const auto wait = std::make_shared<ValueWait>(with, *exchange, request, std::move(read), std::move(tell));
  exchange->set_on_leaving([weak = std::weak_ptr(wait)](http::Leaving) {
    if (const auto self = weak.lock()) self->finish_unchanged();
  });
  wait->begin(space, std::move(auth));
}

ValueWait::ValueWait(const Surroundings& with, const http::Exchange& exchange, const RestRequest& request,
                     db::Read read, Tell tell)
    : with_(with),
      thread_(exchange.thread()),
      connection_(exchange.request().connection),
      request_(request),
      read_(std::move(read)),
      tell_(std::move(tell)) {}

ValueWait::~ValueWait() {
  if (waker_ != nullptr) waker_->detach();
}

void ValueWait::begin(const std::string& space, rules::Auth auth) {
  waker_ = http::Waker::make(with_.io, thread_, [weak = weak_from_this()] {
    if (const auto alive = weak.lock()) alive->pump();
  });
  auto session =
      with_.guard.open(space, std::move(auth), "", waker_, rules::Unindexed::Refused, rules::Expired::Refused);
  if (!session.ok()) {
    db::Answer refused;
    refused.status = session.error();
    return tell_(std::move(refused));
  }
  session_ = std::move(session).value();
  session_->came_by({connection_, "rest"});
  held_ = with_.waiting.hold(shared_from_this());
  over_ = http::IoPool::schedule(*request_.wait, [this] { finish_unchanged(); });
  db::Listen listen;
  listen.path = request_.path;
  listen.is_awaiting = true;
  listen.query = request_.query;
  // The hash of what is listened to. The ETag of a part is that part's, which looking at it tells.
  if (!listen.query && request_.projection.empty()) listen.hash = request_.if_none_match;
  session_->listen(kListen, kListen, std::move(listen));
}

void ValueWait::pump() {
  const auto self = shared_from_this();
  if (session_ == nullptr) return;
  for (db::Item& item : session_->take()) {
    if (session_ != nullptr) take(std::move(item));
  }
}

// The order of the questions matters: an end or a refusal decides at once, an event only asks for a look.
void ValueWait::take(db::Item&& item) {
  if (auto* ended = std::get_if<db::Ended>(&item)) {
    db::Answer refused;
    refused.status = ended->reason;
    return finish(std::move(refused));
  }
  if (auto* event = std::get_if<db::Event>(&item)) {
    if (event->kind == db::Event::Kind::Changed) return look();
    db::Answer refused;
    refused.status = *event->error;
    return finish(std::move(refused));
  }
  auto& answer = std::get<db::Answer>(item);
  if (!answer.status.ok()) return finish(std::move(answer));
  if (answer.request == kListen) {
    if (answer.first != nullptr) look();
    return;
  }
  is_looking_ = false;
  if (answer.hash != request_.if_none_match) return finish(std::move(answer));
  if (std::exchange(is_stale_, false)) look();
}

// While one read is under way a second would tell nothing new; that the value changed meanwhile is remembered in
// is_stale_.
void ValueWait::look() {
  is_stale_ = is_looking_;
  if (std::exchange(is_looking_, true)) return;
  session_->read(kRead, read_);
}

void ValueWait::finish_unchanged() {
  if (session_ == nullptr) return;
  db::Answer answer;
  answer.hash = *request_.if_none_match;
  finish(std::move(answer));
}

void ValueWait::finish(db::Answer answer) {
  const auto self = shared_from_this();
  session_ = nullptr;
  waker_->detach();
  over_.cancel();
  tell_(std::move(answer));
  with_.waiting.let_go(held_);
}

}  // namespace hearth::net::rest
