// The feed asks for a page, tells it, and asks for the next; at the end of the log it waits for a commit. It holds one page
// at a time, and the next is not asked for while the reader has much to take: so a reader that falls behind costs a cursor,
// and what it misses stays in the log as long as the log's plan says.
//
//   begin ─▶ ask ─▶ [a reader: read_changes] ─▶ take ─▶ tell ─▶ backlog? later : ask
//             ▲                                           │ the end of the log
//             └──────── pump ◀─ a commit ◀─ await_more ◀──┘           lines: {"next":…}, and the end
//
// Owners: as EventStream. What waits for an answer of the guard goes through PendingAnswers.
#include "net/rest/change_feed.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "db/model/json.h"
#include "net/rest/event_text.h"
#include "net/rest/reply.h"

namespace hearth::net::rest {
namespace {

constexpr uint64_t kAwait = 1;
constexpr std::chrono::milliseconds kLater{20};  // until it is looked again whether the reader has taken enough

std::string event_of(std::string_view name, std::string_view data, std::string_view id) {
  std::string text = fmt::format("event: {}\ndata: {}\n", name, data);
  if (!id.empty()) text += fmt::format("id: {}\n", id);
  return text += '\n';
}

}  // namespace

void append_commit(std::string_view id, db::Timestamp time, std::string_view by, std::string& to) {
  to += R"({"id":)";
  db::append_json_string(id, to);
  to += R"(,"time":)" + std::to_string(time.count());
  if (by.empty()) return;
  to += R"(,"by":)";
  db::append_json_string(by, to);
}

std::string change_line(const db::Change& change) {
  std::string line;
  append_commit(change.id, change.time, change.by, line);
  line += R"(,"changes":[)";
  bool is_first = true;
  for (const db::PlaceChange& place : change.places) {
    line += is_first ? R"({"path":)" : R"(,{"path":)";
    is_first = false;
    std::string path = place.path.slashed();
    if (place.slot == db::Slot::Priority) path += path.ends_with('/') ? ".priority" : "/.priority";
    db::append_json_string(path, line);
    if (place.is_restored) {
      line += R"(,"restored":true)";
    } else if (place.is_purged) {
      line += R"(,"purged":true)";
    } else {
      line += R"(,"value":)" + db::to_json(place.value, db::JsonStyle::Export);
    }
    if (place.before) line += R"(,"before":)" + db::to_json(*place.before, db::JsonStyle::Export);
    line += '}';
  }
  return line += "]}";
}

void ChangeFeed::start(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, RestRequest request,
                       const std::string& space, rules::Auth auth) {
  std::make_shared<ChangeFeed>(with, std::move(exchange), std::move(request), space, std::move(auth))->begin();
}

ChangeFeed::ChangeFeed(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, RestRequest request,
                       std::string space, rules::Auth auth)
    : with_(with),
      request_(std::move(request)),
      space_(std::move(space)),
      auth_(std::move(auth)),
      exchange_(std::move(exchange)),
      thread_(exchange_->thread()),
      next_(request_.since),
      told_(request_.since) {}

ChangeFeed::~ChangeFeed() {
  if (waker_ != nullptr) waker_->detach();
}

void ChangeFeed::begin() {
  if (auth_.kind != rules::Auth::Kind::Admin) {
    return exchange_->respond(error_reply_of({db::ErrorCode::PermissionDenied, "Permission denied"}, {}));
  }
  waker_ = http::Waker::make(with_.io, thread_, [weak = weak_from_this()] {
    if (const auto alive = weak.lock()) alive->pump();
  });
  auto session = with_.guard.open(space_, auth_, "", waker_, rules::Unindexed::Refused, rules::Expired::Refused);
  if (!session.ok()) return refuse(session.error());
  session_ = std::move(session).value();
  session_->came_by({exchange_->request().connection, "rest"});
  held_ = with_.waiting.hold(shared_from_this());
  if (request_.wait) {
    over_ = http::IoPool::schedule(*request_.wait, [this] {
      is_over_ = true;
      ask();
    });
    exchange_->set_on_leaving([weak = weak_from_this()](http::Leaving) {
      const auto self = weak.lock();
      if (self == nullptr || self->exchange_ == nullptr) return;
      self->is_over_ = true;
      self->ask();
    });
  }
  ask();
}

void ChangeFeed::ask() {
  if (session_ == nullptr) return;
  db::ChangesRead read;
  read.since = next_;
  read.path = request_.path;
  read.before = request_.before;
  with_.guard.changes(space_, auth_, std::move(read),
                      with_.waiting.expect_a<db::Result<db::ChangesPage>>(
                          [self = shared_from_this()](db::Result<db::ChangesPage> page) {
                            const auto got = std::make_shared<db::Result<db::ChangesPage>>(std::move(page));
                            self->with_.io.post(self->thread_, [self, got] { self->take(std::move(*got)); });
                          }));
}

void ChangeFeed::take(db::Result<db::ChangesPage> page) {
  if (session_ == nullptr) return;
  if (is_expired()) {
    if (stream_ == nullptr) return refuse({db::ErrorCode::ExpiredToken, "Auth token is expired"});
    if (request_.streams) stream_->send(kAuthRevoked);
    return finish();
  }
  if (!page.ok()) {
    if (stream_ == nullptr) return refuse(page.error());
    // Lines end without {"next":…}, so that their reader sees that something is missing.
    std::string reason;
    db::append_json_string(page.error().message, reason);
    if (request_.streams) stream_->send(event_of("gone", R"({"error":)" + reason + "}", ""));
    return finish();
  }
  next_ = page.value().next;
  // Who waits for something is answered once there is something.
  const bool is_in_vain = page.value().is_end && page.value().changes.empty();
  if (stream_ == nullptr && request_.wait && is_in_vain && !is_over_) return await_more(page.value().sequence);
  if (stream_ == nullptr) open();
  tell(page.value());
  go_on(page.value());
}

bool ChangeFeed::is_expired() const { return auth_.expires && with_.clock.now() >= *auth_.expires; }

void ChangeFeed::tell(const db::ChangesPage& page) {
  std::string text;
  for (const db::Change& change : page.changes) {
    const std::string line = change_line(change);
    if (request_.streams) {
      text += event_of("change", line, change.id);
      told_ = change.id;
    } else {
      text += line;
      text += '\n';
    }
  }
  if (!text.empty()) stream_->send(text);
}

void ChangeFeed::go_on(const db::ChangesPage& page) {
  if (!page.is_end) {
    if (stream_->backlog_bytes() <= kFeedBacklogBytes) return ask();
    db::ChangesPage read;  // what was told of it is not held
    read.next = page.next;
    read.sequence = page.sequence;
    later_ = http::IoPool::schedule(kLater, [this, read = std::move(read)] {
      if (session_ != nullptr) go_on(read);
    });
    return;
  }
  if (request_.streams) return await_more(page.sequence);
  std::string last = R"({"next":)";
  db::append_json_string(page.next, last);
  stream_->send(last + "}\n");
  finish();
}

void ChangeFeed::await_more(uint64_t sequence) { session_->await_commit(kAwait, sequence); }

void ChangeFeed::pump() {
  const auto self = shared_from_this();
  if (session_ == nullptr) return;
  for (db::Item& item : session_->take()) {
    if (session_ == nullptr) return;
    if (const auto* ended = std::get_if<db::Ended>(&item)) {
      if (stream_ == nullptr) return refuse(ended->reason);
      return finish();
    }
    const auto* answer = std::get_if<db::Answer>(&item);
    if (answer == nullptr) continue;
    if (answer->status.ok()) {
      ask();
    } else if (stream_ == nullptr) {
      refuse(answer->status.error());
    } else {
      finish();
    }
  }
}

void ChangeFeed::open() {
  http::Response head =
      reply_head(200, request_.streams ? "text/event-stream; charset=utf-8" : "application/x-ndjson; charset=utf-8");
  head.headers.emplace_back("X-Accel-Buffering", "no");  // else nginx collects lines before it passes them on
  over_.cancel();
  stream_ = exchange_->open_stream(head.status, head.headers);
  exchange_ = nullptr;
  stream_->set_on_closed([self = shared_from_this()] { self->on_closed(); });
  with_.waiting.let_go(held_);
  if (request_.streams) next_keep_alive_ = http::IoPool::schedule(with_.keep_alive, [this] { keep_alive(); });
}

void ChangeFeed::refuse(const db::Error& error) {
  const bool is_gone = error.code == db::ErrorCode::NotFound;
  exchange_->respond(is_gone ? refusal_reply({.status = 410, .text = error.message}) : error_reply_of(error, {}));
  exchange_ = nullptr;
  session_ = nullptr;
  over_.cancel();
  with_.waiting.let_go(held_);
}

void ChangeFeed::finish() {
  session_ = nullptr;
  stream_->close();  // on_closed() follows
}

// Changes elsewhere move the id too: who comes back with the newer one need not look at them again.
void ChangeFeed::keep_alive() {
  if (is_expired()) {
    stream_->send(kAuthRevoked);
    return finish();
  }
  const bool is_newer = std::exchange(told_, next_) != next_;
  stream_->send(is_newer ? event_of("keep-alive", "null", next_) : std::string(kKeepAlive));
  next_keep_alive_ = http::IoPool::schedule(with_.keep_alive, [this] { keep_alive(); });
}

void ChangeFeed::on_closed() {
  waker_->detach();
  session_ = nullptr;
  next_keep_alive_.cancel();
  later_.cancel();
  over_.cancel();
}

}  // namespace hearth::net::rest
