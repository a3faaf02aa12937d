#include "db/log/postgres/postgres_board.h"

#include <catch2/catch.hpp>

#include "db/cluster/lease.h"
#include "tests/db/log/postgres/test_cluster.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Appended = CommitLog::Appended;

Board::Take take_of(const ClusterShard& shard, uint64_t beat, const std::string& to) {
  return {shard.shard, shard.last.epoch, shard.owner, beat, to};
}

// Fills the log of shard 0, which it takes.
LogPosition fill(const TestCluster& cluster, PostgresLog& log, int count, const std::string& batch = "batch") {
  LogPosition last = must(log.take(0));
  for (int i = 0; i < count; ++i) {
    const std::string id = new_id();
    REQUIRE(append(log, 0, last, id, batch + std::to_string(i)) == Appended::Accepted);
    last = {last.sequence + 1, last.epoch, id};
  }
  (void)cluster;
  return last;
}

std::string whole_file(PostgresBoard& board, const std::string& name) {
  std::string whole;
  must(board.read_file(name, [&](std::string_view part) {
    whole += part;
    return Result<void>();
  }));
  return whole;
}

}  // namespace

TEST_CASE("Board: nodes enter, renew, and are seen; a second run of a name ends the first", "[postgres]") {
  const TestCluster cluster(2);
  const auto options = cluster.board_options("n1");
  PostgresBoard board(options);
  must(cluster.enter(board, options));
  CHECK(must(board.renew("n1", options.target.run, {7, 9})));
  ClusterView view = must(board.look());
  REQUIRE(view.nodes.size() == 1);
  CHECK(view.nodes[0].name == "n1");
  CHECK(view.nodes[0].run == options.target.run);
  CHECK(view.nodes[0].peer == "127.0.0.1:1");
  CHECK(view.nodes[0].formats == 1);
  CHECK(view.nodes[0].durable == std::vector<uint64_t>{7, 9});
  const uint64_t beat = view.nodes[0].beat;
  must(board.drain("n1", true));

  const auto second_options = cluster.board_options("n1");
  PostgresBoard second(second_options);
  must(cluster.enter(second, second_options));
  CHECK_FALSE(must(board.renew("n1", options.target.run, {7, 9})));
  CHECK(must(second.renew("n1", second_options.target.run, {1, 2})));
  view = must(board.look());
  REQUIRE(view.nodes.size() == 1);
  CHECK(view.nodes[0].beat > beat);  // it never goes back
  CHECK(view.nodes[0].is_drained);   // an operator's wish outlives a run
  must(board.forget("n1"));
  for (const ClusterShard& one : must(board.look()).shards) CHECK(one.wish.empty());
  CHECK_FALSE(must(second.renew("n1", second_options.target.run, {})));

  ClusterNode strange;
  strange.name = "a:b";
  const auto refused = board.enter(strange);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::InvalidArgument);
}

TEST_CASE("Board: a shard is taken once, from who stands still, and given up by its owner alone", "[postgres]") {
  const TestCluster cluster(2);
  const auto options1 = cluster.board_options("n1"), options2 = cluster.board_options("n2");
  PostgresBoard n1(options1), n2(options2);
  must(cluster.enter(n1, options1));
  must(cluster.enter(n2, options2));

  const ClusterView first = must(n1.look());
  const auto taken = must(n1.take(take_of(first.shards[0], 0, "n1")));
  REQUIRE(taken);
  CHECK(taken->epoch == first.shards[0].last.epoch + 1);
  CHECK_FALSE(must(n2.take(take_of(first.shards[0], 0, "n2"))));  // as it was seen, it is not any more

  const ClusterView seen = must(n2.look());
  CHECK(seen.shards[0].owner == "n1");
  const uint64_t beat = seen.nodes[0].beat;
  CHECK(must(n1.renew("n1", options1.target.run, {0, 0})));
  CHECK_FALSE(must(n2.take(take_of(seen.shards[0], beat, "n2"))));  // its beat has moved
  CHECK(must(n2.take(take_of(seen.shards[0], beat + 1, "n2"))));

  must(n1.give_up(0, "n1", taken->epoch));  // it is n2's: nothing happens
  CHECK(must(n1.look()).shards[0].owner == "n2");
  must(n2.give_up(0, "n2", taken->epoch + 1));
  const ClusterView given = must(n1.look());
  CHECK(given.shards[0].owner.empty());
  CHECK(must(n1.take(take_of(given.shards[0], 0, "n1"))));
  // What the run before had: its beat is this run's by now.
  CHECK(must(n1.take(take_of(must(n1.look()).shards[0], 0, "n1"))));
}

TEST_CASE("Board: an owner that stopped within a round holds its locks until its connections are ended", "[postgres]") {
  const TestCluster cluster(2);
  const auto options2 = cluster.board_options("n2");
  PostgresTarget old = cluster.target("n1");
  PostgresBoard n2(options2);
  auto stopped = must(PostgresConnection::open(old));
  must(stopped->prepare("hold", "UPDATE hearth_shard SET seq = seq WHERE shard = $1", PostgresValues().int4(0)));
  must(stopped->enter_rounds());
  stopped->add("hold", PostgresValues().int4(0));
  stopped->flush_open_round();  // and no more, for ever
  while (trio().ask_primary(
             "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'hearth:n1:%' AND state = 'active'"
             " AND wait_event = 'ClientRead'") != "1") {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const ClusterShard shard = must(n2.look()).shards[0];
  const auto before = std::chrono::steady_clock::now();
  const auto waited = n2.take(take_of(shard, 0, "n2"));
  REQUIRE_FALSE(waited.ok());
  CHECK(waited.error().code == ErrorCode::Unavailable);
  CHECK(std::chrono::steady_clock::now() - before < kSilenceMax);  // the engine says so; it is not guessed
  must(n2.end_connections("n1", "another run"));
  CHECK(stopped->is_open());
  must(n2.end_connections("n1", old.run));
  CHECK(must(n2.take(take_of(shard, 0, "n2"))));
  must(n2.end_connections("n2", options2.target.run));  // not its own
  CHECK(must(n2.look()).shards[0].owner == "n2");
}

TEST_CASE("Board: nobody waits for a renewal that would come too late to make the lease good", "[postgres]") {
  const TestCluster cluster(2);
  const auto options = cluster.board_options("n1");
  PostgresBoard n1(options);
  must(cluster.enter(n1, options));
  trio().stop_standbys();
  const auto renewed = n1.renew("n1", options.target.run, {0, 0});
  trio().continue_standbys();
  REQUIRE_FALSE(renewed.ok());
  CHECK(renewed.error().code == ErrorCode::Unavailable);
  CHECK(renewed.error().message.find("nothing came for " + std::to_string(kGoodFor.count()) + " ms") !=
        std::string::npos);
}

TEST_CASE("Board: the log is read in order, whole, and only from where it begins", "[postgres]") {
  const TestCluster cluster(2);
  PostgresLog log(cluster.log_options());
  PostgresBoard board(cluster.board_options("n2"));
  fill(cluster, log, 30);
  CHECK(must(board.batches(1, 0, 1000)).empty());
  std::vector<std::string> all;
  while (true) {
    const auto more = must(board.batches(0, all.size(), 20));
    if (more.empty()) break;
    CHECK(more.size() <= 5);  // 20 bytes of seven each, and one
    all.insert(all.end(), more.begin(), more.end());
  }
  REQUIRE(all.size() == 30);
  for (int i = 0; i < 30; ++i) CHECK(all[static_cast<size_t>(i)] == "batch" + std::to_string(i));
  CHECK(must(board.batches(0, 0, 1)).size() == 1);  // one at least, or nobody came past a large one

  const uint64_t epoch = must(board.look()).shards[0].last.epoch;
  CHECK_FALSE(must(board.cut(0, epoch, 10)));
  CHECK(must(board.look()).shards[0].cut == 10);
  CHECK(must(board.batches(0, 10, 1000)).size() == 20);
  const auto gone = board.batches(0, 4, 1000);
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().code == ErrorCode::NotFound);
}

TEST_CASE("Board: the log is cut in steps, by the owner's epoch alone", "[postgres]") {
  const TestCluster cluster(1);
  cluster.ask(
      "INSERT INTO hearth_log SELECT 0, n, 1, '\\\\x00', '\\\\x0041' FROM generate_series(1, 2500) AS n;"
      " UPDATE hearth_shard SET seq = 2500, epoch = 3");
  PostgresBoard board(cluster.board_options());
  CHECK_FALSE(must(board.cut(0, 2, 2300)));  // of an epoch that is over
  CHECK(cluster.ask("SELECT count(*) FROM hearth_log") == "2500");
  CHECK(must(board.cut(0, 3, 2300)));
  CHECK(cluster.ask("SELECT min(seq) FROM hearth_log") == "1001");
  CHECK(must(board.cut(0, 3, 2300)));
  CHECK_FALSE(must(board.cut(0, 3, 2300)));
  CHECK(cluster.ask("SELECT min(seq), max(seq) FROM hearth_log") == "2301|2500");
  CHECK_FALSE(must(board.cut(0, 3, 100)));  // the mark does not go back
  CHECK(must(board.look()).shards[0].cut == 2300);
}

TEST_CASE("Board: files are read in parts, and go with the batch that names them", "[postgres]") {
  const TestCluster cluster(2);
  PostgresLog log(cluster.log_options());
  PostgresBoard board(cluster.board_options());
  LogPosition last = fill(cluster, log, 2);
  const std::string file = random_hex(16), other = random_hex(16);
  for (int i = 0; i < 9; ++i) must(log.add_file_part(0, file, std::string(1000, static_cast<char>('a' + i))));
  must(log.add_file_part(0, other, "of another"));
  const auto next = [&](const std::string& batch) {
    const std::string id = new_id();
    REQUIRE(append(log, 0, last, id, batch) == Appended::Accepted);
    last = {last.sequence + 1, last.epoch, id};
  };
  next("nothing of it");
  next("a restore, of " + file + ", and so on");
  next("behind it");
  CHECK(must(board.batches(0, 3, 1))[0] == "a restore, of " + file + ", and so on");

  const auto read = [&](const std::string& name) { return whole_file(board, name); };
  CHECK(read(file).size() == 9000);
  CHECK(read(file).substr(7999, 2) == "hi");
  CHECK(read("no such file").empty());
  must(board.cut(0, last.epoch, 3));
  CHECK(read(file).size() == 9000);
  must(board.cut(0, last.epoch, 4));
  CHECK(read(file).empty());
  CHECK(read(other) == "of another");  // no batch named it yet
}

TEST_CASE("Board: what restores of other runs have left goes, and nothing that a batch names or will name",
          "[postgres]") {
  const TestCluster cluster(12);
  const auto old_options = cluster.log_options();
  PostgresLog old(old_options);
  LogPosition last = must(old.take(1));
  const auto files = [&] { return cluster.ask("SELECT count(DISTINCT id) FROM hearth_file"); };
  // One restore came to its batch, one did not, and a neighbour's did not either: its shard begins with the same digit.
  const std::string named = old.new_file(1), left = old.new_file(1), elsewhere = old.new_file(11);
  CHECK(named != left);
  for (const std::string& file : {named, left}) {
    for (int i = 0; i < 3; ++i) must(old.add_file_part(1, file, "part" + std::to_string(i)));
  }
  must(old.add_file_part(11, elsewhere, "part"));
  const std::string id = new_id();
  REQUIRE(append(old, 1, last, id, "a restore, of " + named) == Appended::Accepted);
  last = {last.sequence + 1, last.epoch, id};

  // Its own run may still name what it has begun.
  auto same_run = cluster.board_options();
  same_run.target.run = old_options.target.run;
  PostgresBoard own(same_run);
  CHECK(must(own.erase_left(1, last.epoch)));
  CHECK(files() == "3");
  // Another one that does not own the shard erases nothing.
  const auto next_options = cluster.log_options();
  auto next_board = cluster.board_options();
  next_board.target.run = next_options.target.run;
  PostgresBoard board(next_board);
  CHECK_FALSE(must(board.erase_left(1, last.epoch + 1)));
  CHECK(files() == "3");
  // The next owner does, and not of what it has begun itself.
  PostgresLog next(next_options);
  last = must(next.take(1));
  const std::string begun = next.new_file(1);
  must(next.add_file_part(1, begun, "begun"));
  CHECK(must(board.erase_left(1, last.epoch)));
  CHECK(files() == "3");
  CHECK(cluster.ask("SELECT count(*) FROM hearth_file WHERE id = '" + left + "'") == "0");
  const std::string second = new_id();
  REQUIRE(append(next, 1, last, second, "a restore, of " + begun) == Appended::Accepted);
  const auto read = [&](const std::string& name) { return whole_file(board, name); };
  CHECK(read(named) == "part0part1part2");
  CHECK(read(begun) == "begun");
  CHECK(read(elsewhere) == "part");
  must(board.cut(1, last.epoch, 2));
  CHECK(files() == "1");
}

TEST_CASE("Board: a batch of many MB is read whole, and leaves nothing when it is cut", "[postgres]") {
  const TestCluster cluster(2);
  PostgresLog log(cluster.log_options());
  PostgresBoard board(cluster.board_options());
  LogPosition last = must(log.take(1));
  std::string noise(6 << 20, '\0');  // not to be compressed
  random_bytes(noise.data(), noise.size());
  const std::string plain(20 << 20, 'x');
  for (const std::string& batch : {noise, plain, std::string("small")}) {
    const std::string id = new_id();
    REQUIRE(append(log, 1, last, id, batch) == Appended::Accepted);
    last = {last.sequence + 1, last.epoch, id};
  }
  CHECK(cluster.ask("SELECT count(*), max(octet_length(bytes)) FROM hearth_file") == "6|1048576");
  CHECK(cluster.ask("SELECT max(octet_length(batch)) < 10000 FROM hearth_log") == "t");
  // One that was refused leaves parts, which go with its time.
  LogPosition stale = last;
  stale.epoch -= 1;
  CHECK(append(log, 1, stale, new_id(), noise) == Appended::Conflict);
  CHECK(cluster.ask("SELECT count(*) FROM hearth_file") == "12");

  const auto batches = must(board.batches(1, 0, 1 << 30));
  REQUIRE(batches.size() == 3);
  CHECK(batches[0] == noise);
  CHECK(batches[1] == plain);
  CHECK(batches[2] == "small");
  must(board.cut(1, last.epoch, 3));
  CHECK(cluster.ask("SELECT count(*) FROM hearth_file") == "6");
  const std::string id = new_id();
  REQUIRE(append(log, 1, last, id, "after it") == Appended::Accepted);
  must(board.cut(1, last.epoch, 4));
  CHECK(cluster.ask("SELECT count(*) FROM hearth_file") == "0");
}

TEST_CASE("Board: wishes of operators are kept, and what they name must be there", "[postgres]") {
  const TestCluster cluster(2);
  const auto options = cluster.board_options("n1");
  PostgresBoard board(options);
  must(cluster.enter(board, options));
  must(board.wish(1, "n1"));
  CHECK(must(board.look()).shards[1].wish == "n1");
  must(board.gift(1, "n2"));  // stands behind it
  CHECK(must(board.look()).shards[1].wish == "n1");
  CHECK_FALSE(must(board.look()).shards[1].is_gift);
  must(board.wish(1, ""));
  CHECK(must(board.look()).shards[1].wish.empty());
  must(board.gift(1, "n2"));
  const ClusterShard gift = must(board.look()).shards[1];
  CHECK(gift.wish == "n2");
  CHECK(gift.is_gift);
  must(board.wish(1, "n1"));
  must(board.end_wish(gift));  // another one by now
  const ClusterShard wish = must(board.look()).shards[1];
  CHECK(wish.wish == "n1");
  must(board.end_wish(wish));
  CHECK(must(board.look()).shards[1].wish.empty());
  must(board.wish(1, "n1"));
  must(board.gift(0, "n1"));
  for (const auto& refused : {board.wish(1, "n9"), board.wish(9, "n1"), board.drain("n9", true), board.forget("n9")}) {
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::NotFound);
  }
  const auto format = board.set_format(2);
  REQUIRE_FALSE(format.ok());
  CHECK(format.error().code == ErrorCode::InvalidArgument);
  CHECK(format.error().message.find("node n1") != std::string::npos);
  must(board.forget("n1"));
  must(board.set_format(2));
  CHECK(must(board.facts()).format == 2);
  CHECK_FALSE(board.set_format(1).ok());
}
