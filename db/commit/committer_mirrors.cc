// The committer's part in mirrors (db/shard/shard_mirrors.cc): rows that outlive a crash, and say what is left to be done.
//
//   mirror rows   path of a document → ""      its JSON in the tree lacks something that the document has
//                 no path            → plan    all documents have been gone through by this plan
//
// A mark is put in the batch of the first update that the JSON lacks, and taken away in that of the JSON's own commit, so that
// neither is ever on disk without the other.
#include "db/commit/pending_tree.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {

void Committer::mark_mirror(const Tree& tree, const Path& document, bool is_behind) {
  std::string key = row_key(Table::Mirror, tree.number, encode_path(document));
  if (is_behind) {
    rows_.put(std::move(key), "");
  } else {
    rows_.erase(std::move(key));
  }
}

Result<std::vector<Path>> Committer::marked_mirrors(const Tree& tree, size_t most) const {
  std::vector<Path> marked;
  Result<void> read;
  const SnapshotView rows(durable(), tree.number, Table::Mirror);
  RETURN_IF_ERROR(rows.scan("\x01", "\xff", [&](std::string_view key, std::string_view) {
    Result<Path> path = decode_path(key);
    if (path.ok()) {
      marked.push_back(std::move(path).value());
    } else {
      read = path.error();
    }
    return read.ok() && marked.size() < most;
  }));
  RETURN_IF_ERROR(read);
  return marked;
}

Result<std::optional<std::string>> Committer::mirrored_by(const Tree& tree) const {
  return row(row_key(Table::Mirror, tree.number));
}

void Committer::set_mirrored_by(const Tree& tree, const std::string& plan) {
  if (plan.empty()) {
    rows_.erase(row_key(Table::Mirror, tree.number));
  } else {
    rows_.put(row_key(Table::Mirror, tree.number), plan);
  }
}

}  // namespace hearth::db
