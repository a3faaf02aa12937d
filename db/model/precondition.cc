#include "db/model/precondition.h"

#include "db/model/hash.h"
#include "db/model/write.h"

namespace hearth::db {

Result<void> HashIs::check(const Moment& moment) const {
  if (hash_.empty()) {
    ASSIGN_OR_RETURN(const bool exists, moment.before.exists(path_));
    if (!exists) return {};
    return Error{ErrorCode::Stale, "Transaction hash does not match"};
  }
  ASSIGN_OR_RETURN(const std::string found, moment.before.hash(path_, kReadBytesMax));
  if (found == hash_) return {};
  if (!found.empty()) {
    // The JS SDK writes some doubles differently (wire-protocol.md §7.2, "Number quirk"): only now is that looked at.
    ASSIGN_OR_RETURN(const Value value, moment.before.read(path_, kReadBytesMax));
    if (hash_matches(value, hash_)) return {};
  }
  return Error{ErrorCode::Stale, "Transaction hash does not match"};
}

Result<void> ValueIs::check(const Moment& moment) const {
  ASSIGN_OR_RETURN(const Value found, moment.before.read(path_, kReadBytesMax));
  if (found == value_) return {};
  return Error{ErrorCode::Stale, "Another value stands at " + path_.slashed()};
}

}  // namespace hearth::db
