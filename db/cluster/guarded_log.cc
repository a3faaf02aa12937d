// Callbacks (`done`, on_accepted) are called without the lock: whoever is told may append again at once.
#include "db/cluster/guarded_log.h"

#include <chrono>
#include <utility>

namespace hearth::db {
namespace {

constexpr std::chrono::milliseconds kAskAgainAfter{100};  // an engine that is away, for a new epoch

}  // namespace

void GuardedLog::admit(uint32_t shard, uint64_t epoch) {
  const std::lock_guard lock(mutex_);
  Shard& at = shards_[shard];
  at.is_admitted = !is_stopped_;
  at.epoch = epoch;
  at.cut_off_at.reset();
  at.in_doubt.reset();
}

uint64_t GuardedLog::epoch(uint32_t shard) const {
  const std::lock_guard lock(mutex_);
  const auto found = shards_.find(shard);
  return found == shards_.end() ? 0 : found->second.epoch;
}

void GuardedLog::cut_off_locked(Shard& shard, std::vector<UnderWay>& ended) {
  if (shard.is_admitted) ++figures_.cut_off;
  shard.is_admitted = false;
  shard.cut_off_at.reset();
  if (!shard.under_way) return;
  shard.in_doubt = shard.under_way->batch;
  ended.push_back(std::move(*shard.under_way));
  shard.under_way.reset();
}

void GuardedLog::cut_off(uint32_t shard) {
  std::vector<UnderWay> ended;
  {
    const std::lock_guard lock(mutex_);
    cut_off_locked(shards_[shard], ended);
  }
  changed_.notify_all();
  for (UnderWay& one : ended) one.done(Appended::Unknown);
}

void GuardedLog::cut_off_at(uint32_t shard, BootTime when) {
  const std::lock_guard lock(mutex_);
  Shard& at = shards_[shard];
  if (at.is_admitted) at.cut_off_at = when;
}

void GuardedLog::tick(BootTime now) {
  std::vector<UnderWay> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [_, shard] : shards_) {
      if (shard.cut_off_at && *shard.cut_off_at <= now) cut_off_locked(shard, ended);
      const auto& under_way = shard.under_way;
      if (!under_way || under_way->is_held || !under_way->since || now - *under_way->since < kAnswerWaitMax) continue;
      ++figures_.unanswered;
      shard.in_doubt = under_way->batch;
      ended.push_back(std::move(*shard.under_way));
      shard.under_way.reset();
    }
  }
  changed_.notify_all();
  for (UnderWay& one : ended) one.done(Appended::Unknown);
}

void GuardedLog::stop() {
  std::vector<UnderWay> ended;
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    for (auto& [_, shard] : shards_) cut_off_locked(shard, ended);
  }
  changed_.notify_all();
  for (UnderWay& one : ended) one.done(Appended::Unknown);
}

void GuardedLog::append(uint32_t shard, const LogPosition& last, const std::string& id, SealedBatch batch,
                        std::function<void(Appended)> done) {
  uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    Shard& at = shards_[shard];
    if (at.is_admitted) {
      ++figures_.appends;
      number = ++next_number_;
      at.under_way = UnderWay{.batch = {.shard = shard, .at = {last.sequence + 1, last.epoch, id}, .bytes = batch},
                              .done = std::move(done),
                              .number = number};
    }
  }
  if (number == 0) return done(Appended::Conflict);  // it is another's, as far as we know
  log_.append(shard, last, id, std::move(batch),
              [this, shard, number](Appended what) { on_answer(shard, number, what); });
  const std::lock_guard lock(mutex_);
  auto& under_way = shards_[shard].under_way;
  if (under_way && under_way->number == number) under_way->since = standing_.now();
}

// The engine's answer. Whoever came before it (cut_off) has the word; a second answer finds nothing under way.
void GuardedLog::on_answer(uint32_t shard, uint64_t number, Appended what) {
  std::optional<UnderWay> ended;
  {
    const std::lock_guard lock(mutex_);
    Shard& at = shards_[shard];
    if (!at.under_way || at.under_way->number != number || at.under_way->is_held) return;
    if (what == Appended::Accepted && !standing_.is_good()) {
      ++figures_.held;
      at.under_way->is_held = true;
      return;
    }
    if (what == Appended::Unknown) {
      ++figures_.doubted;
      at.in_doubt = at.under_way->batch;
    }
    ended = std::move(at.under_way);
    at.under_way.reset();
  }
  tell(std::move(*ended), what);
}

void GuardedLog::tell(UnderWay under_way, Appended what) {
  under_way.done(what);
  if (what == Appended::Accepted && on_accepted) on_accepted(std::move(under_way.batch));
}

void GuardedLog::release(const ClusterView& view) {
  std::vector<std::pair<UnderWay, Appended>> ended;
  {
    const std::lock_guard lock(mutex_);
    if (!standing_.is_good()) return;
    for (const ClusterShard& seen : view.shards) {
      const auto found = shards_.find(seen.shard);
      if (found == shards_.end() || !found->second.under_way || !found->second.under_way->is_held) continue;
      Shard& at = found->second;
      const bool is_ours = seen.last.epoch == at.under_way->batch.at.epoch;
      if (is_ours) {
        ++figures_.released;
      } else {
        at.in_doubt = at.under_way->batch;
      }
      ended.emplace_back(std::move(*at.under_way), is_ours ? Appended::Accepted : Appended::Unknown);
      at.under_way.reset();
    }
  }
  changed_.notify_all();
  for (auto& [one, what] : ended) tell(std::move(one), what);
}

bool GuardedLog::must_stop(uint32_t shard) {
  const Shard& at = shards_[shard];
  return !at.is_admitted || (at.cut_off_at && *at.cut_off_at <= standing_.now());
}

Result<std::optional<LogPosition>> GuardedLog::begin_epoch(uint32_t shard, uint64_t epoch) {
  std::optional<BusBatch> in_doubt;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      // A wait by time as well: a lease is renewed without a word to us, and ends without one.
      while (!must_stop(shard) && !standing_.is_good()) changed_.wait_for(lock, kAskAgainAfter);
      if (must_stop(shard)) return std::optional<LogPosition>();
    }
    const auto begun = log_.begin_epoch(shard, epoch);
    if (begun.ok()) {
      const std::lock_guard lock(mutex_);
      if (begun.value()) shards_[shard].epoch = begun.value()->epoch;
      in_doubt = std::exchange(shards_[shard].in_doubt, {});
      if (!begun.value() || !in_doubt || begun.value()->id != in_doubt->at.id) return begun;
      // It is in the log, so others may hear of it, as we do now. Its epoch is the one that it was appended in.
    } else {
      std::unique_lock lock(mutex_);
      if (begun.error().code != ErrorCode::Unavailable || must_stop(shard)) return begun;
      changed_.wait_for(lock, kAskAgainAfter);
      continue;
    }
    if (on_accepted) on_accepted(std::move(*in_doubt));
    return begun;
  }
}

GuardFigures GuardedLog::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

}  // namespace hearth::db
