// `hearth bench`: runs the scenarios asked for, each on a server of its own, and prints what was found.
//
//   flags ─▶ for each scenario: Subject (a child process on a folder of its own, or --url) ─▶ measure_… ─▶ Report
//
// A server for each scenario, so that none measures what another has left in memory or on disk. The server is a child
// of this very program: its CPU time and memory are then its own and not the client's. With --url there is no child;
// what needs one (CPU, memory, restarts) is left out, not guessed. Scenarios in this process (embedded, rules,
// queries) come last.
#include <fmt/format.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include "tools/bench/meter.h"
#include "tools/bench/run.h"
#include "tools/commands.h"

namespace hearth::tools {
namespace {

constexpr long kTmpfsMagic = 0x01021994;  // linux/magic.h

std::string_view file_system_note(const std::string& folder) {
  struct statfs status {};
  if (statfs(folder.c_str(), &status) == 0 && status.f_type == kTmpfsMagic) return " (memory: syncs cost nothing)";
  return "";
}

struct Scenario {
  std::string_view name;
  Report (*measure)(const BenchFlags&, Subject&, StatusLine&);
};
constexpr Scenario kScenarios[] = {{"writes", measure_writes},
                                   {"latency", measure_latency},
                                   {"get", measure_get},
                                   {"mixed", measure_mixed},
                                   {"contended", measure_contended},
                                   {"transfer", measure_transfer},
                                   {"fanout", measure_fanout},
                                   {"sse", measure_sse},
                                   {"rooms", measure_rooms},
                                   {"tree", measure_tree},
                                   {"connections", measure_connections},
                                   {"reconnect", measure_reconnect},
                                   {"neighbours", measure_neighbours}};

struct OwnScenario {  // in this process
  std::string_view name;
  Report (*measure)(const BenchFlags&, StatusLine&);
};
constexpr OwnScenario kOwnScenarios[] = {
    {"embedded", measure_embedded}, {"rules", measure_rules}, {"queries", measure_queries}};
constexpr OwnScenario kCluster = {"cluster", measure_cluster};  // with --engine alone

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  for (const Scenario& scenario : kScenarios) names.emplace_back(scenario.name);
  for (const OwnScenario& scenario : kOwnScenarios) names.emplace_back(scenario.name);
  names.emplace_back(kCluster.name);
  names.emplace_back("all");
  return names;
}

bool is_asked_for(const BenchFlags& flags, std::string_view name) {
  return std::any_of(flags.scenarios.begin(), flags.scenarios.end(),
                     [&](const std::string& asked) { return asked == name || asked == "all"; });
}

}  // namespace

Subject::Subject(const BenchFlags& flags) : flags_(flags) {
  if (!flags.url.empty()) {
    outside_ = parse_url(flags.url);
    return;
  }
  folder_.emplace(flags.folder);
  start();
}

// The port is picked by the first start and kept by all later ones: clients that come back find the server where it
// was.
void Subject::start() {
  std::vector<std::string> words = {"--dev", "--data", folder_->path() + "/data", "--port",
                                    child_ ? child_->address().port : "0", "--host", "127.0.0.1", "--sync", flags_.sync,
                                    "--history", flags_.history, "--threads", std::to_string(flags_.threads),
                                    // The limit for one client would be what is measured.
                                    "--max-request-rate", "0", "--log-level", "error"};
  if (flags_.tls) {
    const TlsPair pair = make_certificate(folder_->path());
    words.insert(words.end(), {"--tls-cert", pair.certificate, "--tls-key", pair.key});
  }
  child_ = std::make_unique<ServerProcess>(words);
}

double Subject::cpu_micros() const {
  return child_ == nullptr ? 0 : std::chrono::duration<double, std::micro>(child_->cpu()).count();
}

void Subject::describe(Report& report) const {
  if (child_ == nullptr) return report.set("server", flags_.url);
  report.set("sync", flags_.sync);
  if (flags_.history != "off") report.set("history", flags_.history);
  report.set("threads", std::to_string(flags_.threads));
  report.set("tls", flags_.tls ? "yes" : "no");
  report.set("folder", fmt::format("{}{}", folder_->path(), file_system_note(folder_->path())));
}

void Subject::restart(int signal) {
  child_->stop(signal);
  start();
}

namespace {

int bench(const BenchFlags& flags) {
  std::vector<Report> reports;
  StatusLine progress;
  // `memory_bytes`: of the server at the end; nothing when it is not ours.
  const auto tell = [&](Report report, const ProcessorTime& before, std::optional<double> memory_bytes) {
    if (memory_bytes) report.add("memory_at_end_mb", *memory_bytes / 1e6);
    report.add("machine_steal_percent", ProcessorTime().stolen_percent_since(before));
    progress.clear();
    if (!flags.json) {
      fmt::print("{}\n", text_of(report));
      std::fflush(stdout);
    }
    reports.push_back(std::move(report));
  };
  for (const Scenario& scenario : kScenarios) {
    if (!is_asked_for(flags, scenario.name)) continue;
    Subject subject(flags);
    const ProcessorTime before;
    Report report = scenario.measure(flags, subject, progress);
    tell(std::move(report), before,
         subject.is_child() ? std::optional<double>(subject.child().memory_bytes()) : std::nullopt);
    if (subject.is_child()) subject.child().stop(SIGTERM);
  }
  for (const OwnScenario& scenario : kOwnScenarios) {
    if (!is_asked_for(flags, scenario.name)) continue;
    const ProcessorTime before;
    Report report = scenario.measure(flags, progress);
    tell(std::move(report), before, memory_bytes_of(getpid()));
  }
  const bool wants_cluster =
      std::find(flags.scenarios.begin(), flags.scenarios.end(), kCluster.name) != flags.scenarios.end();
  if (wants_cluster || !flags.engine.empty()) {
    const ProcessorTime before;
    tell(kCluster.measure(flags, progress), before, std::nullopt);
  }
  if (flags.json) fmt::print("{}", json_of(reports));
  return 0;
}

}  // namespace

void add_bench(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<BenchFlags>();
  CLI::App* command = program.add_subcommand("bench", "Measures a server that it starts for itself on a new folder");
  command->add_option("scenarios", flags->scenarios, "What to measure")
      ->check(CLI::IsMember(scenario_names()))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "For scripts: one JSON document on standard output");
  command->add_option(
      "--url", flags->url,
      "Measure this running server, as 'hearth serve --dev --max-request-rate 0' or another that speaks Firebase's "
      "protocol, without its CPU and memory; the limit of requests for one connection would be what is measured");
  command->add_option("--folder", flags->folder, "Where the new data folder is made; it is removed afterwards");
  command->add_option("--history", flags->history, "As of serve")->capture_default_str();
  command->add_option("--sync", flags->sync, "As of serve")
      ->check(CLI::IsMember({"group", "os"}))
      ->capture_default_str();
  command->add_option("--threads", flags->threads, "As of serve")->check(CLI::Range(1, 1024))->capture_default_str();
  command->add_flag("--tls", flags->tls,
                    "All but embedded, rules and queries over TLS, with a certificate made for the run");
  command
      ->add_option("--time", flags->time,
                   "Seconds each of writes, latency, get, mixed, fanout, sse, rooms, transfer (twice), embedded, rules "
                   "(twice) and "
                   "each attack of neighbours is run for")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, int>{{"s", 1}}))
      ->default_str("5");
  const auto positive = CLI::Range(size_t{1}, size_t{100'000'000});
  command->add_option("--connections", flags->connections, "writes, get, mixed: connections that ask")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--window", flags->window, "writes: unanswered writes of each")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--pipeline", flags->pipeline, "get, mixed: unanswered requests of each connection")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--contenders", flags->contenders, "contended: clients")->check(positive)->capture_default_str();
  command->add_option("--wins", flags->wins, "contended: increments that all of them make")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--accounts", flags->accounts, "transfer: accounts")
      ->check(CLI::Range(size_t{2}, size_t{10'000'000}))
      ->capture_default_str();
  command->add_option("--tellers", flags->tellers, "transfer: connections")->check(positive)->capture_default_str();
  command->add_option("--teller-window", flags->teller_window, "transfer: unanswered transfers of each")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--listeners", flags->listeners, "fanout, sse: listeners")
      ->check(positive)
      ->capture_default_str();
  command
      ->add_option("--listening-connections", flags->listening_connections,
                   "fanout: connections they are spread over; sse: streams for each leaf")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--fanout-window", flags->fanout_window, "fanout, sse, rooms: writes not yet heard by all")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--rooms", flags->rooms, "rooms: rooms")->check(positive)->capture_default_str();
  command->add_option("--room-listeners", flags->room_listeners, "rooms: listeners of each")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--leaves", flags->leaves, "tree: leaves, about 50 bytes of JSON each; queries: children")
      ->check(CLI::Range(size_t{10}, size_t{9'999'990}))
      ->capture_default_str();
  command->add_option("--overwrites", flags->overwrites, "tree: overwrites of ten-leaf subtrees")
      ->check(positive)
      ->capture_default_str();
  command
      ->add_option("--idle-connections", flags->idle_connections,
                   "connections: of one listener each; as many open files are needed (ulimit -Hn)")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--clients", flags->clients, "reconnect: clients that listen to the same value of 1 MiB")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--children", flags->children, "neighbours: of the collections of the one that attacks")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--attack", flags->attacks, "neighbours: this one alone; may be given again")
      ->check(CLI::IsMember({"counts", "large_reads", "shallow_reads", "large_queries", "small_reads", "small_writes",
                             "denied_conditional_writes", "denied_deletes", "imports", "unindexed_queries",
                             "slow_rules", "deletes", "index_builds"}));
  command
      ->add_option(
          "--engine", flags->engine,
          "cluster: a PostgreSQL with its standbys, as of serve's --cluster, whose database has no cluster: one "
          "is made there, and removed with all that it has. `tools/cluster bench` starts such a PostgreSQL")
      ->type_name("URL");
  command->add_option("--shards", flags->shards, "cluster: shards, and namespaces, one in each")
      ->check(CLI::Range(size_t{1}, size_t{256}))
      ->capture_default_str();
  command->add_option("--rounds", flags->rounds, "cluster: turns in which all that is compared is run")
      ->check(CLI::Range(size_t{1}, size_t{100}))
      ->capture_default_str();
  command
      ->add_option("--followers", flags->followers,
                   "cluster: nodes that follow the measured one while it is written to")
      ->check(CLI::Range(size_t{0}, size_t{8}))
      ->capture_default_str();
  command->add_option("--in-flight", flags->in_flight, "embedded, rules: unanswered writes")
      ->check(positive)
      ->capture_default_str();
  command->callback([flags, &chosen] { chosen.run = [flags] { return bench(*flags); }; });
  add_chapter(*command, "serve");
}

}  // namespace hearth::tools
