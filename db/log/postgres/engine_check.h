// Whether the engine is one that an acknowledged write may be trusted to: what it says of itself, and what that means. Each
// sentence tells an operator what was found and what to do. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "db/cluster/board.h"
#include "db/log/postgres/connection.h"

namespace hearth::db {

// Verified: the engine shows a synchronous standby. Attested: the operator answers for replication that no setting shows, of
// blocks or of storage, as many managed services have.
enum class Durability : uint8_t { Verified, Attested };

struct EngineState {
  std::string fsync = "on";
  std::string full_page_writes = "on";
  std::string synchronous_commit = "on";
  std::string standby_names{};  // synchronous_standby_names
  int version = 0;              // 150018
  bool is_in_recovery = false;
  uint32_t timeline = 0;
  std::string system{};   // system_identifier
  uint64_t standbys = 0;  // synchronous ones that stream
  std::string checksums = "on";
  bool sees_standbys = true;   // the role has pg_read_all_stats
  std::string old_snapshot{};  // who holds one for longer than kSnapshotAgeMax, or ""
};

struct EngineExpected {
  std::string system{};   // "": any
  uint32_t timeline = 0;  // the highest that was seen
  Durability durability = Durability::Verified;
  bool has_started = false;  // this node: then writes wait for a standby that is away, and it need not stop for that
};

inline constexpr int kSnapshotAgeMax = 60;  // seconds; an old one makes each append slower

EngineCheck judge(const EngineState& state, const EngineExpected& expected);

// Asks it. Errors: Unavailable.
Result<EngineState> engine_state(PostgresConnection& connection, int snapshot_age_max = kSnapshotAgeMax);

}  // namespace hearth::db
