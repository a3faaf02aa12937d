// What must hold of the tree for a write to be accepted, a read answered or a listener kept: compare-and-set now, rules
// above. Asked by db/commit at the moment of commit, on the very state that is changed. Thread: any; must not block on
// anything but the view.
#pragma once

#include <string>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/tree_view.h"

namespace hearth::db {

class Precondition {
 public:
  virtual ~Precondition() = default;
  // Errors: Stale, PermissionDenied, whatever the view says.
  virtual Result<void> check(const TreeView& before, Timestamp now) const = 0;
};

// The value at a path still has the hash that its writer saw ("" for null): transactions and If-Match.
class HashIs final : public Precondition {
 public:
  HashIs(Path path, std::string hash) : path_(std::move(path)), hash_(std::move(hash)) {}
  Result<void> check(const TreeView& before, Timestamp now) const override;

 private:
  Path path_;
  std::string hash_;
};

// The value at a path is exactly this one, int64 leaves beyond 2^53 included: the embedded compare-and-set.
class ValueIs final : public Precondition {
 public:
  ValueIs(Path path, Value value) : path_(std::move(path)), value_(std::move(value)) {}
  Result<void> check(const TreeView& before, Timestamp now) const override;

 private:
  Path path_;
  Value value_;
};

}  // namespace hearth::db
