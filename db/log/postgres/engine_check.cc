// One question to the engine, and a sentence for each answer that is wrong.
#include "db/log/postgres/engine_check.h"

#include <cstdlib>

namespace hearth::db {
namespace {

constexpr const char* kQuestion =
    "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),"
    " current_setting('synchronous_standby_names'), current_setting('server_version_num'), pg_is_in_recovery(),"
    " CASE WHEN pg_is_in_recovery() THEN '0' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,"
    " (SELECT system_identifier::text FROM pg_control_system()),"
    " (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'),"
    " current_setting('data_checksums'), pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),"
    " coalesce((SELECT 'process ' || pid || ' (' || coalesce(nullif(application_name, ''), 'no name') || ', ' ||"
    "   extract(epoch FROM now() - xact_start)::int || ' s)' FROM pg_stat_activity"
    "   WHERE backend_xmin IS NOT NULL AND now() - xact_start > make_interval(secs => $1) ORDER BY xact_start LIMIT "
    "1), '')";

}  // namespace

Result<EngineState> engine_state(PostgresConnection& connection, int snapshot_age_max) {
  ASSIGN_OR_RETURN(const PostgresRows rows,
                   connection.ask(kQuestion, PostgresValues().int4(static_cast<uint32_t>(snapshot_age_max))));
  const auto text = [&](int column) { return std::string(rows.text(0, column)); };
  EngineState state;
  state.fsync = text(0);
  state.full_page_writes = text(1);
  state.synchronous_commit = text(2);
  state.standby_names = text(3);
  state.version = std::atoi(text(4).c_str());
  state.is_in_recovery = rows.boolean(0, 5);
  state.timeline = static_cast<uint32_t>(std::strtoul(text(6).c_str(), nullptr, 16));
  state.system = text(7);
  state.standbys = rows.int8(0, 8);
  state.checksums = text(9);
  state.sees_standbys = rows.boolean(0, 10);
  state.old_snapshot = text(11);
  return state;
}

EngineCheck judge(const EngineState& state, const EngineExpected& expected) {
  EngineCheck check;
  check.timeline = state.timeline;
  const auto wrong = [&](const std::string& sentence) { check.wrong.push_back(sentence); };
  const auto warn = [&](const std::string& sentence) { check.warnings.push_back(sentence); };
  const auto must_be_on = [&](const char* setting, const std::string& value) {
    if (value == "on") return;
    wrong(std::string("the engine has ") + setting + " = " + value +
          ", and loses acknowledged writes when its machine goes down: set " + setting + " = on");
  };
  must_be_on("fsync", state.fsync);
  must_be_on("full_page_writes", state.full_page_writes);
  if (state.version < kPostgresVersionMin) {
    wrong("the engine is PostgreSQL " + std::to_string(state.version / 10000) + "; Hearth needs 15 or later");
  }
  if (state.is_in_recovery) {
    wrong("this server of the engine is a standby (pg_is_in_recovery): have the URL name all its servers");
  }
  if (state.synchronous_commit != "on" && state.synchronous_commit != "remote_apply") {
    wrong("the engine keeps synchronous_commit = " + state.synchronous_commit +
          " though Hearth sets it to on: whatever forbids that has to go");
  }
  if (!expected.system.empty() && state.system != expected.system) {
    wrong("this is another engine: its system_identifier is " + state.system + ", and the cluster was made in " +
          expected.system + "; give the URL of that one");
  }
  if (!state.is_in_recovery && state.timeline < expected.timeline) {
    wrong("the engine is on timeline " + std::to_string(state.timeline) + ", and timeline " +
          std::to_string(expected.timeline) +
          " was seen before: a former primary that came back. Stop it, and let it follow the primary");
  }

  check.durability = state.standby_names.empty() ? "attested" : "verified";
  if (state.standby_names.empty() && expected.durability == Durability::Verified) {
    check.durability = "none";
    wrong(
        "the engine has synchronous_standby_names empty, so a write is lost with its primary: name standbys, as in "
        "synchronous_standby_names = 'ANY 1 (a, b, c)' (Patroni: synchronous_mode_strict), or start with --durability "
        "attested if its storage is replicated in a way that no setting shows");
  }
  if (!state.standby_names.empty() && state.standbys == 0) {
    const std::string found =
        state.sees_standbys
            ? "no synchronous standby of the engine is streaming, so each write waits: start one (pg_stat_replication)"
            : "this role cannot see the engine's standbys: GRANT pg_read_all_stats to it";
    if (expected.has_started) {
      warn(found);
    } else {
      wrong(found);
    }
  }
  if (state.checksums != "on") {
    warn("the engine has data_checksums off, so it does not notice what its disks spoil: pg_checksums --enable");
  }
  if (!state.old_snapshot.empty()) {
    warn("somebody holds a snapshot of the engine for more than " + std::to_string(kSnapshotAgeMax) +
         " s, which makes each append slower: " + state.old_snapshot + "; end it (pg_terminate_backend)");
  }
  return check;
}

}  // namespace hearth::db
