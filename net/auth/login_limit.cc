#include "net/auth/login_limit.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <vector>

namespace hearth::net {

namespace {

// Who is counted as one.
std::string network_of(std::string_view peer) {
  std::string text(peer);
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  return {reinterpret_cast<const char*>(bytes.data()), 8};
}

}  // namespace

double LoginLimit::now_of(const Failures& failures) const {
  const double minutes = std::chrono::duration<double, std::ratio<60>>(clock_.now() - failures.at).count();
  return std::max(0.0, failures.count - std::max(0.0, minutes) * static_cast<double>(per_minute_));
}

bool LoginLimit::is_blocked(std::string_view peer) {
  if (per_minute_ == 0 || peer.empty() || known_.load(std::memory_order_relaxed) == 0) return false;
  const std::lock_guard lock(mutex_);
  const auto found = failures_.find(network_of(peer));
  return found != failures_.end() && now_of(found->second) + 1 > static_cast<double>(per_minute_);
}

void LoginLimit::failed(std::string_view peer) {
  if (per_minute_ == 0 || peer.empty()) return;
  const std::lock_guard lock(mutex_);
  if (failures_.size() >= kFailedAddressesMax) forget_some();
  Failures& failures = failures_[network_of(peer)];
  failures = {now_of(failures) + 1, clock_.now()};
  known_.store(failures_.size(), std::memory_order_relaxed);
}

void LoginLimit::forget_some() {
  std::vector<double> counts;
  counts.reserve(failures_.size());
  for (const auto& [network, failures] : failures_) counts.push_back(now_of(failures));
  const auto middle = counts.begin() + static_cast<ptrdiff_t>(counts.size() / 2);
  std::nth_element(counts.begin(), middle, counts.end());
  std::erase_if(failures_, [&](const auto& entry) { return now_of(entry.second) <= *middle; });
}

}  // namespace hearth::net
