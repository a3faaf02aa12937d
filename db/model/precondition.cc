// Compare-and-set. A condition is asked inside the commit, on the tree that the write would change, so nothing can come
// between the comparison and the write.
#include "db/model/precondition.h"

#include "db/model/etag_is.h"
#include "db/model/hash.h"
#include "db/model/write.h"

namespace hearth::db {

namespace {

Error stale() { return {ErrorCode::Stale, "Transaction hash does not match"}; }

// Whether that is the exact hash of what stands there: for "" one seek tells.
// TreeView::hash is remembered by the committer (HashingView), so a busy counter is not hashed anew for each
// transaction.
Result<bool> has_hash(const TreeView& tree, const Path& path, const std::string& hash) {
  if (hash.empty()) {
    ASSIGN_OR_RETURN(const bool exists, tree.exists(path));
    return !exists;
  }
  ASSIGN_OR_RETURN(const std::string found, tree.hash(path, kReadBytesMax));
  return found == hash;
}

}  // namespace

Result<void> HashIs::check(const Moment& moment) const {
  ASSIGN_OR_RETURN(const bool is_exact, has_hash(moment.before, path_, hash_));
  if (is_exact) return {};
  if (hash_.empty()) return stale();
  // SDKs hash integers beyond 2^53 as doubles, and JavaScript's writes some doubles differently
  // (net/wire/protocol.md §7.2, "Number quirk"): only now is that looked at.
  ASSIGN_OR_RETURN(const Value value, moment.before.read(path_, kReadBytesMax));
  if (!value.is_null() && hash_matches(value, hash_)) return {};
  return stale();
}

Result<void> EtagIs::check(const Moment& moment) const {
  ASSIGN_OR_RETURN(const bool is_exact, has_hash(moment.before, path_, hash_));
  return is_exact ? Result<void>() : stale();
}

Result<void> ValueIs::check(const Moment& moment) const {
  ASSIGN_OR_RETURN(const Value found, moment.before.read(path_, kReadBytesMax));
  if (found == value_) return {};
  return Error{ErrorCode::Stale, "Another value stands at " + path_.slashed()};
}

}  // namespace hearth::db
