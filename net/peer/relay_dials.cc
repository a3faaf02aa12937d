#include "net/peer/relay_dials.h"

namespace hearth::net::peer {

void RelayDials::dial(const std::string& peer, const std::string& node, Told told) {
  bool is_full = false;
  {
    const std::lock_guard lock(mutex_);
    Place& place = places_[peer];
    is_full = place.waiting.size() >= kDialsWaitingMax;
    if (!is_full) {
      place.waiting.push_back({node, std::move(told)});
      if (place.under_way >= kDialsAtOnce) return;  // one of those goes on with it
      ++place.under_way;
    }
  }
  if (is_full)
    return told(db::Error{db::ErrorCode::Unavailable, "Too many connections to " + node + " are being made."});
  threads_.run([this, peer] { work(peer); });
}

// Until nothing waits for that node.
void RelayDials::work(const std::string& peer) {
  for (;;) {
    Waiting next;
    {
      const std::lock_guard lock(mutex_);
      const auto place = places_.find(peer);
      if (place->second.waiting.empty()) {
        if (--place->second.under_way == 0) places_.erase(place);
        return;
      }
      next = std::move(place->second.waiting.front());
      place->second.waiting.pop_front();
    }
    if (is_closing_) {
      next.told(db::Error{db::ErrorCode::Unavailable, "The server is closing."});
    } else {
      next.told(nodes_.dial(peer, next.node));
    }
  }
}

}  // namespace hearth::net::peer
