// Effects become rows, in the overlay of one namespace's tree and in a batch for what stands beside the tree. Nothing
// is decided here and nothing is asked: the same effects on the same rows give the same rows.
//
// A Set is written row by row when few rows are concerned, and else as a sheet (overlay.cc), which reaches the store
// as one range tombstone and new rows. The border is kPointRowsMax: a tombstone costs every later read a little,
// erasing a million rows one by one costs this write a lot.
#include "db/commit/apply.h"

#include "db/commit/disconnect_queue.h"
#include "db/commit/ephemeral.h"
#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

// `known`: evaluate() has read the old keys already, and they need not be read twice.
Result<void> apply_set(const Effect& effect, Overlay& tree, const OldRows* known) {
  const std::string base = encode_path(effect.path);
  OldRows read;
  if (known == nullptr) {
    ASSIGN_OR_RETURN(read, old_rows(tree, base));
    known = &read;
  }
  const size_t count = effect.value.row_count();
  if (known->more || count > kPointRowsMax) {
    tree.replace(base, base + kPastChildren, base, effect.value);
    return {};
  }
  // Old and new keys both ascend: what is only old goes, what is new is put.
  size_t index = 0;
  for (const std::string& old : known->keys) {
    const std::string_view below = std::string_view(old).substr(base.size());
    while (index < count && effect.value.row(index).key < below) ++index;
    if (index == count || effect.value.row(index).key != below) tree.erase(old);
  }
  for (index = 0; index < count; ++index) {
    const Value::Row row = effect.value.row(index);
    tree.put(base + std::string(row.key), row.leaf);
  }
  return {};
}

Result<void> apply_to_documents(const Effect& effect, Overlay& documents) {
  const std::string base = encode_path(effect.path);
  if (effect.kind == Effect::Kind::Forget) {
    documents.replace(base, base + kPastChildren, base, {});
    return {};
  }
  const auto number = static_cast<uint64_t>(effect.value.as_integer());
  std::string row = document_row(base, number);
  if (effect.kind == Effect::Kind::Compact) {
    std::vector<std::string> old;
    RETURN_IF_ERROR(documents.scan(document_row(base, 0), row + '\0', [&](std::string_view key, std::string_view) {
      old.emplace_back(key);
      return true;
    }));
    for (std::string& key : old) documents.erase(std::move(key));
  }
  documents.put(std::move(row), effect.name);
  return {};
}

}  // namespace

Result<OldRows> old_rows(const TreeView& tree, const std::string& encoded_path) {
  OldRows found;
  RETURN_IF_ERROR(tree.scan(encoded_path, encoded_path + kPastChildren, [&](std::string_view key, std::string_view) {
    found.more = found.keys.size() == kPointRowsMax;
    if (found.more) return false;
    found.keys.emplace_back(key);
    return true;
  }));
  return found;
}

std::string queue_key(uint32_t number, const std::string& session, const Path& path, Slot slot) {
  std::string rest = session;
  rest += '\0';
  rest += encode_path(path);
  if (slot == Slot::Priority) rest += kPriorityMark;
  return row_key(Table::Disconnect, number, rest);
}

Result<void> apply(const Effect& effect, Pending& to, const OldRows* known) {
  switch (effect.kind) {
    case Effect::Kind::Set:
      return apply_set(effect, to.tree, known);
    case Effect::Kind::SetPriority: {
      std::string key = encode_path(effect.path) + kPriorityMark;
      if (effect.value.is_null()) {
        to.tree.erase(std::move(key));
      } else {
        // The value is a leaf that only carries the priority, whose row is its last.
        to.tree.put(std::move(key), effect.value.row(effect.value.row_count() - 1).leaf);
      }
      return {};
    }
    case Effect::Kind::Unleaf:
      to.tree.erase(encode_path(effect.path));
      return {};
    case Effect::Kind::Enqueue:
      to.rows.put(queue_key(to.number, effect.name, effect.path, effect.slot), encode_rows(effect.value));
      return {};
    case Effect::Kind::Dequeue:
      to.rows.erase(queue_key(to.number, effect.name, effect.path, effect.slot));
      return {};
    case Effect::Kind::QueuedBy: {
      const std::string key = row_key(Table::Disconnect, to.number, effect.name + '\0' + std::string(1, kQueuedByMark));
      if (effect.value.is_null()) {
        to.rows.erase(key);
      } else {
        to.rows.put(key, effect.value.as_string());
      }
      return {};
    }
    case Effect::Kind::Configure: {
      const std::string key = row_key(Table::Setting, to.number, effect.name);
      const bool is_set = !effect.value.is_null();
      if (is_set) {
        to.rows.put(key, effect.value.as_string());
      } else {
        to.rows.erase(key);
      }
      if (effect.name == kRulesSetting) to.rules = is_set ? text_digest(effect.value.as_string()) : "";
      return {};
    }
    case Effect::Kind::Reindex:
      invariant(to.indexes != nullptr, "whoever applies this kind has the indexes");
      return reindex(effect.value.as_string(), *to.indexes);
    case Effect::Kind::BuildIndex:
      invariant(to.indexes != nullptr, "whoever applies this kind has the indexes");
      return build(static_cast<uint64_t>(effect.value.as_integer()), WithoutEphemeral(to.tree, to.paths), *to.indexes);
    case Effect::Kind::Append:
    case Effect::Kind::Compact:
    case Effect::Kind::Forget:
      invariant(to.documents != nullptr, "whoever applies these kinds has the documents");
      return apply_to_documents(effect, *to.documents);
  }
  invariant(false, "every kind of effect is applied");
  return {};
}

Result<void> apply(const Record& record, Pending& to) {
  for (const Effect& effect : record.effects) RETURN_IF_ERROR(apply(effect, to));
  return {};
}

}  // namespace hearth::db
