// Threads that take turns for those who wait: each namespace has its share of them, and within it each client.
//
//   run ─▶ namespace ─▶ client ─▶ its jobs in order          whose jobs have done least is next: of the namespaces one,
//             work         work                              of its clients one
//
// What jobs have done is counted in work: a row, or what costs as much. Nobody saves up turns while it asks for
// nothing: a namespace that comes again starts with as much work done as the one that is served at that moment, or
// with its own sum if that is more. So a namespace waits for one slice of each other one, whatever the others ask
// for; and the same holds for the clients of one namespace. fair_pool.cc has a drawing.
//
// A job that goes on beyond a slice has to let others have a turn. In a pool with `beyond` the job is given up, and
// begins again in that pool. In one without the job stops where it is, for as long as it is the turn of others; its
// thread waits.
//
// Thread: any; a job runs on one thread of the pool.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "db/base/error.h"
#include "db/base/metrics.h"
#include "db/base/result.h"
#include "db/model/figures.h"

namespace hearth::db {

inline constexpr uint64_t kReadSliceRows = 10'000;  // of work, until others have their turn
inline constexpr uint64_t kRowBytes = 128;          // of a row that is as much work as two without bytes
inline constexpr uint64_t kSeekWork = 8;            // the first row of a scan costs as much as so many
inline constexpr uint64_t kGetWork = 4;             // one row by its key
inline constexpr uint64_t kJobWork = 16;            // a job by itself
inline constexpr uint64_t kLookWork = 256;          // from one look whether somebody still waits for a job to the next

inline uint64_t work_of_row(size_t bytes) { return 1 + bytes / kRowBytes; }

// Who a job is done for.
struct Payer {
  uint32_t space = 0;   // the namespace's number; 0: the database itself
  uint64_t client = 0;  // one of those of the namespace; 0: nobody in particular
};

class FairPool;

// What a job tells of itself while it runs. Thread: the job's.
class Turn {
 public:
  enum class End : uint8_t { None, SliceOver, Unwanted, Late };

  // Counts work that was done. May wait for the job's next turn. When it returns false, the job must return and tell
  // nobody anything.
  bool spend(uint64_t work) {
    done_ += work;
    return done_ < look_at_ ? end_ == End::None : look();
  }
  bool is_over() const { return end_ != End::None; }
  End end() const { return end_; }
  Error error() const;  // for what is read when it is over; nobody is told

  // `is_long` is asked once, after the first rows, in a pool with `beyond`: true, when more than a slice is to come.
  void set_foresight(std::function<bool()> is_long) { is_long_ = std::move(is_long); }

 private:
  friend class FairPool;
  struct Begun;
  Turn(FairPool& pool, Begun& begun) : pool_(pool), begun_(begun) {}
  bool look();

  FairPool& pool_;
  Begun& begun_;
  uint64_t done_ = 0;
  uint64_t look_at_ = kLookWork;
  uint64_t charged_ = 0;  // of done_
  End end_ = End::None;
  std::function<bool()> is_long_;
};

class FairPool {
 public:
  struct Options {
    size_t threads = 1;  // jobs that are begun at a time
    size_t running_max = 1;
    size_t running_of_one_max = 1;  // of one namespace
    size_t waiting_max = SIZE_MAX;
    size_t waiting_of_one_max = SIZE_MAX;  // of one namespace
    uint64_t slice = kReadSliceRows;
    FairPool* beyond = nullptr;  // where jobs go that take longer than a slice; outlives this one
    int nice = 0;                // of the threads, over that of the process
  };
  struct Job {
    Payer payer;
    // Comes to its end early, and has no effect, when the turn is over. May then be called again.
    std::function<void(Turn& turn)> run;
    // Called once, and instead, when the job will not be run or not to its end. On any thread, also within run() of
    // the pool.
    std::function<void(const Error& error)> refuse;
    std::function<bool()>
        is_unwanted{};  // nobody waits for it any more, and nobody will; null: somebody does. Any thread
    std::optional<std::chrono::steady_clock::time_point> deadline{};
  };

  explicit FairPool(const Options& options);
  ~FairPool();  // runs what waits first
  FairPool(const FairPool&) = delete;
  FairPool& operator=(const FairPool&) = delete;

  // Errors, told to `refuse`: Unavailable: too many wait (of the database, or of the namespace); Timeout.
  void run(Job job);
  PoolFigures figures() const;

 private:
  friend class Turn;
  using Begun = Turn::Begun;
  // The namespaces, or the clients, that have something waiting, by the work that was done for them.
  struct Order {
    void put(uint64_t key, uint64_t& done);       // begins to wait
    std::set<std::pair<uint64_t, uint64_t>> all;  // done, key
    uint64_t floor = 0;                           // what was done for the one that was served last, when it was chosen
  };
  struct Client {
    uint64_t done = 0;
    std::deque<Job> waiting;
    std::deque<Begun*> paused;
    size_t begun = 0;
    bool is_idle() const { return waiting.empty() && paused.empty(); }
  };
  struct NamespaceLine {
    uint64_t done = 0;
    std::map<uint64_t, Client> clients;
    Order order;  // of clients
    size_t waiting = 0, paused = 0, begun = 0, running = 0;
    std::optional<uint64_t> came_at;  // PoolFigures::slices when it came with nothing under way, until its first slice
    size_t sweep_at = 64;
    bool is_idle() const { return waiting == 0 && paused == 0; }
  };

  void work();
  void dispatch();
  bool dispatch_one();
  bool may_begin(const NamespaceLine& space) const;
  void choose(uint64_t number, NamespaceLine& space, uint64_t key, Client& client);
  void charge(const Payer& payer, uint64_t work);
  void end(const Begun& begun);
  void count(Turn::End end);
  void pause(Begun& begun, uint64_t work);
  std::optional<Error> put(Job& job);

  const Options options_;
  mutable std::mutex mutex_;  // Guards all below but threads_.
  std::condition_variable more_;
  std::map<uint64_t, NamespaceLine> spaces_;
  Order order_;  // of spaces
  size_t sweep_at_ = 64;
  std::deque<std::unique_ptr<Begun>> ready_;  // chosen, for threads to take
  size_t waiting_ = 0, paused_ = 0, begun_ = 0, running_ = 0;
  PoolFigures counted_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hearth::db
