// What all relayed requests of a server share: idle lines, who is watched, and the first look at a request.
//
// Every kWatchInterval each io thread asks whether some owner has changed, and if so looks at what it has with other nodes;
// those for whom it has are looked at until that has an end. A socket whose namespace has
// another owner is closed within kLeavingSpread, whether it was served here or passed on: a client of Supabase or Yjs would
// otherwise ask on the same socket again and again, and an old owner that is stopped closes nothing.
#include "net/peer/relay.h"

#include <atomic>
#include <thread>
#include <utility>

#include "net/io/spread.h"
#include "net/peer/relay_journey.h"

namespace hearth::net::peer {
namespace {

constexpr std::chrono::milliseconds kWatchInterval{250};
constexpr std::chrono::milliseconds kDrainStep{2};
constexpr std::chrono::seconds kSweepInterval{5};

bool is_write_of(const http::Request& request) {
  return request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS";
}

}  // namespace

OwnerSeen Relay::Parts::owner_of(const RelayTarget& target) const {
  if (target.node.empty()) return nodes.owner_of(target.space);
  if (target.node == nodes.own_name()) return {.is_here = true, .node = target.node};
  return {.node = target.node, .peer = nodes.peer_of(target.node)};
}

// The one that was used last: it is the least likely to be closed at the other end.
std::shared_ptr<RelayLine> Relay::Parts::take_line(const std::string& peer) {
  const auto found = here().idle.find(peer);
  if (found == here().idle.end()) return nullptr;
  while (!found->second.empty()) {
    auto line = std::move(found->second.back());
    found->second.pop_back();
    if (line->is_idle()) return line;
  }
  return nullptr;
}

void Relay::Parts::keep_line(const std::string& peer, std::shared_ptr<RelayLine> line) {
  if (!line->is_idle()) return;
  auto& idle = here().idle[peer];
  if (here().is_closed || idle.size() >= kIdleLinesMax) return line->forget();
  idle.push_back(std::move(line));
}

void Relay::Parts::watch(size_t index) {
  Thread& thread = threads[index];
  if (thread.is_closed) return;
  const auto now = std::chrono::steady_clock::now();
  for (auto at = thread.idle.begin(); at != thread.idle.end();) {
    std::erase_if(at->second, [&](const auto& line) {
      const bool is_over = !line->is_idle() || now - line->idle_since() > kIdleLineTimeMax;
      if (is_over) line->forget();
      return is_over;
    });
    at = at->second.empty() ? thread.idle.erase(at) : std::next(at);
  }
  const uint64_t fingerprint = nodes.fingerprint();
  const bool has_changed = std::exchange(thread.fingerprint, fingerprint) != fingerprint;
  watch_journeys(thread, has_changed);
  watch_writes(thread);
  watch_sockets(thread, now, has_changed);
  thread.watch = http::IoPool::schedule(kWatchInterval, [this, index] { watch(index); });
}

// Who asks after a change asks the owner that there is then; so a look is for those who asked before.
void Relay::Parts::watch_journeys(Thread& thread, bool has_changed) {
  std::vector<std::shared_ptr<RelayJourney>> looked_at;  // a copy: what one hears may end others
  if (has_changed) {
    for (const auto& [key, journey] : thread.journeys) looked_at.push_back(journey);
    thread.moving.clear();
  } else {
    for (const auto& one : std::exchange(thread.moving, {})) {
      if (auto journey = one.lock()) looked_at.push_back(std::move(journey));
    }
  }
  for (const auto& journey : looked_at) {
    if (journey->watch() == RelayJourney::Watched::Moving) thread.moving.push_back(journey);
  }
}

// A write waits with its group for the engine. Who waits by HTTP is told that nobody knows.
void Relay::Parts::watch_writes(Thread& thread) {
  std::erase_if(thread.writes, [](const auto& write) { return write.expired(); });
  if (thread.writes.empty() || !nodes.stale()) return;
  for (const auto& write : std::exchange(thread.writes, {})) {
    const auto exchange = write.lock();
    const bool is_told =
        exchange != nullptr &&
        exchange->give_up(http::error_response(
            503,
            "The cluster's PostgreSQL does not answer: whether this write is made is not known yet. A request with the "
            "same Idempotency-Key makes it once."));
    if (is_told) counts.unknown.add();
  }
}

// While the engine does not answer.
bool Relay::Parts::refuse_unsure(http::Exchange& exchange) {
  const auto stale = nodes.stale();
  const bool is_write = is_write_of(exchange.request());
  if (!stale) {
    if (is_write) here().writes.push_back(exchange.weak_from_this());
    return false;
  }
  if (!is_write) {
    exchange.add_field(std::string(kStaleField),
                       std::to_string(std::chrono::ceil<std::chrono::seconds>(*stale).count()));
    return false;
  }
  counts.unsure.add();
  exchange.respond(http::error_response(
      503, "The cluster's PostgreSQL does not answer, so nothing can be written; try again soon."));
  return true;
}

// Sockets whose namespace has another owner than when they were opened. All of them are looked at only when some owner has
// changed, for there may be hundreds of thousands.
void Relay::Parts::watch_sockets(Thread& thread, Time now, bool has_changed) {
  if (now - thread.swept_at > kSweepInterval) {
    thread.swept_at = now;
    std::erase_if(thread.sockets, [](const Thread::Socket& socket) { return socket.is_over(); });
  }
  if (!has_changed && thread.ending == 0) return;
  thread.ending = 0;
  std::vector<std::shared_ptr<SpliceEnd>> spliced;  // closed when the list is whole again
  std::vector<std::shared_ptr<http::WebSocket>> own;
  for (Thread::Socket& socket : thread.sockets) {
    if (socket.is_over()) continue;
    if (socket.ends_at == Time::max()) {
      const OwnerSeen owner = nodes.owner_of(socket.space);
      // What is served here ends with the shard, and its sessions with it. Elsewhere, while nobody has it, its old owner may
      // still have something to say.
      const bool stays = socket.own.expired() ? owner.node == socket.node || owner.node.empty() : owner.is_here;
      if (stays) continue;
      socket.ends_at = now + http::some_of(http::kLeavingSpread);
    }
    ++thread.ending;
    if (now < socket.ends_at) continue;
    if (auto end = socket.spliced.lock()) spliced.push_back(std::move(end));
    if (auto end = socket.own.lock()) own.push_back(std::move(end));
    socket.spliced.reset();
    socket.own.reset();
  }
  counts.cut.add(spliced.size() + own.size());
  for (const auto& socket : spliced) socket->close();
  for (const auto& socket : own) socket->close(http::CloseCode::GoingAway, "The namespace is moving to another node.");
}

// A request that is served here may find that its shard has been given up meanwhile (ErrorCode::NotOwner). Nothing of it was
// done then, so it goes where it belongs.
void Relay::Parts::prepare(const std::shared_ptr<http::Exchange>& exchange, RelayTarget target, Time until) {
  if (exchange->wants_websocket()) {
    exchange->set_on_websocket([this, space = target.space](const std::shared_ptr<http::WebSocket>& socket) {
      here().sockets.push_back({.spliced = {}, .own = socket, .space = space, .node = nodes.own_name()});
    });
  }
  const size_t body_bytes = exchange->request().body.size();
  exchange->set_on_misdirected(
      [this, target = std::move(target), until, body_bytes](const std::shared_ptr<http::Exchange>& again) {
        if (!again->request().relayed_by.empty()) return refuse_relayed(*again, target);
        const auto now = std::chrono::steady_clock::now();
        // A handler may have used the body up; then the client has to send it anew.
        if (again->request().body.size() != body_bytes || now >= until) {
          counts.unowned.add();
          return again->respond(http::error_response(503, "This namespace is moving to another node; try again soon."));
        }
        counts.asked_again.add();
        std::make_shared<RelayJourney>(*this, again, target, until)->start(RelayJourney::From::Here);
      });
}

// One hop and no more: who has asked looks again, or where we say.
void Relay::Parts::refuse_relayed(http::Exchange& exchange, const RelayTarget& target) const {
  const OwnerSeen owner = owner_of(target);
  http::Response reply = http::error_response(503, "This node does not serve that namespace.");
  reply.headers.emplace_back(kOwnerField, owner.peer.empty() ? owner.node : owner.node + " " + owner.peer);
  exchange.respond(std::move(reply));
}

Relay::Relay(RelayNodes& nodes, http::IoPool& io, db::ThreadPool& workers, const http::Limits& limits, Hooks hooks)
    : parts_(
          new Parts{.nodes = nodes,
                    .io = io,
                    .hooks = std::move(hooks),
                    .lines = http::Listener::without_port(io, workers, {.limits = limits, .of_nodes = true}, nullptr),
                    .threads = std::vector<Parts::Thread>(io.size()),
                    .counts = {},
                    .dials = std::make_unique<RelayDials>(nodes)}) {
  for (size_t thread = 0; thread < io.size(); ++thread) {
    io.post(thread, [parts = parts_.get(), thread] { parts->watch(thread); });
  }
}

Relay::~Relay() { drain(std::chrono::milliseconds(0)); }

bool Relay::take(const std::shared_ptr<http::Exchange>& exchange, RelayTarget target) {
  const OwnerSeen owner = parts_->owner_of(target);
  const auto until = std::chrono::steady_clock::now() + kOwnerWaitMax;
  if (owner.is_here) {
    if (parts_->refuse_unsure(*exchange)) return true;
    parts_->prepare(exchange, std::move(target), until);
    return false;
  }
  if (!exchange->request().relayed_by.empty()) {
    parts_->refuse_relayed(*exchange, target);
    return true;
  }
  if (target.may_redirect && !owner.client.empty() && owner.node != parts_->nodes.own_name()) {
    parts_->counts.redirected.add();
    parts_->hooks.redirect(exchange, owner.client);
    return true;
  }
  std::make_shared<RelayJourney>(*parts_, exchange, std::move(target), until)->start(RelayJourney::From::Client);
  return true;
}

const RelayCounts& Relay::counts() const { return parts_->counts; }
http::Stats Relay::line_stats() const { return parts_->lines->stats(); }

void Relay::drain(std::chrono::milliseconds patience) {
  if (parts_->dials == nullptr) return;
  parts_->lines->drain(patience);
  // What is left of each thread goes there. From then on nobody dials.
  std::atomic<size_t> answers = 0;
  for (size_t index = 0; index < parts_->threads.size(); ++index) {
    parts_->io.post(index, [parts = parts_.get(), index, &answers] {
      Parts::Thread& thread = parts->threads[index];
      thread.is_closed = true;
      thread.watch.cancel();
      thread.idle.clear();
      thread.sockets.clear();
      thread.moving.clear();
      { const auto journeys = std::exchange(thread.journeys, {}); }
      answers.fetch_add(1);
    });
  }
  while (answers.load() < parts_->threads.size()) std::this_thread::sleep_for(kDrainStep);
  parts_->dials.reset();
}

}  // namespace hearth::net::peer
