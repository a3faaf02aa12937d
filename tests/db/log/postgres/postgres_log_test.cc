#include "db/log/postgres/postgres_log.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <set>
#include <thread>

#include "tests/db/log/postgres/test_cluster.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Appended = CommitLog::Appended;

// Until a backend of the cluster waits for the standby; its process.
std::string await_waiting(const TestCluster& cluster) {
  while (true) {
    const std::string pid =
        trio().ask_primary("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = '" +
                           cluster.database() + "' LIMIT 1");
    if (!pid.empty()) return pid;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// The names in the engine's own rows, which are a history that its head tells the end of.
std::vector<std::string> names_in_engine(const TestCluster& cluster, uint32_t shard) {
  PostgresBoard board(cluster.board_options("reader"));
  const NamedBatches there = batches_in_engine(board, shard);
  const ClusterShard head = must(board.look()).shards[shard];
  CHECK(head.last.sequence == there.last().sequence);
  CHECK(head.last.id == there.last().id);
  return there.names();
}

}  // namespace

TEST_CASE("PostgreSQL log: a batch is appended behind the last one, of the epoch that holds", "[postgres]") {
  const TestCluster cluster(2);
  PostgresLog log(cluster.log_options());
  const LogPosition start = must(log.take(0));
  CHECK(start.sequence == 0);
  CHECK(start.epoch == 1);
  CHECK(start.id == LogPosition().id);
  const std::string id = new_id();
  CHECK(append(log, 0, start, id, "one") == Appended::Accepted);
  CHECK(append(log, 0, start, new_id(), "another one") == Appended::Conflict);  // behind what is not the last any more
  const LogPosition next = must(log.take(0));
  CHECK(next.sequence == 1);
  CHECK(next.epoch == 2);
  CHECK(next.id == id);
  LogPosition stale = next;
  stale.epoch = 1;
  CHECK(append(log, 0, stale, new_id(), "of before") == Appended::Conflict);
  CHECK(append(log, 0, next, new_id(), "two") == Appended::Accepted);
  CHECK(append(log, 9, next, new_id(), "of no shard") == Appended::Conflict);

  CHECK_FALSE(must(log.begin_epoch(0, 1)));
  const auto begun = must(log.begin_epoch(0, 2));
  REQUIRE(begun);
  CHECK(begun->epoch == 3);
  CHECK(begun->sequence == 2);
  PostgresLog other(cluster.log_options("n2"));
  CHECK_FALSE(must(other.begin_epoch(0, 3)));  // it is not its own
  CHECK_FALSE(log.take(9).ok());
  CHECK(cluster.ask("SELECT count(*), max(seq) FROM hearth_log") == "2|2");
  CHECK(log.figures().appends.value() == 2);
  CHECK(log.figures().conflicts.value() == 3);
  CHECK(log.figures().unknown.value() == 0);
}

TEST_CASE("PostgreSQL log: what waits goes in one round, and a conflict harms no other of it", "[postgres]") {
  const TestCluster cluster(16);
  PostgresLog log(cluster.log_options());
  std::vector<LogPosition> last;
  for (uint32_t shard = 0; shard < 16; ++shard) last.push_back(must(log.take(shard)));
  REQUIRE(append(log, 0, last[0], new_id(), "first") == Appended::Accepted);  // connected
  last[0].sequence = 1;
  last[5].epoch += 1;  // it conflicts
  trio().stop_standbys();
  std::mutex mutex;
  std::vector<Appended> answers(16, Appended::Unknown);
  std::atomic<int> count = 0;
  const auto send = [&](uint32_t shard) {
    log.append(shard, last[shard], new_id(), sealed("batch"), [&, shard](Appended what) {
      const std::lock_guard lock(mutex);
      answers[shard] = what;
      ++count;
    });
  };
  send(0);
  await_waiting(cluster);
  for (uint32_t shard = 1; shard < 16; ++shard) send(shard);
  CHECK(count == 0);  // nothing is told while no standby has it
  trio().continue_standbys();
  while (count < 16) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (uint32_t shard = 0; shard < 16; ++shard) {
    INFO(shard);
    CHECK(answers[shard] == (shard == 5 ? Appended::Conflict : Appended::Accepted));
  }
  CHECK(log.figures().rounds.value() == 3);  // the first, the one that waited, and all the others
  CHECK(cluster.ask("SELECT count(DISTINCT xmin::text) FROM hearth_log") == "3");
}

TEST_CASE("PostgreSQL log: an append that cannot succeed does not stop the others of its round", "[postgres]") {
  const TestCluster cluster(3);
  cluster.ask("ALTER TABLE hearth_log ADD CHECK (shard <> 1 OR octet_length(batch) < 10)");
  PostgresLog log(cluster.log_options());
  std::vector<LogPosition> last;
  for (uint32_t shard = 0; shard < 3; ++shard) last.push_back(must(log.take(shard)));
  REQUIRE(append(log, 0, last[0], new_id(), "first") == Appended::Accepted);
  last[0].sequence = 1;
  trio().stop_standbys();
  std::atomic<int> accepted = 0, unknown = 0;
  const auto send = [&](uint32_t shard, const std::string& batch) {
    log.append(shard, last[shard], new_id(), sealed(batch),
               [&](Appended what) { ++(what == Appended::Accepted ? accepted : unknown); });
  };
  send(0, "waits");
  await_waiting(cluster);
  send(1, "more than it may have");
  send(2, "well");
  trio().continue_standbys();
  while (accepted + unknown < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(accepted == 2);
  CHECK(unknown == 1);
  CHECK(log.figures().refused.value() == 2);
  CHECK(cluster.ask("SELECT string_agg(shard::text, ' ' ORDER BY shard, seq) FROM hearth_log") == "0 0 2");
}

TEST_CASE("PostgreSQL log: a wait for the standby that was cancelled is no acknowledgement", "[postgres]") {
  const TestCluster cluster(1);
  for (const bool is_terminated : {false, true}) {
    INFO(is_terminated);
    PostgresLog log(cluster.log_options());
    const LogPosition last = must(log.take(0));
    const std::string id = new_id();
    trio().stop_standbys();
    std::atomic<int> answer = -1;
    log.append(0, last, id, sealed("batch"), [&](Appended what) { answer = static_cast<int>(what); });
    const std::string pid = await_waiting(cluster);
    trio().ask_primary((is_terminated ? "SELECT pg_terminate_backend(" : "SELECT pg_cancel_backend(") + pid + ")");
    while (answer < 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(static_cast<Appended>(answer.load()) == Appended::Unknown);
    // It shows on the primary all the same; the next epoch waits for the standby, and then it counts.
    CHECK(cluster.ask("SELECT seq FROM hearth_shard") == std::to_string(last.sequence + 1));
    std::thread later([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      trio().continue_standbys();
    });
    const auto begun = must(log.begin_epoch(0, last.epoch));
    later.join();
    REQUIRE(begun);
    CHECK(begun->id == id);
    CHECK(begun->epoch == last.epoch + 1);
  }
}

TEST_CASE("PostgreSQL log: standbys that are away for longer than an answer is waited for lose and double nothing",
          "[postgres]") {
  const TestCluster cluster(2);
  PostgresLog log(cluster.log_options());
  ShardLog shard(log, 0, must(log.take(0)));
  const auto put = [&](const std::string& name) {
    const auto turn = shard.turn();
    return shard.append(entry_named(name), Timestamp(1));
  };
  must(put("before"));
  // Another one's patience ends before its answer comes. It may have happened all the same, and whoever asks again for the
  // same epoch is still the owner.
  auto hasty_options = cluster.log_options();
  hasty_options.settle_max = std::chrono::milliseconds(10);
  PostgresLog hasty(hasty_options);
  const uint64_t epoch = must(hasty.take(1)).epoch;
  trio().stop_standbys();
  std::optional<Result<std::optional<LogPosition>>> first;
  std::thread asks([&] { first = hasty.begin_epoch(1, epoch); });
  std::thread later([] {
    std::this_thread::sleep_for(kSilenceMax + std::chrono::milliseconds(1500));
    trio().continue_standbys();
  });
  const auto during = put("during");  // Unknown after a while, settled when they are back
  later.join();
  asks.join();
  REQUIRE_FALSE(first->ok());
  const auto second = must(hasty.begin_epoch(1, epoch));
  REQUIRE(second);
  CHECK(second->epoch > epoch);
  must(during);
  must(put("after"));
  CHECK(log.figures().unknown.value() >= 1);
  CHECK(names_in_engine(cluster, 0) == std::vector<std::string>{"before", "during", "after"});
}

TEST_CASE("PostgreSQL log: two writers that take a shard from each other never fork it", "[postgres]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  const TestCluster cluster(2);
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(std::getenv("HEARTH_LONG") != nullptr ? 60 : 3);
  std::atomic<int> accepted = 0, refused = 0, failed = 0;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 2; ++writer) {
    writers.emplace_back([&, writer] {
      RandomTree random(seed + static_cast<uint64_t>(writer));
      PostgresLog log(cluster.log_options("n" + std::to_string(writer)));
      while (std::chrono::steady_clock::now() < end) {
        const uint32_t at = static_cast<uint32_t>(random.below(2));
        auto taken = log.take(at);
        if (!taken.ok()) {
          ++failed;
          continue;
        }
        ShardLog shard(log, at, std::move(taken).value());
        const size_t count = random.below(30);
        for (size_t i = 0; i < count && !shard.is_lost(); ++i) {
          const auto turn = shard.turn();
          ++(shard.append(entry_named("x"), Timestamp(1)).ok() ? accepted : refused);
        }
      }
    });
  }
  for (std::thread& one : writers) one.join();
  CHECK(failed == 0);
  CHECK(accepted > 50);
  CHECK(refused > 0);  // they met
  for (uint32_t shard = 0; shard < 2; ++shard) names_in_engine(cluster, shard);
  CHECK(cluster.ask("SELECT count(*) FROM hearth_log") == std::to_string(accepted));
}

TEST_CASE("PostgreSQL log: the word of an append reaches its rounds, however many pause for an epoch", "[postgres]") {
  PostgresLog::Options options;
  options.target.url = "postgresql://nobody@127.0.0.1:1/none";  // nothing is there
  options.settle_max = std::chrono::milliseconds(20);
  PostgresLog log(options);
  std::atomic<bool> is_over = false;
  std::vector<std::thread> pausing;
  for (uint32_t shard = 1; shard <= 8; ++shard) {
    pausing.emplace_back([&, shard] {
      while (!is_over) (void)log.begin_epoch(shard, 1);
    });
  }
  size_t answered = 0;
  for (int i = 0; i < 10; ++i) {
    const auto answer = std::make_shared<std::promise<Appended>>();
    auto answers = answer->get_future();
    log.append(0, {}, new_id(), sealed("one"), [answer](Appended what) { answer->set_value(what); });
    if (answers.wait_for(std::chrono::seconds(20)) != std::future_status::ready) break;
    CHECK(answers.get() == Appended::Unknown);
    ++answered;
  }
  CHECK(answered == 10);
  is_over = true;
  for (std::thread& one : pausing) one.join();
}

TEST_CASE("PostgreSQL log: connections that are ended at any moment lose nothing, double nothing and stop nobody",
          "[postgres]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  constexpr uint32_t kShards = 4;
  const TestCluster cluster(kShards);
  const auto options = cluster.log_options();
  PostgresLog log(options);
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(std::getenv("HEARTH_LONG") != nullptr ? 120 : 3);
  struct Writer {
    std::vector<std::string> acknowledged;
    std::atomic<int64_t> waits_since = 0;  // milliseconds; 0: it does not wait
  };
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  std::array<Writer, kShards> writers;
  std::atomic<uint32_t> running = kShards;
  std::vector<std::thread> threads;
  for (uint32_t at = 0; at < kShards; ++at) {
    threads.emplace_back([&, at] {
      RandomTree random(seed + at);
      Writer& writer = writers[at];
      std::unique_ptr<ShardLog> shard;
      for (int number = 0; std::chrono::steady_clock::now() < end; ++number) {
        writer.waits_since = now();
        if (shard == nullptr || shard->is_lost()) {
          auto taken = log.take(at);
          if (!taken.ok()) continue;
          shard = std::make_unique<ShardLog>(log, at, std::move(taken).value());
        }
        const std::string name = std::to_string(at) + "-" + std::to_string(number);
        {
          const auto turn = shard->turn();
          if (shard->append(entry_named(name), Timestamp(1)).ok()) writer.acknowledged.push_back(name);
        }
        writer.waits_since = 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(random.below(40)));
      }
      --running;
    });
  }
  RandomTree random(seed + kShards);
  const auto silent = [&] {
    return std::any_of(writers.begin(), writers.end(), [&](const Writer& one) {
      const int64_t since = one.waits_since;
      return since != 0 && now() - since > 30'000;
    });
  };
  PostgresTarget other = cluster.target("killer");
  auto connection = must(PostgresConnection::open(other));
  const std::string name = "hearth:n1:" + options.target.run;
  while (running > 0 && !silent()) {
    // Some of them, or all.
    (void)must(
        connection->ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
                        " AND random() < $2::int / 3.0",
                        PostgresValues().text(name).int4(static_cast<uint32_t>(1 + random.below(3)))));
    std::this_thread::sleep_for(std::chrono::milliseconds(random.below(120)));
  }
  const bool is_silent = silent();
  CHECK_FALSE(is_silent);
  if (is_silent) log.close();
  for (std::thread& one : threads) one.join();
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    const std::vector<std::string> names = names_in_engine(cluster, shard);
    INFO("shard " << shard << ", " << names.size() << " batches");
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
    CHECK(std::includes(names.begin(), names.end(), writers[shard].acknowledged.begin(),
                        writers[shard].acknowledged.end(), [](const std::string& a, const std::string& b) {
                          return std::stoi(a.substr(a.find('-') + 1)) < std::stoi(b.substr(b.find('-') + 1));
                        }));
    CHECK(writers[shard].acknowledged.size() > 10);
  }
}

TEST_CASE("PostgreSQL log: while there is no connection nothing is in doubt, and closing ends the wait", "[postgres]") {
  const TestCluster cluster(1);
  auto options = cluster.log_options();
  std::atomic<int> told = 0;
  options.tell = [&](const std::string&) { ++told; };
  PostgresLog log(options);
  const LogPosition last = must(log.take(0));
  REQUIRE(append(log, 0, last, new_id(), "one") == Appended::Accepted);
  const std::string end = "SELECT count(pg_terminate_backend(pid, 2000)) FROM pg_stat_activity WHERE datname = '" +
                          cluster.database() + "'";
  trio().ask_primary("ALTER DATABASE " + cluster.database() + " ALLOW_CONNECTIONS false");
  trio().ask_primary(end);
  std::atomic<int> answer = -1;
  LogPosition next = last;
  next.sequence += 1;
  log.append(0, next, new_id(), sealed("two"), [&](Appended what) { answer = static_cast<int>(what); });
  while (told == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(answer == -1);
  trio().ask_primary("ALTER DATABASE " + cluster.database() + " ALLOW_CONNECTIONS true");
  while (answer < 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(static_cast<Appended>(answer.load()) == Appended::Accepted);

  trio().ask_primary("ALTER DATABASE " + cluster.database() + " ALLOW_CONNECTIONS false");
  trio().ask_primary(end);
  answer = -1;
  log.append(0, next, new_id(), sealed("three"), [&](Appended what) { answer = static_cast<int>(what); });
  std::thread closer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    log.close();
  });
  CHECK_FALSE(log.begin_epoch(0, last.epoch).ok());
  while (answer < 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  closer.join();
  CHECK(static_cast<Appended>(answer.load()) == Appended::Unknown);
  CHECK(append(log, 0, next, new_id(), "four") == Appended::Unknown);
  CHECK_FALSE(log.take(0).ok());
  trio().ask_primary("ALTER DATABASE " + cluster.database() + " ALLOW_CONNECTIONS true");
}
