// `hearth bench`, small: every scenario runs to its end and says what it found.
#include <catch2/catch.hpp>

#include "tests/scripts/program.h"

using hearth::test::Folder;
using hearth::test::Program;

namespace {

// The figure of that name, or -1.
double figure(const std::string& json, const std::string& name) {
  const size_t at = json.find("\"" + name + "\":");
  return at == std::string::npos ? -1 : std::atof(json.c_str() + at + name.size() + 3);
}

}  // namespace

TEST_CASE("bench: each scenario tells its settings and figures", "[scripts]") {
  struct Case {
    std::string scenario;
    std::vector<std::string> flags, figures;
  };
  const std::vector<Case> cases = {
      {"writes",
       {"--time", "1", "--connections", "2", "--window", "4"},
       {"writes_per_s", "ack_p50_ms", "ack_p99_ms", "ack_p999_ms", "ack_max_ms", "server_cpu_us_per_write",
        "fsyncs_per_write", "memory_at_end_mb"}},
      {"get",
       {"--time", "1", "--connections", "3", "--pipeline", "4"},
       {"requests_per_s", "get_p50_ms", "get_p999_ms", "server_cpu_us_per_request", "memory_at_end_mb"}},
      {"mixed",
       {"--time", "1", "--connections", "2", "--tls"},
       {"requests_per_s", "get_p99_ms", "put_p99_ms", "put_p999_ms", "fsyncs_per_write"}},
      {"contended",
       {"--contenders", "3", "--wins", "50"},
       {"wins_per_s", "lone_puts_per_s", "wins_per_lone_put", "luckiest_client_wins", "transaction_p999_ms",
        "server_cpu_us_per_win", "fsyncs_per_write"}},
      {"transfer",
       {"--time", "1", "--accounts", "30", "--tellers", "3", "--teller-window", "5"},
       {"uniform_transfers_per_s", "uniform_refused_percent", "uniform_ack_p999_ms", "zipf_transfers_per_s",
        "zipf_refused_percent", "zipf_server_cpu_us_per_transfer", "zipf_fsyncs_per_write"}},
      {"sse",
       {"--time", "1", "--listeners", "10", "--listening-connections", "5"},
       {"events_per_s", "delivery_p999_ms", "server_cpu_us_per_event", "events_per_send"}},
      {"sse", {"--time", "1", "--listeners", "4", "--tls"}, {"events_per_s", "events_per_send"}},
      {"rooms",
       {"--time", "1", "--rooms", "3", "--room-listeners", "2"},
       {"events_per_s", "delivery_p50_ms", "server_cpu_us_per_event", "events_per_send"}},
      {"writes", {"--time", "1", "--tls"}, {"writes_per_s", "server_cpu_us_per_write"}},
      {"latency", {"--time", "1"}, {"writes_per_s", "ack_p50_ms", "server_cpu_us_per_write"}},
      {"fanout",
       {"--time", "1", "--listeners", "10", "--listening-connections", "5"},
       {"events_per_s", "delivery_p50_ms", "server_cpu_us_per_event", "events_per_send"}},
      {"tree",
       {"--leaves", "5000", "--overwrites", "300"},
       {"put_s", "get_s", "peak_memory_after_get_mb", "after_put_write_p50_ratio", "after_overwrites_cpu_ratio",
        "restart_clean_s", "restart_after_put_and_kill_s", "delete_s"}},
      {"connections",
       {"--idle-connections", "50"},
       {"connects_per_s", "memory_before_mb", "events_per_s", "delivery_p50_ms", "server_cpu_us_per_event",
        "told_once"}},
      {"connections", {"--idle-connections", "20", "--tls"}, {"connects_per_s", "told_once"}},
      {"reconnect", {"--clients", "20"}, {"unchanged_all_served_s", "changed_answer_p50_ms", "changed_server_cpu_ms"}},
      {"neighbours",
       {"--time", "1", "--children", "2000", "--attack", "counts"},
       {"quiet_write_p99_ms", "quiet_event_p99_ms", "quiet_read_p99_ms", "counts_asked", "counts_read_max_ms",
        "counts_p99_ratio", "attacks"}},
      {"neighbours",
       {"--time", "1", "--children", "2000", "--attack", "unindexed_queries", "--attack", "slow_rules"},
       {"unindexed_queries_asked", "slow_rules_asked", "slow_rules_write_p99_ms", "attacks"}},
      {"embedded",
       {"--time", "1"},
       {"writes_per_s", "ack_p50_ms", "ack_p999_ms", "cpu_us_per_write", "fsyncs_per_write", "memory_at_end_mb"}},
  };
  for (const Case& c : cases) {
    const Folder folder;
    std::vector<std::string> words = {HEARTH_BIN_DIR "/hearth", "bench", c.scenario, "--json", "--folder", folder / ""};
    words.insert(words.end(), c.flags.begin(), c.flags.end());
    Program bench(words);
    const int code = bench.wait();
    INFO(c.scenario << "\n" << bench.output() << bench.errors());
    CHECK(code == 0);
    CHECK_THAT(bench.output(), Catch::StartsWith("[{\"scenario\":\"" + c.scenario + "\",\"settings\":{"));
    for (const std::string& name : c.figures) {
      INFO(name);
      CHECK(figure(bench.output(), name) > 0);
    }
    CHECK(figure(bench.output(), "machine_steal_percent") >= 0);
    CHECK(std::filesystem::is_empty(folder / ""));
  }
}

// The bench expects nobody else to write. So whoever does makes a server whose answers are wrong.
TEST_CASE("bench: one wrong answer ends the run, and says what was wrong", "[scripts]") {
  struct Case {
    std::string scenario, path, json, why;
    std::vector<std::string> flags = {};
  };
  const std::vector<Case> cases = {
      {"get", "/rest/k1.json?ns=bench", "\"else\"", "GET of \"sixteen bytes... 1 0\" was answered \"else\""},
      {"mixed", "/rest/k1.json?ns=bench", "\"else\"", "was answered \"else\""},
      {"contended", "/contended/counter.json?ns=bench", "1000000", "the counter", {"--wins", "20000"}},
      {"transfer", "/accounts/a1.json?ns=transfer", "7000000", "account a1 has ", {"--accounts", "20"}},
      {"fanout", "/fanout/leaf0.json?ns=bench", "0", "fanout: a listener was told "},
      {"sse", "/sse/leaf0.json?ns=bench", "0", "sse: a listener was told "},
      {"rooms", "/rooms/leaf1.json?ns=bench", "0", "rooms: a listener was told ", {"--room-listeners", "1"}},
  };
  const Folder folder;
  hearth::test::Server server({"--dev", "--data", folder / "data", "--max-request-rate", "0"});
  REQUIRE(server.port() != 0);
  const std::string url = "http://127.0.0.1:" + std::to_string(server.port());
  for (const Case& c : cases) {
    std::vector<std::string> words = {HEARTH_BIN_DIR "/hearth", "bench", c.scenario, "--url", url};
    for (const char* word : {"--connections", "1", "--listeners", "2", "--rooms", "2", "--tellers", "2", "--time"}) {
      words.emplace_back(word);
    }
    words.emplace_back(c.scenario == "transfer" ? "1" : "8");  // others end as soon as they are told what is wrong
    words.insert(words.end(), c.flags.begin(), c.flags.end());
    Program bench(words);
    while (bench.is_running()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      server.ask({"PUT", c.path, c.json, "Authorization: Bearer owner\r\n"});
    }
    INFO(c.scenario << "\n" << bench.output() << bench.errors());
    CHECK(bench.wait() == 1);
    CHECK_THAT(bench.errors(), Catch::StartsWith("hearth: bench: ") && Catch::Contains(c.why));
  }
}

TEST_CASE("bench: each of many connections is told what is its own, once", "[scripts]") {
  const Folder folder;
  Program bench({HEARTH_BIN_DIR "/hearth", "bench", "connections", "--json", "--idle-connections", "50", "--folder",
                 folder / ""});
  INFO(bench.errors());
  CHECK(bench.wait() == 0);
  CHECK(figure(bench.output(), "told_once") == 50);
}

TEST_CASE("bench: a herd that has the value costs one read, one hash and few bytes; else one read for all",
          "[scripts]") {
  const Folder folder;
  Program bench({HEARTH_BIN_DIR "/hearth", "bench", "reconnect", "--json", "--clients", "20", "--folder", folder / ""});
  const int code = bench.wait();
  INFO(bench.output() << bench.errors());
  CHECK(code == 0);
  CHECK(figure(bench.output(), "unchanged_sent_percent_of_naive") < 5);
  CHECK(figure(bench.output(), "unchanged_values_told") == 0);
  CHECK(figure(bench.output(), "unchanged_values_read") == 1);
  CHECK(figure(bench.output(), "unchanged_hashes_computed") == 1);
  CHECK(figure(bench.output(), "changed_sent_percent_of_naive") >= 100);
  CHECK(figure(bench.output(), "changed_values_told") == 20);
  CHECK(figure(bench.output(), "changed_values_read") == 1);
  CHECK(figure(bench.output(), "changed_hashes_computed") == 1);
}

TEST_CASE("bench: more connections than this process may have are refused before anything is started", "[scripts]") {
  Program bench({"sh", "-c", R"(ulimit -n 150 && exec "$@")", "sh", HEARTH_BIN_DIR "/hearth", "bench", "connections",
                 "--idle-connections", "60"});
  CHECK(bench.wait() == 1);
  CHECK(bench.errors() ==
        "hearth: bench: 160 connections need as many open files and 100 more, and this process may have 150 (ulimit "
        "-Hn)\n");
}

TEST_CASE("bench: a server that is not there is one line", "[scripts]") {
  Program bench({HEARTH_BIN_DIR "/hearth", "bench", "writes", "--url", "http://127.0.0.1:1"});
  CHECK(bench.wait() == 1);
  CHECK_THAT(bench.errors(), Catch::StartsWith("hearth: bench: cannot connect to 127.0.0.1:1"));
}
