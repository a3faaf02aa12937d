// Scenario cluster: what a node's writes cost beside a server by itself, and beside a bare client of the same engine that
// appends rows of the same sizes to the same tables.
//
//   one put under way for each shard        node ── rounds ──▶ engine        puts/s        of  batches/s, bare
//   --window of them                        the node's CPU for a put         at most       a single server's + 1.5 × the bare
//                                                                            client's CPU for a batch / puts in a batch
//   one request after the other             by way of a node that owns nothing, beside the owner itself
//
// All of it goes in turns, --rounds of them, and ratios are of one turn: what else the machine does is in both. The bare
// client's shards are rows behind those of the cluster, which its nodes pass over.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "db/base/random.h"
#include "db/log/commit_log.h"
#include "db/log/postgres/cluster_url.h"
#include "db/log/postgres/connection.h"
#include "db/log/postgres/schema.h"
#include "tools/bench/gate.h"
#include "tools/bench/http.h"
#include "tools/bench/meter.h"
#include "tools/bench/run.h"
#include "tools/or_throw.h"
#include "tools/temporary_folder.h"

namespace hearth::tools {
namespace {

using db::PostgresConnection;
using db::PostgresValues;

constexpr uint32_t kBareFrom = 1'000'000;  // the first shard of the bare client
constexpr std::chrono::seconds kReadyTimeMax{120};
constexpr std::chrono::milliseconds kAskEvery{50};
constexpr double kBareCpuShare = 1.5;

// One transaction for all that was added, as db/log/postgres/postgres_log.cc has it.
constexpr const char* kAppend =
    "WITH h AS (UPDATE hearth_shard SET seq = seq + 1, last = $4"
    " WHERE shard = $1 AND seq = $2 AND epoch = $3 RETURNING seq, epoch)"
    " INSERT INTO hearth_log (shard, seq, epoch, id, batch) SELECT $1, h.seq, h.epoch, $4, $5 FROM h";

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// What each turn found, by name.
class Turns {
 public:
  void add(const std::string& name, double value) { all_[name].push_back(value); }
  double of(const std::string& name) const { return median(all_.at(name)); }
  double last(const std::string& name) const { return all_.at(name).back(); }

 private:
  std::map<std::string, std::vector<double>> all_;
};

// A cluster in the engine, made for this run and removed with it.
class Engine {
 public:
  explicit Engine(const BenchFlags& flags)
      : url_(or_throw(db::read_cluster_url(flags.engine), "--engine").url),
        shards_(static_cast<uint32_t>(flags.shards)) {
    or_throw(db::init_cluster(url_, shards_), "--engine");
    control_ = connect();
    or_throw(control_->ask("INSERT INTO hearth_shard SELECT $1 + number, 0, 1, $2, 'bare', 0"
                           " FROM generate_series(0, $3 - 1) AS number",
                           PostgresValues().int4(kBareFrom).bytes(std::string(db::kBatchIdBytes, '\0')).int4(shards_)),
             "the bare client's shards");
  }
  ~Engine() { (void)control_->run("DROP SCHEMA hearth CASCADE"); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::string& url() const { return url_; }
  uint32_t shards() const { return shards_; }
  int version() const { return control_->server_version(); }
  PostgresConnection& control() { return *control_; }
  std::unique_ptr<PostgresConnection> connect() const {
    db::PostgresTarget target;
    target.url = url_;
    target.node = "bench";
    target.run = db::random_hex(4);
    return or_throw(PostgresConnection::open(target), "--engine");
  }
  // Waits until it answers so.
  void await(const char* question, const PostgresValues& values, std::string_view what) {
    const auto begin = Steady::now();
    while (or_throw(control_->ask(question, values), "the engine").int4(0, 0) == 0) {
      if (Steady::now() - begin > kReadyTimeMax) fail(what);
      std::this_thread::sleep_for(kAskEvery);
    }
  }

 private:
  const std::string url_;
  const uint32_t shards_;
  std::unique_ptr<PostgresConnection> control_;
};

// The floor: a round of one batch for each shard after the other, and nothing else.
class Bare {
 public:
  explicit Bare(const Engine& engine) : shards_(engine.shards()), connection_(engine.connect()) {
    or_throw(connection_->prepare("append", kAppend, PostgresValues().int4(0).int8(0).int8(0).bytes("").bytes("")),
             "append");
    or_throw(connection_->enter_rounds(), "append");
  }
  void run(Steady::duration time, size_t bytes, const std::string& name, Turns& turns) {
    const std::string batch(bytes, 'x');
    std::string id(db::kBatchIdBytes, '\0');
    const auto cpu = own_cpu();
    const auto begin = Steady::now();
    uint64_t batches = 0;
    for (; Steady::now() - begin < time; batches += shards_, ++sequence_) {
      db::random_bytes(id.data(), id.size());
      for (uint32_t shard = 0; shard < shards_; ++shard) {
        connection_->add("append",
                         PostgresValues().int4(kBareFrom + shard).int8(sequence_).int8(1).bytes(id).bytes(batch));
      }
      if (or_throw(connection_->finish_round(), "append") != std::vector<uint64_t>(shards_, 1)) fail("a bare append");
    }
    turns.add(name + "_per_s", static_cast<double>(batches) / seconds_of(Steady::now() - begin));
    turns.add(name + "_cpu_us", (own_cpu() - cpu).count() / static_cast<double>(batches));
  }

 private:
  const uint32_t shards_;
  std::unique_ptr<PostgresConnection> connection_;
  uint64_t sequence_ = 0;
};

struct LoadOf {
  std::string name;  // of its figures
  size_t connections, window;
};

// What a server counts of its rounds (db/cluster/figures.h).
struct Rounds {
  double rounds, batches, bytes;
  static Rounds of(const Address& address) {
    const ServerFigures figures(address);
    const auto value = [&](std::string_view name) { return figures.find(name).value_or(0); };
    return {value("hearth_cluster_rounds_total"), value("hearth_cluster_rounds_batches_total"),
            value("hearth_cluster_rounds_bytes_total")};
  }
};

// A server, and how many puts it has had: what is there already is not written again, and costs nothing.
struct Written {
  std::unique_ptr<ServerProcess> server;
  uint64_t puts = 0;
};

// Puts to all namespaces: NAME_puts_per_s, NAME_cpu_us_per_put, and of a node NAME_puts_per_batch and so on.
void put_all(Written& to, const std::vector<std::string>& spaces, Steady::duration time, const LoadOf& load,
             Latencies& acks, Turns& turns, StatusLine& status) {
  const ServerProcess& server = *to.server;
  const auto make = [from = to.puts, leaves = kLeafWriteLeaves / spaces.size()](uint64_t n, std::string& path,
                                                                                std::string& json) {
    make_leaf_write(from + n, path, json, leaves);
  };
  const Rounds before = Rounds::of(server.address());
  const auto cpu = server.cpu();
  LoadResult result = run_load(
      server.address(), spaces,
      {.connections = load.connections, .window = load.window, .time = time, .make = make, .what = load.name}, status);
  to.puts += result.writes;
  const auto spent = std::chrono::duration<double, std::micro>(server.cpu() - cpu).count();
  const Rounds after = Rounds::of(server.address());
  const auto puts = static_cast<double>(result.writes);
  turns.add(load.name + "_puts_per_s", puts / seconds_of(result.time));
  turns.add(load.name + "_cpu_us_per_put", spent / puts);
  acks.add(result.acks);
  const double batches = after.batches - before.batches;
  if (batches == 0) return;
  turns.add(load.name + "_puts_per_batch", puts / batches);
  turns.add(load.name + "_batches_per_round", batches / (after.rounds - before.rounds));
  turns.add(load.name + "_bytes_per_batch", (after.bytes - before.bytes) / batches);
}

std::unique_ptr<ServerProcess> start(const BenchFlags& flags, const std::string& folder,
                                     std::vector<std::string> more) {
  std::vector<std::string> words = {"--dev",
                                    "--data",
                                    folder,
                                    "--port",
                                    "0",
                                    "--host",
                                    "127.0.0.1",
                                    "--history",
                                    flags.history,
                                    "--threads",
                                    std::to_string(flags.threads),
                                    "--log-level",
                                    "error",
                                    "--max-request-rate",
                                    "0"};
  words.insert(words.end(), more.begin(), more.end());
  return std::make_unique<ServerProcess>(words);
}

// A node; one that is to own nothing is told so before others would give it something.
std::unique_ptr<ServerProcess> start_node(const BenchFlags& flags, Engine& engine, const std::string& folder,
                                          const std::string& name, bool owns) {
  auto node = start(flags, folder + "/" + name,
                    {"--cluster", engine.url(), "--node", name, "--peer", "127.0.0.1:0", "--sync", flags.sync});
  if (!owns) {
    or_throw(engine.control().ask("UPDATE hearth_node SET drained = true WHERE name = $1", PostgresValues().text(name)),
             "drain");
  } else {
    engine.await("SELECT (count(*) = $2)::int FROM hearth_shard WHERE owner = $1 AND shard < $3",
                 PostgresValues().text(name).int8(engine.shards()).int4(kBareFrom), "the node owns no shards");
  }
  return node;
}

// One after the other, by turns at both addresses. `ask` queues a request on the channel of that index.
void compare_hop(WireLoop& loop, const std::function<void(size_t channel)>& ask, Steady::duration time,
                 const std::string& name, Report& report) {
  Latencies direct, hop;
  const auto begin = Steady::now();
  for (bool is_hop = false; Steady::now() - begin < time; is_hop = !is_hop) {
    bool is_answered = false;
    const auto sent = Steady::now();
    ask(is_hop ? 1 : 0);
    loop.run([&](size_t, uint64_t number, std::string_view) { is_answered = is_answered || number > 0; },
             [&] { return is_answered; });
    (is_hop ? hop : direct).add(Steady::now() - sent);
  }
  const double p50 = direct.milliseconds(0.5), hop_p50 = hop.milliseconds(0.5);
  report.add(name + "_p50_ms", p50);
  report.add(name + "_relayed_p50_ms", hop_p50);
  report.add(name + "_relay_adds_p50_ms", hop_p50 - p50);
}

void compare_relay(const ServerProcess& owner, const ServerProcess& other, const std::string& space,
                   const BenchFlags& flags, Report& report) {
  {
    WireLoop loop;
    loop.add(std::make_unique<RestConnection>(owner.address()));
    loop.add(std::make_unique<RestConnection>(other.address()));
    const std::string target = fmt::format("/hop.json?ns={}", space);
    http_ok(owner.address(), "PUT", target, "1");
    compare_hop(
        loop, [&](size_t channel) { loop.at<RestConnection>(channel).request("GET", target); }, flags.time, "get",
        report);
  }
  WireLoop loop;
  loop.connect(owner.address(), space);
  loop.connect(other.address(), space);
  uint64_t n = 0;
  compare_hop(
      loop, [&](size_t channel) { loop.wire(channel).put("/hop", std::to_string(n++)); }, flags.time, "put", report);
}

}  // namespace

Report measure_cluster(const BenchFlags& flags, StatusLine& status) {
  if (flags.engine.empty()) {
    fail("cluster needs --engine URL: a PostgreSQL with its standbys. `tools/cluster bench` starts one");
  }
  const TemporaryFolder folder(flags.folder);
  Engine engine(flags);
  std::vector<std::string> spaces;  // one in each shard
  for (uint32_t shard = 0; shard < engine.shards(); ++shard) {
    uint32_t n = 0;
    while (db::shard_of(fmt::format("s{}-{}", shard, n), engine.shards()) != shard) ++n;
    spaces.push_back(fmt::format("s{}-{}", shard, n));
  }
  Report report{"cluster", {}, {}};
  report.set("engine", db::shown_url(engine.url()));
  report.set("postgresql", std::to_string(engine.version()));
  report.set("shards", std::to_string(engine.shards()));
  report.set("window", std::to_string(flags.window));
  report.set("seconds", std::to_string(flags.time.count()));
  report.set("rounds", std::to_string(flags.rounds));
  report.set("followers", std::to_string(flags.followers));
  report.set("threads", std::to_string(flags.threads));
  report.set("sync", flags.sync);

  Written single{start(flags, folder.path() + "/single", {"--sync", flags.sync})};
  Written owner{start_node(flags, engine, folder.path(), "n1", true)};
  std::vector<std::unique_ptr<ServerProcess>> others;
  for (size_t i = 0; i < flags.followers; ++i) {
    others.push_back(start_node(flags, engine, folder.path(), fmt::format("f{}", i), false));
  }
  Bare bare(engine);
  const LoadOf one{"one", engine.shards(), 1}, many{"pipelined", engine.shards(), flags.window};
  const LoadOf alone{"single", engine.shards(), flags.window};
  const auto slice = std::chrono::duration_cast<Steady::duration>(flags.time) / flags.rounds;
  Turns turns;
  Latencies acks, pipelined_acks, single_acks;
  {
    // Namespaces are made, and leaves are there: the turns are alike.
    Turns warm;
    Latencies ignored;
    put_all(owner, spaces, slice, many, ignored, warm, status);
    put_all(single, spaces, slice, alone, ignored, warm, status);
  }
  for (size_t i = 0; i < flags.rounds; ++i) {
    put_all(owner, spaces, slice, one, acks, turns, status);
    bare.run(slice, static_cast<size_t>(turns.last("one_bytes_per_batch")), "bare", turns);
    turns.add("one_of_bare", turns.last("one_puts_per_s") / turns.last("bare_per_s"));
    put_all(single, spaces, slice, alone, single_acks, turns, status);
    put_all(owner, spaces, slice, many, pipelined_acks, turns, status);
    bare.run(slice, static_cast<size_t>(turns.last("pipelined_bytes_per_batch")), "bare_of_many", turns);
    const double batch = turns.last("bare_of_many_cpu_us") / turns.last("pipelined_puts_per_batch");
    const double aim = turns.last("single_cpu_us_per_put") + kBareCpuShare * batch;
    turns.add("pipelined_cpu_aim_us_per_put", aim);
    turns.add("pipelined_cpu_of_aim", turns.last("pipelined_cpu_us_per_put") / aim);
  }
  report.add("one_put_per_shard_of_bare", turns.of("one_of_bare"));
  report.add("one_put_per_shard_per_s", turns.of("one_puts_per_s"));
  report.add("bare_batches_per_s", turns.of("bare_per_s"));
  report.add("one_put_per_shard_ack_p50_ms", acks.milliseconds(0.5));
  report.add("one_put_per_shard_ack_p99_ms", acks.milliseconds(0.99));
  report.add("one_put_per_shard_batches_per_round", turns.of("one_batches_per_round"));
  report.add("one_put_per_shard_bytes_per_batch", turns.of("one_bytes_per_batch"));
  report.add("one_put_per_shard_cpu_us_per_put", turns.of("one_cpu_us_per_put"));
  report.add("bare_cpu_us_per_batch", turns.of("bare_cpu_us"));
  report.add("pipelined_cpu_of_aim", turns.of("pipelined_cpu_of_aim"));
  report.add("pipelined_cpu_us_per_put", turns.of("pipelined_cpu_us_per_put"));
  report.add("pipelined_cpu_aim_us_per_put", turns.of("pipelined_cpu_aim_us_per_put"));
  report.add("single_cpu_us_per_put", turns.of("single_cpu_us_per_put"));
  report.add("pipelined_puts_per_s", turns.of("pipelined_puts_per_s"));
  report.add("single_puts_per_s", turns.of("single_puts_per_s"));
  report.add("pipelined_ack_p50_ms", pipelined_acks.milliseconds(0.5));
  report.add("single_ack_p50_ms", single_acks.milliseconds(0.5));
  report.add("pipelined_puts_per_batch", turns.of("pipelined_puts_per_batch"));
  report.add("pipelined_batches_per_round", turns.of("pipelined_batches_per_round"));
  report.add("pipelined_bytes_per_batch", turns.of("pipelined_bytes_per_batch"));
  report.add("bare_of_many_batches_per_s", turns.of("bare_of_many_per_s"));
  report.add("bare_of_many_cpu_us_per_batch", turns.of("bare_of_many_cpu_us"));
  single.server->stop(SIGTERM);
  if (others.empty()) others.push_back(start_node(flags, engine, folder.path(), "f0", false));
  // It has all that was written to apply first.
  engine.await(
      "SELECT bool_and(node.durable[at.shard + 1] >= at.seq)::int FROM hearth_node node, hearth_shard at"
      " WHERE node.name = 'f0' AND at.shard < $1",
      PostgresValues().int4(kBareFrom), "the other node does not come to the end of the log");
  compare_relay(*owner.server, *others.front(), spaces.front(), flags, report);
  for (auto& other : others) other->stop(SIGTERM);
  owner.server->stop(SIGTERM);
  return report;
}

}  // namespace hearth::tools
