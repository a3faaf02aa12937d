// What a committer makes of a namespace until its group is committed, for the .cc files of the committer. Thread: its
// shard's.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/commit/apply.h"
#include "db/commit/cached_view.h"
#include "db/commit/committer.h"
#include "db/commit/overlay.h"
#include "db/commit/reindex.h"
#include "db/model/hash.h"
#include "db/store/row_key.h"

namespace hearth::db {

// Whether any of them is of the rows of documents.
inline bool concern_documents(const std::vector<Effect>& effects) {
  return std::any_of(effects.begin(), effects.end(), [](const Effect& effect) {
    return effect.kind == Effect::Kind::Append || effect.kind == Effect::Kind::Compact ||
           effect.kind == Effect::Kind::Forget;
  });
}

// A tree whose hashes are remembered.
// Conditional writes of one path come again and again; accept() forgets what a write touched, so a known hash is right.
class Committer::HashingView final : public TreeView {
 public:
  HashingView(const TreeView& view, Tree& tree) : view_(view), tree_(tree) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return view_.scan(from, upto, row);
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override { return view_.leaf(key); }
  Result<Row> last(std::string_view from, std::string_view upto) const override { return view_.last(from, upto); }
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return view_.scan_down(from, upto, row);
  }
  Result<std::optional<IndexRows>> index(const Path& collection, const Query& query) const override {
    return view_.index(collection, query);
  }
  Result<std::string> hash(const Path& path, size_t bytes_max) const override {
    if (const auto known = tree_.hashes.find(path.text()); known != tree_.hashes.end()) return known->second;
    ASSIGN_OR_RETURN(std::string found, TreeView::hash(path, bytes_max));
    remember_hash(tree_, path.text(), found);
    return found;
  }

 private:
  const TreeView& view_;
  Tree& tree_;
};

// The settings of a tree with everything accepted so far, and with what a write would add.
// Newest first: the write's own settings, the group's, then the store's.
class Committer::GroupSettings final : public Settings {
 public:
  GroupSettings(const Committer& committer, uint32_t number, const std::string& rules, const Batch* added = nullptr)
      : committer_(committer), number_(number), rules_(rules), added_(added) {}
  Result<std::string> rules_digest() const override { return rules_; }
  Result<std::optional<std::string>> text(std::string_view name) const override {
    const std::string key = row_key(Table::Setting, number_, name);
    for (const Batch* batch : {added_, &committer_.rows_}) {
      if (batch == nullptr) continue;
      if (const auto* pending = batch->find(key)) return *pending;
    }
    return committer_.durable()->get(key);
  }

 private:
  const Committer& committer_;
  const uint32_t number_;
  const std::string& rules_;
  const Batch* added_;
};

// Made at the first use in a group, gone with commit(). The members refer to each other, in the order of declaration.
struct Committer::PendingTree {
  PendingTree(Committer& committer, Tree& of)
      : tree(of),
        readable(committer.readable(of)),
        base(readable, of.number),
        known(base, readable, committer.leaf_cache_, of),
        overlay(known),
        index_base(committer.durable(), of.number, Table::Index),
        index_rows(index_base),
        indexed(overlay, of.plan, index_rows, &ephemeral),
        view(indexed, of),
        settings(committer, of.number, of.head.rules),
        ephemeral(of.ephemeral.rows) {}
  Tree& tree;
  std::shared_ptr<const Snapshot> readable;
  SnapshotView base;
  CachedView known;
  Overlay overlay;
  SnapshotView index_base;
  Overlay index_rows;
  IndexedView indexed;
  HashingView view;
  GroupSettings settings;
  EphemeralRows ephemeral;         // with everything accepted so far; the overlay has them too
  bool changes_ephemeral = false;  // they are others now
  bool replans_ephemeral = false;  // the group has changed what is ephemeral
  std::optional<SnapshotView> documents_base;
  std::optional<Overlay> documents;  // once somebody asks for them
  std::optional<SnapshotView> expiry_base;
  std::optional<Overlay> expiry;  // the same
  // Of the log: entries as rows below its table and the number, in their order, and what was there is removed first.
  std::vector<std::pair<std::string, std::string>> log_rows;
  bool ends_log = false;
  std::vector<std::pair<std::string, std::string>> version_rows;  // the same of versions, in no order
  std::vector<std::string> erased_versions;                       // rows
  std::vector<std::string> erased_log;                            // the same of the log
  std::vector<std::pair<std::string, std::string>> purged;        // ranges of versions, emptied before rows are put
  bool ends_versions = false;
  std::optional<uint64_t> cut;  // trim() has moved it
  bool changed = false;

  // The tree with everything accepted so far, without what is in memory alone.
  WithoutEphemeral durable_view() const { return {view, tree.ephemeral_paths()}; }

  Overlay& with_documents(const Committer& committer) {
    if (!documents) {
      documents_base.emplace(committer.durable(), tree.number, Table::Document);
      documents.emplace(*documents_base);
    }
    return *documents;
  }
  Overlay& with_expiry(const Committer& committer) {
    if (!expiry) {
      expiry_base.emplace(committer.durable(), tree.number, Table::Expiry);
      expiry.emplace(*expiry_base);
    }
    return *expiry;
  }
};

// The namespace as a write would make it, until the write is accepted.
struct Committer::After {
  explicit After(const PendingTree& at)
      : tree(at.view),
        index_rows(static_cast<const TreeView&>(at.index_rows)),
        indexes{at.tree.plan, index_rows},
        rules(at.tree.head.rules),
        ephemeral(at.ephemeral),
        paths(at.tree.ephemeral_paths()) {}
  Overlay tree;
  Overlay index_rows;
  Indexes indexes;
  std::optional<Overlay> documents;
  std::optional<Overlay> expiry;  // where it concerns a path with a ttl
  ExpiryPointer expiry_plan;
  Timestamp due = Timestamp::max();
  Batch beside;
  std::string rules;
  EphemeralRows ephemeral;
  const PathPlan* paths;  // as the write found it; null: nothing is ephemeral
  Pending pending(uint32_t number) {
    return {.number = number,
            .tree = tree,
            .rows = beside,
            .rules = rules,
            .documents = documents ? &*documents : nullptr,
            .indexes = &indexes,
            .paths = paths};
  }
  void with_documents(const Overlay& of_group) { documents.emplace(static_cast<const TreeView&>(of_group)); }
};

// How an accepted write is told, which its record does not say.
struct Committer::Told {
  bool writes_priorities = false;
  const Write* write = nullptr;  // null: as sets; several writes, or none
};

}  // namespace hearth::db
