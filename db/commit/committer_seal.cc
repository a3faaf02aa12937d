// The committer's part in a log that several machines share (db/log/commit_log.h), at both of its ends.
//
//   the owner      accept(), name(), keep_answer(), … ─▶ seal(): entries, by shard ─▶ commit(): append_sealed(), then the rows
//   who follows    LogApplier ─▶ replay(), replay_answer(), … ─▶ commit()
//
// Both ends make rows by the same functions, apply() and accept(): the owner from effects that it has just settled, the others
// from the same effects as bytes. What an owner puts into the log is taken down before anything depends on it: an entry
// that is not taken down is lost to all the others.
#include <algorithm>

#include "db/base/random.h"
#include "db/commit/pending_tree.h"
#include "db/commit/seed.h"
#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {

void Committer::note_before(Tree& tree) {
  if (logs_ == nullptr || before_.contains(&tree)) return;
  before_.emplace(&tree, Before{tree.head, tree.named});
}

void Committer::seal(const Tree& tree, BatchEntry entry) {
  entry.name = tree.name;
  entry.append_to(sealed_[logs_->of(tree.number).shard()]);
}

void Committer::seal_commit(const Tree& tree, const Accepted& accepted, const Told& told) {
  static const Path kRoot;
  const bool is_told = told.write != nullptr;
  const LogEntryParts commit{.wall = accepted.wall,
                             .told_as_update = is_told && told.write->merge,
                             .base = is_told ? told.write->base : kRoot,
                             .by = is_told ? std::string_view(told.write->by) : std::string_view(),
                             .record = accepted.record};
  sealed_at_ = accepted.wall;
  append_commit(tree.name, commit, sealed_[logs_->of(tree.number).shard()]);
}

// A group of a heavy shard may be of several logs. Where a later one refuses, an earlier one has its part already: that log
// is lost to us as well, for what it has we do not have.
Result<void> Committer::append_sealed(std::vector<std::unique_lock<std::mutex>>& turns) {
  const auto sealed = std::exchange(sealed_, {});
  std::vector<ShardLog*> appended;
  for (const auto& [shard, entries] : sealed) {
    ShardLog& log = *logs_->logs[shard];
    turns.push_back(log.turn());
    if (const Result<void> done = log.append(entries, sealed_at_); !done.ok()) {
      for (ShardLog* before : appended) {
        before->lose({ErrorCode::Unavailable, "The log has a batch of this shard that this node has not applied."});
      }
      return done;
    }
    appended.push_back(&log);
    put_applied(shard, log.last());
  }
  return {};
}

void Committer::put_applied(uint32_t shard, const LogPosition& last) {
  const auto [key, value] = applied_row(shard, last);
  rows_.put(key, value);
}

void Committer::discard() {
  pending_.clear();
  rows_ = Batch();
  accepted_ = 0;
  sealed_.clear();
  for (auto& [tree, before] : std::exchange(before_, {})) {
    forget(*tree);
    tree->head = before.head;
    tree->named = before.named;
  }
  durable_.reset();
}

Result<void> Committer::begin_restoring(const Tree& tree) {
  if (logs_ == nullptr) return {};
  Batch mark;
  mark.put(planting_row(logs_->of(tree.number).shard()), "1");
  return store_.commit(mark, TreeStore::Durability::Synced);
}

Result<void> Committer::give_up_restoring(const Tree& tree) {
  if (logs_ == nullptr) return {};
  Batch mark;
  mark.erase(planting_row(logs_->of(tree.number).shard()));
  return store_.commit(mark, TreeStore::Durability::Synced);
}

void Committer::seal_restored(Tree& tree, const Path& at, Timestamp now) {
  if (logs_ == nullptr) return;
  ShardLog& log = logs_->of(tree.number);
  Result<void> read = load(tree);
  BatchEntry entry;
  entry.kind = BatchEntry::Kind::Restore;
  entry.at = at;
  entry.wall = now;
  entry.head = tree.head.encode();
  entry.file = log.new_file();
  Result<std::string> digest = seal_file(tree, at, entry.file);
  if (digest.ok()) entry.digest = digest.value();
  const SnapshotView view(durable(), tree.number);
  for (size_t depth = 0; digest.ok() && read.ok() && depth < at.depth(); ++depth) {
    for (const std::string& key : {encode_path(at.prefix(depth)), encode_path(at.prefix(depth)) + kPriorityMark}) {
      const auto leaf = view.leaf(key);
      if (!leaf.ok()) {
        read = leaf.error();
      } else if (leaf.value()) {
        entry.above.emplace_back(key, *leaf.value());
      }
    }
  }
  sealed_at_ = now;
  if (digest.ok() && read.ok()) {
    rows_.erase(planting_row(log.shard()));
    return seal(tree, std::move(entry));
  }
  unsealed_ = Error{ErrorCode::Unavailable, "A restore could not be put into the log: " +
                                                (digest.ok() ? read.error() : digest.error()).message};
  const auto turn = log.turn();
  log.lose(*unsealed_);
}

// What the namespace has at and below `at`, and its settings, as rows without its number. Returns the file's digest.
Result<std::string> Committer::seal_file(const Tree& tree, const Path& at, const std::string& file) {
  ShardLog& log = logs_->of(tree.number);
  const std::string base = encode_path(at);
  std::string digest;
  std::string part;
  Result<void> added;
  const auto flush = [&] {
    added = log.add_file_part(file, part);
    digest = text_digest(digest + part);
    part.clear();
    return added.ok();
  };
  const auto scan = [&](Table table, const std::string& from, const std::string& upto) -> Result<void> {
    return durable()->scan(from, upto, [&](std::string_view key, std::string_view value) {
      std::string row(1, static_cast<char>(table));
      row += key.substr(kTableAndNumber);
      append_file_row(row, value, part);
      return part.size() < kFilePartBytes || flush();
    });
  };
  const uint32_t number = tree.number;
  for (const Table table : {Table::Data, Table::Setting, Table::Document, Table::Expiry}) {
    const bool is_of_tree = table == Table::Data || table == Table::Document;
    const std::string from = row_key(table, number, is_of_tree ? base : "");
    RETURN_IF_ERROR(scan(table, from, is_of_tree ? from + kPastChildren : row_key(table, number + 1)));
    RETURN_IF_ERROR(added);
  }
  if (!part.empty() && !flush()) return added.error();
  return digest;
}

Result<void> Committer::replay(Tree& tree, const Record& record) {
  LogEntry entry;
  entry.wall = record.time;
  entry.record = record;
  return replay(tree, entry, false);
}

Result<void> Committer::replay(Tree& tree, const LogEntry& entry) { return replay(tree, entry, true); }

Result<void> Committer::replay(Tree& tree, const LogEntry& entry, bool follows_settings) {
  RETURN_IF_ERROR(load(tree));
  const Record& record = entry.record;
  if (record.sequence != tree.head.sequence + 1) {
    return Error{ErrorCode::Corruption, "the commit " + std::to_string(record.sequence) + " of " + tree.name +
                                            " does not follow the one before it, " +
                                            std::to_string(tree.head.sequence)};
  }
  PendingTree& at = pending(tree);
  After after(at);
  if (concern_documents(record.effects)) {
    after.with_documents(at.with_documents(*this));
  }
  Pending to = after.pending(tree.number);
  RETURN_IF_ERROR(apply(record, to));
  RETURN_IF_ERROR(follow(record.effects, at.durable_view(), WithoutEphemeral(after.tree, after.paths), after.indexes));
  RETURN_IF_ERROR(follow_expiry(at, after, record.effects, record.time));
  Accepted accepted{.record = record, .changed = {}, .wall = entry.wall};
  bool writes_priorities = false;
  for (const Effect& effect : record.effects) {
    accepted.changed.push_back({effect.path, Slot::Value, {}});
    accepted.configures = accepted.configures || (follows_settings && effect.kind == Effect::Kind::Configure);
    const bool is_of_data = effect.kind == Effect::Kind::Set || effect.kind == Effect::Kind::SetPriority;
    writes_priorities = writes_priorities || (is_of_data && effect.value.has_priorities());
  }
  Write write;
  write.merge = entry.told_as_update;
  write.base = entry.base;
  write.by = entry.by;
  accept(at, std::move(after), accepted, {writes_priorities, &write});
  return {};
}

Result<void> Committer::replay_answer(Tree& tree, KeptAnswer kept) {
  RETURN_IF_ERROR(load(tree));
  RETURN_IF_ERROR(load_answers(tree));
  keep_answer(tree, std::move(kept));
  return {};
}

void Committer::replay_beside(const Tree& tree, const std::map<std::string, std::optional<std::string>>& rows) {
  for (const auto& [row, value] : rows) {
    const std::string key = row_key(Table::Beside, tree.number, row);
    if (value) {
      rows_.put(key, *value);
    } else {
      rows_.erase(key);
    }
  }
}

}  // namespace hearth::db
