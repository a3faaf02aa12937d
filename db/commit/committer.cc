// The write pipeline of one shard.
//
//              ┌────────────── After: what one write would make ─────────────┐
//   Write ─▶ evaluate ─▶ quota ─▶ follow (indexes) ─▶ tell (listeners) ─▶ accept() ─▶ PendingTree ─▶ commit(): Rows
//              └─ refused, or its step is over: After is dropped, nothing is to be undone      one batch, one fsync
//
//   what a write sees      After.tree ─▶ PendingTree.overlay ─▶ PendingTree.base (readable())
//                          this write    the group so far        what is on disk, for the whole group, and in memory alone
//
// - A write is judged on everything that was accepted before it, durable or not. The price: when commit() fails, the
//   whole group fails, refusals included, for they were judged against writes that will never have happened.
// - Each write has its own After. An error anywhere, or a step that took too long, leaves the group as it was.
// - `Tree` (head, plan, hashes, usage) runs ahead of the disk: accept() changes it, commit() makes it true. After a
//   failed commit it stays ahead; that is harmless, because the store refuses every write until a restart.
// - tell() runs before accept(), while both trees exist; what it notes is sent only after commit().
#include "db/commit/committer.h"

#include <algorithm>

#include "db/base/step.h"
#include "db/commit/pending_tree.h"
#include "db/store/row_key.h"

namespace hearth::db {

// The group as rows: names, heads, queues, data, settings, in the order of their tables.
// The order is that of the keys, which RowSource promises and a file needs.
class Committer::Rows final : public RowSource {
 public:
  explicit Rows(const Committer& group) : group_(group) {}
  size_t row_count() const override {
    size_t count = group_.rows_.row_count();
    for (const auto& [number, pending] : group_.pending_) {
      count += 1 + pending->overlay.row_count() + pending->index_rows.row_count();
      if (pending->documents) count += pending->documents->row_count();
      count += pending->log_rows.size() + pending->version_rows.size();
      count += pending->erased_versions.size() + pending->erased_log.size();
      if (pending->expiry) count += pending->expiry->row_count();
    }
    return count;
  }
  std::vector<std::pair<std::string, std::string>> ranges() const override {
    std::vector<std::pair<std::string, std::string>> ranges;
    for (const auto& [number, pending] : group_.pending_) {
      const std::string prefix = row_key(Table::Data, number);
      for (const auto& [from, upto] : pending->overlay.emptied()) {
        if (!is_in_memory(*pending, from, upto)) ranges.emplace_back(prefix + from, prefix + upto);
      }
    }
    for (const auto& [number, pending] : group_.pending_) {
      const std::string prefix = row_key(Table::Index, number);
      for (const auto& [from, upto] : pending->index_rows.emptied()) ranges.emplace_back(prefix + from, prefix + upto);
    }
    for (const auto& [number, pending] : group_.pending_) {
      if (!pending->documents) continue;
      const std::string prefix = row_key(Table::Document, number);
      for (const auto& [from, upto] : pending->documents->emptied()) ranges.emplace_back(prefix + from, prefix + upto);
    }
    for (const auto& [number, pending] : group_.pending_) {
      if (pending->ends_log) ranges.emplace_back(row_key(Table::Log, number), row_key(Table::Log, number + 1));
    }
    for (const auto& [number, pending] : group_.pending_) {
      const std::string prefix = row_key(Table::Version, number);
      for (const auto& [from, upto] : pending->purged) ranges.emplace_back(prefix + from, prefix + upto);
      if (pending->ends_versions) {
        ranges.emplace_back(row_key(Table::Version, number), row_key(Table::Version, number + 1));
      }
    }
    for (const auto& [number, pending] : group_.pending_) {
      if (!pending->expiry) continue;
      const std::string prefix = row_key(Table::Expiry, number);
      for (const auto& [from, upto] : pending->expiry->emptied()) ranges.emplace_back(prefix + from, prefix + upto);
    }
    return ranges;
  }
  void rows(const PutFunction& put) const override {
    const auto beside = [&](Table from, Table upto) {
      group_.rows_.rows([&](std::string_view key, std::optional<std::string_view> value) {
        const auto table = static_cast<Table>(key.front());
        if (from <= table && table < upto) put(key, value);
      });
    };
    beside(Table::Store, Table::Head);
    for (const auto& [number, pending] : group_.pending_) {
      if (pending->changed) put(row_key(Table::Head, number), pending->tree.head.encode());
    }
    beside(Table::Head, Table::Data);
    for (const auto& [number, pending] : group_.pending_) data_changes(*pending, put);
    beside(Table::Setting, Table::Index);
    for (const auto& [number, pending] : group_.pending_) changes(Table::Index, number, pending->index_rows, put);
    for (const auto& [number, pending] : group_.pending_) {
      if (pending->documents) changes(Table::Document, number, *pending->documents, put);
    }
    beside(Table::History, Table::Log);
    for (const auto& [number, pending] : group_.pending_) {
      sorted(Table::Log, number, pending->erased_log, pending->log_rows, put);
    }
    for (const auto& [number, pending] : group_.pending_) {
      sorted(Table::Version, number, pending->erased_versions, pending->version_rows, put);
    }
    beside(Table::Answer, Table::Expiry);
    for (const auto& [number, pending] : group_.pending_) {
      if (pending->expiry) changes(Table::Expiry, number, *pending->expiry, put);
    }
  }

 private:
  // Rows that came in no order. What is erased and put is put.
  static void sorted(Table table, uint32_t number, const std::vector<std::string>& erased,
                     const std::vector<std::pair<std::string, std::string>>& rows, const PutFunction& put) {
    if (erased.empty() && rows.empty()) return;
    std::map<std::string_view, std::optional<std::string_view>> all;
    for (const std::string& row : erased) all[row] = std::nullopt;
    for (const auto& [row, value] : rows) all[row] = value;
    std::string key = row_key(table, number);
    for (const auto& [row, value] : all) {
      key.resize(kTableAndNumber);
      key += row;
      put(key, value);
    }
  }
  static void changes(Table table, uint32_t number, const Overlay& overlay, const PutFunction& put) {
    overlay.changes(row_key(table, number), put);
  }

  // Whether all of the range is in memory alone. One that a cut has left may begin behind an ephemeral place.
  static bool is_in_memory(const PendingTree& pending, std::string_view from, std::string_view upto) {
    if (!pending.changed) return true;
    const PathPlan* paths = pending.tree.ephemeral_paths();
    if (paths == nullptr || pending.replans_ephemeral) return false;
    const auto place = paths->ephemeral_place(from);
    return place && upto <= std::string(*place) + kPastChildren;
  }
  // Where the group has changed what is ephemeral, a row that it removed was on disk or was not: whichever it is now.
  void data_changes(const PendingTree& pending, const PutFunction& put) const {
    if (!pending.changed) return;  // what it has is in memory alone, or nothing
    const PathPlan* paths = pending.tree.ephemeral_paths();
    const bool is_replanned = pending.replans_ephemeral;
    if (paths == nullptr && !is_replanned) return changes(Table::Data, pending.tree.number, pending.overlay, put);
    const SnapshotView disk(group_.durable(), pending.tree.number);
    changes(Table::Data, pending.tree.number, pending.overlay,
            [&](std::string_view key, std::optional<std::string_view> value) {
              const std::string_view row = key.substr(kTableAndNumber);
              if (is_replanned && !value) {
                const auto old = disk.leaf(row);
                if (!old.ok() || old.value()) put(key, value);
              } else if (paths == nullptr || !paths->is_ephemeral(row)) {
                put(key, value);
              }
            });
  }

  const Committer& group_;
};

// Removes everything that a namespace has.
// Two rows and a range tombstone for each table, however large the namespace is. The number is not used again while this process
// lives.
class Committer::AllOf final : public RowSource {
 public:
  // `beside`: rows of the store that say so, in their order.
  AllOf(const Tree& tree, std::vector<std::pair<std::string, std::string>> beside)
      : tree_(tree), beside_(std::move(beside)) {}
  size_t row_count() const override { return 2 + beside_.size(); }
  std::vector<std::pair<std::string, std::string>> ranges() const override {
    std::vector<std::pair<std::string, std::string>> ranges;
    for (const Table table :
         {Table::Disconnect, Table::Data, Table::Setting, Table::Index, Table::Document, Table::History, Table::Log,
          Table::Version, Table::Answer, Table::Mirror, Table::Beside, Table::Expiry}) {
      ranges.emplace_back(row_key(table, tree_.number), row_key(table, tree_.number + 1));
    }
    return ranges;
  }
  void rows(const PutFunction& put) const override {
    for (const auto& [key, value] : beside_) put(key, value);
    put(row_key(Table::Name, tree_.name), std::nullopt);
    put(row_key(Table::Head, tree_.number), std::nullopt);
  }

 private:
  const Tree& tree_;
  const std::vector<std::pair<std::string, std::string>> beside_;
};

Committer::Committer(TreeStore& store, TreeStore::Durability durability, Quota quota, Usage::InBackground in_background,
                     ClockSteps* steps, size_t leaf_cache_bytes, HistoryPlan history, uint64_t answers_bytes_max,
                     const ShardLogs* logs)
    : store_(store),
      durability_(durability),
      quota_(quota),
      in_background_(std::move(in_background)),
      steps_(steps),
      history_(history),
      answers_bytes_max_(answers_bytes_max),
      logs_(logs),
      leaf_cache_(leaf_cache_bytes) {}
Committer::~Committer() = default;

const std::shared_ptr<const Snapshot>& Committer::durable() const {
  if (durable_ == nullptr) durable_ = store_.snapshot();
  return durable_;
}

void Committer::refresh() {
  invariant(pending_.empty() && rows_.row_count() == 0, "who changes the store meanwhile has the committer for itself");
  durable_.reset();
}

void Committer::forget(Tree& tree) {
  tree.loaded = false;
  tree.plan = std::make_shared<const IndexPlan>();
  tree.is_reconciled = false;
  tree.hashes.clear();
  tree.leaves = LeafCache::new_tree();
  tree.usage = Usage();
  tree.log = {};
  tree.answers = {};
  tree.expiry = {};
}

Result<void> Committer::remove(Tree& tree, std::optional<uint64_t> goes_on) {
  RETURN_IF_ERROR(load(tree));  // whose sequence is asked for afterwards
  std::vector<std::unique_lock<std::mutex>> turns;
  std::vector<std::pair<std::string, std::string>> beside;
  if (logs_ != nullptr) {
    BatchEntry entry;
    entry.kind = BatchEntry::Kind::Remove;
    entry.sequence = tree.head.sequence + 1;  // an id of before it means no moment of the next one
    goes_on = entry.sequence;
    seal(tree, std::move(entry));
    const Result<void> appended = append_sealed(turns);
    rows_ = Batch();
    if (!appended.ok()) return appended;
    const ShardLog& log = logs_->of(tree.number);
    beside.push_back(applied_row(log.shard(), log.last()));
  }
  if (goes_on) beside.push_back(removed_row(tree.name, *goes_on));
  RETURN_IF_ERROR(store_.commit(AllOf(tree, std::move(beside)), durability_));
  refresh();
  before_.clear();
  drop_ephemeral(tree, Path());
  forget(tree);
  tree.named = false;
  return {};
}

Result<void> Committer::load(Tree& tree) { return load(tree, nullptr); }

Result<void> Committer::load(Tree& tree, const Restored* restored) {
  if (tree.loaded) return {};
  ASSIGN_OR_RETURN(const auto row, durable()->get(row_key(Table::Head, tree.number)));
  if (row) {
    ASSIGN_OR_RETURN(tree.head, Head::decode(*row));
  }
  ASSIGN_OR_RETURN(const auto plan, durable()->get(row_key(Table::Index, tree.number, kPlanRow)));
  if (plan) {
    ASSIGN_OR_RETURN(IndexPlan stored, IndexPlan::decode(*plan));
    tree.plan = std::make_shared<const IndexPlan>(std::move(stored));
  }
  RETURN_IF_ERROR(load_log(tree, restored));
  RETURN_IF_ERROR(load_expiry(tree));
  tree.loaded = true;
  return {};
}

Committer::PendingTree& Committer::pending(Tree& tree) {
  auto& found = pending_[tree.number];
  if (found == nullptr) {
    note_before(tree);
    found = std::make_unique<PendingTree>(*this, tree);
  }
  return *found;
}

bool Committer::dirty(const Tree& tree) const {
  const auto found = pending_.find(tree.number);
  return found != pending_.end() && (found->second->changed || found->second->changes_ephemeral);
}

const TreeView& Committer::view(Tree& tree) { return pending(tree).view; }
const Settings& Committer::settings(Tree& tree) { return pending(tree).settings; }
const TreeView& Committer::documents(Tree& tree) { return pending(tree).with_documents(*this); }

Result<void> Committer::judge(Tree& tree, const Write& write, Timestamp now) {
  RETURN_IF_ERROR(load(tree));
  PendingTree& at = pending(tree);
  const TreeView* documents = tree.head.has_documents ? &at.with_documents(*this) : nullptr;
  const Found found{.tree = at.view,
                    .settings = at.settings,
                    .has_priorities = tree.head.has_priorities,
                    .documents = documents,
                    .paths = tree.ephemeral_paths()};
  return db::judge(write, found, Times::after(tree.head.time, now));
}

void Committer::name(Tree& tree) {
  if (tree.named) return;
  if (logs_ != nullptr) {
    note_before(tree);
    BatchEntry entry;
    entry.kind = BatchEntry::Kind::Create;
    entry.sequence = tree.head.sequence;
    seal(tree, std::move(entry));
  }
  std::string number;
  append_number(tree.number, number);
  rows_.put(row_key(Table::Name, tree.name), number);
  tree.named = true;
}

// `documents`: as the write would make them; null: the namespace has none.
Result<void> Committer::admit(PendingTree& at, const Overlay& after, const Overlay* documents, bool at_rest) {
  const PathPlan* paths = at.tree.ephemeral_paths();
  if (paths == nullptr) return admit(at, at.view, after, documents, at_rest);
  const WithoutEphemeral before = at.durable_view();  // what is in memory alone is not counted
  Overlay durable_after(static_cast<const TreeView&>(before));
  copy_durable(after, *paths, durable_after);
  return admit(at, before, durable_after, documents, at_rest);
}

Result<void> Committer::admit(PendingTree& at, const TreeView& before, const Overlay& after, const Overlay* documents,
                              bool at_rest) {
  std::vector<TableChange> changes{{before, after}};
  if (documents != nullptr) changes.push_back({at.with_documents(*this), *documents});
  const uint32_t number = at.tree.number;
  const auto scan = [this, number]() -> Usage::Scan {
    return [snapshot = durable(), number](const TreeView::RowFunction& row) -> Result<void> {
      RETURN_IF_ERROR(SnapshotView(snapshot, number).scan("", "\xff", row));
      return SnapshotView(snapshot, number, Table::Document).scan("", "\xff", row);
    };
  };
  // The scan is of the durable snapshot, so it may run on another thread, later.
  const Result<void> admitted = at.tree.usage.admit(quota_, at.tree.name, changes, at_rest, scan, in_background_);
  if (!admitted.ok() && admitted.error().code == ErrorCode::TooLarge) counted_.over_quota.add();
  return admitted;
}

// From here on what `accepted` says is part of the group: later writes are judged against it.
void Committer::accept(PendingTree& pending, After&& after, const Accepted& accepted, const Told& told) {
  Tree& tree = pending.tree;
  invariant(accepted.record.sequence == tree.head.sequence + 1, "records come in their order, without gaps");
  name(tree);
  if (logs_ != nullptr) seal_commit(tree, accepted, told);
  if (tree.log.plan.versions && !tree.log.state && accepted.record.sequence == 1) begin_with_versions(pending);
  if (tree.log.state) keep_versions(pending, after, accepted.record);
  tree.head.sequence = accepted.record.sequence;
  tree.head.time = accepted.record.time;
  tree.head.has_priorities = tree.head.has_priorities || told.writes_priorities;
  tree.head.rules = std::move(after.rules);
  tree.plan = std::move(after.indexes.plan);
  if (accepted.configures) tree.is_reconciled = false;
  pending.overlay.absorb(std::move(after.tree));
  pending.index_rows.absorb(std::move(after.index_rows));
  if (after.documents && !after.documents->empty()) {
    tree.head.has_documents = true;
    pending.with_documents(*this).absorb(std::move(*after.documents));
  }
  rows_.take(std::move(after.beside));
  keep_expiry(pending, after, accepted.record);
  pending.changed = true;
  if (after.paths != nullptr) {
    pending.ephemeral = std::move(after.ephemeral);
    pending.changes_ephemeral = true;
  }
  ++accepted_;
  for (const Overwrite& changed : accepted.changed) forget_related(tree.hashes, changed.path);
  if (tree.log.plan.is_on() || tree.log.state || accepted.configures) keep_log(pending, accepted, told);
}

Result<Accepted> Committer::write(Tree& tree, const Write& write, Timestamp now, const Tell& tell) {
  return write_all(tree, {&write, 1}, {}, now, tell, Refused::Returned);
}

Result<Accepted> Committer::write_each(Tree& tree, const std::vector<Write>& writes, std::vector<Effect> also,
                                       Timestamp now, const Tell& tell) {
  return write_all(tree, writes, std::move(also), now, tell, Refused::LeftOut);
}

Result<Accepted> Committer::queue(Tree& tree, std::vector<Effect> effects, Timestamp now) {
  return write_all(tree, {}, std::move(effects), now, nullptr, Refused::Returned);
}

Result<void> Committer::derive(Tree& tree, const Effect& effect) {
  invariant(effect.kind == Effect::Kind::Reindex || effect.kind == Effect::Kind::BuildIndex, "index rows alone");
  RETURN_IF_ERROR(store_.health());
  RETURN_IF_ERROR(load(tree));
  PendingTree& at = pending(tree);
  After after(at);
  Pending to = after.pending(tree.number);
  RETURN_IF_ERROR(apply(effect, to));
  if (Step::here().is_over()) return step_is_over();
  tree.plan = std::move(after.indexes.plan);
  at.index_rows.absorb(std::move(after.index_rows));
  at.changed = true;
  return {};
}

Result<void> Committer::has_room(Tree& tree, const Size& by) {
  if (!quota_.is_set()) return {};
  RETURN_IF_ERROR(load(tree));
  PendingTree& at = pending(tree);
  const WithoutEphemeral durable_view = at.durable_view();
  std::vector<const TreeView*> tables{&durable_view};
  if (tree.head.has_documents) tables.push_back(&at.with_documents(*this));
  return tree.usage.has_room(quota_, tree.name, tables, by);
}

Result<Accepted> Committer::write_all(Tree& tree, std::span<const Write> writes, std::vector<Effect> also,
                                      Timestamp wall, const Tell& tell, Refused refused) {
  RETURN_IF_ERROR(store_.health());
  RETURN_IF_ERROR(load(tree));
  // Before pending(): whether what is on disk is all there is (quota.cc needs to know).
  const bool at_rest = !dirty(tree);
  PendingTree& at = pending(tree);
  const Times now = Times::after(tree.head.time, wall);
  if (steps_ != nullptr) steps_->note(tree.name, tree.head.time, now);
  Accepted accepted;
  accepted.wall = now.wall;
  accepted.record = {tree.head.sequence, now.server, {}};

  After after(at);  // taken in as a whole, or not at all
  const bool for_documents = concern_documents(also);
  if (tree.head.has_documents || for_documents) after.with_documents(at.with_documents(*this));
  const TreeView* documents = after.documents ? &*at.documents : nullptr;
  Settled all;
  std::vector<Path> ephemeral_places;  // at which the write puts something
  for (const Write& write : writes) {
    if (refused == Refused::Returned) {
      if (after.paths != nullptr) {
        ASSIGN_OR_RETURN(ephemeral_places, ephemeral_puts(write, *after.paths));
      }
      Pending to = after.pending(tree.number);
      const Found found{.tree = at.view,
                        .settings = at.settings,
                        .has_priorities = tree.head.has_priorities,
                        .documents = documents,
                        .paths = after.paths};
      ASSIGN_OR_RETURN(all, evaluate(write, found, to, now));
      break;
    }
    if (after.paths != nullptr && !ephemeral_puts(write, *after.paths).ok()) continue;
    // Each is judged on the state that the ones before it left; one that is refused does not stop the others.
    // An overlay of its own for each, over what the earlier ones left: a refused one takes nothing along.
    const TreeView& left = after.tree;
    Overlay single(left);
    std::optional<Overlay> single_documents;
    if (after.documents) single_documents.emplace(static_cast<const TreeView&>(*after.documents));
    Pending to{.number = tree.number,
               .tree = single,
               .rows = after.beside,
               .rules = after.rules,
               .documents = single_documents ? &*single_documents : nullptr,
               .paths = after.paths};
    const Found found{.tree = left,
                      .settings = at.settings,
                      .has_priorities = tree.head.has_priorities || all.writes_priorities,
                      .documents = after.documents ? &*after.documents : nullptr,
                      .paths = after.paths};
    Result<Settled> settled = evaluate(write, found, to, now);
    if (Step::here().is_over()) return step_is_over();  // of this one nothing is known
    if (!settled.ok()) continue;
    after.tree.absorb(std::move(single));
    if (single_documents) after.documents->absorb(std::move(*single_documents));
    std::move(settled.value().effects.begin(), settled.value().effects.end(), std::back_inserter(all.effects));
    std::move(settled.value().changed.begin(), settled.value().changed.end(), std::back_inserter(all.changed));
    all.writes_priorities = all.writes_priorities || settled.value().writes_priorities;
  }
  for (Effect& effect : also) {
    Pending to = after.pending(tree.number);
    RETURN_IF_ERROR(apply(effect, to));
    all.effects.push_back(std::move(effect));
  }
  if (all.configures) RETURN_IF_ERROR(replan_ephemeral(at, after, all));
  if (after.paths != nullptr) {
    RETURN_IF_ERROR(keep_ephemeral(at, after, ephemeral_places, writes.empty() ? 0 : writes.front().holder));
    accepted.changed = std::move(all.changed);
    const bool changes_any = !all.effects.empty();
    all.effects = durable_effects(std::move(all.effects), *after.paths);
    if (changes_any && all.effects.empty()) return accept_ephemeral(at, std::move(after), std::move(accepted), tell);
    if (!changes_any && !ephemeral_places.empty()) {  // it says again what is there: that stays for it from here on
      at.ephemeral = std::move(after.ephemeral);
      at.changes_ephemeral = true;
    }
    all.changed = std::move(accepted.changed);
  }
  // Nothing changed: no sequence is used, and nobody is told.
  if (all.effects.empty()) return accepted;
  if (quota_.is_set()) {
    // Writes of a client's end were admitted when they were queued.
    if (refused == Refused::LeftOut) {
      tree.usage.note(after.tree);
      if (after.documents) tree.usage.note(*after.documents);
    } else {
      RETURN_IF_ERROR(admit(at, after.tree, after.documents ? &*after.documents : nullptr, at_rest));
    }
  }
  RETURN_IF_ERROR(follow(all.effects, at.durable_view(), WithoutEphemeral(after.tree, after.paths), after.indexes));
  RETURN_IF_ERROR(follow_expiry(at, after, all.effects, now.server));
  if (Step::here().is_over()) return step_is_over();

  accepted.record = {tree.head.sequence + 1, now.server, std::move(all.effects)};
  accepted.changed = std::move(all.changed);
  accepted.configures = all.configures;
  if (tell != nullptr && (!accepted.changed.empty() || accepted.configures)) {
    // Set early, for tell() looks at it; if the write fails now, the flag stays, and costs some speed only.
    tree.head.has_priorities = tree.head.has_priorities || all.writes_priorities;
    const IndexedView shown(after.tree, after.indexes.plan, after.index_rows, &after.ephemeral);
    // Once somebody was told, the step goes on to its end: tell() looks whether it is over before that.
    RETURN_IF_ERROR(tell(accepted, at.view, shown, GroupSettings(*this, tree.number, after.rules, &after.beside)));
  }
  accept(at, std::move(after), accepted, {all.writes_priorities, writes.size() == 1 ? &writes.front() : nullptr});
  return accepted;
}

void Committer::count(size_t rows) {
  counted_.rows.add(rows);
  for (const auto& [number, pending] : pending_) counted_.index_rows.add(pending->index_rows.row_count());
  if (accepted_ == 0) return;
  counted_.commits.add(accepted_);
  counted_.group_size.observe(accepted_);
}

// The rows of the group are what is on disk now. Where a range was emptied nobody knows which of its rows the cache has.
void Committer::remember_rows() {
  for (const auto& [number, pending] : pending_) {
    Tree& tree = pending->tree;
    if (pending->overlay.has_ranges()) {
      tree.leaves = LeafCache::new_tree();
      continue;
    }
    pending->overlay.changes([&](std::string_view key, std::optional<std::string_view> leaf) {
      leaf_cache_.follow(tree.leaves, key, leaf);
    });
  }
}

bool Committer::has_changes() const {
  return rows_.row_count() > 0 ||
         std::any_of(pending_.begin(), pending_.end(), [](const auto& pending) { return pending.second->changed; });
}

Result<void> Committer::commit() {
  if (const auto why = std::exchange(unsealed_, {})) {
    discard();
    return *why;
  }
  Result<void> done = store_.health();
  std::vector<std::unique_lock<std::mutex>> turns;  // until the rows are in the store
  if (!sealed_.empty() && done.ok()) {
    if (Result<void> appended = append_sealed(turns); !appended.ok()) {
      // Nothing is wrong with this store: what it has is true, and the group never was.
      discard();
      return appended;
    }
  }
  const Rows rows(*this);
  const bool changes = has_changes();
  const bool changes_memory = std::any_of(pending_.begin(), pending_.end(),
                                          [](const auto& pending) { return pending.second->changes_ephemeral; });
  if (changes && done.ok()) {
    done = store_.commit(rows, durability_);
    if (done.ok()) {
      count(rows.row_count());
      cut_logs();
    }
  }
  if ((changes || changes_memory) && done.ok()) {
    remember_rows();
    show_ephemeral();
  }
  // Whether it worked or not: what waited is either on disk, or in memory, or lost.
  pending_.clear();
  rows_ = Batch();
  accepted_ = 0;
  sealed_.clear();  // where the store was broken before
  before_.clear();
  if (!changes && !changes_memory) return {};
  if (!done.ok()) return done.error();
  durable_.reset();  // the old one goes when its last reader does
  return {};
}

}  // namespace hearth::db
