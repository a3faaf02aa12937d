// Runs are held in a map by their end, because they are looked for by a key that may lie in them: the first run that
// ends behind the key is the only one that can have it. Runs do not overlap, and take() makes one of those that touch.
//
// A guess becomes a run in two steps. It is settled once all commits have ended that were under way when it was made
// (`after`); from then on latest_() is a moment that has them all. A later reader whose snapshot is of that moment, or
// newer, and which finds the range empty again, has seen that none of these commits put a row there. Commits that began
// later call put() before they write, and part the guess or the run themselves.
//
// has_any_ is read without the lock, so a store without runs costs a reader one load.
#include "db/store/empty_runs.h"

#include <algorithm>
#include <utility>

namespace hearth::db {
namespace {

// The first key behind it.
std::string behind(std::string_view key) {
  std::string next;
  next.reserve(key.size() + 1);
  next += key;
  next += '\0';
  return next;
}

}  // namespace

uint64_t EmptyRuns::begin() {
  const std::lock_guard lock(mutex_);
  under_way_.insert(++commits_);
  return commits_;
}

void EmptyRuns::end(uint64_t number) {
  const std::lock_guard lock(mutex_);
  under_way_.erase(number);
  if (!guesses_.empty()) settle(under_way_.empty() ? UINT64_MAX : *under_way_.begin());
}

// `oldest`: of the commits that are under way.
void EmptyRuns::settle(uint64_t oldest) {
  for (Guess& guess : guesses_) {
    if (guess.is_settled || guess.after >= oldest) continue;
    guess.is_settled = true;
    guess.settled_since = latest_();
  }
}

// Of a guess the part before the key stays: rows are put at a queue's end, and removed at its begin.
void EmptyRuns::put(std::string_view key) {
  const std::lock_guard lock(mutex_);
  for (Guess& guess : guesses_) {
    if (guess.from <= key && key < guess.upto) guess.upto = key;
  }
  std::erase_if(guesses_, [](const Guess& guess) { return guess.from >= guess.upto; });
  const auto run = runs_.upper_bound(key);
  if (run != runs_.end() && run->second.from <= key) {
    const Held held = run->second;
    std::string upto = run->first;
    drop(run);
    if (held.from < key) hold(held.from, std::string(key), held.since, held.used);
    if (std::string from = behind(key); from < upto) hold(std::move(from), std::move(upto), held.since, held.used);
    forget_some();
  }
  note_whether_any();
}

void EmptyRuns::forget_all() {
  const std::lock_guard lock(mutex_);
  runs_.clear();
  guesses_.clear();
  bytes_ = 0;
  note_whether_any();
}

std::vector<EmptyRuns::Run> EmptyRuns::within(std::string_view from, std::string_view upto, uint64_t sequence) const {
  std::vector<Run> found;
  if (!any()) return found;
  const std::lock_guard lock(mutex_);
  for (auto run = runs_.upper_bound(from); run != runs_.end() && run->second.from < upto; ++run) {
    if (run->second.since > sequence) continue;
    run->second.used = ++uses_;
    found.push_back({run->second.from, run->first});
  }
  return found;
}

void EmptyRuns::tell(std::string_view from, std::string_view upto, uint64_t sequence) {
  if (from >= upto) return;
  const std::lock_guard lock(mutex_);
  bool is_known = false;  // all of it, or it will be
  std::vector<Run> sure;
  for (const Guess& guess : guesses_) {
    const std::string_view low = std::max<std::string_view>(guess.from, from);
    const std::string_view high = std::min<std::string_view>(guess.upto, upto);
    if (low >= high) continue;
    is_known = true;
    if (guess.is_settled && sequence >= guess.settled_since) sure.push_back({std::string(low), std::string(high)});
  }
  if (!sure.empty()) {
    std::erase_if(guesses_, [&](const Guess& guess) {
      return guess.is_settled && sequence >= guess.settled_since && guess.from < upto && from < guess.upto;
    });
    for (Run& run : sure) take(std::move(run.from), std::move(run.upto), sequence);
    forget_some();
  } else if (!is_known) {
    if (guesses_.size() == kEmptyGuessesMax) guesses_.pop_front();
    guesses_.push_back({std::string(from), std::string(upto), commits_});
    settle(under_way_.empty() ? UINT64_MAX : *under_way_.begin());
  }
  note_whether_any();
}

// One with what it touches.
void EmptyRuns::take(std::string from, std::string upto, uint64_t since) {
  for (auto run = runs_.lower_bound(from); run != runs_.end() && run->second.from <= upto;) {
    from = std::min(from, run->second.from);
    upto = std::max(upto, run->first);
    since = std::max(since, run->second.since);
    drop(run++);
  }
  hold(std::move(from), std::move(upto), since, ++uses_);
}

EmptyRuns::Runs::iterator EmptyRuns::hold(std::string from, std::string upto, uint64_t since, uint64_t used) {
  bytes_ += from.size() + upto.size();
  return runs_.insert_or_assign(std::move(upto), Held{std::move(from), since, used}).first;
}

void EmptyRuns::drop(Runs::iterator run) {
  bytes_ -= run->first.size() + run->second.from.size();
  runs_.erase(run);
}

void EmptyRuns::forget_some() {
  while (runs_.size() > kEmptyRunsMax || bytes_ > kEmptyRunBytesMax) {
    drop(std::min_element(runs_.begin(), runs_.end(),
                          [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
}

void EmptyRuns::note_whether_any() { has_any_.store(!runs_.empty() || !guesses_.empty(), std::memory_order_release); }

size_t EmptyRuns::count() const {
  const std::lock_guard lock(mutex_);
  return runs_.size();
}

size_t EmptyRuns::byte_count() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace hearth::db
