// The shard holds the waker and not this: a word for a session that has ended is dropped. The owner may end the session
// within any call of its own, so each call here holds a pointer to itself.
#include "net/session/home_session.h"

#include <algorithm>
#include <utility>

namespace hearth::net {

db::Result<std::shared_ptr<HomeSession>> HomeSession::open(const Place& place, const std::string& space,
                                                           rules::Auth auth, Owner& owner) {
  auto home = std::make_shared<HomeSession>(place, owner);
  home->waker_ = http::Waker::make(place.io, place.thread, [weak = std::weak_ptr(home)] {
    if (const auto alive = weak.lock()) alive->pump();
  });
  ASSIGN_OR_RETURN(home->session_, place.guard.open(space, std::move(auth), "", home->waker_));
  home->session_->came_by(place.origin);
  home->watch_expiry();
  return home;
}

HomeSession::~HomeSession() { end(); }

void HomeSession::end() {
  owner_ = nullptr;
  expiry_.cancel();
  if (waker_ != nullptr) waker_->detach();
  session_.reset();
}

void HomeSession::set_auth(rules::Auth auth) {
  session_->set_auth(std::move(auth));
  watch_expiry();
}

// Takes once, and not until nothing is left: what is left wakes this again, after others had their turn.
void HomeSession::pump() {
  const auto self = shared_from_this();
  if (owner_ == nullptr || owner_->is_full()) return;
  std::vector<db::Item> items = session_->take();
  if (!items.empty()) owner_->on_items(std::move(items));
}

void HomeSession::watch_expiry() {
  expiry_.cancel();
  const auto& expires = session_->auth().expires;
  if (!expires) return;
  const auto left = std::clamp<std::chrono::milliseconds>(*expires - place_.clock.now(), std::chrono::milliseconds(0),
                                                          std::chrono::hours(24));
  expiry_ = http::IoPool::schedule(left, [this] {
    const auto self = shared_from_this();
    if (owner_ == nullptr) return;
    if (place_.clock.now() < *session_->auth().expires)
      return watch_expiry();  // a long time, or the clock was set back
    owner_->on_expired();
  });
}

}  // namespace hearth::net
