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

// The moment at which a precondition is asked. Everything in it lives for the call.
struct Moment {
  const TreeView& before;  // the tree as it is
  Times now{};
  const Settings& settings;                    // of before
  const TreeView* after = nullptr;             // only Write::access has it: the tree as it would be
  std::span<const Overwrite> overwrites = {};  // as above: what was asked for, server values unresolved
  // For Write::access: for each overwrite, whether begin() found that it may be made, whatever the tree is afterwards.
  std::vector<bool>* granted = nullptr;
};

class Precondition {
 public:
  virtual ~Precondition() = default;
  // Errors: Stale, PermissionDenied, whatever the views say.
  virtual Result<void> check(const Moment& moment) const = 0;
  // For Write::access: asked before any work is done for the write, and without the tree after it. Refuses a write
  // that would be refused whatever the tree after it is, so that a writer without rights costs only this question.
  // Errors: as check().
  virtual Result<void> begin(const Moment&) const { return {}; }
  // Whether it holds only where nothing stands: then a look at one row tells.
  virtual bool expects_nothing() const { return false; }
  // The time, by the clock, from which the verdict may be another although no data changed; nothing: never. A
  // listener's check is asked again before the listener is told of anything that was committed after that time.
  virtual std::optional<Timestamp> lapses() const { return {}; }
  // A text from which the same precondition can be made after a restart (Host::revive_by). It is kept with what a
  // session queues for its end. "": nothing is asked then.
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

// Makes the precondition of a memo again, for what a session of that namespace had queued (Host::revive_by).
using Revive = std::function<std::shared_ptr<const Precondition>(const std::string& name, const std::string& memo)>;

}  // namespace hearth::db
