// The first value of a path or view, read once for all who ask between two changes.
//
//   listen ─▶ space.firsts[path] ─ none, or it can't serve ─▶ a new FirstValue ─▶ a reader's thread: read()
//                  └─ wait(): joins ─────────▶ waiters_ ─────────────────────────────▶ all are answered, by fill()
//
//   reading ──▶ done, with body_ ── it is large, and others came later: let_go() ──▶ done, without body_ (hashes_ stay)
//      └── everyone who waited has gone, or the pool refused ──▶ failed: whoever comes later makes a new one
//
// Who can be served: whoever names no hash (the value will do); whoever names one, if this read computes hashes, or
// knows them. A client whose hash matches gets no value, also when the value was let go.
//
// One that looks back (Earlier) knows the value of an earlier moment too. Whoever names that one's hash is told what became
// of it; that is found out once for all of them.
//
// A commit takes the FirstValue out of the space's map (forget_related). Those who wait in it keep it: it answers
// with the value of the sequence at which they asked, and the events behind their places are what came after.
//
// Threads: wait() on the shard's, read() on a reader's, is_unwanted() on any. Answers are sent outside of mutex_:
// fill() calls `wake`, and that is the owner's code.
#include <algorithm>

#include "db/read/reads.h"
#include "db/shard/namespace_state.h"

namespace hearth::db {

bool FirstValue::wait(Waiter& waiter) {
  std::shared_ptr<const Body> body;
  {
    const std::lock_guard lock(mutex_);
    const bool names_it = waiter.hash && !waiter.hash->empty();
    const bool can_compare = !names_it || wants_hash_ || hashes_;
    if (failed_) return false;
    if (!done_) {
      if (can_compare) waiters_.push_back(std::move(waiter));
      return can_compare;
    }
    // Done, but the value was let go, or can't be compared: another one has to be read.
    const bool has_it = names_it && hashes_ && hashes_->contain(*waiter.hash);
    if (status_.ok() && !has_it && had_by(waiter, earlier_) == nullptr && (body_ == nullptr || !can_compare)) {
      return false;
    }
    body = body_;
  }
  answer(waiter, body);
  return true;
}

bool FirstValue::is_unwanted() {
  const std::lock_guard lock(mutex_);
  if (done_) return failed_;
  const bool is_wanted =
      std::any_of(waiters_.begin(), waiters_.end(), [](const Waiter& one) { return !one.conversation->is_gone; });
  if (!is_wanted) {
    done_ = failed_ = true;
    waiters_.clear();
  }
  return failed_;
}

void FirstValue::fail(const Error& error) {
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    done_ = failed_ = true;
    waiters.swap(waiters_);
  }
  for (const Waiter& waiter : waiters) {
    Answer answer;
    answer.request = waiter.request;
    answer.status = error;
    waiter.conversation->story.fill(waiter.place, std::move(answer));
  }
}

void FirstValue::read(const TreeView& view, Turn* turn, const Earlier* earlier) {
  const Result<Value> value = show_(view);
  if (turn != nullptr && turn->is_over()) return;
  counts_.reads.add();
  // Known already when this value is read again after it was let go: nothing is hashed a second time.
  std::optional<NodeHashes> hashes = this->hashes();
  if (value.ok() && wants_hash_ && !hashes) {
    counts_.hashes.add();
    hashes = node_hashes(value.value());
  }
  std::vector<Had> had;
  if (value.ok() && earlier != nullptr && turn != nullptr) {
    had = (*earlier)(*turn);
    if (turn->is_over()) return;
    // Who would be told a large one gets the value.
    std::erase_if(
        had, [](const Had& one) { return one.change != nullptr && one.change->byte_count() > kLargeValueBytesMax; });
  }
  std::shared_ptr<const Body> body;
  if (value.ok()) body = Body::put(path_, Slot::Value, value.value());
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
    status_ = value.ok() ? Result<void>() : value.error();
    hashes_ = std::move(hashes);
    earlier_ = std::move(had);
    for (const Had& one : earlier_) {
      if (one.change != nullptr) keep(kept_bytes_ + 2 * one.change->byte_count());
    }
    if (value.ok() && value.value().byte_count() <= kLargeValueBytesMax) {
      body_ = body;
      keep(kept_bytes_ + 2 * body->byte_count());  // its text takes as much again
    }
    waiters.swap(waiters_);
  }
  for (const Waiter& waiter : waiters) answer(waiter, body);
}

// The value was read; `body` may be null for a client that has the value.
void FirstValue::answer(const Waiter& waiter, const std::shared_ptr<const Body>& body) {
  Answer answer;
  answer.request = waiter.request;
  answer.status = status_;
  answer.sequence = sequence_;
  if (status_.ok()) {
    if (hashes_) answer.hash = hashes_->exact;
    // "" is the hash of null.
    const bool has_it =
        waiter.hash && (waiter.hash->empty() ? body->value().is_null() : hashes_->contain(*waiter.hash));
    if (!has_it) tell_change_or_value(waiter, body, answer);
  }
  waiter.conversation->story.fill(waiter.place, std::move(answer));
}

const FirstValue::Had* FirstValue::had_by(const Waiter& waiter, const std::vector<Had>& earlier) {
  if (!waiter.hash || waiter.hash->empty()) return nullptr;
  const auto found =
      std::find_if(earlier.begin(), earlier.end(), [&](const Had& one) { return one.hashes.contain(*waiter.hash); });
  return found == earlier.end() ? nullptr : &*found;
}

// `body` is null where wait() found what the waiter had.
void FirstValue::tell_change_or_value(const Waiter& waiter, const std::shared_ptr<const Body>& body, Answer& answer) {
  {
    const std::lock_guard lock(mutex_);
    if (const Had* had = had_by(waiter, earlier_)) {
      answer.resumed = true;
      answer.first = had->change;
      return;
    }
  }
  tell(body, answer);
}

// All who are told at the same time share one lease.
void FirstValue::tell(const std::shared_ptr<const Body>& body, Answer& answer) {
  const std::lock_guard lock(mutex_);
  // A weak pointer: when all who were told have read their answer, the next one takes a lease of its own.
  answer.lease = lease_.lock();
  if (answer.lease == nullptr) {
    auto taken = lease_for(body->value(), answers_);
    if (!taken.ok()) {
      answer.status = taken.error();
      return;
    }
    answer.lease = std::move(taken).value();
    lease_ = answer.lease;
  }
  answer.first = body;
}

std::optional<NodeHashes> FirstValue::hashes() {
  const std::lock_guard lock(mutex_);
  return hashes_;
}

size_t FirstValue::large_bytes() {
  const std::lock_guard lock(mutex_);
  const size_t bytes = body_ == nullptr ? 0 : body_->byte_count();
  return bytes > kSmallValueBytesMax ? bytes : 0;
}

void FirstValue::let_go() {
  const std::lock_guard lock(mutex_);
  body_.reset();
  earlier_.clear();  // the shard has noted them
  keep(kFirstValueBytes + path_.text().size());
}

void FirstValue::keep(size_t bytes) {
  kept_->add(static_cast<int64_t>(bytes) - static_cast<int64_t>(kept_bytes_));
  kept_bytes_ = bytes;
}

// The newest one is not read yet and weighs nothing here; those behind it stay as long as number and bytes fit.
void LargeValues::add(const std::shared_ptr<FirstValue>& value) {
  latest_.push_front(value);
  size_t count = 0, bytes = 0;
  for (auto at = latest_.begin(); at != latest_.end();) {
    const auto still = at->lock();  // null: another value is there now
    bytes += still == nullptr ? 0 : still->large_bytes();
    if (still != nullptr && ++count <= kLargeValuesMax && bytes <= kLargeValuesBytesMax) {
      ++at;
      continue;
    }
    if (still != nullptr && still->large_bytes() > 0) still->let_go();
    at = latest_.erase(at);
  }
}

}  // namespace hearth::db
