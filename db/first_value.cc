#include "db/model/hash.h"
#include "db/reads.h"
#include "db/space.h"

namespace hearth::db {

void FirstValue::wait(Waiter waiter) {
  {
    const std::lock_guard lock(mutex_);
    if (!done_) {
      waiters_.push_back(std::move(waiter));
      return;
    }
  }
  answer(waiter);  // what is done does not change
}

void FirstValue::read(const TreeView& view) {
  Result<Value> value = show_(view);
  std::string hash;
  if (value.ok() && wants_hash) hash = node_hash(value.value());
  Lease lease;
  if (value.ok()) {
    auto taken = lease_for(value.value(), answers_);
    if (taken.ok()) {
      lease = std::move(taken).value();
    } else {
      value = taken.error();
    }
  }
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
    if (value.ok()) {
      value_ = std::move(value).value();
      body_ = Body::put(path_, Slot::Value, value_);
      hash_ = std::move(hash);
      lease_ = lease;
    } else {
      status_ = value.error();
    }
    waiters.swap(waiters_);
  }
  for (const Waiter& waiter : waiters) answer(waiter);
}

void FirstValue::answer(const Waiter& waiter) {
  Answer answer;
  answer.request = waiter.request;
  answer.status = status_;
  answer.sequence = sequence_;
  if (status_.ok()) {
    answer.hash = hash_;
    const bool same = waiter.hash && (waiter.hash->empty() ? value_.is_null()
                                                           : *waiter.hash == hash_ || hash_matches(value_, *waiter.hash));
    if (!same) {
      answer.first = body_;
      answer.lease = lease_.lock();
    }
  }
  waiter.conversation->story.fill(waiter.place, std::move(answer));
}

std::optional<std::string> FirstValue::hash() {
  const std::lock_guard lock(mutex_);
  if (!done_ || !wants_hash || !status_.ok()) return {};
  return hash_;
}

bool FirstValue::is_small() {
  const std::lock_guard lock(mutex_);
  return !done_ || value_.byte_count() <= kFirstValueBytesMax;
}

}  // namespace hearth::db
