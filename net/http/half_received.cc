#include "net/http/half_received.h"

#include <algorithm>

#include "net/http/address_counts.h"
#include "net/http/limit_log.h"
#include "net/http/limits.h"

namespace hearth::net::http {

const char* HalfReceived::text_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::AllFull:
      return "Too much is being sent to this server at once; try again.";
    case Refusal::AddressFull:
      return "Too much is being sent from your address at once; try again.";
    case Refusal::TooSlow:
      return "What was begun came too slowly.";
  }
  return "";
}

HalfReceived::Owner HalfReceived::owner_of(const IpAddress& address) { return AddressCounts::key_of(address); }

HalfReceived::Owner HalfReceived::owner_of(std::string_view address) {
  const auto parsed = IpAddress::parse(address);
  return parsed ? owner_of(*parsed) : std::nullopt;
}

void HalfReceived::count(Refusal refusal) {
  static constexpr std::array<Limit, kRefusals> kLimits = {Limit::PendingSize, Limit::PendingSizePerAddress, Limit::ReceivePace};
  refused_[static_cast<size_t>(refusal)].fetch_add(1, std::memory_order_relaxed);
  tell_of_limit(kLimitNames[static_cast<size_t>(kLimits[static_cast<size_t>(refusal)])]);
}

size_t HalfReceived::accounts() const {
  const std::lock_guard lock(mutex_);
  return accounts_.size();
}

std::optional<HalfReceived::Refusal> HalfReceived::Share::hold(size_t bytes) {
  if (bytes <= kUncountedBytes) bytes = 0;
  if (bytes <= bytes_) {
    const size_t less = bytes_ - bytes;
    if (less == 0) return std::nullopt;
    if (account_ != nullptr) account_->bytes.fetch_sub(less);
    budget_->bytes_.fetch_sub(less);
    bytes_ = bytes;
    return std::nullopt;
  }
  if (account_ == nullptr && owner_) {
    const std::lock_guard lock(budget_->mutex_);
    account_ = &budget_->accounts_[*owner_];
    ++account_->users;
  }
  const size_t more = bytes - bytes_;
  if (account_ != nullptr && account_->bytes.fetch_add(more) + more > budget_->address_bytes_max_) {
    account_->bytes.fetch_sub(more);
    budget_->count(Refusal::AddressFull);
    return Refusal::AddressFull;
  }
  if (budget_->bytes_.fetch_add(more) + more > budget_->bytes_max_) {
    budget_->bytes_.fetch_sub(more);
    if (account_ != nullptr) account_->bytes.fetch_sub(more);
    budget_->count(Refusal::AllFull);
    return Refusal::AllFull;
  }
  bytes_ = bytes;
  return std::nullopt;
}

void HalfReceived::Share::give_to(Owner owner) {
  if (owner == owner_) return;
  leave();
  owner_ = owner;
}

void HalfReceived::Share::leave() {
  let_go();
  if (account_ == nullptr) return;
  const std::lock_guard lock(budget_->mutex_);
  if (--account_->users == 0) budget_->accounts_.erase(*owner_);
  account_ = nullptr;
}

void LeastPace::came(size_t bytes, Time now) {
  if (bytes == 0) return;
  heard_ = now;
  if (bytes_per_second_ == 0) {
    due_ = now + grace_;
    return;
  }
  const std::chrono::duration<double> earned(static_cast<double>(bytes) / static_cast<double>(bytes_per_second_));
  const std::chrono::duration<double> most(grace_);
  due_ = std::min(now + grace_, due_ + std::chrono::duration_cast<Time::duration>(std::min(earned, most)));
}

LeastPace::Milliseconds LeastPace::left(Time now) const {
  return std::max(std::chrono::ceil<Milliseconds>(due_ - now), Milliseconds(1));
}

}  // namespace hearth::net::http
