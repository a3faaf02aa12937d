// Rounds, and what becomes of one that is not answered as it should be.
#include "db/log/postgres/postgres_log.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "db/base/invariant.h"
#include "db/base/random.h"
#include "db/base/text.h"
#include "db/log/postgres/envelope.h"

namespace hearth::db {
namespace {

using Steady = std::chrono::steady_clock;

// The head row is found by what this node judged on, or not at all; and only a head that moved has a row in the log.
constexpr const char* kAppend =
    "WITH h AS (UPDATE hearth_shard SET seq = seq + 1, last = $4"
    " WHERE shard = $1 AND seq = $2 AND epoch = $3 RETURNING seq, epoch)"
    " INSERT INTO hearth_log (shard, seq, epoch, id, batch) SELECT $1, h.seq, h.epoch, $4, $5 FROM h";
constexpr const char* kAppendName = "append";
// A try whose answer was lost may have happened, so the epoch may be further by as many.
constexpr const char* kBeginEpoch =
    "UPDATE hearth_shard SET epoch = epoch + 1 WHERE shard = $1 AND owner = $2 AND epoch BETWEEN $3 AND $4"
    " RETURNING seq, last, epoch";
constexpr const char* kTakeAnyway =
    "UPDATE hearth_shard SET epoch = epoch + 1, owner = $2 WHERE shard = $1 RETURNING seq, last, epoch";
constexpr const char* kPutPart =
    "INSERT INTO hearth_file (id, part, bytes) VALUES ($1, $2, $3) ON CONFLICT (id, part) DO NOTHING";
constexpr const char* kEndBackend =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid = $1 AND application_name = $2 AND usename = current_user";

constexpr std::chrono::milliseconds kPause{100};  // between tries

PostgresTarget interrupted_by(PostgresTarget target, int interrupt) {
  target.interrupt = interrupt;
  return target;
}

LogPosition position_of(const PostgresRows& rows) {
  return {rows.int8(0, 0), rows.int8(0, 2), std::string(rows.text(0, 1))};
}

Error closing_error() { return {ErrorCode::Unavailable, "this node's log is closed"}; }

}  // namespace

PostgresLog::PostgresLog(Options options)
    : options_(std::move(options)),
      interrupt_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      target_(interrupted_by(options_.target, interrupt_)) {
  invariant(interrupt_ >= 0, "a process has a descriptor left for its log");
  thread_ = std::thread([this] { work(); });
}

PostgresLog::~PostgresLog() {
  close();
  thread_.join();
  ::close(interrupt_);
}

void PostgresLog::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  arrived_.notify_all();
  closes_.notify_all();
  (void)eventfd_write(interrupt_, 1);
}

void PostgresLog::append(uint32_t shard, const LogPosition& last, const std::string& id, SealedBatch batch,
                         std::function<void(Appended)> done) {
  Waiting one{shard, last, id, {}, {}, std::move(done), Steady::now()};
  Envelope envelope;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = files_.find(shard); found != files_.end()) {
      for (const auto& [file, parts] : found->second) {
        if (batch->find(file) != std::string::npos) one.files.push_back(file);
      }
    }
  }
  envelope.files = one.files;
  std::string_view payload = *batch;
  std::string frame, file;
  if (batch->size() >= options_.compress_from) {
    frame = compress_batch(*batch);
    if (frame.size() < batch->size()) {
      envelope.is_compressed = true;
      payload = frame;
    }
  }
  if (payload.size() > kInFileFrom) {
    // By its shard and sequence, so that whoever cuts the log there finds it, whether a row came to name it or not.
    file = file_of_batch(shard, last.sequence + 1, to_hex(id) + "-" + std::to_string(last.epoch));
    uint32_t number = 0;
    for (size_t at = 0; at < payload.size(); at += kFilePartBytes) {
      if (!put_part(file, number++, payload.substr(at, kFilePartBytes)).ok()) return answer(one, Appended::Unknown);
    }
    envelope.is_in_file = true;
    payload = file;
  }
  one.stored = envelope.encode(payload);
  {
    const std::lock_guard lock(mutex_);
    if (!is_closing_) {
      waiting_.push_back(std::move(one));
      one.done = nullptr;
    }
  }
  if (one.done) return answer(one, Appended::Unknown);
  arrived_.notify_one();
}

void PostgresLog::answer(Waiting& one, Appended what) {
  switch (what) {
    case Appended::Accepted: {
      figures_.appends.add();
      figures_.bytes.add(one.stored.size());
      figures_.append_time.observe(Steady::now() - one.since);
      if (!one.files.empty()) {
        const std::lock_guard lock(mutex_);
        for (const std::string& file : one.files) files_[one.shard].erase(file);
        if (files_[one.shard].empty()) files_.erase(one.shard);
      }
      break;
    }
    case Appended::Conflict:
      figures_.conflicts.add();
      break;
    case Appended::Unknown:
      figures_.unknown.add();
      break;
  }
  one.done(what);
}

// All that waits, as far as it fits. Nothing: closing, and nothing waits any more.
PostgresLog::Round PostgresLog::next_round() {
  Round round;
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return is_closing_ || !waiting_.empty(); });
  // Those that the last round answered are on their way with their next batch: as long as giving them the processor brings
  // one, the round waits for it. A second round costs them more, for it begins after this one. Who came while that round was
  // under way is no reason to go without them: else there would be two halves that go by turns for ever.
  for (size_t seen = 0; seen < waiting_.size() && waiting_.size() < expected_;) {
    seen = waiting_.size();
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
  size_t bytes = 0;
  while (!waiting_.empty()) {
    const size_t size = waiting_.front().stored.size();
    if (!round.empty() && (size > kAloneFrom || bytes + size > kRoundBytesMax)) break;
    bytes += size;
    round.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    if (size > kAloneFrom) break;
  }
  lock.unlock();
  // Rows are locked in one order, whoever else does: no two rounds wait for each other.
  std::sort(round.begin(), round.end(), [](const Waiting& a, const Waiting& b) { return a.shard < b.shard; });
  return round;
}

void PostgresLog::work() {
  while (true) {
    Round round = next_round();
    if (round.empty()) return;
    const auto since = std::min_element(round.begin(), round.end(), [](const Waiting& a, const Waiting& b) {
                         return a.since < b.since;
                       })->since;
    if (connect(since)) {
      send(std::move(round), false);
    } else {
      for (Waiting& one : round) answer(one, Appended::Unknown);
    }
  }
}

// False: closing, or what waits since then has waited long enough.
bool PostgresLog::connect(Steady::time_point since) {
  while (rounds_ == nullptr || !rounds_->is_open()) {
    rounds_.reset();
    const auto try_once = [&]() -> Result<void> {
      ASSIGN_OR_RETURN(auto made, PostgresConnection::open(target_));
      RETURN_IF_ERROR(
          made->prepare(kAppendName, kAppend, PostgresValues().int4(0).int8(0).int8(0).bytes("").bytes("")));
      RETURN_IF_ERROR(made->enter_rounds());
      rounds_ = std::move(made);
      return {};
    };
    const Result<void> tried = try_once();
    if (tried.ok()) {
      figures_.connects.add();
      told_.clear();
      continue;
    }
    if (tried.error().message != told_) options_.tell(told_ = tried.error().message);
    if (Steady::now() - since > options_.settle_max || !pause()) return false;
  }
  return true;
}

bool PostgresLog::pause() {
  std::unique_lock lock(mutex_);
  return !closes_.wait_for(lock, kPause, [this] { return is_closing_; });
}

void PostgresLog::send(Round round, bool is_again) {
  for (const Waiting& one : round) {
    rounds_->add(
        kAppendName,
        PostgresValues().int4(one.shard).int8(one.last.sequence).int8(one.last.epoch).bytes(one.id).bytes(one.stored));
  }
  figures_.rounds.add();
  const auto changed = rounds_->finish_round();
  if (changed.ok()) {
    {
      // A shard has one append under way at most: nobody of this round waits yet.
      const std::lock_guard lock(mutex_);
      expected_ = waiting_.size() + round.size();
    }
    for (size_t i = 0; i < round.size(); ++i) {
      answer(round[i], changed.value()[i] == 1 ? Appended::Accepted : Appended::Conflict);
    }
    return;
  }
  if (changed.error().message != told_) options_.tell(told_ = changed.error().message);
  if (rounds_->failure().is_in_doubt) {
    {
      // Its statements may still hold what the next epoch needs.
      const std::lock_guard lock(mutex_);
      left_behind_ = rounds_->backend();
    }
    rounds_.reset();
    for (Waiting& one : round) answer(one, Appended::Unknown);
    return;
  }
  // None of it happened. One of the round may be the reason, so each is tried by itself.
  figures_.refused.add();
  if (is_again) return answer(round.front(), Appended::Unknown);
  for (Waiting& one : round) {
    if (!connect(one.since)) {
      answer(one, Appended::Unknown);
      continue;
    }
    Round alone;
    alone.push_back(std::move(one));
    send(std::move(alone), true);
  }
}

void PostgresLog::end_left_behind(PostgresConnection& connection) {
  int backend = 0;
  {
    const std::lock_guard lock(mutex_);
    backend = left_behind_;
  }
  if (backend == 0) return;
  const std::string name = "hearth:" + target_.node + ":" + target_.run;
  if (!connection.ask(kEndBackend, PostgresValues().int4(static_cast<uint32_t>(backend)).text(name)).ok()) return;
  const std::lock_guard lock(mutex_);
  if (left_behind_ == backend) left_behind_ = 0;
}

// One try on the second connection. Those who wait for their turn while it is found out that there is no engine to be asked
// have that answer too: each of them would wait for as long again.
Result<PostgresRows> PostgresLog::try_aside(const char* statement, const std::function<PostgresValues()>& values,
                                            uint64_t& unclear, Tried& tried) {
  const uint64_t lost_before = aside_lost_;
  const std::lock_guard lock(aside_mutex_);
  if (aside_lost_ != lost_before) {
    tried = Tried::ByAnother;
    return Error{ErrorCode::Unavailable, why_aside_lost_};
  }
  const auto lose = [&](Error why) {
    aside_.reset();
    why_aside_lost_ = why.message;
    ++aside_lost_;
    return why;
  };
  if (aside_ == nullptr || !aside_->is_open()) {
    aside_.reset();
    auto made = PostgresConnection::open(target_);
    if (!made.ok()) return lose(made.error());
    aside_ = std::move(made).value();
  }
  end_left_behind(*aside_);
  auto rows = aside_->ask(statement, values());
  if (rows.ok()) return rows;
  if (aside_->failure().is_in_doubt) {
    ++unclear;
    return lose(rows.error());
  }
  // No such table, not allowed: that does not change by waiting.
  if (aside_->failure().state.starts_with("42")) tried = Tried::InVain;
  return rows;
}

Result<PostgresRows> PostgresLog::insist(const char* statement, const std::function<PostgresValues()>& values,
                                         uint64_t& unclear) {
  const auto since = Steady::now();
  std::string told;
  while (true) {
    Tried tried = Tried::Here;
    auto rows = try_aside(statement, values, unclear, tried);
    if (rows.ok() || tried == Tried::InVain) return rows;
    const Error& error = rows.error();
    if (error.message != told && tried == Tried::Here) options_.tell(told = error.message);
    if (Steady::now() - since > options_.settle_max) return error;
    if (!pause()) return closing_error();
  }
}

Result<LogPosition> PostgresLog::take(uint32_t shard) {
  uint64_t unclear = 0;
  ASSIGN_OR_RETURN(const PostgresRows rows,
                   insist(
                       kTakeAnyway, [&] { return PostgresValues().int4(shard).text(target_.node); }, unclear));
  if (rows.count() == 0) {
    return Error{ErrorCode::InvalidArgument, "the cluster has no shard " + std::to_string(shard)};
  }
  figures_.epochs.add();
  return position_of(rows);
}

Result<std::optional<LogPosition>> PostgresLog::begin_epoch(uint32_t shard, uint64_t epoch) {
  uint64_t unclear = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = unclear_.find(shard); found != unclear_.end() && found->second.epoch == epoch) {
      unclear = found->second.tries;
    }
  }
  const auto values = [&] { return PostgresValues().int4(shard).text(target_.node).int8(epoch).int8(epoch + unclear); };
  const auto rows = insist(kBeginEpoch, values, unclear);
  {
    // Whoever asks again for the same epoch goes on with these tries.
    const std::lock_guard lock(mutex_);
    if (rows.ok()) {
      unclear_.erase(shard);
    } else {
      unclear_[shard] = {epoch, unclear};
    }
  }
  if (!rows.ok()) return rows.error();
  if (rows.value().count() == 0) return std::optional<LogPosition>();
  figures_.epochs.add();
  return std::optional(position_of(rows.value()));
}

Result<void> PostgresLog::put_part(const std::string& file, uint32_t number, std::string_view part) {
  uint64_t unclear = 0;
  RETURN_IF_ERROR(insist(
      kPutPart, [&] { return PostgresValues().text(file).int4(number).bytes(part); }, unclear));
  return {};
}

std::string PostgresLog::new_file(uint32_t shard) {
  return files_of_run(shard, target_.run) + random_hex(kBatchIdBytes);
}

Result<void> PostgresLog::add_file_part(uint32_t shard, const std::string& file, std::string_view part) {
  uint32_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = files_[shard][file]++;
  }
  return put_part(file, number, part);
}

}  // namespace hearth::db
