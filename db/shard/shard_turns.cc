// Whose turn it is at a shard, how a group is formed of turns, and where long requests are done (the essay in shard.h).
//
//   turns_   shop ─ chat ─ game                debt: turns that a namespace has used and not waited for
//
//   shop takes its turn, and its request costs 3.2 turns        debt 3.2
//   chat, game; shop is passed over, debt 2.2                   chat, game; passed over, 1.2
//   chat, game; passed over, 0.2 and so it may again            < 1: requests are taken until the debt reaches 1
//
// A request's cost is known only when it is done. So a turn is given on credit, and paid by waiting. Small requests
// cost at least kTurnOfRequest, or a line of thousands of them would be one turn.
//
// Away. A namespace at a heavy shard is counted, not tracked: home counts the requests that it sent, the heavy shard
// those that it finished. When the heavy shard's line is empty it reports its count; equal numbers mean that nothing
// is on its way. Only one of the two shards touches the namespace's state at a time: home hands it over with the
// requests (send_away), and gets it back with the report (take_back). The mutexes that are taken on the way order the
// two.
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "db/base/mail_batch.h"
#include "db/shard/shard.h"

namespace hearth::db {
namespace {

// How many turns that is.
double turns_of(const Work& work) {
  const auto part = [](uint64_t done, uint64_t of) { return static_cast<double>(done) / static_cast<double>(of); };
  return std::max({part(work.rows, kTurn.rows), part(work.bytes, kTurn.bytes),
                   part(work.evaluations, kTurn.evaluations), kTurnOfRequest});
}

size_t bytes_of(const Write& write) {
  size_t bytes = 0;
  for (const Overwrite& overwrite : write.overwrites) bytes += overwrite.value.byte_count();
  return bytes;
}

}  // namespace

void Shard::submit(ShardRequest request) {
  if (const auto* write = std::get_if<WriteRequest>(&request.what)) {
    request.submitted = std::chrono::steady_clock::now();
    request.bytes = bytes_of(write->write);
  }
  std::list<ShardRequest> one;
  one.push_back(std::move(request));
  if (!MailBatch::is_open()) return take(one);
  thread_local KeptMail<Shard*, std::list<ShardRequest>> submitted;
  // Whoever gives a conversation its label asks at once whether the label was revoked before, so the label is not kept.
  const bool is_urgent = std::holds_alternative<LabelRequest>(one.front().what);
  std::list<ShardRequest>& kept = submitted.of(this);
  kept.splice(kept.end(), one);
  if (is_urgent) return submitted.deliver();
  if (kept.size() >= kSubmittedMax) take(kept);  // a shard need not wait for the end of a long turn
  MailBatch::add(submitted, MailBatch::Order::First);
}

void Shard::take(std::list<ShardRequest>& requests) {
  bool first = false;
  {
    std::unique_lock lock(mutex_);
    if (closing_) {
      const std::optional<Error> why = why_over_;
      lock.unlock();
      if (why) refuse_late(requests, *why);
      return;
    }
    first = inbox_.empty();
    inbox_.splice(inbox_.end(), requests);
  }
  // Only the first: the thread takes the whole inbox at a time.
  if (first) more_.notify_one();
}

void Shard::work() {
  // The priority of this thread alone: Linux counts threads as processes here. Where that is not allowed, heavy work
  // is as urgent as any.
  if (is_heavy()) (void)setpriority(PRIO_PROCESS, 0, kHeavyNice);
  for (;;) {
    std::list<ShardRequest> came;
    std::vector<std::pair<std::shared_ptr<NamespaceState>, uint64_t>> back;
    {
      std::unique_lock lock(mutex_);
      // With turns left there is work already, and the inbox is only emptied.
      if (turns_.empty()) {
        if (contests_.has_sleepers() && !more_.wait_for(lock, kContestWait, [this] { return !inbox_.empty(); })) {
          lock.unlock();
          wake_late();
          lock.lock();
        }
        more_.wait(lock, [this] { return !inbox_.empty() || !back_.empty() || (closing_ && away_ == 0); });
      }
      came.swap(inbox_);
      back.swap(back_);
    }
    if (turns_.empty() && came.empty() && back.empty()) {  // closing, and nothing is left
      if (!is_over()) save_resume_points();
      (void)committer_.commit();  // what is not saved costs time, and nothing else
      return;
    }
    for (const auto& [space, done] : back) take_back(space, done);
    take_in(came);
    if (turns_.empty()) {
      wake_late();  // what came was passed on, and no group follows
    } else {
      run_group();
    }
  }
}

void Shard::take_in(std::list<ShardRequest>& came) {
  counted_.waiting.add(static_cast<int64_t>(came.size()));
  while (!came.empty()) {
    const std::shared_ptr<NamespaceState> space = came.front().space;
    if (const auto* swap = std::get_if<SwapRequest>(&came.front().what)) {
      // A swap needs its namespaces at home: from now on home keeps what comes for them, so that the guest's line
      // runs dry.
      for (const SwapRequest::Place& place : swap->places) place.space->is_recalled = place.space->away != nullptr;
    }
    if (!is_heavy() && space->away != nullptr && !space->is_recalled) {
      std::list<ShardRequest> one;
      one.splice(one.begin(), came, came.begin());
      counted_.waiting.add(-1);
      // Counted before it is sent: a report that comes back meanwhile must not match.
      ++space->sent_away;
      space->away->submit(std::move(one.front()));
      continue;
    }
    Line& line = line_of(*space);
    if (!line.is_listed && line.requests.empty()) line.listed_in = group_;
    line.requests.splice(line.requests.end(), came, came.begin());
    list(space);
  }
}

// Gives the namespace a turn, unless it has one, or nothing to do.
void Shard::list(const std::shared_ptr<NamespaceState>& space) {
  Line& line = line_of(*space);
  if (line.is_listed || line.requests.empty() || (!is_heavy() && space->away != nullptr)) return;
  line.is_listed = true;
  turns_.push_back(space);
}

bool Shard::all_here(const SwapRequest& swap) const {
  return std::all_of(swap.places.begin(), swap.places.end(),
                     [](const SwapRequest::Place& place) { return place.space->away == nullptr; });
}

Shard::Done Shard::run_step(ShardRequest& request) {
  // What a step that is over has noted so far is cut off again; nothing else of it is anywhere.
  const size_t told = releases_.size(), accepted = accepted_.size(), named = named_.size();
  again_ = false;
  Step& step = Step::here();
  step.begin(is_heavy() ? kNoLimit : with_.step_max);
  handle(request);
  forming_.work += step.done();
  if (!is_heavy()) {
    counted_.step_rows.observe(step.done().rows);
    counted_.step_bytes.observe(step.done().bytes);
    counted_.step_evaluations.observe(step.done().evaluations);
  }
  if (step.is_over()) {
    releases_.resize(told);
    accepted_.resize(accepted);
    named_.resize(named);
    unmatched_.reset();
    return Done::Over;
  }
  return again_ ? Done::Again : Done::Yes;
}

Shard::Next Shard::take_turn(const std::shared_ptr<NamespaceState>& space) {
  Line& line = line_of(*space);
  if (const uint64_t since = std::exchange(line.listed_in, 0); since != 0 && !is_heavy()) {
    counted_.groups_waited.observe(group_ - since);
  }
  // Waiting for one round pays one turn.
  line.debt = std::max(0.0, line.debt - 1);
  while (line.debt < 1 && !line.requests.empty()) {
    ShardRequest& request = line.requests.front();
    const auto* swap = std::get_if<SwapRequest>(&request.what);
    if (swap != nullptr && !all_here(*swap)) return Next::Waits;
    // A swap and a removal change the store beside the committer, which must have nothing pending.
    const bool is_alone = swap != nullptr || std::holds_alternative<RemoveRequest>(request.what);
    if (is_alone && forming_.requests > 0) return Next::Full;
    if (is_alone) wake_late();  // it may wait for other shards
    if (forming_.bytes > 0 && forming_.bytes + request.bytes > kGroupBytesMax) return Next::Full;
    // The bound on what one group makes the others wait for, and on what one failed fsync takes along.
    if (forming_.requests == kGroupRequestsMax || forming_.work.exceeds(with_.step_max)) return Next::Full;
    ++forming_.requests;
    forming_.bytes += request.bytes;
    if (line.group != group_) {
      line.group = group_;
      in_group_.push_back(space);
    }
    std::list<ShardRequest> one;
    one.splice(one.begin(), line.requests, line.requests.begin());
    if (must_wait(request)) {
      if (request.conversation != nullptr) request.conversation->carried_in = group_;
      line.carried.splice(line.carried.end(), one);
      continue;
    }
    const Work before = forming_.work;
    const Done done = run_step(request);
    line.debt += turns_of({forming_.work.rows - before.rows, forming_.work.bytes - before.bytes,
                           forming_.work.evaluations - before.evaluations});
    switch (done) {
      case Done::Yes:
        counted_.waiting.add(-1);
        if (is_heavy()) ++space->done_away;
        break;
      case Done::Again:
        line.requests.splice(line.requests.begin(), one);
        break;
      case Done::Over:
        line.requests.splice(line.requests.begin(), one);
        leaving_.push_back(space);
        return Next::Waits;
    }
    if (is_alone) return Next::Last;
  }
  return Next::Goes;
}

void Shard::run_group() {
  forming_ = {};
  for (Next next = Next::Goes; next != Next::Full && next != Next::Last && !turns_.empty();) {
    const std::shared_ptr<NamespaceState> space = std::move(turns_.front());
    turns_.pop_front();
    next = take_turn(space);
    Line& line = line_of(*space);
    if (next == Next::Waits || line.requests.empty()) {
      line.is_listed = false;
      // Either it leaves, or a swap at the head of its line waits for a namespace that is away.
      if (next == Next::Waits && (leaving_.empty() || leaving_.back() != space)) awaiting_.push_back(space);
    } else if (next == Next::Full) {
      turns_.push_front(space);  // it goes on with the next group, which it may want for itself
    } else {
      turns_.push_back(space);
    }
  }
  Step::here().begin(kNoLimit);  // what follows is for no request
  counted_.rows_worked.add(forming_.work.rows);
  counted_.bytes_worked.add(forming_.work.bytes);
  counted_.evaluations_worked.add(forming_.work.evaluations);
  counted_.group_rows.observe(is_heavy() ? 0 : forming_.work.rows);
  // From here on the group is judged. Only the disk can still refuse it, and then all of it: the refusals were judged
  // against writes that would never have happened.

  // Before the commit, because what it tells belongs to this group.
  for (const std::shared_ptr<NamespaceState>& space : in_group_) end_large_views(*space);
  if (resume_points_.has_unsaved() && committer_.has_changes()) save_resume_points();
  const Result<void> durable = committer_.commit();
  // From here on the group is durable, and may be told to anyone, in order.

  if (durable.ok()) count_durable();
  accepted_.clear();
  release(durable.ok(), durable.ok() ? Error{} : durable.error());
  ++group_;
  for (const std::shared_ptr<NamespaceState>& space : in_group_) {
    if (durable.ok()) maintain(space);
    if (durable.ok()) keep_history(space);
    if (durable.ok()) watch_expiry(*space);
    if (!space->awaiting.empty() && durable.ok()) tell_awaiting(*space, {});
    start_scans(space);
    if (!space->compactions.empty()) start_compactions(space);
    if (durable.ok()) start_mirrors(space);
    note_use(space);
  }
  forget_oldest();
  // A snapshot pins what is removed: an idle shard keeps none.
  committer_.refresh();
  finish_group();
}

// Requests that had to wait for the end of the group come next, and namespaces go where they belong.
void Shard::finish_group() {
  for (const std::shared_ptr<NamespaceState>& space : in_group_) {
    Line& line = line_of(*space);
    // In front, in their order: nothing that came later may overtake them.
    line.requests.splice(line.requests.begin(), line.carried);
  }
  // What another shard is given is not looked at here any more, conversations that are still to be woken among it.
  if (!leaving_.empty() || is_heavy()) wake_late();
  for (const std::shared_ptr<NamespaceState>& space : std::exchange(leaving_, {})) send_away(space);
  for (const std::shared_ptr<NamespaceState>& space : std::exchange(in_group_, {})) {
    if (is_heavy() && line_of(*space).requests.empty()) {
      come_back(space, space->done_away);
    } else {
      list(space);
    }
  }
}

void Shard::send_away(const std::shared_ptr<NamespaceState>& space) {
  const auto emptiest = std::min_element(heavy_.begin(), heavy_.end(),
                                         [](const auto& a, const auto& b) { return a->guests_ < b->guests_; });
  Shard& to = **emptiest;
  ++to.guests_;
  ++away_;
  counted_.moved.add();
  space->away = &to;
  space->tree.leaves = LeafCache::new_tree();  // what happens there, the cache here does not hear
  space->sent_away += space->line.requests.size();
  counted_.waiting.add(-static_cast<int64_t>(space->line.requests.size()));
  {
    const std::lock_guard lock(to.mutex_);
    to.inbox_.splice(to.inbox_.end(), space->line.requests);
  }
  to.more_.notify_one();
}

// Reports to its home how many requests were done here. When home has sent more, these are on their way, and home
// does not take the namespace back yet.
void Shard::come_back(std::shared_ptr<NamespaceState> space, uint64_t done) {
  Shard& home = space->shard;
  {
    const std::lock_guard lock(home.mutex_);
    home.back_.emplace_back(std::move(space), done);
  }
  home.more_.notify_one();
}

void Shard::take_back(const std::shared_ptr<NamespaceState>& space, uint64_t done) {
  if (space->away == nullptr || done != space->sent_away) return;
  --space->away->guests_;
  --away_;
  space->away = nullptr;
  space->is_recalled = false;
  list(space);
  for (const std::shared_ptr<NamespaceState>& waiting : std::exchange(awaiting_, {})) list(waiting);
}

// Whether a request must see the end of this group first.
bool Shard::must_wait(const ShardRequest& request) const {
  if (std::holds_alternative<ScannedRequest>(request.what)) return committer_.dirty(request.space->tree);
  if (request.conversation == nullptr) return false;
  if (request.conversation->carried_in == group_) return true;
  const bool reads = std::holds_alternative<ReadRequest>(request.what) ||
                     std::holds_alternative<ListenRequest>(request.what) ||
                     std::holds_alternative<OpenDocumentRequest>(request.what);
  return reads && (committer_.dirty(request.space->tree) || request.conversation->held_in == group_);
}

}  // namespace hearth::db
