#include "db/shard/contests.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace hearth::db {
namespace {

// Two places of one hash share their turns, which costs time and nothing else.
size_t key_of(const void* space, const Path& path) {
  const size_t key = std::hash<Path>()(path) ^ (std::hash<const void*>()(space) * 0x9e3779b97f4a7c15u);
  return key == 0 ? 1 : key;
}

}  // namespace

void Contests::judged(Conversation& one, const void* space, const Path& path, Verdict verdict, uint64_t group) {
  if (one.contender == nullptr) one.contender = std::make_unique<Contender>();
  Contender& contender = *one.contender;
  contender.losses = verdict == Verdict::Stale ? contender.losses + 1 : 0;
  if (std::exchange(contender.is_called, false)) {
    const auto known = contests_.find(contender.contest);
    if (known != contests_.end() && known->second.called > 0) --known->second.called;
  }
  // Noted of who wins too: those who are stale for it come behind.
  contender.contest = key_of(space, path);
  contender.tried_in = group;
  if (verdict == Verdict::Stale) contests_[contender.contest].stale_in = group;
}

void Contests::take(std::deque<std::shared_ptr<Conversation>>& from, Told& to) {
  to.push_back(std::move(from.front()));
  from.pop_front();
  --sleepers_;
}

void Contests::call(Contest& contest, std::deque<std::shared_ptr<Conversation>>& from, Told& to, Time now) {
  take(from, to);
  to.back()->contender->is_called = true;
  ++contest.called;
  contest.called_at = now;
}

Contests::Told Contests::wake_now(Told told, uint64_t group, Time now, size_t at_once) {
  if (contests_.empty()) return told;
  Told others, tired;  // who have nothing to do with it; who have tried in this group
  for (auto& one : told) {
    const Contender* contender = one->contender.get();
    const bool has_tried =
        contender != nullptr && contender->tried_in == group && contests_.contains(contender->contest);
    (has_tried ? tired : others).push_back(std::move(one));
  }
  std::stable_sort(tired.begin(), tired.end(),
                   [](const auto& a, const auto& b) { return a->contender->losses > b->contender->losses; });
  for (auto& one : tired) {
    Contender& contender = *one->contender;
    Contest& contest = contests_.at(contender.contest);
    // A contest of one is none.
    const bool is_alive = contest.called > 0 || !contest.losers.empty() || !contest.winners.empty() ||
                          group - contest.stale_in <= kContestGroups;
    if (!is_alive) {
      others.push_back(std::move(one));
      continue;
    }
    contender.asleep_since = now;
    (contender.losses > 0 ? contest.losers : contest.winners).push_back(std::move(one));
    ++sleepers_;
  }
  Told first;
  for (auto at = contests_.begin(); at != contests_.end();) {
    Contest& contest = at->second;
    if (contest.called > 0 && now - contest.called_at > kContestWait) contest.called = 0;
    while (contest.called < at_once && !contest.losers.empty()) call(contest, contest.losers, first, now);
    while (contest.called < at_once && !contest.winners.empty() &&
           contest.winners.front()->contender->tried_in != group) {
      call(contest, contest.winners, first, now);
    }
    for (auto* queue : {&contest.losers, &contest.winners}) {
      while (!queue->empty() && now - queue->front()->contender->asleep_since > kContestSleepMax) take(*queue, first);
    }
    const bool is_over = contest.losers.empty() && contest.winners.empty() && contest.called == 0 &&
                         group - contest.stale_in > kContestGroups;
    at = is_over ? contests_.erase(at) : std::next(at);
  }
  first.insert(first.end(), std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()));
  return first;
}

Contests::Told Contests::wake_all() {
  Told all;
  if (sleepers_ == 0) return all;
  for (auto& [key, contest] : contests_) {
    while (!contest.losers.empty()) take(contest.losers, all);
    while (!contest.winners.empty()) take(contest.winners, all);
    contest.called = 0;
  }
  return all;
}

}  // namespace hearth::db
