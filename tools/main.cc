// The `hearth` program: reads the command line, runs the command, and says in one line why it could not.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>

#include "tools/flags.h"

namespace {

using hearth::tools::BenchFlags;
using hearth::tools::ServeFlags;

CLI::App* add_serve(CLI::App& program, ServeFlags& flags) {
  CLI::App* command = program.add_subcommand("serve", "Serves a data folder to clients");
  command->add_flag("--dev", flags.dev,
                    "Like the Firebase emulator: open to all, namespaces spring into being, 'owner' is an admin");
  command->add_option("--data", flags.data, "The folder of the data; made when missing")->capture_default_str();
  command->add_option("--host", flags.host, "The one address to listen on; without it, 127.0.0.1 and ::1");
  command->add_option("--port", flags.port, "0 picks a free one")->capture_default_str();
  command->add_option("--namespace", flags.namespaces,
                      "A namespace to have, made when missing; the first is for clients that name none (repeatable)");
  static const std::map<std::string, hearth::db::SyncMode> modes = {{"group", hearth::db::SyncMode::Group},
                                                                    {"os", hearth::db::SyncMode::Os}};
  command
      ->add_option("--sync", flags.sync,
                   "What an acknowledged write survives: 'group' a power cut, 'os' the end of the process only")
      ->transform(CLI::CheckedTransformer(modes, CLI::ignore_case).description("group|os"))
      ->default_str("group");
  command->add_option("--log-level", flags.log_level, "What is logged on standard error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  command->add_option("--threads", flags.threads, "Threads that serve connections; 0: one for each core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  return command;
}

CLI::App* add_bench(CLI::App& program, BenchFlags& flags) {
  CLI::App* command = program.add_subcommand("bench", "Measures a server that it starts for itself on a new folder");
  command->add_option("scenarios", flags.scenarios, "What to measure")
      ->check(CLI::IsMember({"writes", "latency", "fanout", "tree", "embedded", "all"}))
      ->capture_default_str();
  command->add_flag("--json", flags.json, "For scripts: one JSON document on standard output");
  command->add_option("--url", flags.url, "Measure this running 'hearth serve --dev', without its CPU and memory");
  command->add_option("--folder", flags.folder, "Where the new data folder is made; it is removed afterwards");
  command->add_option("--sync", flags.sync, "As of serve")
      ->check(CLI::IsMember({"group", "os"}))
      ->capture_default_str();
  command->add_option("--threads", flags.threads, "As of serve")->check(CLI::Range(1, 1024))->capture_default_str();
  command->add_option("--time", flags.time, "Seconds each of writes, latency, fanout and embedded is run for")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, int>{{"s", 1}}))
      ->default_str("5");
  const auto positive = CLI::Range(size_t{1}, size_t{100'000'000});
  command->add_option("--connections", flags.connections, "writes: connections that write")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--window", flags.window, "writes: unanswered writes of each")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--listeners", flags.listeners, "fanout: listeners")->check(positive)->capture_default_str();
  command
      ->add_option("--listening-connections", flags.listening_connections, "fanout: connections they are spread over")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--fanout-window", flags.fanout_window, "fanout: unanswered writes")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--leaves", flags.leaves, "tree: leaves, about 50 bytes of JSON each")
      ->check(CLI::Range(size_t{10}, size_t{9'999'990}))
      ->capture_default_str();
  command->add_option("--overwrites", flags.overwrites, "tree: overwrites of ten-leaf subtrees")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--in-flight", flags.in_flight, "embedded: unanswered writes")
      ->check(positive)
      ->capture_default_str();
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"Hearth: a realtime JSON tree database that speaks the Firebase protocols"};
  program.set_version_flag("--version", "hearth " HEARTH_VERSION);
  program.require_subcommand(1);
  ServeFlags serve_flags;
  BenchFlags bench_flags;
  const CLI::App* serve_command = add_serve(program, serve_flags);
  const CLI::App* bench_command = add_bench(program, bench_flags);
  CLI11_PARSE(program, argc, argv);
  try {
    if (serve_command->parsed()) return hearth::tools::serve(serve_flags);
    if (bench_command->parsed()) return hearth::tools::bench(bench_flags);
  } catch (const std::exception& error) {
    fmt::print(stderr, "hearth: {}\n", error.what());
  }
  return 1;
}
