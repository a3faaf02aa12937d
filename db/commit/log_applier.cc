// Entries as they come, and a restore's file as the rows of a namespace.
#include "db/commit/log_applier.h"

#include <array>
#include <utility>

#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "db/store/staged.h"

namespace hearth::db {
namespace {

Error does_not_fit(const std::string& name, const char* what) {
  return {ErrorCode::Corruption, "the log does not fit this store: " + name + ": " + what};
}

// What a restore leaves of a namespace, table by table: these ranges are emptied, and some get rows from its file. Index rows
// are each store's own, and are built anew.
class Ranges {
 public:
  Ranges(Staged& staged, uint32_t number, const Path& at) : staged_(staged), number_(number) {
    const std::string base = encode_path(at);
    for (size_t i = 0; i < kTables.size(); ++i) {
      const bool is_of_tree = kTables[i] == Table::Data || kTables[i] == Table::Document;
      from_[i] = row_key(kTables[i], number, is_of_tree ? base : "");
      upto_[i] = is_of_tree ? from_[i] + kPastChildren : row_key(kTables[i], number + 1);
    }
  }

  Result<void> put(std::string_view row, std::string_view value) {
    const auto table = static_cast<Table>(row.front());
    while (next_ < kTables.size() && (next_ == 0 || kTables[next_ - 1] != table)) RETURN_IF_ERROR(go_on());
    const std::string key = row_key(table, number_, row.substr(1));
    const bool is_there = next_ > 0 && kTables[next_ - 1] == table && table != Table::Index;
    if (!is_there || key < from_[next_ - 1] || key >= upto_[next_ - 1] || key <= last_) {
      return Error{ErrorCode::Corruption, "the file of a restore has a row that is not in its place"};
    }
    last_ = key;
    return staged_.put(key, value);
  }
  Result<void> end() {
    while (next_ < kTables.size()) RETURN_IF_ERROR(go_on());
    RETURN_IF_ERROR(staged_.end());
    return staged_.seal();
  }

 private:
  static constexpr std::array kTables = {Table::Data, Table::Setting, Table::Index, Table::Document, Table::Expiry};

  Result<void> go_on() {
    if (next_ > 0) RETURN_IF_ERROR(staged_.end());
    RETURN_IF_ERROR(staged_.begin(from_[next_], upto_[next_], Staged::Sharing::No));
    ++next_;
    return {};
  }

  Staged& staged_;
  const uint32_t number_;
  std::array<std::string, kTables.size()> from_, upto_;
  size_t next_ = 0;  // the range that has not begun
  std::string last_;
};

}  // namespace

Result<void> LogApplier::start(const std::map<std::string, uint32_t>& names) {
  ASSIGN_OR_RETURN(const auto removed, removed_in(*committer_.durable()));
  for (const auto& [name, number] : names) {
    Tree& tree = make_tree(name, number);
    tree.named = true;
    // One that was made again and has no commit yet has no head.
    if (const auto before = removed.find(name); before != removed.end()) tree.head.sequence = before->second;
  }
  ASSIGN_OR_RETURN(last_, applied_in(*committer_.durable(), shard_));
  committer_.refresh();
  return {};
}

Tree& LogApplier::make_tree(const std::string& name, uint32_t number) {
  Tree& tree = trees_[name];
  tree.name = name;
  tree.number = number;
  return tree;
}

Result<void> LogApplier::commit() {
  RETURN_IF_ERROR(committer_.commit());
  for (const auto& [name, number] : std::exchange(named_, {})) {
    if (on_names_.named) on_names_.named(name, number);
  }
  return {};
}

// What no plan keeps any more goes here as it does where clients are served: for weeks, maybe, nobody else sees to it.
Result<void> LogApplier::trim(Timestamp now) {
  for (Tree* tree : std::exchange(changed_, {})) {
    if (committer_.wants_trim(*tree, now)) RETURN_IF_ERROR(committer_.trim(*tree, now));
    if (committer_.wants_trim_answers(*tree, now)) RETURN_IF_ERROR(committer_.trim_answers(*tree, now));
  }
  return {};
}

Result<Tree*> LogApplier::tree_of(const std::string& name) {
  const auto found = trees_.find(name);
  if (found == trees_.end()) return does_not_fit(name, "there is no such namespace");
  return &found->second;
}

Result<void> LogApplier::apply(std::string_view batch) {
  if (stopped_) return *stopped_;
  const auto run = [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const BatchHead head, read_batch_head(batch));
    if (head.shard == shard_ && head.sequence == last_.sequence && head.id == last_.id) return {};
    if (head.shard != shard_ || head.sequence != last_.sequence + 1 || head.prev != last_.id) {
      return Error{ErrorCode::Corruption, "the batch " + std::to_string(head.sequence) + " of shard " +
                                              std::to_string(head.shard) + " does not follow the batch " +
                                              std::to_string(last_.sequence) + " of shard " + std::to_string(shard_) +
                                              ", which is the last that this store has applied"};
    }
    was_there_ = false;
    RETURN_IF_ERROR(read_batch(batch, [this](BatchEntry&& entry) { return apply_entry(std::move(entry)); }));
    RETURN_IF_ERROR(trim(head.time));
    const LogPosition next{head.sequence, head.epoch, head.id};
    committer_.put_applied(shard_, next);
    RETURN_IF_ERROR(commit());
    last_ = next;
    may_be_there_ = false;
    return {};
  };
  Result<void> done = run();
  if (!done.ok()) {
    committer_.discard();
    stopped_ = done.error();
  }
  return done;
}

Result<void> LogApplier::apply_entry(BatchEntry&& entry) {
  switch (entry.kind) {
    case BatchEntry::Kind::Nothing:
      return {};
    case BatchEntry::Kind::Create: {
      if (may_be_there_ && trees_.contains(entry.name)) return {};
      if (trees_.contains(entry.name)) return does_not_fit(entry.name, "it is there already");
      Tree& tree = make_tree(entry.name, number_of_(entry.name));
      tree.head.sequence = entry.sequence;
      committer_.name(tree);
      named_.emplace_back(tree.name, tree.number);
      return {};
    }
    case BatchEntry::Kind::Commit: {
      ASSIGN_OR_RETURN(Tree * tree, tree_of(entry.name));
      changed_.insert(tree);
      if (may_be_there_) RETURN_IF_ERROR(committer_.load(*tree));
      was_there_ = may_be_there_ && entry.commit.record.sequence <= tree->head.sequence;
      if (was_there_) return {};
      return committer_.replay(*tree, entry.commit);
    }
    case BatchEntry::Kind::Answer: {  // stands behind its commit
      if (was_there_) return {};
      ASSIGN_OR_RETURN(Tree * tree, tree_of(entry.name));
      ASSIGN_OR_RETURN(KeptAnswer kept, KeptAnswer::decode(entry.answer));
      return committer_.replay_answer(*tree, std::move(kept));
    }
    case BatchEntry::Kind::Beside:
      // They come past the shard's thread, and so maybe behind the removal: then they are nobody's.
      if (const auto found = trees_.find(entry.name); found != trees_.end()) {
        committer_.replay_beside(found->second, entry.beside);
      }
      return {};
    case BatchEntry::Kind::Restore:
      return restore(entry);
    case BatchEntry::Kind::Purge:
      return purge(entry);
    case BatchEntry::Kind::Remove: {
      RETURN_IF_ERROR(commit());
      const auto found = trees_.find(entry.name);
      if (found == trees_.end()) return {};  // the process died between the removal and the row that says so
      RETURN_IF_ERROR(committer_.remove(found->second, entry.sequence));
      changed_.erase(&found->second);
      trees_.erase(found);
      if (on_names_.removed) on_names_.removed(entry.name, entry.sequence);
      return {};
    }
  }
  return {};
}

// By files beside the store, so that its size does not matter.
Result<void> LogApplier::restore(const BatchEntry& entry) {
  RETURN_IF_ERROR(commit());
  const auto found = trees_.find(entry.name);
  Tree& tree = found != trees_.end() ? found->second : make_tree(entry.name, number_of_(entry.name));
  const auto staged = store_.stage();
  Ranges ranges(*staged, tree.number, entry.at);
  std::string digest;
  RETURN_IF_ERROR(read_file_(entry.file, [&](std::string_view part) -> Result<void> {
    digest = text_digest(digest + std::string(part));
    return read_file_rows(part, [&](std::string_view row, std::string_view value) { return ranges.put(row, value); });
  }));
  RETURN_IF_ERROR(ranges.end());
  if (digest != entry.digest) return does_not_fit(entry.name, "the file of a restore is not the one that was sealed");
  Batch beside;
  std::string number;
  append_number(tree.number, number);
  beside.put(row_key(Table::Name, entry.name), number);
  beside.put(row_key(Table::Head, tree.number), entry.head);
  for (size_t depth = 0; depth < entry.at.depth(); ++depth) {
    const std::string key = row_key(Table::Data, tree.number, encode_path(entry.at.prefix(depth)));
    beside.erase(key);
    beside.erase(key + kPriorityMark);
  }
  for (const auto& [key, leaf] : entry.above) beside.put(row_key(Table::Data, tree.number, key), leaf);
  RETURN_IF_ERROR(staged->add(beside));
  RETURN_IF_ERROR(store_.commit(*staged));
  committer_.refresh();
  committer_.forget(tree);
  if (!std::exchange(tree.named, true)) named_.emplace_back(tree.name, tree.number);
  RETURN_IF_ERROR(committer_.load_restored(tree, entry.at, entry.wall));
  committer_.set_mirrored_by(tree, "");  // whoever owns the shard next goes through all documents
  return {};
}

Result<void> LogApplier::purge(const BatchEntry& entry) {
  ASSIGN_OR_RETURN(Tree * tree, tree_of(entry.name));
  Committer::Purge purge;
  purge.path = entry.at;
  while (!purge.is_done) {
    RETURN_IF_ERROR(commit());  // a step reads what is durable
    RETURN_IF_ERROR(committer_.purge(*tree, purge));
  }
  return {};
}

}  // namespace hearth::db
