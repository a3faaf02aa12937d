// Who is served next, counted in slices and jobs: no time is measured.
#include "db/read/fair_pool.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <vector>

using namespace hearth::db;

namespace {

constexpr uint64_t kSlice = 1'000;

// What ran, in order. Jobs begin when the gate is open.
class Journal {
 public:
  void note(std::string what) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(what));
    more_.notify_all();
  }
  std::vector<std::string> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] { return notes_.size() >= count; });
    return notes_;
  }
  size_t place_of(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::find(notes_.begin(), notes_.end(), what) - notes_.begin());
  }

 private:
  std::mutex mutex_;  // Guards notes_.
  std::condition_variable more_;
  std::vector<std::string> notes_;
};

class Gate {
 public:
  void open() { opened_.set_value(); }
  void pass() const { open_.wait(); }

 private:
  std::promise<void> opened_;
  const std::shared_future<void> open_ = opened_.get_future().share();
};

FairPool::Options one_thread() {
  FairPool::Options options;
  options.slice = kSlice;
  return options;
}

FairPool::Job job_of(Payer payer, Journal& journal, const std::string& name, uint64_t work) {
  FairPool::Job job;
  job.payer = payer;
  job.run = [&journal, name, work](Turn& turn) {
    journal.note(name);
    turn.spend(work);
  };
  job.refuse = [&journal, name](const Error& error) { journal.note(name + " refused: " + error.message); };
  return job;
}

// Holds the only thread until the gate opens, so that what comes meanwhile waits.
FairPool::Job gate_job(const Gate& gate, Payer payer = {}) {
  FairPool::Job job;
  job.payer = payer;
  job.run = [&gate](Turn&) { gate.pass(); };
  job.refuse = [](const Error&) {};
  return job;
}

}  // namespace

TEST_CASE("FairPool: a small job of another namespace waits behind one slice, whatever was asked before", "[db]") {
  Journal journal;
  Gate gate;
  FairPool pool(one_thread());
  pool.run(gate_job(gate));
  for (int i = 0; i < 40; ++i) pool.run(job_of({1, 7}, journal, "large", kSlice - 1));
  pool.run(job_of({2, 7}, journal, "small", 1));
  gate.open();
  journal.wait_for(41);
  CHECK(journal.place_of("small") <= 1);
}

TEST_CASE("FairPool: a job of many slices stops for others at the end of each", "[db]") {
  FairPool::Options options = one_thread();
  options.threads = 4;
  Journal journal;
  Gate gate, others_are_there;
  FairPool pool(options);
  FairPool::Job large;
  large.payer = {1, 7};
  large.run = [&](Turn& turn) {
    gate.pass();
    for (int i = 0; i < 20; ++i) {
      journal.note("slice");
      CHECK(turn.spend(kSlice));
    }
    journal.note("large is done");
  };
  large.refuse = [](const Error&) {};
  pool.run(std::move(large));
  pool.run(job_of({2, 1}, journal, "other namespace", 1));
  pool.run(job_of({1, 8}, journal, "other client", 1));
  gate.open();
  journal.wait_for(23);
  CHECK(journal.place_of("other namespace") == 1);
  CHECK(journal.place_of("other client") <= 3);
  CHECK(journal.place_of("large is done") == 22);
}

TEST_CASE("FairPool: namespaces share by the work done, not by the number of jobs", "[db]") {
  Journal journal;
  Gate gate;
  FairPool pool(one_thread());
  pool.run(gate_job(gate));
  for (int i = 0; i < 10; ++i) pool.run(job_of({1, 1}, journal, "large", 900));
  for (int i = 0; i < 100; ++i) pool.run(job_of({2, 1}, journal, "small", 90 - kJobWork));
  gate.open();
  const std::vector<std::string> ran = journal.wait_for(110);
  // Half way each has done half.
  const auto larges = std::count(ran.begin(), ran.begin() + 55, "large");
  INFO(larges << " large ones among the first 55");
  CHECK(larges >= 4);
  CHECK(larges <= 6);
}

TEST_CASE("FairPool: within a namespace two clients share, however many jobs each has", "[db]") {
  Journal journal;
  Gate gate;
  FairPool pool(one_thread());
  pool.run(gate_job(gate));
  for (int i = 0; i < 50; ++i) pool.run(job_of({1, 1}, journal, "busy", 100));
  for (int i = 0; i < 5; ++i) pool.run(job_of({1, 2}, journal, "calm", 100));
  gate.open();
  const std::vector<std::string> ran = journal.wait_for(55);
  CHECK(std::count(ran.begin(), ran.begin() + 11, "calm") == 5);
}

TEST_CASE("FairPool: many clients of one namespace get no more than one of another", "[db]") {
  Journal journal;
  Gate gate;
  FairPool pool(one_thread());
  pool.run(gate_job(gate));
  for (uint64_t client = 1; client <= 100; ++client) pool.run(job_of({1, client}, journal, "crowd", 100));
  for (int i = 0; i < 5; ++i) pool.run(job_of({2, 1}, journal, "alone", 100));
  gate.open();
  const std::vector<std::string> ran = journal.wait_for(105);
  CHECK(std::count(ran.begin(), ran.begin() + 11, "alone") == 5);
}

TEST_CASE("FairPool: who had nothing to do has nothing saved up", "[db]") {
  Journal journal;
  Gate first, gate;
  FairPool pool(one_thread());
  pool.run(job_of({2, 1}, journal, "before", 1));
  journal.wait_for(1);
  pool.run(gate_job(first, {1, 1}));
  for (int i = 0; i < 20; ++i) pool.run(job_of({1, 1}, journal, "busy", 100));
  pool.run(gate_job(gate, {1, 1}));  // behind which much has been done for 1
  for (int i = 0; i < 20; ++i) pool.run(job_of({1, 1}, journal, "busy later", 100));
  first.open();
  journal.wait_for(21);
  for (int i = 0; i < 20; ++i) pool.run(job_of({2, 1}, journal, "back", 100));
  gate.open();
  const std::vector<std::string> ran = journal.wait_for(61);
  const auto back = std::count(ran.begin() + 21, ran.begin() + 31, "back");
  CHECK(back >= 4);
  CHECK(back <= 6);
}

TEST_CASE("FairPool: what takes longer than a slice is given up, and begins again beyond", "[db]") {
  Journal journal;
  FairPool::Options options = one_thread();
  FairPool beyond(options);
  options.beyond = &beyond;
  FairPool pool(options);
  FairPool::Job job;
  job.payer = {1, 1};
  job.run = [&](Turn& turn) {
    journal.note("begins");
    for (uint64_t work = 0; work < 10 * kSlice; work += 10) {
      if (!turn.spend(10)) return;
    }
    journal.note("ends");
  };
  job.refuse = [](const Error&) {};
  pool.run(job);
  CHECK(journal.wait_for(3) == std::vector<std::string>{"begins", "begins", "ends"});
  CHECK(pool.figures().moved == 1);
  CHECK(beyond.figures().moved == 0);
}

TEST_CASE("FairPool: a job that is known to be long is given up after the first rows", "[db]") {
  FairPool::Options options = one_thread();
  options.slice = 1'000'000;
  FairPool beyond(options);
  options.beyond = &beyond;
  FairPool pool(options);
  std::promise<std::pair<uint64_t, uint64_t>> done;
  uint64_t first = 0;
  bool is_second = false;
  FairPool::Job job;
  job.run = [&](Turn& turn) {
    turn.set_foresight([] { return true; });
    uint64_t work = 0;
    for (; work < 10'000; ++work) {
      if (!turn.spend(1)) break;
    }
    if (!std::exchange(is_second, true)) {
      first = work;
    } else {
      done.set_value({first, work});
    }
  };
  job.refuse = [](const Error&) {};
  pool.run(job);
  const auto [before, after] = done.get_future().get();
  CHECK(before < kLookWork);
  CHECK(after == 10'000);
}

TEST_CASE("FairPool: one namespace leaves threads to others, however many long jobs it has", "[db]") {
  FairPool::Options options = one_thread();
  options.threads = 4;
  options.running_max = 2;
  Journal journal;
  FairPool pool(options);
  std::atomic<bool> is_over = false;
  for (uint64_t client = 1; client <= 10; ++client) {
    FairPool::Job job;
    job.payer = {1, client};
    job.run = [&](Turn& turn) {
      while (!is_over && turn.spend(kSlice)) {
      }
      journal.note("endless");
    };
    job.refuse = [](const Error&) {};
    pool.run(std::move(job));
  }
  pool.run(job_of({2, 1}, journal, "other", 1));
  CHECK(journal.wait_for(1).front() == "other");
  is_over = true;
  journal.wait_for(11);
}

TEST_CASE("FairPool: so many wait, of one namespace and of all; more is refused and says what is full", "[db]") {
  FairPool::Options options = one_thread();
  options.waiting_max = 5;
  options.waiting_of_one_max = 3;
  Journal journal;
  Gate gate;
  FairPool pool(options);
  pool.run(gate_job(gate));
  for (int i = 0; i < 3; ++i) pool.run(job_of({1, 1}, journal, "one", 1));
  pool.run(job_of({1, 2}, journal, "one too many", 1));  // of a namespace, whatever the client
  CHECK(journal.wait_for(1).back() == "one too many refused: Too many reads wait: 3 of this namespace; try again.");
  for (int i = 0; i < 2; ++i) pool.run(job_of({2, 1}, journal, "two", 1));
  pool.run(job_of({3, 1}, journal, "three", 1));
  CHECK(journal.wait_for(2).back() == "three refused: Too many reads wait: 5 of all namespaces together; try again.");
  CHECK(pool.figures().refused == 2);
  CHECK(pool.figures().waiting == 5);
  gate.open();
  journal.wait_for(7);
  pool.run(job_of({1, 1}, journal, "again", 1));
  CHECK(journal.wait_for(8).back() == "again");
}

TEST_CASE("FairPool: what nobody waits for any more is not run, and not gone on with", "[db]") {
  Journal journal;
  Gate gate;
  FairPool pool(one_thread());
  std::atomic<bool> is_gone = false;
  pool.run(gate_job(gate));
  FairPool::Job job = job_of({1, 1}, journal, "unwanted", 1);
  job.is_unwanted = [&] { return is_gone.load(); };
  for (int i = 0; i < 3; ++i) pool.run(job);
  is_gone = true;
  pool.run(job_of({1, 1}, journal, "wanted", 1));
  gate.open();
  const std::string refused = "unwanted refused: Nobody waits for what was asked any more.";
  CHECK(journal.wait_for(4) == std::vector<std::string>{refused, refused, refused, "wanted"});
  CHECK(pool.figures().unwanted == 3);

  is_gone = false;
  uint64_t done = 0;
  job.run = [&](Turn& turn) {
    for (is_gone = true; done < 100 * kLookWork && turn.spend(1);) ++done;
    journal.note("stopped");
  };
  pool.run(job);
  CHECK(journal.wait_for(6).back() == refused);
  CHECK(done < kLookWork);
}

TEST_CASE("FairPool: a job whose time is over before it begins is refused", "[db]") {
  Journal journal;
  Gate gate;
  FairPool pool(one_thread());
  pool.run(gate_job(gate));
  FairPool::Job job = job_of({1, 1}, journal, "late", 1);
  job.deadline = std::chrono::steady_clock::now() - std::chrono::milliseconds(1);
  pool.run(job);
  gate.open();
  CHECK(journal.wait_for(1).back() == "late refused: The read took longer than the timeout it asked for.");
  CHECK(pool.figures().late == 1);
}

TEST_CASE("FairPool: what waits is run before the pool goes, also what goes on beyond", "[db]") {
  Journal journal;
  {
    FairPool::Options options = one_thread();
    options.threads = 3;
    FairPool beyond(options);
    options.beyond = &beyond;
    options.threads = 1;
    FairPool pool(options);
    for (uint32_t space = 1; space <= 5; ++space) {
      FairPool::Job job;
      job.payer = {space, 1};
      job.run = [&](Turn& turn) {
        for (int i = 0; i < 5; ++i) {
          if (!turn.spend(kSlice)) return;
        }
        journal.note("done");
      };
      job.refuse = [](const Error&) {};
      pool.run(std::move(job));
    }
  }
  CHECK(journal.wait_for(0).size() == 5);
}
