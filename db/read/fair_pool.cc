// Whose turn it is: the namespace for which least was done so far, and within it the client for which least was done.
//
//   order_.all, by work done                floor (of the one chosen last)
//        shop 120 ── next ──┐                 │
//        chat 150           │     0 ··········┼──────┬──────────────────┬──────▶ work
//        game 400           │               120     150                400
//                           ▼                 ▲ a namespace that comes now starts here, however little it ever used
//        its clients, by work done ─▶ its job, in order of arrival
//
//   put() ─▶ waiting ── choose() ─▶ ready_ ─▶ a thread runs it ── slice over ─▶ with `beyond`: begins again there
//                          ▲                        │                           else pause(): the thread waits,
//                          └──────── paused ◀───────┘                           and others have their turn
//
// - A turn is charged before it is taken (kJobWork) and again when it is known what it cost (charge). Without the
//   first part, a namespace with a thousand tiny jobs would be the cheapest again and again, and be chosen for all
//   threads at once.
// - `floor` only grows. It takes the memory of idle times away: nobody saves up turns by asking for nothing. What was
//   used beyond the floor is remembered, also for a namespace that left and comes back.
// - A set holds (done, key), so an entry must leave the set before its `done` changes, and come back afterwards.
// - One mutex guards everything; jobs, their destructors and `refuse` are called without it.
// - A paused job keeps its thread. So of the threads of a pool without `beyond` half are for namespaces that have none
//   (may_begin), or one namespace's long scans would occupy all of them.
#include "db/read/fair_pool.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace hearth::db {

// A job on its thread.
// Owned by work() on its thread. `paused` holds plain pointers to it: the thread of a paused job is inside the job.
struct Turn::Begun {
  FairPool::Job job;
  bool is_its_turn = true;         // under the pool's mutex
  std::condition_variable resume;  // when it is
};

Error Turn::error() const {
  switch (end_) {
    case End::Late:
      return {ErrorCode::Timeout, "The read took longer than the timeout it asked for."};
    case End::Unwanted:
      return {ErrorCode::Unavailable, "Nobody waits for what was asked any more."};
    case End::None:
    case End::SliceOver:
      break;
  }
  return {ErrorCode::Unavailable, "The read goes on later."};
}

// Called every kLookWork rows: the clock and the callbacks are too dear to be asked for each row.
bool Turn::look() {
  if (end_ != End::None) return false;
  look_at_ = done_ + kLookWork;
  const FairPool::Job& job = begun_.job;
  if (job.is_unwanted && job.is_unwanted()) end_ = End::Unwanted;
  if (job.deadline && std::chrono::steady_clock::now() > *job.deadline) end_ = End::Late;
  const bool is_for_others = pool_.options_.beyond != nullptr;
  if (is_for_others && is_long_ && end_ == End::None) {
    // Better now, after a few rows, than after a slice that is done for nothing and begun again elsewhere.
    if (is_long_()) end_ = End::SliceOver;
    is_long_ = nullptr;
  }
  if (end_ == End::None && done_ - charged_ >= pool_.options_.slice) {
    if (is_for_others) {
      end_ = End::SliceOver;
    } else {
      pool_.pause(begun_, done_ - charged_);
      charged_ = done_;
    }
  }
  return end_ == End::None;
}

// A newcomer starts at the floor: it gets no turns for the time in which it asked for nothing.
void FairPool::Order::put(uint64_t key, uint64_t& done) {
  done = std::max(done, floor);
  all.emplace(done, key);
}

FairPool::FairPool(const Options& options) : options_(options) {
  for (size_t i = 0; i < std::max<size_t>(options_.threads, 1); ++i) threads_.emplace_back([this] { work(); });
}

// A thread ends when nothing waits any more; the thread of a paused job ends after its job.
FairPool::~FairPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  more_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

PoolFigures FairPool::figures() const {
  const std::lock_guard lock(mutex_);
  PoolFigures figures = counted_;
  figures.waiting = waiting_;
  figures.running = running_;
  figures.paused = paused_;
  return figures;
}

void FairPool::run(Job job) {
  if (const auto refused = put(job)) job.refuse(*refused);
}

std::optional<Error> FairPool::put(Job& job) {
  const std::lock_guard lock(mutex_);
  Space& space = spaces_[job.payer.space];
  if (waiting_ >= options_.waiting_max || space.waiting >= options_.waiting_of_one_max) {
    ++counted_.refused;
    const bool is_all = waiting_ >= options_.waiting_max;
    return Error{ErrorCode::Unavailable,
                 "Too many reads wait: " + std::to_string(is_all ? waiting_ : space.waiting) +
                     (is_all ? " of all namespaces together; try again." : " of this namespace; try again.")};
  }
  const Payer payer = job.payer;
  Client& client = space.clients[payer.client];
  if (space.is_idle()) order_.put(payer.space, space.done);
  // Only for the figure slices_waited_max: how many turns of others went by before the first of this one.
  if (space.is_idle() && space.begun == 0) space.came_at = counted_.slices;
  if (client.is_idle()) space.order.put(payer.client, client.done);
  client.waiting.push_back(std::move(job));
  ++space.waiting;
  ++waiting_;
  dispatch();
  return {};
}

void FairPool::dispatch() {
  while (running_ < options_.running_max && dispatch_one()) {
  }
}

// Half of the threads are kept for namespaces that have no job begun, because a begun job may take long.
bool FairPool::may_begin(const Space& space) const {
  const size_t idle = threads_.size() - begun_;
  if (options_.beyond != nullptr) return idle > 0;
  return idle > 0 && (space.begun == 0 || (space.begun < 2 && 2 * idle > threads_.size()));
}

bool FairPool::dispatch_one() {
  // In order; whoever may not run now (its share of threads is used) is passed over and keeps its place.
  for (const auto& [served, number] : order_.all) {
    Space& space = spaces_.at(number);
    if (space.running >= options_.running_of_one_max) continue;
    const bool begins = space.waiting > 0 && may_begin(space);
    if (!begins && space.paused == 0) continue;
    for (const auto& [client_served, key] : space.order.all) {
      Client& client = space.clients.at(key);
      if (client.paused.empty() && (client.waiting.empty() || !begins)) continue;
      choose(number, space, key, client);
      return true;
    }
  }
  return false;
}

// A job that the client has begun goes on before another one of its jobs begins.
void FairPool::choose(uint64_t number, Space& space, uint64_t key, Client& client) {
  order_.floor = std::max(order_.floor, space.done);
  space.order.floor = std::max(space.order.floor, client.done);
  order_.all.erase({space.done, number});
  space.order.all.erase({client.done, key});
  if (!client.paused.empty()) {
    Begun& begun = *client.paused.front();
    client.paused.pop_front();
    --space.paused;
    --paused_;
    begun.is_its_turn = true;
    begun.resume.notify_one();
  } else {
    auto begun = std::make_unique<Begun>();
    begun->job = std::move(client.waiting.front());
    client.waiting.pop_front();
    --space.waiting;
    --waiting_;
    ++client.begun;
    ++space.begun;
    ++begun_;
    ready_.push_back(std::move(begun));
    more_.notify_one();
  }
  ++space.running;
  ++running_;
  if (const auto since = std::exchange(space.came_at, std::nullopt)) {
    counted_.slices_waited_max = std::max(counted_.slices_waited_max, counted_.slices - *since);
  }
  ++counted_.slices;
  // The least that a job costs is charged now: otherwise the next job would be of the same namespace again.
  space.done += kJobWork;
  client.done += kJobWork;
  if (!space.is_idle()) order_.all.emplace(space.done, number);
  if (!client.is_idle()) space.order.all.emplace(client.done, key);
}

// Out of the set, changed, and in again: `done` is part of the key.
void FairPool::charge(const Payer& payer, uint64_t work) {
  Space& space = spaces_.at(payer.space);
  Client& client = space.clients.at(payer.client);
  if (!space.is_idle()) order_.all.erase({space.done, payer.space});
  if (!client.is_idle()) space.order.all.erase({client.done, payer.client});
  space.done += work;
  client.done += work;
  if (!space.is_idle()) order_.all.emplace(space.done, payer.space);
  if (!client.is_idle()) space.order.all.emplace(client.done, payer.client);
}

// Its slice is over. Returns when it is its turn again.
void FairPool::pause(Begun& begun, uint64_t work) {
  std::unique_lock lock(mutex_);
  const Payer payer = begun.job.payer;
  charge(payer, work);
  Space& space = spaces_.at(payer.space);
  Client& client = space.clients.at(payer.client);
  --space.running;
  --running_;
  begun.is_its_turn = false;
  if (space.is_idle()) order_.put(payer.space, space.done);
  if (client.is_idle()) space.order.put(payer.client, client.done);
  client.paused.push_back(&begun);
  ++space.paused;
  ++paused_;
  dispatch();
  // choose() sets it, when it is this client's turn again.
  begun.resume.wait(lock, [&] { return begun.is_its_turn; });
}

// Under the mutex. A namespace or client that has nothing to do is forgotten, unless more was done for it than for
// the one that was served last.
void FairPool::end(const Begun& begun) {
  const Payer payer = begun.job.payer;
  Space& space = spaces_.at(payer.space);
  Client& client = space.clients.at(payer.client);
  --client.begun;
  --space.begun;
  --begun_;
  --space.running;
  --running_;
  dispatch();
  if (client.begun == 0 && client.is_idle() && client.done <= space.order.floor) space.clients.erase(payer.client);
  if (space.begun == 0 && space.is_idle()) {
    space.clients.clear();
    if (space.done <= order_.floor) spaces_.erase(payer.space);
  } else if (space.clients.size() > space.sweep_at) {
    std::erase_if(space.clients, [&](const auto& one) {
      return one.second.begun == 0 && one.second.is_idle() && one.second.done <= space.order.floor;
    });
    // Swept when it has doubled, so that a sweep costs each client a constant.
    space.sweep_at = 64 + 2 * space.clients.size();
  }
  if (begun_ == 0 && waiting_ == 0) spaces_.clear();
  if (spaces_.size() > sweep_at_) {
    std::erase_if(spaces_, [&](const auto& one) {
      return one.second.begun == 0 && one.second.is_idle() && one.second.done <= order_.floor;
    });
    sweep_at_ = 64 + 2 * spaces_.size();
  }
}

// Before anybody is told.
void FairPool::count(Turn::End end) {
  const std::lock_guard lock(mutex_);
  if (end == Turn::End::SliceOver) ++counted_.moved;
  if (end == Turn::End::Unwanted) ++counted_.unwanted;
  if (end == Turn::End::Late) ++counted_.late;
}

void FairPool::work() {
  if (options_.nice > 0) {
    // The priority of this thread alone: Linux counts threads as processes here. Without effect where the system does
    // not allow it.
    const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
    (void)::setpriority(PRIO_PROCESS, thread, ::getpriority(PRIO_PROCESS, thread) + options_.nice);
  }
  std::unique_lock lock(mutex_);
  for (;;) {
    more_.wait(lock, [this] { return !ready_.empty() || (closing_ && waiting_ == 0); });
    if (ready_.empty()) return;
    const std::unique_ptr<Begun> begun = std::move(ready_.front());
    ready_.pop_front();
    // The job runs without the lock, which everybody needs who asks for something.
    lock.unlock();

    Job& job = begun->job;
    Turn turn(*this, *begun);
    if (job.is_unwanted && job.is_unwanted()) turn.end_ = Turn::End::Unwanted;
    if (job.deadline && std::chrono::steady_clock::now() > *job.deadline) turn.end_ = Turn::End::Late;
    if (!turn.is_over()) job.run(turn);
    if (turn.is_over()) count(turn.end_);
    if (turn.end_ == Turn::End::Unwanted || turn.end_ == Turn::End::Late) job.refuse(turn.error());
    const Payer payer = job.payer;
    // Its lock is another one; the job's first pool still counts it as running.
    if (turn.end_ == Turn::End::SliceOver) options_.beyond->run(std::move(job));
    job = Job{};  // what it holds goes without the lock
    job.payer = payer;

    lock.lock();
    charge(payer, turn.done_ - turn.charged_);
    end(*begun);
    if (closing_ && waiting_ == 0) more_.notify_all();
  }
}

}  // namespace hearth::db
