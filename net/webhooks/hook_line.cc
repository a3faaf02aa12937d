// The phases of a hook, and what is in the store by when.
//
//              ┌───────────────────────────── a commit ──────────────────────────────┐
//              ▼                                                                     │
//   Ready ─▶ Reading ─ nothing for us, the end of the log ─▶ cursor moves ─▶ Awaiting┘
//     ▲         ├ messages ─▶ Ready ─ a slot ─▶ Sending ─ 2xx ─▶ cursor kept ─▶ Ready
//     │         └ cursor unknown ─▶ miss(): a letter, and a message            ├ 410 ─▶ paused
//     └──── Resting ◀── attempts kept ◀──────────────────────── else ──────────┘ once too often: a letter, cursor kept
//
// At least once: the cursor is kept after the receiver has answered, so a kill between the two sends that message
// again, with the same id. The cursor is not synced: a power cut may take the last cursors, and never one without those
// after it. In order: a hook has one message under way, and the next one waits for it. Nothing silently: the log is cut
// by its plan, and does not wait for receivers. A cursor that the cut has passed becomes a letter and a message that
// say from where to where, both kept before anything newer is read.
//
// Over a restart a hook is its rows: what it is, how far it is, its letters. Messages in memory are a page of the log
// and can be read again from the cursor, with the same ids; so a rest of a second or more (kPageForgotten) drops them.
//
// Two counts of failures. `attempts` is of the message behind the cursor, and makes a letter of it when there are too
// many. `failures` is of the receiver, in a row, and sets how long the hook rests. After a letter the next message
// begins with no attempts and the same long rest: a receiver that is down is not asked more often because messages are
// given up.
//
// A letter and the cursor that passes over its message are one write, synced (bury(), then keep()): a kill leaves both
// or neither. A cursor that has passed over nothing but changes at other paths is kept a second later (moved_), and not
// with each of those changes.
//
// Answers that come too late. What is asked of readers carries the number of the round; pause() and purge() begin a new
// round, so a page that was asked for before them is dropped. An attempt under way is no part of that: its answer
// counts, because the receiver has had the message.
#include "net/webhooks/hook_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "db/base/random.h"
#include "db/model/json.h"
#include "net/io/log.h"
#include "net/webhooks/back_off.h"
#include "net/webhooks/signature.h"

namespace hearth::net::webhooks {
namespace {

using db::ErrorCode;

constexpr size_t kPageChanges = 64;
constexpr size_t kPageBytes = 256u << 10;
constexpr std::chrono::seconds kLookAgain{2};      // after what is no failure of the receiver
constexpr std::chrono::seconds kMovedKept{1};      // until a cursor is kept that has moved over changes of others
constexpr std::chrono::seconds kPageForgotten{1};  // a rest that is longer needs no page in memory
constexpr std::chrono::hours kOldSecretTime{24};
constexpr size_t kLettersLook = 64;
constexpr int kGone = 410, kTooMany = 429, kUnavailable = 503;
constexpr uint64_t kAwaitRequest = 1;
constexpr size_t kStatusBytesMax = 300;

db::Timestamp wall_now() { return db::SystemClock().now(); }

}  // namespace

std::string outcome_of(const http::Posted& posted) {
  if (posted.status == 0) return posted.failure.substr(0, kStatusBytesMax);
  const bool is_redirect = posted.status >= 300 && posted.status < 400;
  return is_redirect ? fmt::format("{}, and redirects are not followed", posted.status) : std::to_string(posted.status);
}

void Shared::send(const HookConfig& config, const WebhookMessage& message, std::function<void(http::Posted)> done) {
  const db::Timestamp now = wall_now();
  const int64_t seconds = now.count() / 1'000;
  http::Posting posting;
  posting.url = config.url;
  posting.body = message.body;
  std::string signatures = signature_of(config.secret, message.id, seconds, message.body);
  if (!config.old_secret.empty() && now < config.old_until) {
    signatures += " " + signature_of(config.old_secret, message.id, seconds, message.body);
  }
  posting.headers = {{"Content-Type", "application/json"},
                     {"webhook-id", message.id},
                     {"webhook-timestamp", std::to_string(seconds)},
                     {"webhook-signature", std::move(signatures)}};
  posting.time_max = options.time_max;
  posting.answer_bytes_max = options.answer_bytes_max;
  posting.authorities = options.authorities;
  posting.may_connect = [this, is_secure = config.url.starts_with("https:")](const http::IpAddress& address) {
    return reach.may_connect(address, is_secure);
  };
  sent.emplace(++last_attempt, std::move(done));
  poster.post(last_attempt, std::move(posting));
}

HookLine::HookLine(Shared& shared, std::string space, std::string id, HookConfig config, HookState state)
    : with_(shared),
      space_(std::move(space)),
      id_(std::move(id)),
      config_(std::move(config)),
      state_(std::move(state)) {}

void HookLine::go(Time now) {
  if (is_gone_ || config_.is_paused) return;
  if (phase_ == Phase::Resting && now >= due_) phase_ = Phase::Ready;
  if (phase_ != Phase::Ready) return;
  if (const auto allowed = with_.reach.check(config_.url); !allowed.ok()) {
    phase_ = Phase::Off;
    note_ = allowed.error().message;
    return;
  }
  if (state_.missed_after || !messages_.empty()) return send();
  read();
}

std::optional<HookLine::Time> HookLine::due() const {
  if (is_gone_) return {};
  std::optional<Time> due;
  if (moved_) due = *moved_ + kMovedKept;
  if (!config_.is_paused && phase_ == Phase::Resting && (!due || due_ < *due)) due = due_;
  return due;
}

void HookLine::read() {
  phase_ = Phase::Reading;
  db::ChangesRead read;
  read.since = state_.cursor;
  read.path = config_.path;
  read.before = config_.before;
  read.changes_max = kPageChanges;
  read.bytes_max = kPageBytes;
  with_.guard.changes(space_, deliverer_auth(), std::move(read),
                      [mail = with_.mail, weak = weak_from_this(), round = round_](db::Result<db::ChangesPage> page) {
                        const auto got = std::make_shared<db::Result<db::ChangesPage>>(std::move(page));
                        mail->post([weak, round, got] {
                          const auto self = weak.lock();
                          if (self != nullptr && self->round_ == round) self->on_page(std::move(*got));
                        });
                      });
}

void HookLine::on_page(db::Result<db::ChangesPage> page) {
  phase_ = Phase::Ready;
  if (!page.ok()) {
    if (!is_still_there()) return;
    if (page.error().code == ErrorCode::NotFound) return find_begin();
    return look_again(page.error().message);
  }
  note_.clear();
  const db::ChangesPage& got = page.value();
  if (state_.cursor == "0" && state_.sequence) {
    const uint64_t next = got.first.empty() ? got.sequence : got.first_sequence - 1;
    if (next > *state_.sequence) return miss(got);
  }
  page_next_ = got.next;
  page_sequence_ = got.sequence;
  for (const db::Change& change : got.changes) {
    messages_.push_back(change_message(id_, space_, config_.path, change, with_.options.body_bytes_max));
  }
  if (!messages_.empty()) {
    waiting_since_ = messages_.front().time;
    return;
  }
  set_cursor(got.next, got.sequence);
  if (!moved_) moved_ = std::chrono::steady_clock::now();
  if (!got.is_end) return;
  waiting_since_ = db::Timestamp(0);
  await();
}

// Asks where the log begins now, after it has said that it does not know the cursor.
void HookLine::find_begin() {
  phase_ = Phase::Reading;
  db::ChangesRead read;
  read.since = "0";
  read.changes_max = 1;
  with_.guard.changes(space_, deliverer_auth(), std::move(read),
                      [mail = with_.mail, weak = weak_from_this(), round = round_](db::Result<db::ChangesPage> page) {
                        mail->post([weak, round, page = std::move(page)] {
                          const auto self = weak.lock();
                          if (self == nullptr || self->round_ != round) return;
                          self->phase_ = Phase::Ready;
                          page.ok() ? self->miss(page.value()) : self->look_again(page.error().message);
                        });
                      });
}

// Notes that changes were cut from the log before they were delivered. `page` is the begin of the log as it is now.
void HookLine::miss(const db::ChangesPage& page) {
  messages_.clear();
  DeadLetter letter;
  letter.after = state_.missed_after.value_or(state_.cursor);
  letter.before = page.first;
  letter.time = wall_now();
  letter.why = "the log was cut before these changes were delivered";
  letter.id = missed_message(id_, space_, letter.after, letter.before, letter.time).id;
  http::log(http::LogLevel::Warn, "changes were cut from the log before a webhook was told of them",
            {{"ns", space_}, {"webhook", id_}, {"after", letter.after}, {"before", letter.before}});
  with_.counts.missed.add();
  state_.missed_after = letter.after;
  state_.missed_before = letter.before;
  state_.attempts = 0;
  if (page.first.empty()) {
    set_cursor(page.next, page.sequence);
  } else {
    // Just before the first one that is there: what is cut from now on is missed, and told, too.
    const auto first = db::parse_event_id(page.first);
    set_cursor(first->life + ":" + std::to_string(first->sequence - 1), first->sequence - 1);
  }
  db::BesideWrite write;
  bury(std::move(letter), write);
  (void)keep(std::move(write));
}

void HookLine::await() {
  if (session_ == nullptr) {
    auto wake = [mail = with_.mail, weak = weak_from_this()] {
      mail->post([weak] {
        if (const auto self = weak.lock()) self->pump();
      });
    };
    auto opened = with_.guard.open(space_, deliverer_auth(), "", std::move(wake), rules::Unindexed::Refused,
                                   rules::Expired::Refused);
    if (!opened.ok()) return look_again(opened.error().message);
    session_ = std::move(opened).value();
  }
  phase_ = Phase::Awaiting;
  session_->await_commit(kAwaitRequest, page_sequence_);
}

// The session has something to say: a commit has come, or the session has ended with its namespace.
void HookLine::pump() {
  if (session_ == nullptr) return;
  for (const db::Item& item : session_->take()) {
    if (std::holds_alternative<db::Ended>(item)) {
      session_ = nullptr;
      if (is_still_there() && phase_ == Phase::Awaiting) look_again("");
      return;
    }
    const auto* answer = std::get_if<db::Answer>(&item);
    if (answer == nullptr || phase_ != Phase::Awaiting) continue;
    phase_ = Phase::Ready;
    if (!answer->status.ok()) look_again(answer->status.error().message);
  }
}

void HookLine::send() {
  if (!with_.has_room()) return;
  phase_ = Phase::Sending;
  const bool is_missed = state_.missed_after.has_value();
  const WebhookMessage message =
      is_missed ? missed_message(id_, space_, *state_.missed_after, state_.missed_before, wall_now())
                : messages_.front();
  with_.send(config_, message, [weak = weak_from_this(), round = round_, is_missed](const http::Posted& posted) {
    const auto self = weak.lock();
    if (self != nullptr && self->round_ == round) self->on_sent(posted, is_missed);
  });
}

void HookLine::on_sent(const http::Posted& posted, bool is_missed) {
  phase_ = Phase::Ready;
  state_.status = outcome_of(posted);
  state_.answered = wall_now();
  if (!is_taken(posted)) return on_failure(posted, is_missed);
  with_.counts.delivered.add();
  ++state_.delivered;
  state_.failures = state_.attempts = 0;
  if (is_missed) {
    state_.missed_after.reset();
    state_.missed_before.clear();
  } else {
    set_cursor(messages_.front().change, 0);
    messages_.pop_front();
    if (messages_.empty()) set_cursor(page_next_, page_sequence_);
    waiting_since_ = messages_.empty() ? db::Timestamp(0) : messages_.front().time;
  }
  (void)keep({});
}

// The receiver did not take a message. 410 pauses the hook. Retry-After of 429 and 503 may make the rest longer than it
// would be, up to the longest rest, and never shorter.
void HookLine::on_failure(const http::Posted& posted, bool is_missed) {
  with_.counts.failed.add();
  ++state_.failed;
  ++state_.failures;
  ++state_.attempts;
  http::log_seldom(http::LogLevel::Warn, "webhook", "a webhook's receiver does not take what it is sent",
                   {{"ns", space_}, {"webhook", id_}, {"attempt", state_.attempts}, {"what", state_.status}});
  if (posted.status == kGone) {
    (void)pause("The receiver answered 410 Gone.");
    return;
  }
  auto delay = delay_after(state_.failures, with_.options.retry_min, with_.options.retry_max, db::random_u64());
  if (posted.retry_after && (posted.status == kTooMany || posted.status == kUnavailable)) {
    delay = std::clamp<std::chrono::milliseconds>(*posted.retry_after, delay, std::max(delay, with_.options.retry_max));
  }
  db::BesideWrite write;
  if (state_.attempts >= with_.options.attempts_max) {
    if (is_missed) {  // its letter is there
      state_.missed_after.reset();
      state_.missed_before.clear();
    } else {
      DeadLetter letter;
      letter.id = messages_.front().id;
      letter.time = wall_now();
      letter.attempts = state_.attempts;
      letter.why = state_.status;
      letter.body = std::move(messages_.front().body);
      set_cursor(messages_.front().change, 0);
      messages_.pop_front();
      if (messages_.empty()) set_cursor(page_next_, page_sequence_);
      bury(std::move(letter), write);
    }
    with_.counts.dead.add();
    state_.attempts = 0;
    http::log(http::LogLevel::Warn, "a webhook's message is given up; it is a dead letter now",
              {{"ns", space_}, {"webhook", id_}, {"what", state_.status}});
  }
  (void)keep(std::move(write));
  if (delay >= kPageForgotten) messages_.clear();
  rest(delay);
}

// Adds a letter, and removes the oldest ones when there are too many. The newest letter stays, however large it is.
void HookLine::bury(DeadLetter letter, db::BesideWrite& write) {
  std::string row = letter.encode();
  ++state_.dead;
  state_.dead_bytes += row.size();
  write.rows[letter_row(id_, state_.next++)] = std::move(row);
  const auto is_too_much = [&] {
    return state_.dead > with_.options.dead_max || state_.dead_bytes > with_.options.dead_bytes_max;
  };
  if (!is_too_much() || state_.dead < 2) return;
  const auto oldest = with_.guard.beside(space_, deliverer_auth(), {letters_row(id_), kLettersLook});
  if (!oldest.ok()) return;
  for (const auto& [key, bytes] : oldest.value()) {
    if (!is_too_much() || state_.dead < 2) return;
    forget_letter(bytes.size());
    write.rows[key] = std::nullopt;
    ++state_.dropped;
    with_.counts.dropped.add();
  }
}

void HookLine::forget_letter(uint64_t bytes) {
  state_.dead -= std::min<uint64_t>(state_.dead, 1);
  state_.dead_bytes -= std::min(state_.dead_bytes, bytes);
}

void HookLine::rest(std::chrono::milliseconds time) {
  phase_ = Phase::Resting;
  due_ = std::chrono::steady_clock::now() + time;
}

void HookLine::look_again(std::string note) {
  note_ = std::move(note);
  rest(kLookAgain);
}

void HookLine::set_cursor(std::string id, uint64_t sequence) {
  state_.cursor = std::move(id);
  state_.sequence = state_.cursor == "0" ? std::optional(sequence) : std::nullopt;
}

bool HookLine::is_still_there() {
  const auto rows = with_.guard.beside(space_, deliverer_auth(), {config_row(id_), 1});
  // Another node has the namespace: the webhook goes on there, and here as well if it comes back (Deliverer::moved).
  const bool is_missing = rows.ok()
                              ? rows.value().empty()
                              : rows.error().code == ErrorCode::NotFound || rows.error().code == ErrorCode::NotOwner;
  if (!is_missing) return true;
  is_gone_ = true;
  session_ = nullptr;
  return false;
}

db::Result<void> HookLine::keep(db::BesideWrite write) {
  if (!is_still_there()) return db::Error{ErrorCode::NotFound, "The webhook is gone with its namespace."};
  moved_.reset();
  if (write.rows.empty()) write.until = db::BesideWrite::Until::Kernel;
  write.rows[state_row(id_)] = state_.encode();
  db::Result<void> kept = with_.guard.keep_beside(space_, deliverer_auth(), write);
  if (!kept.ok()) {
    http::log_seldom(http::LogLevel::Error, "webhook state", "how far a webhook is could not be kept",
                     {{"ns", space_}, {"webhook", id_}, {"why", kept.error().message}});
  }
  return kept;
}

// Keeps a cursor that has moved over changes of others, once a second at the most, and when the deliverer stops.
void HookLine::tidy(Time now, bool is_last) {
  if (is_gone_ || !moved_ || (!is_last && now - *moved_ < kMovedKept)) return;
  (void)keep({});
}

db::Result<void> HookLine::keep_config(HookConfig changed) {
  db::BesideWrite write;
  write.rows[config_row(id_)] = changed.encode();
  RETURN_IF_ERROR(keep(std::move(write)));
  config_ = std::move(changed);
  return {};
}

db::Result<void> HookLine::pause(std::string why) {
  HookConfig changed = config_;
  changed.is_paused = true;
  changed.why = std::move(why);
  RETURN_IF_ERROR(keep_config(std::move(changed)));
  http::log(http::LogLevel::Info, "webhook paused", {{"ns", space_}, {"webhook", id_}, {"why", config_.why}});
  if (phase_ == Phase::Sending) return {};  // its answer counts
  ++round_;
  phase_ = Phase::Ready;
  messages_.clear();
  session_ = nullptr;
  return {};
}

db::Result<void> HookLine::resume() {
  HookConfig changed = config_;
  changed.is_paused = false;
  changed.why.clear();
  state_.failures = state_.attempts = 0;
  RETURN_IF_ERROR(keep_config(std::move(changed)));
  if (phase_ == Phase::Resting) phase_ = Phase::Ready;
  return {};
}

db::Result<std::string> HookLine::rotate() {
  HookConfig changed = config_;
  changed.old_secret = std::exchange(changed.secret, make_secret());
  changed.old_until = wall_now() + kOldSecretTime;
  RETURN_IF_ERROR(keep_config(changed));
  return changed.secret;
}

db::Result<void> HookLine::remove() {
  ASSIGN_OR_RETURN(const db::BesideRows letters, with_.guard.beside(space_, deliverer_auth(), {letters_row(id_)}));
  db::BesideWrite write;
  for (const auto& [key, bytes] : letters) write.rows[key] = std::nullopt;
  write.rows[config_row(id_)] = write.rows[state_row(id_)] = std::nullopt;
  RETURN_IF_ERROR(with_.guard.keep_beside(space_, deliverer_auth(), write));
  is_gone_ = true;
  session_ = nullptr;
  return {};
}

// Takes `path` out of all bodies: of messages in memory, and of letters. A page that was asked for before the purge is
// dropped and read again, as the log has nothing of the path any more. A body under way may have been heard already.
db::Result<void> HookLine::purge(const db::Path& path) {
  for (WebhookMessage& message : messages_) {
    if (auto body = purged_body(message.body, path)) message.body = std::move(*body);
  }
  if (phase_ == Phase::Reading) {
    ++round_;
    phase_ = Phase::Ready;
  }
  ASSIGN_OR_RETURN(const db::BesideRows letters, with_.guard.beside(space_, deliverer_auth(), {letters_row(id_)}));
  db::BesideWrite write;
  for (const auto& [key, bytes] : letters) {
    ASSIGN_OR_RETURN(DeadLetter letter, DeadLetter::decode(bytes));
    auto body = purged_body(letter.body, path);
    if (!body) continue;
    letter.body = std::move(*body);
    std::string row = letter.encode();
    state_.dead_bytes += row.size();
    state_.dead_bytes -= std::min<uint64_t>(state_.dead_bytes, bytes.size());
    write.rows[key] = std::move(row);
  }
  if (write.rows.empty()) return {};
  write.is_for_good = true;
  return keep(std::move(write));
}

std::string HookLine::describe() const {
  const char* is = config_.is_paused      ? "paused"
                   : phase_ == Phase::Off ? "off"
                   : !note_.empty()       ? "held up"
                   : state_.failures > 0  ? "failing"
                                          : "delivering";
  std::string json = R"({"id":")" + id_ + R"(","url":)";
  db::append_json_string(config_.url, json);
  json += R"(,"path":)";
  db::append_json_string(config_.path.slashed(), json);
  json += fmt::format(R"(,"created":{},"state":"{}")", config_.created.count(), is);
  if (config_.before) json += R"(,"before":true)";
  if (const std::string& why = config_.is_paused ? config_.why : note_; !why.empty()) {
    json += R"(,"why":)";
    db::append_json_string(why, json);
  }
  json += R"(,"cursor":)";
  db::append_json_string(state_.cursor, json);
  json += fmt::format(R"(,"delivered":{},"failed":{},"failures":{},"attempts":{},"dead":{},"dropped":{})",
                      state_.delivered, state_.failed, state_.failures, state_.attempts, state_.dead, state_.dropped);
  if (waiting_since_.count() > 0) {
    json += fmt::format(R"(,"behind":{})", std::max<int64_t>((wall_now() - waiting_since_).count(), 0));
  }
  if (!state_.status.empty()) {
    json += R"(,"status":)";
    db::append_json_string(state_.status, json);
    json += fmt::format(R"(,"answered":{})", state_.answered.count());
  }
  return json + "}";
}

}  // namespace hearth::net::webhooks
