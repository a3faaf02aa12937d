#include "db/log/postgres/engine_check.h"

#include <catch2/catch.hpp>
#include <functional>

#include "tests/db/log/postgres/test_cluster.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

EngineState good() {
  EngineState state;
  state.standby_names = "ANY 1 (a, b, c)";
  state.version = 150018;
  state.timeline = 2;
  state.system = "7000";
  state.standbys = 2;
  return state;
}

EngineExpected expected() {
  EngineExpected expected;
  expected.system = "7000";
  expected.timeline = 2;
  return expected;
}

bool says(const std::vector<std::string>& sentences, const std::string& word) {
  return sentences.size() == 1 && sentences.front().find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("Engine check: what is wrong is refused by its name", "[postgres]") {
  const EngineCheck well = judge(good(), expected());
  CHECK(well.wrong.empty());
  CHECK(well.warnings.empty());
  CHECK(well.durability == "verified");

  struct Case {
    const char* word;
    std::function<void(EngineState&)> spoil;
  };
  const std::vector<Case> cases = {
      {"fsync = off", [](EngineState& s) { s.fsync = "off"; }},
      {"full_page_writes = off", [](EngineState& s) { s.full_page_writes = "off"; }},
      {"synchronous_commit = local", [](EngineState& s) { s.synchronous_commit = "local"; }},
      {"synchronous_standby_names", [](EngineState& s) { s.standby_names = ""; }},
      {"PostgreSQL 14", [](EngineState& s) { s.version = 140010; }},
      {"pg_is_in_recovery", [](EngineState& s) { s.is_in_recovery = true; }},
      {"timeline 1", [](EngineState& s) { s.timeline = 1; }},
      {"system_identifier is 7001", [](EngineState& s) { s.system = "7001"; }},
      {"no synchronous standby", [](EngineState& s) { s.standbys = 0; }},
      {"pg_read_all_stats", [](EngineState& s) { s.standbys = 0, s.sees_standbys = false; }},
  };
  for (const Case& one : cases) {
    INFO(one.word);
    EngineState state = good();
    one.spoil(state);
    CHECK(says(judge(state, expected()).wrong, one.word));
  }
}

TEST_CASE("Engine check: what is only slow, or risks disks, is a warning", "[postgres]") {
  EngineState state = good();
  state.checksums = "off";
  CHECK(judge(state, expected()).wrong.empty());
  CHECK(says(judge(state, expected()).warnings, "data_checksums"));
  state = good();
  state.old_snapshot = "process 12 (pg_dump, 70 s)";
  CHECK(says(judge(state, expected()).warnings, "process 12"));

  // A node that runs waits for a standby that went away.
  state = good();
  state.standbys = 0;
  EngineExpected running = expected();
  running.has_started = true;
  CHECK(judge(state, running).wrong.empty());
  CHECK(says(judge(state, running).warnings, "no synchronous standby"));
}

TEST_CASE("Engine check: an operator may answer for replication that no setting shows", "[postgres]") {
  EngineState state = good();
  state.standby_names = "";
  state.standbys = 0;
  EngineExpected attested = expected();
  attested.durability = Durability::Attested;
  CHECK(judge(state, attested).wrong.empty());
  CHECK(judge(state, attested).durability == "attested");
  CHECK(judge(good(), attested).durability == "verified");
  state.fsync = "off";  // and for nothing else
  CHECK(judge(state, attested).wrong.size() == 1);
}

TEST_CASE("Engine check: each setting of a real engine that is wrong is refused, and well again afterwards",
          "[postgres]") {
  const TestCluster cluster(1);
  PostgresBoard board(cluster.board_options());
  must(board.facts());
  const EngineCheck well = must(board.check());
  INFO((well.wrong.empty() ? "" : well.wrong.front()));
  CHECK(well.wrong.empty());
  CHECK(well.durability == "verified");
  CHECK(well.timeline >= 1);

  // Reloaded settings arrive at a backend between two statements, a moment later.
  const auto await = [&](bool is_wrong, const std::string& word) {
    for (int tries = 0; tries < 100; ++tries) {
      const EngineCheck now = must(board.check());
      if (is_wrong ? says(now.wrong, word) : now.wrong.empty()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  };
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"fsync", "off"}, {"full_page_writes", "off"}, {"synchronous_standby_names", ""}};
  for (const auto& [name, value] : wrong) {
    INFO(name);
    const std::string before = trio().ask_primary("SHOW " + name);
    if (value.empty()) {
      trio().ask_primary("ALTER SYSTEM SET " + name + " = ''");
      trio().ask_primary("SELECT pg_reload_conf()");
    } else {
      trio().set(name, value);
    }
    CHECK(await(true, name));
    trio().set(name, "");
    CHECK(await(false, name));
  }
}

TEST_CASE("Engine check: a role or a database that lowers what is promised changes nothing", "[postgres]") {
  const TestCluster cluster(1);
  // Without warnings a cancelled wait for the standby would look like a commit.
  for (const char* setting :
       {"synchronous_commit = off", "client_min_messages = error", "default_transaction_isolation = 'serializable'"}) {
    trio().ask_primary("ALTER DATABASE " + cluster.database() + " SET " + setting);
  }
  auto connection = must(PostgresConnection::open(cluster.target()));
  const auto rows =
      must(connection->ask("SELECT current_setting('synchronous_commit'), current_setting('client_min_messages'),"
                           " current_setting('transaction_isolation'), current_setting('application_name')"));
  CHECK(rows.text(0, 0) == "on");
  CHECK(rows.text(0, 1) == "notice");
  CHECK(rows.text(0, 2) == "read committed");
  CHECK(std::string(rows.text(0, 3)).starts_with("hearth:n1:"));
}

TEST_CASE("Engine check: a snapshot that is held for long is named", "[postgres]") {
  const TestCluster cluster(1);
  PostgresBoard::Options options = cluster.board_options();
  options.snapshot_age_max = 0;
  PostgresBoard board(options);
  std::thread holder([&] { trio().ask_primary("SELECT pg_sleep(1.5)", cluster.database()); });
  bool named = false;
  for (int tries = 0; tries < 60 && !named; ++tries) {
    named = says(must(board.check()).warnings, "(psql");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  holder.join();
  CHECK(named);
}
