// Statements, and what their rows mean.
#include "db/log/postgres/postgres_board.h"

#include <algorithm>
#include <set>

#include "db/cluster/lease.h"
#include "db/log/postgres/envelope.h"

namespace hearth::db {
namespace {

constexpr size_t kPartsRead = 4;  // of a file at once

Error not_there(const std::string& what) { return {ErrorCode::NotFound, what}; }

// Registering keeps what operators wished for the node, and goes on with its beat, so that nobody takes it for unmoved.
constexpr const char* kEnter =
    "INSERT INTO hearth_node (name, beat, run, peer, client, formats, durable) VALUES ($1, 1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (name) DO UPDATE SET beat = hearth_node.beat + 1, run = $2, peer = $3, client = $4, formats = $5,"
    " durable = $6";
constexpr const char* kRenew = "UPDATE hearth_node SET beat = beat + 1, durable = $3 WHERE name = $1 AND run = $2";
constexpr const char* kLookNodes =
    "SELECT name, beat, run, peer, client, formats, drained, durable::text FROM hearth_node ORDER BY name";
constexpr const char* kLookShards = "SELECT shard, owner, epoch, seq, last, cut, wish FROM hearth_shard ORDER BY shard";
constexpr const char* kEndConnections =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'hearth:' || $1 || ':' || $2 AND usename = current_user";
// A node that takes what its run before had has moved its beat itself.
constexpr const char* kTake =
    "UPDATE hearth_shard SET epoch = epoch + 1, owner = $5 WHERE shard = $1 AND epoch = $2 AND owner = $3"
    " AND ($3 = $5 OR NOT EXISTS (SELECT 1 FROM hearth_node WHERE name = $3 AND beat <> $4))"
    " RETURNING seq, last, epoch";
constexpr const char* kGiveUp = "UPDATE hearth_shard SET owner = '' WHERE shard = $1 AND owner = $2 AND epoch = $3";
constexpr const char* kWish =
    "UPDATE hearth_shard SET wish = $2 WHERE shard = $1"
    " AND ($2 = '' OR EXISTS (SELECT 1 FROM hearth_node WHERE name = $2))";
// A gift is a wish with a mark that no node's name has.
constexpr char kGiftMark = '?';
constexpr const char* kGift =
    "UPDATE hearth_shard SET wish = '?' || $2 WHERE shard = $1 AND (wish = '' OR starts_with(wish, '?'))";
constexpr const char* kEndWish = "UPDATE hearth_shard SET wish = '' WHERE shard = $1 AND wish = $2";
constexpr const char* kForget =
    "WITH forgotten AS (DELETE FROM hearth_node WHERE name = $1 RETURNING 1),"
    " unwished AS (UPDATE hearth_shard SET wish = '' WHERE wish IN ($1, '?' || $1))"
    " SELECT 1 FROM forgotten";
constexpr const char* kFormat =
    "UPDATE hearth_cluster SET format = $1 WHERE format <= $1"
    " AND NOT EXISTS (SELECT 1 FROM hearth_node WHERE formats < $1)";
// Sizes are known without reading what lies in TOAST, so only what is answered is read.
constexpr const char* kBatches =
    "SELECT seq, batch FROM (SELECT seq, batch, sum(octet_length(batch)) OVER (ORDER BY seq) - octet_length(batch) AS "
    "before"
    " FROM (SELECT seq, batch FROM hearth_log WHERE shard = $1 AND seq > $2 ORDER BY seq LIMIT 256) AS next) AS sized"
    " WHERE before < $3 ORDER BY seq";
constexpr const char* kParts =
    "SELECT part, bytes FROM hearth_file WHERE id = $1 AND part >= $2 ORDER BY part LIMIT $3";
constexpr const char* kMoveCut =
    "WITH moved AS (UPDATE hearth_shard SET cut = $3 WHERE shard = $1 AND epoch = $2 AND cut < $3 RETURNING 1)"
    " SELECT 1 FROM moved UNION ALL SELECT 1 FROM hearth_shard WHERE shard = $1 AND epoch = $2 AND cut >= $3";
// Rows that name files: the first byte of their form tells (envelope.h).
constexpr const char* kRowsWithFiles =
    "SELECT substring(batch FROM 1 FOR 65536) FROM hearth_log WHERE shard = $1 AND seq BETWEEN $2 AND $3"
    " AND get_byte(substring(batch FROM 1 FOR 1), 0) & 4 <> 0";
constexpr const char* kFilesOfOthers =
    "SELECT DISTINCT id FROM hearth_file WHERE starts_with(id, $1) AND NOT starts_with(id, $2)";
constexpr uint64_t kSequenceMax = INT64_MAX;  // of a bigint
constexpr const char* kEraseNamed = "DELETE FROM hearth_file WHERE id = ANY($1)";
constexpr const char* kEraseBatches =
    "DELETE FROM hearth_file WHERE CASE WHEN starts_with(id, 'batch/' || $1 || '/')"
    " THEN split_part(id, '/', 3)::bigint <= $2 ELSE false END";
constexpr const char* kEraseRows = "DELETE FROM hearth_log WHERE shard = $1 AND seq BETWEEN $2 AND $3";

}  // namespace

Result<PostgresConnection*> PostgresBoard::open(Link& link) {
  if (link.connection == nullptr || !link.connection->is_open()) {
    link.connection.reset();
    PostgresTarget target = options_.target;
    if (&link == &lease_) target.silence_max = kGoodFor;  // a later answer does not make the node good
    ASSIGN_OR_RETURN(link.connection, PostgresConnection::open(target));
  }
  return link.connection.get();
}

Result<PostgresRows> PostgresBoard::ask(Link& link, const char* statement, const PostgresValues& values) {
  const std::lock_guard lock(link.mutex);
  ASSIGN_OR_RETURN(PostgresConnection* const connection, open(link));
  auto rows = connection->ask(statement, values);
  if (!rows.ok() && connection->failure().is_in_doubt) link.connection.reset();
  return rows;
}

Result<ClusterFacts> PostgresBoard::facts() {
  ASSIGN_OR_RETURN(const PostgresRows there, ask(control_, "SELECT to_regclass('hearth.hearth_cluster') IS NOT NULL"));
  const Error none = not_there("no cluster was made in " + shown_url(options_.target.url) +
                               ": hearth cluster init URL --shards 16 makes one");
  if (!there.boolean(0, 0)) return none;
  ASSIGN_OR_RETURN(const PostgresRows rows,
                   ask(control_, "SELECT id, shards, format, system, secret, admin_secret FROM hearth_cluster"));
  if (rows.count() == 0) return none;
  options_.target.memory->expect(std::string(rows.text(0, 3)));
  ClusterFacts facts;
  facts.id = rows.text(0, 0);
  facts.shards = rows.int4(0, 1);
  facts.format = rows.int4(0, 2);
  facts.secret = rows.text(0, 4);
  facts.admin_secret = rows.text(0, 5);
  return facts;
}

Result<EngineCheck> PostgresBoard::check() {
  const std::lock_guard lock(control_.mutex);
  ASSIGN_OR_RETURN(PostgresConnection* const connection, open(control_));
  const auto state = engine_state(*connection, options_.snapshot_age_max);
  if (!state.ok()) {
    if (connection->failure().is_in_doubt) control_.connection.reset();
    return state.error();
  }
  EngineExpected expected;
  expected.durability = options_.durability;
  expected.system = options_.target.memory->system();
  expected.timeline = options_.target.memory->timeline();
  expected.has_started = has_started_;
  EngineCheck check = judge(state.value(), expected);
  // Whoever connects anew may find the right one.
  if (check.wrong.empty()) RETURN_IF_ERROR(options_.target.memory->admit(state.value().system, check.timeline));
  if (!check.wrong.empty()) control_.connection.reset();
  if (check.wrong.empty()) has_started_ = true;
  return check;
}

Result<void> PostgresBoard::enter(const ClusterNode& node) {
  RETURN_IF_ERROR(check_node_name(node.name));
  RETURN_IF_ERROR(ask(control_, kEnter,
                      PostgresValues()
                          .text(node.name)
                          .text(node.run)
                          .text(node.peer)
                          .text(node.client)
                          .int4(node.formats)
                          .int8s(node.durable)));
  return {};
}

Result<bool> PostgresBoard::renew(const std::string& name, const std::string& run,
                                  const std::vector<uint64_t>& durable) {
  ASSIGN_OR_RETURN(const PostgresRows rows, ask(lease_, kRenew, PostgresValues().text(name).text(run).int8s(durable)));
  return rows.affected() == 1;
}

Result<ClusterView> PostgresBoard::look() {
  ClusterView view;
  ASSIGN_OR_RETURN(const PostgresRows nodes, ask(lease_, kLookNodes));
  for (size_t i = 0; i < nodes.count(); ++i) {
    ClusterNode node;
    node.name = nodes.text(i, 0);
    node.beat = nodes.int8(i, 1);
    node.run = nodes.text(i, 2);
    node.peer = nodes.text(i, 3);
    node.client = nodes.text(i, 4);
    node.formats = nodes.int4(i, 5);
    node.is_drained = nodes.boolean(i, 6);
    node.durable = nodes.int8s(i, 7);
    view.nodes.push_back(std::move(node));
  }
  ASSIGN_OR_RETURN(const PostgresRows shards, ask(lease_, kLookShards));
  for (size_t i = 0; i < shards.count(); ++i) {
    ClusterShard shard;
    shard.shard = shards.int4(i, 0);
    shard.owner = shards.text(i, 1);
    shard.last = {shards.int8(i, 3), shards.int8(i, 2), std::string(shards.text(i, 4))};
    shard.cut = shards.int8(i, 5);
    shard.wish = shards.text(i, 6);
    shard.is_gift = shard.wish.starts_with(kGiftMark);
    if (shard.is_gift) shard.wish.erase(0, 1);
    view.shards.push_back(std::move(shard));
  }
  return view;
}

Result<void> PostgresBoard::end_connections(const std::string& name, const std::string& run) {
  if (name == options_.target.node && run == options_.target.run) return {};
  RETURN_IF_ERROR(ask(control_, kEndConnections, PostgresValues().text(name).text(run)));
  return {};
}

Result<std::optional<LogPosition>> PostgresBoard::take(const Take& take) {
  ASSIGN_OR_RETURN(
      const PostgresRows rows,
      ask(control_, kTake,
          PostgresValues().int4(take.shard).int8(take.epoch).text(take.from).int8(take.beat).text(take.to)));
  if (rows.count() == 0) return std::optional<LogPosition>();
  return std::optional(LogPosition{rows.int8(0, 0), rows.int8(0, 2), std::string(rows.text(0, 1))});
}

Result<void> PostgresBoard::give_up(uint32_t shard, const std::string& name, uint64_t epoch) {
  RETURN_IF_ERROR(ask(control_, kGiveUp, PostgresValues().int4(shard).text(name).int8(epoch)));
  return {};
}

Result<void> PostgresBoard::wish(uint32_t shard, const std::string& node) {
  ASSIGN_OR_RETURN(const PostgresRows rows, ask(control_, kWish, PostgresValues().int4(shard).text(node)));
  if (rows.affected() == 1) return {};
  return not_there("the cluster has no shard " + std::to_string(shard) + ", or no node " + node);
}

Result<void> PostgresBoard::gift(uint32_t shard, const std::string& node) {
  RETURN_IF_ERROR(ask(control_, kGift, PostgresValues().int4(shard).text(node)));
  return {};
}

Result<void> PostgresBoard::end_wish(const ClusterShard& seen) {
  const std::string stored = seen.is_gift ? kGiftMark + seen.wish : seen.wish;
  RETURN_IF_ERROR(ask(control_, kEndWish, PostgresValues().int4(seen.shard).text(stored)));
  return {};
}

Result<void> PostgresBoard::drain(const std::string& node, bool is_drained) {
  ASSIGN_OR_RETURN(const PostgresRows rows, ask(control_, "UPDATE hearth_node SET drained = $2 WHERE name = $1",
                                                PostgresValues().text(node).boolean(is_drained)));
  if (rows.affected() == 1) return {};
  return not_there("the cluster has no node " + node);
}

Result<void> PostgresBoard::forget(const std::string& node) {
  ASSIGN_OR_RETURN(const PostgresRows rows, ask(control_, kForget, PostgresValues().text(node)));
  if (rows.count() == 1) return {};
  return not_there("the cluster has no node " + node);
}

Result<void> PostgresBoard::set_format(uint32_t format) {
  ASSIGN_OR_RETURN(const PostgresRows rows, ask(control_, kFormat, PostgresValues().int4(format)));
  if (rows.affected() == 1) return {};
  ASSIGN_OR_RETURN(const PostgresRows less,
                   ask(control_, "SELECT name, formats FROM hearth_node WHERE formats < $1 ORDER BY name LIMIT 1",
                       PostgresValues().int4(format)));
  if (less.count() == 0) {
    return Error{ErrorCode::InvalidArgument,
                 "the cluster writes a later format than " + std::to_string(format) + ", and its log has such batches"};
  }
  const std::string name(less.text(0, 0));
  return Error{ErrorCode::InvalidArgument, "node " + name + " reads formats up to " + std::to_string(less.int4(0, 1)) +
                                               ": upgrade it first, or hearth cluster forget " + name};
}

Result<std::string> PostgresBoard::whole_batch(std::string_view stored) {
  ASSIGN_OR_RETURN(Envelope envelope, read_envelope(stored));
  if (envelope.is_in_file) {
    std::string whole;
    RETURN_IF_ERROR(read_file(envelope.payload, [&](std::string_view part) -> Result<void> {
      if (whole.size() + part.size() > kBatchBytesMax) {
        return Error{ErrorCode::TooLarge, "a batch of the log is more than a batch may be"};
      }
      whole += part;
      return {};
    }));
    if (whole.empty()) return Error{ErrorCode::Corruption, "a batch of the log names a file that is not there"};
    envelope.payload = std::move(whole);
  }
  if (!envelope.is_compressed) return std::move(envelope.payload);
  return decompress_batch(envelope.payload, kBatchBytesMax);
}

Result<std::vector<std::string>> PostgresBoard::batches(uint32_t shard, uint64_t behind, size_t bytes_max) {
  static_assert(kBatchesReadMax == 256, "as kBatches has it");
  ASSIGN_OR_RETURN(const PostgresRows rows,
                   ask(reads_, kBatches, PostgresValues().int4(shard).int8(behind).int8(bytes_max)));
  std::vector<std::string> found;
  size_t bytes = 0;
  for (size_t i = 0; i < rows.count() && (i == 0 || bytes < bytes_max); ++i) {
    if (rows.int8(i, 0) != behind + i + 1) {
      return not_there("the log of shard " + std::to_string(shard) + " has no batch " + std::to_string(behind + i + 1) +
                       " any more, and goes on with " + std::to_string(rows.int8(i, 0)));
    }
    ASSIGN_OR_RETURN(std::string batch, whole_batch(rows.text(i, 1)));
    bytes += batch.size();
    found.push_back(std::move(batch));
  }
  return found;
}

Result<void> PostgresBoard::read_file(const std::string& file,
                                      const std::function<Result<void>(std::string_view)>& part) {
  for (uint32_t next = 0;;) {
    ASSIGN_OR_RETURN(const PostgresRows rows,
                     ask(reads_, kParts, PostgresValues().text(file).int4(next).int4(kPartsRead)));
    for (size_t i = 0; i < rows.count(); ++i) {
      if (rows.int4(i, 0) != next) {
        return Error{ErrorCode::Corruption,
                     "the file " + file + " of the log has no part " + std::to_string(next) + ", and later ones"};
      }
      RETURN_IF_ERROR(part(rows.text(i, 1)));
      ++next;
    }
    if (rows.count() < kPartsRead) return {};
  }
}

Result<std::vector<std::string>> PostgresBoard::files_named(uint32_t shard, uint64_t from, uint64_t upto) {
  ASSIGN_OR_RETURN(const PostgresRows rows,
                   ask(control_, kRowsWithFiles, PostgresValues().int4(shard).int8(from).int8(upto)));
  std::vector<std::string> named;
  for (size_t i = 0; i < rows.count(); ++i) {
    ASSIGN_OR_RETURN(Envelope envelope, read_envelope(rows.text(i, 0)));
    std::move(envelope.files.begin(), envelope.files.end(), std::back_inserter(named));
  }
  return named;
}

// Those that rows of the log name, and those that batches of that time were in, whether a row came to name them or not.
Result<void> PostgresBoard::erase_files(uint32_t shard, uint64_t from, uint64_t upto) {
  ASSIGN_OR_RETURN(const std::vector<std::string> named, files_named(shard, from, upto));
  if (!named.empty()) RETURN_IF_ERROR(ask(control_, kEraseNamed, PostgresValues().texts(named)));
  const std::string number = std::to_string(shard);
  RETURN_IF_ERROR(ask(control_, kEraseBatches, PostgresValues().text(number).int8(upto)));
  return {};
}

// What another run has begun can be named no more once the shard is ours, and whoever comes after us begins files of a later
// run: so if the shard is still ours after both looks, what the first one saw and the second one did not is of no use.
Result<bool> PostgresBoard::erase_left(uint32_t shard, uint64_t epoch) {
  ASSIGN_OR_RETURN(const PostgresRows there,
                   ask(control_, kFilesOfOthers,
                       PostgresValues().text(files_of_shard(shard)).text(files_of_run(shard, options_.target.run))));
  std::set<std::string> left;
  for (size_t i = 0; i < there.count(); ++i) left.emplace(there.text(i, 0));
  if (!left.empty()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> named, files_named(shard, 0, kSequenceMax));
    for (const std::string& one : named) left.erase(one);
  }
  ASSIGN_OR_RETURN(const PostgresRows ours, ask(control_, "SELECT 1 FROM hearth_shard WHERE shard = $1 AND epoch = $2",
                                                PostgresValues().int4(shard).int8(epoch)));
  if (ours.count() == 0) return false;
  if (left.empty()) return true;
  RETURN_IF_ERROR(ask(control_, kEraseNamed, PostgresValues().texts({left.begin(), left.end()})));
  return true;
}

// First the mark, then files, then rows: whatever is interrupted, no row that is still wanted names a file that is gone.
Result<bool> PostgresBoard::cut(uint32_t shard, uint64_t epoch, uint64_t upto) {
  ASSIGN_OR_RETURN(const PostgresRows ours,
                   ask(control_, kMoveCut, PostgresValues().int4(shard).int8(epoch).int8(upto)));
  if (ours.count() == 0) return false;  // another epoch has begun
  ASSIGN_OR_RETURN(
      const PostgresRows lowest,
      ask(control_, "SELECT coalesce(min(seq), 0) FROM hearth_log WHERE shard = $1", PostgresValues().int4(shard)));
  const uint64_t from = lowest.int8(0, 0);
  if (from == 0 || from > upto) return false;
  const uint64_t last = std::min(upto, from + kCutRowsMax - 1);
  RETURN_IF_ERROR(erase_files(shard, from, last));
  RETURN_IF_ERROR(ask(control_, kEraseRows, PostgresValues().int4(shard).int8(from).int8(last)));
  return last < upto;
}

}  // namespace hearth::db
