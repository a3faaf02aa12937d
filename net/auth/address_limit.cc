// A leaky bucket for each address: add() pours in, time drains per_minute_, above at_once_ it is over. What drained
// is computed when it is looked at, so nothing runs in between. is_over() of an address that has used nothing takes
// no lock (known_).
#include "net/auth/address_limit.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <vector>

namespace hearth::net {

namespace {

// The part of an address that counts as one client.
std::string network_of(std::string_view peer) {
  std::string text(peer);
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  return {reinterpret_cast<const char*>(bytes.data()), 8};
}

}  // namespace

double AddressLimit::now_of(const Used& used) const {
  const double minutes = std::chrono::duration<double, std::ratio<60>>(clock_.now() - used.at).count();
  return std::max(0.0, used.amount - std::max(0.0, minutes) * per_minute_);
}

bool AddressLimit::is_over(std::string_view peer) const {
  if (per_minute_ == 0 || peer.empty() || known_.load(std::memory_order_relaxed) == 0) return false;
  const std::lock_guard lock(mutex_);
  const auto found = used_.find(network_of(peer));
  return found != used_.end() && now_of(found->second) + 1 > at_once_;
}

void AddressLimit::add(std::string_view peer, double amount) {
  if (per_minute_ == 0 || peer.empty()) return;
  const std::lock_guard lock(mutex_);
  if (used_.size() >= kLimitedAddressesMax) forget_some();
  Used& used = used_[network_of(peer)];
  used = {now_of(used) + amount, clock_.now()};
  known_.store(used_.size(), std::memory_order_relaxed);
}

// The half that used least goes: whoever floods us with addresses cannot make us forget the ones that used most.
void AddressLimit::forget_some() {
  std::vector<double> amounts;
  amounts.reserve(used_.size());
  for (const auto& [network, used] : used_) amounts.push_back(now_of(used));
  const auto middle = amounts.begin() + static_cast<ptrdiff_t>(amounts.size() / 2);
  std::nth_element(amounts.begin(), middle, amounts.end());
  std::erase_if(used_, [&](const auto& entry) { return now_of(entry.second) <= *middle; });
}

}  // namespace hearth::net
