// What must hold for a write to be accepted, a read answered or a listener kept: compare-and-set, and access. Asked by
// db/commit at the moment of commit, on the very state that is changed. Thread: any; must not block on anything but the
// views.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/settings.h"
#include "db/model/tree_view.h"

namespace hearth::db {

struct Overwrite;  // db/model/write.h

// The moment at which it is asked. Everything lives for the call.
struct Moment {
  const TreeView& before;         // the tree as it is
  Times now{};
  const Settings& settings;       // of before
  const TreeView* after = nullptr;             // Write::access: the tree as it would be
  std::span<const Overwrite> overwrites = {};  // the same: what was asked for, server values unresolved
  // Write::access: of each overwrite, whether begin() found that it may be, whatever the tree after is.
  std::vector<bool>* granted = nullptr;
};

class Precondition {
 public:
  virtual ~Precondition() = default;
  // Errors: Stale, PermissionDenied, whatever the views say.
  virtual Result<void> check(const Moment& moment) const = 0;
  // Of Write::access, before anything is done for the write and without the tree after it: refuses what would be refused
  // whatever that tree is, so that those who may not write cost nothing but this. Errors: as check().
  virtual Result<void> begin(const Moment&) const { return {}; }
  // It holds only where nothing stands, or only where something does: a look at one row tells.
  virtual bool expects_nothing() const { return false; }
  // From then on, by the clock, it may say something else though nothing has changed; nothing: never. A listener is asked
  // again before it is told anything that was committed from then on.
  virtual std::optional<Timestamp> lapses() const { return {}; }
  // What to make the same of after a restart (Database::revive_by): kept with what a session queues for its end. "": nothing
  // that is asked for then.
  virtual std::string memo() const { return {}; }
};

// The value at a path still has the hash that its writer saw ("" for null): transactions and If-Match.
class HashIs final : public Precondition {
 public:
  HashIs(Path path, std::string hash) : path_(std::move(path)), hash_(std::move(hash)) {}
  Result<void> check(const Moment& moment) const override;
  bool expects_nothing() const override { return hash_.empty(); }

 private:
  Path path_;
  std::string hash_;
};

// The value at a path is exactly this one, int64 leaves beyond 2^53 included: the embedded compare-and-set.
class ValueIs final : public Precondition {
 public:
  ValueIs(Path path, Value value) : path_(std::move(path)), value_(std::move(value)) {}
  Result<void> check(const Moment& moment) const override;
  bool expects_nothing() const override { return value_.is_null(); }

 private:
  Path path_;
  Value value_;
};

}  // namespace hearth::db
