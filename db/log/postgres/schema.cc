// Tables are changed by adding columns only: nodes of two versions read them at a time.
#include "db/log/postgres/schema.h"

#include "db/base/random.h"
#include "db/log/postgres/connection.h"

namespace hearth::db {
namespace {

constexpr size_t kIdBytes = 8, kSecretBytes = 32;

// Head rows and beats change all the time: room on their pages keeps them where they are (HOT), and vacuum comes often.
// Batches above 2 kB lie in TOAST as they are: what is worth it was compressed before.
constexpr const char* kTables = R"(
CREATE SCHEMA hearth;
CREATE TABLE hearth.hearth_cluster (
  one int PRIMARY KEY CHECK (one = 1),
  id text NOT NULL,
  shards int NOT NULL,
  format int NOT NULL,
  system text NOT NULL,
  secret text NOT NULL,
  admin_secret text NOT NULL
);
CREATE TABLE hearth.hearth_node (
  name text PRIMARY KEY,
  beat bigint NOT NULL,
  run text NOT NULL,
  peer text NOT NULL,
  client text NOT NULL,
  formats int NOT NULL,
  durable bigint[] NOT NULL,
  drained boolean NOT NULL DEFAULT false
) WITH (fillfactor = 20);
CREATE TABLE hearth.hearth_shard (
  shard int PRIMARY KEY,
  seq bigint NOT NULL,
  epoch bigint NOT NULL,
  last bytea NOT NULL,
  owner text NOT NULL,
  cut bigint NOT NULL,
  wish text NOT NULL DEFAULT ''
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE TABLE hearth.hearth_log (
  shard int NOT NULL, seq bigint NOT NULL, epoch bigint NOT NULL, id bytea NOT NULL, batch bytea NOT NULL,
  PRIMARY KEY (shard, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 10000,
        toast.autovacuum_vacuum_cost_delay = 0);
ALTER TABLE hearth.hearth_log ALTER batch SET STORAGE EXTERNAL;
CREATE TABLE hearth.hearth_file (id text, part int, bytes bytea, PRIMARY KEY (id, part));
ALTER TABLE hearth.hearth_file ALTER bytes SET STORAGE EXTERNAL;
)";

// The cluster that is there already, as a sentence; nothing when there is none.
Result<std::optional<Error>> existing(PostgresConnection& connection, const std::string& url) {
  ASSIGN_OR_RETURN(const PostgresRows schema,
                   connection.ask("SELECT to_regclass('hearth.hearth_cluster') IS NOT NULL FROM pg_namespace"
                                  " WHERE nspname = 'hearth'"));
  if (schema.count() == 0) return std::optional<Error>();
  std::string what = "a schema hearth, which is not a cluster's";
  if (schema.boolean(0, 0)) {
    ASSIGN_OR_RETURN(const PostgresRows found, connection.ask("SELECT id, shards FROM hearth.hearth_cluster"));
    if (found.count() > 0) {
      what = "a cluster, " + std::string(found.text(0, 0)) + ", of " + std::to_string(found.int4(0, 1)) + " shards";
    }
  }
  return std::optional(Error{ErrorCode::InvalidArgument, "the database " + shown_url(url) + " has " + what +
                                                             ": make a new one in a database of its own"});
}

// In one transaction.
Result<void> make(PostgresConnection& connection, const ClusterFacts& facts) {
  RETURN_IF_ERROR(connection.run(std::string("BEGIN;") + kTables));
  RETURN_IF_ERROR(
      connection.ask("INSERT INTO hearth.hearth_cluster SELECT 1, $1, $2, $3, system_identifier::text, $4, $5 FROM "
                     "pg_control_system()",
                     PostgresValues()
                         .text(facts.id)
                         .int4(facts.shards)
                         .int4(facts.format)
                         .text(facts.secret)
                         .text(facts.admin_secret)));
  RETURN_IF_ERROR(connection.ask(
      "INSERT INTO hearth.hearth_shard SELECT number, 0, 0, $2, '', 0 FROM generate_series(0, $1 - 1) AS number",
      PostgresValues().int4(facts.shards).bytes(std::string(kBatchIdBytes, '\0'))));
  return connection.run("COMMIT");
}

}  // namespace

Result<ClusterFacts> init_cluster(const std::string& url, uint32_t shards) {
  if (shards == 0 || shards > kClusterShardsMax) {
    return Error{ErrorCode::InvalidArgument, "a cluster has 1 to " + std::to_string(kClusterShardsMax) +
                                                 " shards: 16, or 64 for more than five nodes"};
  }
  PostgresTarget target;
  target.url = url;
  target.node = "init";
  target.run = random_hex(4);
  ASSIGN_OR_RETURN(const auto connection, PostgresConnection::open(target));
  if (connection->server_version() < kPostgresVersionMin) {
    return Error{ErrorCode::Unavailable, "the engine is PostgreSQL " +
                                             std::to_string(connection->server_version() / 10000) +
                                             "; Hearth needs 15 or later"};
  }
  ASSIGN_OR_RETURN(const std::optional<Error> there, existing(*connection, url));
  if (there) return *there;
  ClusterFacts facts;
  facts.id = random_hex(kIdBytes);
  facts.shards = shards;
  facts.format = kBatchFormat;
  facts.secret = random_hex(kSecretBytes);
  facts.admin_secret = random_hex(kSecretBytes);
  const Result<void> made = make(*connection, facts);
  if (made.ok()) return facts;
  if (connection->failure().is_in_doubt) return made.error();
  // Somebody may have made one meanwhile.
  (void)connection->run("ROLLBACK");
  ASSIGN_OR_RETURN(const std::optional<Error> since, existing(*connection, url));
  return since ? *since : made.error();
}

}  // namespace hearth::db
