// A budget for bytes that clients have sent and that have led to nothing yet.
//
//   body of a request ────── Share ─┐
//   WebSocket message ────── Share ─┼─▶ Account of 203.0.113.7 ─┐
//   segments of a long poll  Share ─┘    ≤ address_bytes_max    ├─▶ bytes_ ≤ bytes_max
//   behind a proxy that names nobody ─── Share ─────────────────┘
//
// Without it a few hundred clients could fill the memory: each sends a body of 256 MB up to its last byte and waits.
// A limit for each request cannot prevent that. A limit for the whole server alone would let one address starve all
// others, so every address has an account of its own too.
//
// Numbers are atomics, because Shares of one address live on several io threads and workers. hold() adds first and
// looks then: it takes back what went too far. So no limit is ever exceeded; two clients that ask at the same moment
// may both be refused where one would have fitted, and both may try again. The mutex guards only which accounts
// exist. An account lives while a Share uses it, not while it holds bytes, so that a connection looks it up once and
// not with every read.
//
// A Share says what it holds in all, not what was added. Whoever holds bytes can therefore call hold() as often as it
// likes with what it has now, and cannot count a byte twice. Up to kUncountedBytes count as nothing: every connection
// has them.
//
// LeastPace (below) is the other half: what has begun must go on. A time to live that bytes prolong:
//
//   left  grace ┤╲      ╱╲      silence lets it fall, each byte lifts it by 1/pace seconds,
//               │ ╲    ╱  ╲     never above grace
//             0 ┴──╲__╱────╲──▶ time; at 0 what was begun is given up
//
// A deadline for the whole body would hit honest slow clients with large bodies; one for silence alone lets a client
// hold its part for ever with one byte every 29 seconds.
#include "net/io/half_received.h"

#include <algorithm>

#include "net/io/address_counts.h"
#include "net/io/limit_log.h"
#include "net/io/limits.h"

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

// An address of IPv6 counts by its network of 64 bits, which is what one client is given.
HalfReceived::Owner HalfReceived::owner_of(const IpAddress& address) { return AddressCounts::key_of(address); }

HalfReceived::Owner HalfReceived::owner_of(std::string_view address) {
  const auto parsed = IpAddress::parse(address);
  return parsed ? owner_of(*parsed) : std::nullopt;
}

// Counted and logged here, not in each caller: a Share is held by HTTP, WebSocket and long polls alike.
void HalfReceived::count(Refusal refusal) {
  static constexpr std::array<Limit, kRefusals> kLimits = {Limit::PendingSize, Limit::PendingSizePerAddress,
                                                           Limit::ReceivePace};
  refused_[static_cast<size_t>(refusal)].fetch_add(1, std::memory_order_relaxed);
  tell_of_limit(kLimitNames[static_cast<size_t>(kLimits[static_cast<size_t>(refusal)])]);
}

size_t HalfReceived::accounts() const {
  const std::lock_guard lock(mutex_);
  return accounts_.size();
}

// Less is always allowed. More is asked of the account first: when one address fills its part, the others must not be
// told that the server is full.
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

// Behind a proxy the owner is known only when the head of a request has come, which may be after its first bytes.
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

// What is earned at once and what is left in all are both at most `grace`: a burst does not pay for a later silence.
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
