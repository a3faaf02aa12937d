// The condition of If-Match: the value at a path still has the exact hash that its writer was told (db/model/hash.h;
// "" for null). An SDK's transaction is HashIs (db/model/precondition.h): SDKs take integers for doubles, and hash
// them so.
#pragma once

#include <string>
#include <utility>

#include "db/model/precondition.h"

namespace hearth::db {

class EtagIs final : public Precondition {
 public:
  EtagIs(Path path, std::string hash) : path_(std::move(path)), hash_(std::move(hash)) {}
  Result<void> check(const Moment& moment) const override;
  bool expects_nothing() const override { return hash_.empty(); }

 private:
  const Path path_;
  const std::string hash_;
};

}  // namespace hearth::db
