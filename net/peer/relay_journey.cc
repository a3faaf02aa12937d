// One request's way.
//
//            an owner elsewhere       a line: idle, or dialed         its head
//   Looking ───────────────────▶ Connecting ──────────────▶ Asked ───────────────▶ Passing ── whole ──▶ Over
//     │  ▲ │ here: served here          │ no line             │ 503, Hearth-Owner: Refused ─▶ Looking, once where it said
//     │  │ └─────────────────▶ Over     │                     │ 101: spliced ─▶ Over
//     ▼  │                              ▼                     │ lost: a read ─▶ Looking; a write ─▶ 503, nobody knows
//   Waiting ◀───────────────────────────┘                     ▼
//     └ 25 ms; after `until_`: 503                  its owner is another one meanwhile: as if lost
//
// The request's body waits until the answer begins, for it may be asked again, and counts as that of the client for so long
// (HttpSession's share of half_received.h).
//
// Owners: the thread's map holds a journey until finish(); a line holds it while it is asked, a session while it passes an
// answer on. It holds the exchange, and by that nothing of the session. Timers and dials hold it weakly.
#include "net/peer/relay_journey.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/http/forwarded.h"
#include "net/io/field_value.h"
#include "net/io/log.h"
#include "net/io/spread.h"

namespace hearth::net::peer {
namespace {

using http::equals_ignoring_case;

constexpr std::chrono::milliseconds kLookAgain{25};
constexpr std::chrono::milliseconds kWriteGrace{
    500};  // for a node that has lost a shard to answer a write all the same
constexpr std::chrono::milliseconds kBodyGrace{10'000};  // and to end a long answer
constexpr size_t kCopiedBodyBytesMax = 4u << 10;

// Fields that are about one connection, or that we say in our own words.
bool is_passed_on(std::string_view name, bool is_upgrade) {
  for (const std::string_view own :
       {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Content-Length",
        "Content-Encoding", "Expect", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}) {
    if (equals_ignoring_case(name, own)) return false;
  }
  if (equals_ignoring_case(name, http::kRelayedField)) return false;
  return is_upgrade || !equals_ignoring_case(name, "Upgrade");
}

bool is_answered_on(std::string_view name) {
  for (const std::string_view own : {"Connection", "Keep-Alive", "Date"}) {
    if (equals_ignoring_case(name, own)) return false;
  }
  return !equals_ignoring_case(name, kOwnerField);
}

}  // namespace

RelayJourney::RelayJourney(Relay::Parts& relay, std::shared_ptr<http::Exchange> exchange, RelayTarget target,
                           Time until)
    : relay_(relay), exchange_(std::move(exchange)), target_(std::move(target)), until_(until) {}

void RelayJourney::start(From from) {
  is_back_ = from == From::Here;
  relay_.here().journeys.emplace(this, shared_from_this());
  exchange_->set_deed("relayed");
  exchange_->set_on_leaving([weak = weak_from_this()](http::Leaving) {
    if (const auto self = weak.lock()) self->on_leaving();
  });
  go();
}

bool RelayJourney::is_read() const {
  const std::string& method = exchange_->request().method;
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

void RelayJourney::go() {
  if (state_ == State::Over) return;
  if (state_ == State::Waiting) relay_.counts.waiting.add(-1);
  state_ = State::Looking;
  if (relay_.here().is_closed) return give_up();
  const OwnerSeen owner = hint_ ? *std::exchange(hint_, std::nullopt) : relay_.owner_of(target_);
  // The directory may not know yet what the database does: then the two would ask each other without a pause.
  if (owner.is_here && std::exchange(is_back_, false)) return wait();
  if (owner.is_here) return serve_here();
  // Long polls of a node that is gone: here nobody knows them either, and says so in the protocol.
  if (!target_.node.empty() && owner.peer.empty()) return serve_here();
  if (owner.peer.empty() || owner.node == relay_.nodes.own_name()) return wait();
  ask(owner);
}

void RelayJourney::wait() {
  if (std::chrono::steady_clock::now() >= until_) return give_up();
  state_ = State::Waiting;
  relay_.counts.waiting.add();
  again_ = http::IoPool::schedule(kLookAgain, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->go();
  });
}

void RelayJourney::ask(const OwnerSeen& owner) {
  owner_ = owner;
  moved_at_ = Time::max();
  state_ = State::Connecting;
  if (++tries_ == 2) relay_.counts.asked_again.add();
  if (auto line = relay_.take_line(owner_.peer)) return on_line(std::move(line));
  relay_.dials->dial(owner_.peer, owner_.node,
                     [weak = weak_from_this(), relay = &relay_, thread = exchange_->thread(), peer = owner_.peer,
                      node = owner_.node](db::Result<DialedNode> dialed) {
                       if (!dialed.ok()) {
                         http::log_seldom(http::LogLevel::Warn, "relay", "another node cannot be reached",
                                          {{"node", node}, {"peer", peer}, {"reason", dialed.error().message}});
                         return relay->io.post(thread, [weak] {
                           if (const auto self = weak.lock()) self->on_no_line();
                         });
                       }
                       const auto make = [weak, relay, peer](http::Connection& connection) {
                         const auto line = std::make_shared<RelayLine>(connection);
                         // Later: the connection has to know its protocol before it is asked anything.
                         connection.loop().later([weak, relay, peer, line] {
                           const auto self = weak.lock();
                           if (self && self->state_ == State::Connecting) return self->on_line(line);
                           relay->keep_line(peer, line);
                         });
                         return line;
                       };
                       relay->lines->adopt({.socket = std::move(dialed.value().socket),
                                            .heard = std::move(dialed.value().heard),
                                            .thread = thread,
                                            .make_protocol = make});
                     });
}

// There is no line, so nothing was begun.
void RelayJourney::on_no_line() {
  if (state_ == State::Connecting) wait();
}

void RelayJourney::on_line(std::shared_ptr<RelayLine> line) {
  if (!line->is_idle()) return wait();
  state_ = State::Asked;
  line_ = std::move(line);
  http::Request& request = exchange_->request();
  std::string text = head();
  http::SharedBytes body;
  if (request.body.size() <= kCopiedBodyBytesMax && body_ == nullptr) {
    text += request.body;
  } else {
    if (body_ == nullptr) body_ = std::make_shared<const std::string>(std::move(request.body));
    body = body_;
  }
  if (tries_ == 1 && !exchange_->wants_websocket()) relay_.counts.requests.add();
  const auto answers = request.method == "HEAD" ? RelayLine::Body::None : RelayLine::Body::Expected;
  line_->ask(std::move(text), std::move(body), answers, shared_from_this());
  if (has_left_) line_->end_sending();
}

// The request as the other node shall see it. What we know of the client stands in fields that it believes of nodes only.
std::string RelayJourney::head() const {
  const http::Request& request = exchange_->request();
  const bool is_upgrade = exchange_->wants_websocket();
  std::string text;
  text.reserve(request.target.size() + 512);
  text += request.method;
  text += ' ';
  text += request.target;
  text += request.is_http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  const auto add = [&text](std::string_view name, std::string_view value) {
    text += name;
    text += ": ";
    text += value;
    text += "\r\n";
  };
  for (const auto& [name, value] : request.headers) {
    if (is_passed_on(name, is_upgrade)) add(name, value);
  }
  if (is_upgrade) add("Connection", "Upgrade");
  add("X-Forwarded-For", request.peer.empty() ? "unknown" : request.peer);
  add("X-Forwarded-Proto", request.is_secure ? "https" : "http");
  if (!request.host().empty()) add("X-Forwarded-Host", request.host());
  add(http::kRelayedField, http::relayed_text(request, relay_.nodes.own_name()));
  const size_t body_bytes = body_ ? body_->size() : request.body.size();
  if (body_bytes > 0 || !is_read()) add("Content-Length", std::to_string(body_bytes));
  text += "\r\n";
  return text;
}

void RelayJourney::on_head(RelayAnswer& answer) {
  if (answer.status() == 101) return splice(answer);
  if (const auto owner = http::find_header(answer.headers(), kOwnerField); owner && answer.status() == 503) {
    refused_by_ = *owner;
    state_ = State::Refused;
    return;
  }
  http::Headers headers = std::move(answer.headers());
  std::erase_if(headers, [](const auto& field) { return !is_answered_on(field.first); });
  const auto type = http::find_header(headers, "Content-Type");
  is_stream_ = type && type->starts_with("text/event-stream");
  state_ = State::Passing;
  body_ = nullptr;
  passed_ = exchange_->pass(answer.status(), headers, shared_from_this());
  if (passed_ == nullptr) finish();
}

void RelayJourney::on_piece(std::string_view bytes) {
  if (state_ != State::Passing) return;
  passed_->send(bytes);
  if (passed_->is_behind()) line_->set_reading(false);
}

void RelayJourney::on_drained() {
  if (line_ != nullptr) line_->set_reading(true);
}

// The line first: the client's next request may come within end(), and is best asked on the same one.
void RelayJourney::on_whole(bool is_reusable) {
  const auto self = shared_from_this();
  if (auto line = std::exchange(line_, nullptr); line != nullptr && is_reusable) {
    relay_.keep_line(owner_.peer, std::move(line));
  }
  if (state_ == State::Refused) return on_refused();
  const auto passed = std::exchange(passed_, nullptr);
  finish();
  if (passed != nullptr) passed->end();
}

// The other node is not the owner. It may know who is, before we do.
void RelayJourney::on_refused() {
  std::string_view rest = refused_by_;
  const std::string_view node = http::take_item(rest, ' ');
  const std::string_view peer = http::take_item(rest, ' ');
  const bool is_news = !node.empty() && !peer.empty() && node != owner_.node && node != relay_.nodes.own_name();
  if (!is_news || std::exchange(has_hinted_, true)) return wait();
  hint_ = OwnerSeen{.node = std::string(node), .peer = std::string(peer)};
  go();
}

void RelayJourney::on_lost(bool) {
  const auto self = shared_from_this();
  line_ = nullptr;
  switch (state_) {
    case State::Asked:
      if (is_read()) return wait();
      relay_.counts.unknown.add();
      return refuse(
          "The node that was to make this write was lost before it answered: whether it was made is not known. A "
          "request "
          "with the same Idempotency-Key makes it once.");
    case State::Refused:
      return on_refused();
    case State::Passing: {
      relay_.counts.cut.add();
      const auto passed = std::exchange(passed_, nullptr);
      finish();
      return passed->cut();
    }
    case State::Looking:
    case State::Waiting:
    case State::Connecting:
    case State::Over:
      return;
  }
}

// ---- the client ----

// Before there is an answer. It may still read one.
void RelayJourney::on_leaving() {
  has_left_ = true;
  if (line_ != nullptr) line_->end_sending();
}

void RelayJourney::on_client_end() {
  if (line_ != nullptr) line_->end_sending();
}

void RelayJourney::on_client_gone() {
  passed_ = nullptr;
  finish();
}

// ---- other ends ----

void RelayJourney::splice(RelayAnswer& answer) {
  relay_.counts.sockets.add();
  relay_.counts.sockets_open.add();
  std::shared_ptr<SpliceEnd> client, owner;
  // The client's end first: without it there is nothing to splice.
  const auto make_client = [&](http::Connection& connection) {
    client = std::make_shared<SpliceEnd>(connection, [counts = &relay_.counts] { counts->sockets_open.add(-1); });
    return client;
  };
  if (!exchange_->hand_over(answer.head(), make_client)) {
    relay_.counts.sockets_open.add(-1);
    return finish();
  }
  line_->hand_over([&](http::Connection& connection) {
    owner = std::make_shared<SpliceEnd>(connection, nullptr);
    return owner;
  });
  SpliceEnd::join(client, owner);
  relay_.here().sockets.push_back({.spliced = client, .own = {}, .space = target_.space, .node = owner_.node});
  line_ = nullptr;  // it is the splice's
  finish();
}

// Between two looks the request was for this node after all. What a handler finds out about that comes back here.
void RelayJourney::serve_here() {
  http::Request& request = exchange_->request();
  if (body_ != nullptr) {
    std::string body;
    body.reserve(body_->size() + http::kBodyPaddingBytes);
    body = *body_;
    request.body = std::move(body);
  }
  if (tries_ > 0) relay_.counts.asked_again.add();
  const auto exchange = exchange_;
  finish();
  if (relay_.refuse_unsure(*exchange)) return;
  relay_.prepare(exchange, target_, until_);
  relay_.hooks.serve(exchange);
}

void RelayJourney::give_up() {
  relay_.counts.unowned.add();
  refuse("No node serves this namespace at the moment; try again soon.");
}

void RelayJourney::refuse(std::string_view message) {
  const auto exchange = exchange_;
  finish();
  exchange->respond(http::error_response(503, message));
}

void RelayJourney::finish() {
  if (state_ == State::Over) return;
  if (state_ == State::Waiting) relay_.counts.waiting.add(-1);
  state_ = State::Over;
  again_.cancel();
  if (const auto line = std::exchange(line_, nullptr)) line->forget();
  const auto self = shared_from_this();
  relay_.here().journeys.erase(this);
}

// A node that is stopped, or cut off from the engine, answers nothing and closes nothing: whoever waits for it has to find
// out by himself that another one has its shards.
RelayJourney::Watched RelayJourney::watch() {
  if (state_ == State::Looking || state_ == State::Waiting || state_ == State::Over) return Watched::Stays;
  const auto now = std::chrono::steady_clock::now();
  const OwnerSeen owner = relay_.owner_of(target_);
  if (!target_.node.empty() ? !owner.peer.empty() : owner.node.empty() || owner.node == owner_.node) {
    moved_at_ = Time::max();
    // While nobody has it, the next who does may be another one; that is another change.
    return Watched::Stays;
  }
  if (state_ == State::Connecting)
    return Watched::Moving;  // it asks the one that it began with, if that answers at all
  if (moved_at_ == Time::max()) {
    moved_at_ = now;
    grace_ = state_ != State::Passing
                 ? (is_read() || state_ == State::Refused ? std::chrono::milliseconds(0) : kWriteGrace)
                 : (is_stream_ ? http::some_of(http::kLeavingSpread) : kBodyGrace);
  }
  if (now < moved_at_ + grace_) return Watched::Moving;
  const auto line = std::exchange(line_, nullptr);
  if (line != nullptr) line->forget();
  if (state_ == State::Refused) {
    on_refused();
  } else if (state_ == State::Asked && is_read()) {
    go();
  } else {
    on_lost(state_ == State::Passing);
  }
  return Watched::Stays;
}

}  // namespace hearth::net::peer
