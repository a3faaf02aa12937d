// Appending a batch, and what becomes of it when the answer does not come.
//
//   append ─▶ try_append("behind last_, in epoch e, id x")
//               ├ Accepted ─▶ last_ is this batch
//               ├ Conflict ─▶ lost: NotOwner
//               └ Unknown  ─▶ begin_epoch(e) ─▶ a new epoch; and what is the last batch now?
//                               ├ no answer, or not ours any more ─▶ lost: Unavailable. The batch may be there or not
//                               ├ x       ─▶ it was taken; last_ is this batch
//                               ├ last_   ─▶ it never will be there: its epoch is over. append again, with the same id
//                               └ another ─▶ lost: Unavailable. Somebody has appended
//
// The hard case is a batch that is neither there nor refused: it may still be on its way, and come to be after we have
// looked. A new epoch ends that. A batch of the old epoch is refused from then on, so what is the last one now stays
// so. That is also why the next try may use the same id: the first one can't arrive behind it. After kSettleTriesMax
// tries the log is lost as well.
//
// What is lost stays lost. `lost_` is the answer to each later append, since batches that were judged on a tree that
// others do not have may never be appended. The shard has to be taken and caught up with anew, by a new ShardLog.
//
// An append blocks the thread that holds the turn until the log has answered. FirstAnswer lives as long as the log
// keeps the callback: an answer that comes a second time finds it, and changes nothing.
//
// take_logs() compares the store with the log before anything is appended. A store that is behind has to apply what it
// lacks; one that is ahead, or has another batch at the same place, is of another history, and nothing here can mend
// that.
#include "db/log/commit_log.h"

#include <condition_variable>

#include "db/base/random.h"
#include "db/model/hash.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

// One answer, from any thread. The log may hold it longer than we wait, and answer again.
class FirstAnswer {
 public:
  void tell(CommitLog::Appended what) {
    {
      const std::lock_guard lock(mutex_);
      if (!answer_) answer_ = what;
    }
    told_.notify_all();
  }
  CommitLog::Appended wait() {
    std::unique_lock lock(mutex_);
    told_.wait(lock, [this] { return answer_.has_value(); });
    return *answer_;
  }

 private:
  std::mutex mutex_;  // Guards all below.
  std::condition_variable told_;
  std::optional<CommitLog::Appended> answer_;
};

constexpr std::string_view kRemoved = "removed/";

std::string applied_key(uint32_t shard) {
  std::string key = row_key(Table::Store, "applied");
  append_number(shard, key);
  return key;
}

}  // namespace

std::string CommitLog::new_file(uint32_t) { return random_hex(kBatchIdBytes); }

CommitLog::Appended ShardLog::try_append(const BatchHead& head, std::string_view entries) {
  std::string batch;
  batch.reserve(kBatchHeadBytesMax + entries.size());
  head.append_to(batch);
  batch += entries;
  const auto answer = std::make_shared<FirstAnswer>();
  log_.append(shard_, last_, head.id, sealed(std::move(batch)),
              [answer](CommitLog::Appended what) { answer->tell(what); });
  return answer->wait();
}

void ShardLog::lose(Error why) {
  if (lost_) return;
  lost_ = std::move(why);
  if (on_lost_) on_lost_(shard_, *lost_);
}

Result<void> ShardLog::append(std::string_view entries, Timestamp time) {
  if (lost_) return *lost_;
  const auto lose_to_another = [this] {
    lose({ErrorCode::NotOwner, "Another node owns the shard of this namespace; ask again."});
    return *lost_;
  };
  // The batch may be there or not, so nothing can be appended behind the one before it.
  const auto lose_count = [this](const std::string& why) {
    lose({ErrorCode::Unavailable, "It is not known whether this was written, for the log gives no answer: " + why});
    return *lost_;
  };
  BatchHead head;
  head.shard = shard_;
  head.sequence = last_.sequence + 1;
  head.prev = last_.id;
  head.id.resize(kBatchIdBytes);
  random_bytes(head.id.data(), head.id.size());
  head.time = time;
  for (int tries = 0; tries < kSettleTriesMax; ++tries) {
    head.epoch = last_.epoch;
    switch (try_append(head, entries)) {
      case CommitLog::Appended::Accepted:
        last_ = {head.sequence, head.epoch, head.id};
        return {};
      case CommitLog::Appended::Conflict:
        return lose_to_another();
      case CommitLog::Appended::Unknown:
        break;
    }
    const auto begun = log_.begin_epoch(shard_, last_.epoch);
    if (!begun.ok()) return lose_count(begun.error().message);
    // Whoever has the shard now knows whether the batch is there. Here that can't be said.
    if (!begun.value()) return lose_count("another node owns the shard");
    // The epoch of the batch is over: it is the last one, or never will be.
    const LogPosition& found = *begun.value();
    if (found.id == head.id) {
      last_ = found;
      return {};
    }
    if (found.id != last_.id) return lose_count("somebody has appended behind what this node knows");
    last_.epoch = found.epoch;
  }
  return lose_count("none came, " + std::to_string(kSettleTriesMax) + " times");
}

uint32_t shard_of(std::string_view name, uint32_t shards) { return read_number(text_digest(name)) % shards; }

uint32_t number_for(std::string_view name, uint32_t from, uint32_t shards) {
  return from + (shard_of(name, shards) + shards - from % shards) % shards;
}

Result<ShardLogs> take_logs(CommitLog& log, const Snapshot& snapshot, uint32_t shards) {
  ShardLogs taken;
  for (uint32_t shard = 0; shard < shards; ++shard) {
    ASSIGN_OR_RETURN(const LogPosition applied, applied_in(snapshot, shard));
    ASSIGN_OR_RETURN(LogPosition last, log.take(shard));
    if (last.sequence != applied.sequence || last.id != applied.id) {
      return Error{ErrorCode::Unavailable,
                   "the log of shard " + std::to_string(shard) + " is at batch " + std::to_string(last.sequence) +
                       ", and this store has applied batch " + std::to_string(applied.sequence) +
                       (applied.sequence < last.sequence ? "; it has to apply what is missing before it takes writes"
                                                         : "; they are not of one history")};
    }
    taken.logs.push_back(std::make_shared<ShardLog>(log, shard, std::move(last)));
  }
  return taken;
}

std::pair<std::string, std::string> applied_row(uint32_t shard, const LogPosition& last) {
  std::string value;
  append_sequence(last.sequence, value);
  append_sequence(last.epoch, value);
  value += last.id;
  return {applied_key(shard), std::move(value)};
}

Result<LogPosition> applied_in(const Snapshot& snapshot, uint32_t shard) {
  ASSIGN_OR_RETURN(const auto row, snapshot.get(applied_key(shard)));
  LogPosition last;
  if (!row) return last;
  if (row->size() != 8 + 8 + kBatchIdBytes) {
    return Error{ErrorCode::Corruption,
                 "the row that says what of the log of shard " + std::to_string(shard) + " is applied"};
  }
  last.sequence = read_sequence(*row);
  last.epoch = read_sequence(std::string_view(*row).substr(8));
  last.id = row->substr(16);
  return last;
}

std::pair<std::string, std::string> removed_row(const std::string& name, uint64_t sequence) {
  std::string value;
  append_sequence(sequence, value);
  return {row_key(Table::Store, kRemoved) + name, std::move(value)};
}

Result<std::map<std::string, uint64_t>> removed_in(const Snapshot& snapshot) {
  std::map<std::string, uint64_t> removed;
  const std::string from = row_key(Table::Store, kRemoved);
  Result<void> read;
  RETURN_IF_ERROR(snapshot.scan(from, from + '\xff', [&](std::string_view key, std::string_view value) {
    if (value.size() != 8) {
      read = Error{ErrorCode::Corruption, "the row that says where a removed namespace goes on"};
      return false;
    }
    removed[std::string(key.substr(from.size()))] = read_sequence(value);
    return true;
  }));
  RETURN_IF_ERROR(read);
  return removed;
}

}  // namespace hearth::db
