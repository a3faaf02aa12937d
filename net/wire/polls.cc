// Where a poll belongs. A client's polls come by whatever connection its browser has free, so on any io thread. The
// map says which thread is the session's home; requests are posted there. A LongPoll takes itself out of the map when
// it ends (on_end).
//
// The mutex is held to look up and never while a LongPoll is called. The limit of clients is looked at before one
// begins and the entry made after, so a few that begin at the same moment on different threads may pass it.
#include "net/wire/polls.h"

#include <utility>

#include "net/io/limit_log.h"
#include "net/wire/long_poll.h"
#include "net/wire/poll_text.h"

namespace hearth::net::wire {

void Polls::handle(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  auto parsed = parse_poll(request.target, request.host());
  if (!parsed.ok()) return exchange->respond(http::error_response(400, parsed.error().message));
  set_asker(parsed.value().upgrade, request);
  if (parsed.value().kind == PollRequest::Kind::Start) return start(exchange, parsed.value());

  const auto place = find(parsed.value().id);
  // The session of this id has ended. "close" makes the client begin a new one.
  if (!place) return exchange->respond(script_reply(close_script()));
  if (with_.io.is_home(place->thread)) return place->poll->on_poll(exchange, std::move(parsed).value());
  with_.io.post(place->thread, [poll = place->poll, exchange, request = std::move(parsed).value()]() mutable {
    poll->on_poll(std::move(exchange), std::move(request));
  });
}

void Polls::start(const std::shared_ptr<http::Exchange>& exchange, const PollRequest& request) {
  {
    const std::lock_guard lock(mutex_);
    if (places_.size() >= with_.limits.long_polls_max) {
      if (with_.reached != nullptr) with_.reached->long_polls.add();
      http::tell_of_limit("long_polls");
      return exchange->respond(http::error_response(503, "Too many clients poll this server; try again soon."));
    }
  }
  const auto poll = std::make_shared<LongPoll>(with_, exchange->thread(), [this](const std::string& id) {
    const std::lock_guard lock(mutex_);
    places_.erase(id);
  });
  if (!poll->start(exchange, request)) return;
  // The client cannot poll before this: the answer of start() leaves at the end of this turn.
  const std::lock_guard lock(mutex_);
  places_.emplace(poll->id(), Place{exchange->thread(), poll});
  ++opened_;
}

std::optional<Polls::Place> Polls::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

Polls::Stats Polls::stats() const {
  const std::lock_guard lock(mutex_);
  return {places_.size(), opened_};
}

void Polls::clear() {
  std::unordered_map<std::string, Place> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(places_);
  }
  for (auto& [id, place] : all) place.poll->end();
}

}  // namespace hearth::net::wire
