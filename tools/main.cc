// The `hearth` program: reads the command line, runs the command, and says in one line why it could not.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>

#include "tools/flags.h"

namespace {

using hearth::tools::BenchFlags;
using hearth::tools::ExecFlags;
using hearth::tools::RulesFlags;
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
  command
      ->add_option("--rules", flags.rules,
                   "A file of security rules: set in each --namespace, and in force where none are set")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--indexes", flags.indexes,
                   "A file of indexes beside those of the rules, for namespaces that have not set their own: "
                   R"([{"at": "/rooms/$room", "by": ["author", "sent"]}])")
      ->check(CLI::ExistingFile);
  command->add_flag("--allow-unindexed", flags.allow_unindexed,
                    "REST answers queries that no index names, by reading the whole collection");
  command->add_option("--log-level", flags.log_level, "What is logged on standard error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  command->add_option("--log-format", flags.log_format, "One line for each: 'text' for people, 'json' for machines")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  CLI::Option* metrics_port =
      command->add_option("--metrics-port", flags.metrics_port,
                          "A port of its own for /.metrics and /.health, without credentials; 0 picks a free one");
  command
      ->add_option("--metrics-host", flags.metrics_host, "The one address of that port; without it, 127.0.0.1 and ::1")
      ->needs(metrics_port);
  command->add_option("--threads", flags.threads, "Threads that serve connections; 0: one for each core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  return command;
}

CLI::App* add_rules(CLI::App& program, RulesFlags& flags) {
  CLI::App* command = program.add_subcommand("rules", "Checks, tests and explains security rules");
  command->require_subcommand(1);

  CLI::App* check = command->add_subcommand("check", "Compiles a file of rules: errors as FILE:LINE:COLUMN: text");
  check->add_option("file", flags.file, "The rules")->required()->check(CLI::ExistingFile);
  check->callback([&flags] { flags.command = RulesFlags::Command::Check; });

  CLI::App* test = command->add_subcommand("test", "Asks the rules a table of questions");
  test->add_option("file", flags.file, "The table")->required()->check(CLI::ExistingFile);
  test->add_option("--rules", flags.rules, "The rules, instead of those that the table names")->check(CLI::ExistingFile);
  test->add_flag("--coverage", flags.coverage, "Print how often each rule was what");
  test->add_option("--lcov", flags.lcov, "Write the same as an lcov file");
  test->callback([&flags] { flags.command = RulesFlags::Command::Test; });
  test->footer(R"(The table is JSON, comments allowed:
  {
    "rules": "database.rules.json",          a file beside the table, or the rules themselves
    "data": {"rooms": {"tea": {"ada": true}}},   or a file
    "now": 1700000000000,                    the clock, if it matters
    "cases": [
      {"name": "members read", "auth": {"uid": "ada"}, "read": "/rooms/tea", "expect": "allow"},
      {"auth": null, "write": "/rooms/tea/bob", "value": true, "expect": "deny"},
      {"auth": {"uid": "ada"}, "update": "/", "value": {"rooms/tea/bob": true}, "expect": "allow"}
    ]
  }
A case may have "data" of its own, which stays for those behind it. No case writes anything.
Exit status: 0 when every case is as expected.)");

  CLI::App* explain = command->add_subcommand("explain", "Says what the rules say of one read or write, and why");
  explain->add_option("--url", flags.url, "A running server")->capture_default_str();
  explain->add_option("--token", flags.token, "A credential of an admin; not needed with serve --dev")->envname("HEARTH_TOKEN");
  explain->add_option("--data", flags.data, "A data folder that no server has open, instead of --url");
  explain->add_option("--ns", flags.space, "The namespace");
  explain->add_option("--rules", flags.rules, "With --data: rules to try where none are set")->check(CLI::ExistingFile);
  explain->add_option("--auth", flags.auth, R"(Who asks, as the rules' variable: {"uid":"ada","token":{}}; without it, nobody)");
  explain->add_option("--read", flags.read, "A path to read");
  explain->add_option("--write", flags.write, "A path to set to --value");
  explain->add_option("--update", flags.update, "A path to update with --value, an object of paths");
  explain->add_option("--value", flags.value, "JSON");
  explain->add_flag("--json", flags.json, "For scripts");
  explain->callback([&flags] { flags.command = RulesFlags::Command::Explain; });
  return command;
}

CLI::App* add_exec(CLI::App& program, ExecFlags& flags) {
  CLI::App* command = program.add_subcommand(
      "exec", "Runs a command with a throw-away development server: FIREBASE_DATABASE_EMULATOR_HOST tells it where");
  command->add_option("--rules", flags.rules, "A file of security rules")->check(CLI::ExistingFile);
  command->add_option("--import", flags.import, "A JSON file that --namespace begins with")->check(CLI::ExistingFile);
  command->add_option("--namespace", flags.space, "The namespace of --import, and of clients that name none")
      ->capture_default_str();
  command->add_option("--port", flags.port, "0 picks a free one")->capture_default_str();
  command->add_option("--log-level", flags.log_level, "What is logged on standard error; 'warn' tells why rules deny")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  command->add_option("command", flags.words, "The command and its arguments, behind --")->required();
  command->positionals_at_end();
  return command;
}

CLI::App* add_bench(CLI::App& program, BenchFlags& flags) {
  CLI::App* command = program.add_subcommand("bench", "Measures a server that it starts for itself on a new folder");
  command->add_option("scenarios", flags.scenarios, "What to measure")
      ->check(CLI::IsMember({"writes", "latency", "fanout", "tree", "embedded", "rules", "queries", "all"}))
      ->capture_default_str();
  command->add_flag("--json", flags.json, "For scripts: one JSON document on standard output");
  command->add_option("--url", flags.url, "Measure this running 'hearth serve --dev', without its CPU and memory");
  command->add_option("--folder", flags.folder, "Where the new data folder is made; it is removed afterwards");
  command->add_option("--sync", flags.sync, "As of serve")
      ->check(CLI::IsMember({"group", "os"}))
      ->capture_default_str();
  command->add_option("--threads", flags.threads, "As of serve")->check(CLI::Range(1, 1024))->capture_default_str();
  command->add_option("--time", flags.time, "Seconds each of writes, latency, fanout, embedded and rules (twice) is run for")
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
  command->add_option("--leaves", flags.leaves, "tree: leaves, about 50 bytes of JSON each; queries: children")
      ->check(CLI::Range(size_t{10}, size_t{9'999'990}))
      ->capture_default_str();
  command->add_option("--overwrites", flags.overwrites, "tree: overwrites of ten-leaf subtrees")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--in-flight", flags.in_flight, "embedded, rules: unanswered writes")
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
  RulesFlags rules_flags;
  ExecFlags exec_flags;
  BenchFlags bench_flags;
  const CLI::App* serve_command = add_serve(program, serve_flags);
  const CLI::App* rules_command = add_rules(program, rules_flags);
  const CLI::App* exec_command = add_exec(program, exec_flags);
  const CLI::App* bench_command = add_bench(program, bench_flags);
  CLI11_PARSE(program, argc, argv);
  try {
    if (serve_command->parsed()) return hearth::tools::serve(serve_flags);
    if (rules_command->parsed()) return hearth::tools::rules_command(rules_flags);
    if (exec_command->parsed()) return hearth::tools::exec(exec_flags);
    if (bench_command->parsed()) return hearth::tools::bench(bench_flags);
  } catch (const std::exception& error) {
    fmt::print(stderr, "hearth: {}\n", error.what());
  }
  return 1;
}
