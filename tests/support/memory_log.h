// A log in memory that does what a shared one may do: it takes batches by compare-and-set, and on demand it conflicts,
// forgets, answers late, twice, or not what happened.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "db/log/commit_log.h"

namespace hearth::test {

class MemoryLog final : public db::CommitLog {
 public:
  enum class Behaviour : uint8_t {
    Honest,
    Conflicts,       // another node has appended before
    Taken,           // another node has taken the shard before
    Forgets,         // Unknown, and the batch is not there
    LandsUnknown,    // Unknown, and it is
    Delays,          // told by another thread, later
    AnswersTwice,    // Accepted, then Unknown and Conflict
    UnknownThenLate  // Unknown, and the old append tries to land behind the new epoch
  };
  ~MemoryLog() override {
    for (std::thread& one : later_) one.join();
  }

  // Asked before each append. Called by many threads, one at a time.
  std::function<Behaviour()> behave = [] { return Behaviour::Honest; };

  void append(uint32_t shard, const db::LogPosition& last, const std::string& id, db::SealedBatch sealed,
              std::function<void(Appended)> done) override {
    const std::string& batch = *sealed;
    Behaviour how;
    {
      const std::lock_guard lock(mutex_);
      how = behave();
      if (how == Behaviour::Taken) ++shards_[shard].last.epoch;
      if (how == Behaviour::Conflicts) add(shard, "a batch of another", std::string(db::kBatchIdBytes, 'x'), true);
    }
    switch (how) {
      case Behaviour::Forgets:
        return done(Appended::Unknown);
      case Behaviour::LandsUnknown:
        (void)try_append(shard, last, id, batch);
        return done(Appended::Unknown);
      case Behaviour::UnknownThenLate: {
        const std::lock_guard lock(mutex_);
        late_[shard].push_back([this, shard, last, id, batch] { return try_append(shard, last, id, batch); });
        break;
      }
      case Behaviour::Delays: {
        const std::lock_guard lock(mutex_);
        later_.emplace_back([this, shard, last, id, batch, done] {
          std::this_thread::yield();
          done(try_append(shard, last, id, batch));
        });
        return;
      }
      case Behaviour::Honest:
      case Behaviour::Conflicts:
      case Behaviour::Taken:
        return done(try_append(shard, last, id, batch));
      case Behaviour::AnswersTwice:
        done(try_append(shard, last, id, batch));
        done(Appended::Unknown);
        return done(Appended::Conflict);
    }
    done(Appended::Unknown);
  }
  db::Result<db::LogPosition> take(uint32_t shard) override {
    const std::lock_guard lock(mutex_);
    ++shards_[shard].last.epoch;
    return shards_[shard].last;
  }
  db::Result<std::optional<db::LogPosition>> begin_epoch(uint32_t shard, uint64_t epoch) override {
    std::optional<db::LogPosition> begun;
    {
      const std::lock_guard lock(mutex_);
      if (is_away) return db::Error{db::ErrorCode::Unavailable, "the log is away"};
      db::LogPosition& last = shards_[shard].last;
      if (last.epoch != epoch) return begun;
      ++last.epoch;
      begun = last;
    }
    // What was on its way comes now, of an epoch that is over.
    std::vector<std::function<Appended()>> late;
    {
      const std::lock_guard lock(mutex_);
      late.swap(late_[shard]);
    }
    for (const auto& one : late) wrong += one() == Appended::Accepted ? 1 : 0;
    return begun;
  }
  db::Result<void> add_file_part(uint32_t, const std::string& file, std::string_view part) override {
    const std::lock_guard lock(mutex_);
    if (is_away) return db::Error{db::ErrorCode::Unavailable, "the log is away"};
    files_[file].emplace_back(part);
    return {};
  }

  std::vector<std::string> batches(uint32_t shard) const {
    const std::lock_guard lock(mutex_);
    const auto found = shards_.find(shard);
    return found == shards_.end() ? std::vector<std::string>() : found->second.batches;
  }
  db::Result<void> read_file(const std::string& file,
                             const std::function<db::Result<void>(std::string_view)>& part) const {
    std::vector<std::string> parts;
    {
      const std::lock_guard lock(mutex_);
      const auto found = files_.find(file);
      if (found != files_.end()) parts = found->second;
    }
    for (const std::string& one : parts) {
      const db::Result<void> done = part(one);
      if (!done.ok()) return done;
    }
    return {};
  }

  std::atomic<int> wrong{0};         // batches that were taken of an epoch that was over
  std::atomic<bool> is_away{false};  // no epoch can be begun, and no file be added

 private:
  struct Shard {
    db::LogPosition last;
    std::vector<std::string> batches;
  };
  Appended try_append(uint32_t shard, const db::LogPosition& last, const std::string& id, const std::string& batch) {
    const std::lock_guard lock(mutex_);
    const db::LogPosition& own = shards_[shard].last;
    if (own.sequence != last.sequence || own.epoch != last.epoch) return Appended::Conflict;
    add(shard, batch, id, false);
    return Appended::Accepted;
  }
  void add(uint32_t shard, const std::string& batch, const std::string& id, bool is_of_another) {
    Shard& at = shards_[shard];
    if (is_of_another) {
      ++at.last.epoch;
    } else {
      at.batches.push_back(batch);
    }
    ++at.last.sequence;
    at.last.id = id;
  }

  mutable std::mutex mutex_;  // Guards all below.
  std::map<uint32_t, Shard> shards_;
  std::map<std::string, std::vector<std::string>> files_;
  std::map<uint32_t, std::vector<std::function<Appended()>>> late_;  // by shard
  std::vector<std::thread> later_;
};

}  // namespace hearth::test
