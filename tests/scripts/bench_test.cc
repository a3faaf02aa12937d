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
       {"writes_per_s", "ack_p50_ms", "ack_p99_ms", "ack_max_ms", "server_cpu_us_per_write"}},
      {"writes", {"--time", "1", "--tls"}, {"writes_per_s", "server_cpu_us_per_write"}},
      {"latency", {"--time", "1"}, {"writes_per_s", "ack_p50_ms", "server_cpu_us_per_write"}},
      {"fanout",
       {"--time", "1", "--listeners", "10", "--listening-connections", "5"},
       {"events_per_s", "delivery_p50_ms", "server_cpu_us_per_event"}},
      {"tree",
       {"--leaves", "5000", "--overwrites", "300"},
       {"put_s", "get_s", "peak_memory_after_get_mb", "after_put_write_p50_ratio", "after_overwrites_cpu_ratio",
        "restart_clean_s", "restart_after_put_and_kill_s"}},
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
      {"embedded", {"--time", "1"}, {"writes_per_s", "ack_p50_ms", "cpu_us_per_write"}},
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
    CHECK(std::filesystem::is_empty(folder / ""));
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
