// A dialogue by polls. The client asks again and again; what it shall hear leaves with the answer to its oldest poll.
//
//   poll 5 ─▶ any io thread ─ post ─┐      home thread
//   poll 6 ─▶ any io thread ─ post ─┴─▶ on_poll ─┬─ hold: polls_ [5] [6]
//                                                └─ read: segments ─▶ SegmentReader ─▶ Dialogue::on_message
//   poll 5 ◀─ pRTLPCB(n, [ … ]) ◀─ answer_oldest ◀─ flush ◀─ waiting_ ◀─ Dialogue
//
// A poll is answered when something waits to be heard, when the next poll has come (a browser has few connections to
// a host, and needs the older one back), or after kPollTime. Answers are numbered, and the client handles them by
// number; so they may arrive in any order. When no poll waits for kPollAbsenceMax, or the connection of one that
// waits ends, the client is gone.
//
// The password that start() gives proves a poll to be of this session: ids are known to the logs of proxies. It is
// compared in constant time.
//
// While the dialogue is behind (is_held_back_), polls with pieces wait unread in unread_, and no more than
// kPollsUnreadMax of them: TCP cannot hold back a client that opens a connection for each request.
//
// The change to a WebSocket (§10.4):
//
//   client          LongPoll (its thread)                     WireSocket (another thread)
//     ├─ GET /.ws?s=id ──────────────────────────────────────▶ join()
//     │               attach(taker) ◀────────── post ──────────┤
//     │               └──────── post ────────────────────────▶ on_attached: control a
//     ├─ n by a poll ▶ on_end_of_transmission                  early_: what the client says here already
//     │               dialogue quiet? change_over(): n is the last thing to be heard here
//     │               └─ taker_(dialogue): leave(), post ────▶ take_over: carry_by, then early_
//     ◀─ answers to the polls that are left, then close
//
// Nothing is lost or doubled, since each side hands over only after it has handled all of its own. The dialogue
// cannot move from within its own calls, nor while a worker has something of it; so change_over() is posted, and
// tried again when all is sent.
//
// After end() the object does nothing but answer "close" to polls that were on their way.
#include "net/wire/long_poll.h"

#include <algorithm>
#include <utility>

#include "db/base/random.h"
#include "db/base/text.h"
#include "net/wire/reply.h"

namespace hearth::net::wire {

namespace {

constexpr size_t kPasswordBytes = 16;

// Memory of a request that waits to be read.
size_t bytes_of(const PollRequest& request) {
  size_t bytes = sizeof request;
  for (const Segment& segment : request.segments) bytes += sizeof segment + segment.data.capacity();
  return bytes;
}

}  // namespace

LongPoll::LongPoll(const Surroundings& with, size_t thread, std::function<void(const std::string&)> on_end)
    : with_(with),
      thread_(thread),
      on_end_(std::move(on_end)),
      password_(db::random_hex(kPasswordBytes)),
      segments_(with.limits.message_bytes_max) {}

LongPoll::~LongPoll() {
  if (dialogue_ != nullptr) dialogue_->end();
}

// Answers with the functions that a poll's script calls, the id, the password and the hello, all in one script. A
// namespace that does not exist is told in the protocol (control s), so that the client gives up; any other failure
// is a 503, and it tries again.
bool LongPoll::start(const std::shared_ptr<http::Exchange>& exchange, const PollRequest& request) {
  space_ = request.upgrade.space;
  owner_ = http::HalfReceived::owner_of(request.upgrade.peer);
  dialogue_ = std::make_shared<Dialogue>(with_);
  const auto hello = dialogue_->open(request.upgrade, thread_);
  using db::ErrorCode;
  const bool is_hopeless =
      !hello.ok() && (hello.error().code == ErrorCode::NotFound || hello.error().code == ErrorCode::InvalidArgument);
  if (!hello.ok() && !is_hopeless) {
    exchange->respond(http::error_response(503, hello.error().message));
    return false;
  }
  id_ = hello.ok() ? dialogue_->session_id() : "none";
  std::string script = start_script(request.callback, poll_id(id_, with_.node), password_);
  script += data_script_start(0);
  script += script_text(hello.ok() ? hello.value() : shutdown_text(hello.error().message));
  script += kDataScriptEnd;
  exchange->respond(script_reply(std::move(script)));
  if (!hello.ok()) return false;
  watch();
  const auto dialogue = dialogue_;
  dialogue->carry_by(*this, thread_);
  return !is_over_;
}

void LongPoll::on_poll(std::shared_ptr<http::Exchange> exchange, PollRequest request) {
  if (is_over_ || !db::equal_in_constant_time(request.password, password_))
    return exchange->respond(script_reply(close_script()));
  switch (request.kind) {
    case PollRequest::Kind::Frame:
      return exchange->respond(page_reply(leaving_page(poll_id(id_, with_.node), password_)));
    case PollRequest::Kind::Disconnect:
      exchange->respond(script_reply(""));
      return end();
    case PollRequest::Kind::Start:
    case PollRequest::Kind::Poll:
      break;
  }
  if (is_held_back_ && unread_.size() >= kPollsUnreadMax) {
    exchange->respond(script_reply(close_script()));
    return end();
  }
  if (is_held_back_) {
    unread_bytes_ += bytes_of(request);
    unread_.emplace_back(std::move(exchange), std::move(request));
    if (watch_unfinished(0)) watch();
    return;
  }
  const auto self = shared_from_this();
  const uint64_t serial = request.serial;
  size_t bytes = 0;
  for (const Segment& segment : request.segments) bytes += segment.data.size();
  hold(std::move(exchange));
  read(request);
  if (is_over_ || !watch_unfinished(bytes)) return;
  // Two polls that came out of order are both answered: some browsers run scripts only in the order in which they
  // asked for them (§10.2), so the one that waits may block the other.
  const bool is_late = serial < std::exchange(last_serial_, std::max(serial, last_serial_));
  while (polls_.size() >= (is_late ? 1 : kPollsHeldMax)) answer_oldest();
  if (has_moved_ && waiting_.empty()) {
    while (!polls_.empty()) answer_oldest();
  }
  flush();
}

// Each message may end this poll or the dialogue, so both are looked at before the next.
void LongPoll::read(PollRequest& request) {
  std::vector<MessageReader::Message> messages;
  for (Segment& segment : request.segments) {
    if (says_no_more_) return;
    if (segments_.take(std::move(segment), messages).ok()) continue;
    return end();
  }
  for (MessageReader::Message& message : messages) {
    if (const auto dialogue = dialogue_; dialogue != nullptr && !says_no_more_)
      dialogue->on_message(std::move(message));
  }
}

// ---- what is not whole ----

// Counts what is held of messages that are not whole, and watches their pace. Returns false when there is no room:
// the session is then over.
bool LongPoll::watch_unfinished(size_t bytes_come) {
  const size_t held = segments_.held_bytes() + unread_bytes_;
  if (with_.half_received == nullptr || held == 0) {
    unfinished_.reset();
    return true;
  }
  const auto now = std::chrono::steady_clock::now();
  if (unfinished_ == nullptr) {
    unfinished_.reset(new Unfinished{.share = http::HalfReceived::Share(with_.half_received, owner_),
                                     .pace = http::LeastPace(with_.receive_stall_max, with_.receive_pace_min)});
    unfinished_->pace.begin(now);
    check_pace();
  }
  unfinished_->pace.came(bytes_come, now);
  const auto refused = unfinished_->share.hold(held);
  if (refused) give_up(*refused);
  return !refused;
}

void LongPoll::check_pace() {
  if (unfinished_ == nullptr) return;
  const auto now = std::chrono::steady_clock::now();
  if (is_held_back_) unfinished_->pace.begin(now);  // we do not read, so the client cannot go on
  if (unfinished_->pace.is_over(now)) {
    with_.half_received->count(http::HalfReceived::Refusal::TooSlow);
    return give_up(http::HalfReceived::Refusal::TooSlow);
  }
  unfinished_->timer = http::IoPool::schedule(unfinished_->pace.left(now), [self = weak_from_this()] {
    if (const auto alive = self.lock()) alive->check_pace();
  });
}

// Tells the client why, and ends.
void LongPoll::give_up(http::HalfReceived::Refusal why) {
  add(std::make_shared<const std::string>(script_text(complaint_text(http::HalfReceived::text_of(why)))));
  end();
}

void LongPoll::hold(std::shared_ptr<http::Exchange> exchange) {
  // on_leaving is called on the exchange's home thread, which may be another one than ours. It holds both weakly: the
  // exchange must not keep itself alive.
  const auto left = [weak = weak_from_this(), exchange = std::weak_ptr(exchange), io = &with_.io,
                     home = thread_](http::Leaving who) {
    io->post(home, [weak, exchange, who] {
      const auto self = weak.lock();
      const auto poll = exchange.lock();
      if (!self || !poll) return;
      const auto at = std::find(self->polls_.begin(), self->polls_.end(), poll);
      if (at == self->polls_.end()) return;
      // The client hung up on a poll. An answer with the next number might be lost on it, and no SDK goes on after a
      // lost number.
      if (who == http::Leaving::Client || self->dialogue_ == nullptr) return self->end();
      const auto dialogue = self->dialogue_;
      dialogue->drain();
    });
  };
  if (with_.io.is_home(exchange->thread())) {
    exchange->set_on_leaving(left);
  } else {
    with_.io.post(exchange->thread(), [exchange, left] { exchange->set_on_leaving(left); });
  }
  polls_.push_back(std::move(exchange));
  watch();
}

void LongPoll::add(db::SharedBytes message) {
  waiting_bytes_ += message->size();
  waiting_.push_back(std::move(message));
}

void LongPoll::flush() {
  if (!waiting_.empty() && !polls_.empty()) answer_oldest();
}

// Sends all that waits in one script, by reference: the pieces are shared with other clients.
void LongPoll::answer_oldest() {
  const auto exchange = std::move(polls_.front());
  polls_.pop_front();
  if (has_moved_ && waiting_.empty()) {
    exchange->respond(script_reply(close_script(next_number_ - 1)));
    return watch();
  }
  http::Response reply = script_reply(data_script_start(next_number_++));
  static const auto kComma = std::make_shared<const std::string>(",");
  static const auto kEnd = std::make_shared<const std::string>(kDataScriptEnd);
  for (db::SharedBytes& message : waiting_) {
    if (!reply.shared_body.empty()) reply.shared_body.push_back(kComma);
    reply.shared_body.push_back(std::move(message));
  }
  reply.shared_body.push_back(kEnd);
  waiting_.clear();
  const bool was_full = is_full();
  waiting_bytes_ = 0;
  exchange->respond(std::move(reply));
  watch();
  // There is room again. Posted, because pump() calls send() and flush(), which come back to this function.
  if (was_full && dialogue_ != nullptr) {
    with_.io.post(thread_, [weak = std::weak_ptr(dialogue_)] {
      if (const auto dialogue = weak.lock()) dialogue->pump();
    });
  }
}

// Posted, because the dialogue is in the midst of its own call. on_poll() may hold back again, so that is asked
// before each.
void LongPoll::hold_back(bool held) {
  is_held_back_ = held;
  if (is_held_back_ || unread_.empty()) return;
  with_.io.post(thread_, [self = shared_from_this()] {
    while (!self->is_held_back_ && !self->unread_.empty()) {
      auto [exchange, request] = std::move(self->unread_.front());
      self->unread_.pop_front();
      self->unread_bytes_ -= bytes_of(request);
      self->on_poll(std::move(exchange), std::move(request));
    }
  });
}

bool LongPoll::attach(Taker taker) {
  if (dialogue_ == nullptr || taker_ || says_no_more_) return false;
  taker_ = std::move(taker);
  return true;
}

void LongPoll::detach() {
  taker_ = nullptr;
  // The client has said that it goes on by the WebSocket, and that is gone: nothing can carry the dialogue any more.
  if (says_no_more_ && !has_moved_) end();
}

void LongPoll::on_end_of_transmission() {
  says_no_more_ = true;
  if (!taker_) return end();
  on_sent_all();
}

// Posted, because the dialogue cannot move from within its own calls.
void LongPoll::on_sent_all() {
  if (!says_no_more_ || has_moved_) return;
  with_.io.post(thread_, [self = shared_from_this()] { self->change_over(); });
}

// Hands the dialogue over, unless a worker still has something of it: then on_sent_all() comes again.
void LongPoll::change_over() {
  if (!says_no_more_ || !taker_ || dialogue_ == nullptr || !dialogue_->is_quiet()) return;
  add(std::make_shared<const std::string>(end_of_transmission_text()));
  has_moved_ = true;
  std::exchange(taker_, nullptr)(std::exchange(dialogue_, nullptr));
  flush();
}

// Sets the one timer: a poll has waited long enough, or, when none waits, the client has been away too long.
void LongPoll::watch() {
  if (is_over_) return;
  timer_ = http::IoPool::schedule(polls_.empty() ? kPollAbsenceMax : kPollTime, [this] {
    if (polls_.empty()) return end();
    answer_oldest();
    if (!polls_.empty()) watch();
  });
}

// What waits is still told to the polls that are there; all others, unread ones too, are answered "close". on_end_ is
// last: it takes this out of Polls, which may be its last owner but `self`.
void LongPoll::end() {
  if (std::exchange(is_over_, true)) return;
  const auto self = shared_from_this();
  if (const auto dialogue = std::exchange(dialogue_, nullptr)) dialogue->end();
  timer_.cancel();
  while (!waiting_.empty() && !polls_.empty()) answer_oldest();
  for (auto& [exchange, request] : unread_) polls_.push_back(std::move(exchange));
  unread_.clear();
  unread_bytes_ = 0;
  segments_ = SegmentReader(with_.limits.message_bytes_max);
  unfinished_.reset();
  for (const auto& exchange : polls_) exchange->respond(script_reply(close_script()));
  polls_.clear();
  taker_ = nullptr;
  on_end_(id_);
}

}  // namespace hearth::net::wire
