// The `hearth` program: reads the command line, runs the command, and says in one line why it could not.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "tools/commands.h"
#include "tools/descriptors.h"

int main(int argc, char** argv) {
  using namespace hearth::tools;
  Chosen chosen;
  CLI::App program{"Hearth: a realtime JSON tree database that speaks the Firebase protocols"};
  program.set_version_flag("--version", "hearth " HEARTH_VERSION);
  program.require_subcommand(1);
  // In the order in which --help lists them.
  for (const auto add :
       {add_serve, add_rules, add_exec, add_token, add_kick, add_fsck, add_stats, add_compact, add_dump, add_restore,
        add_backup, add_bench, add_data_commands, add_past_commands, add_webhook, add_cluster, add_help}) {
    add(program, chosen);
  }
  try {
    program.parse(argc, argv);
    // A store may have many files.
    if (!chosen.keeps_descriptor_limit) raise_descriptor_limit();
    return chosen.run();
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 1;
  } catch (const std::exception& error) {  // of a flag's value too
    fmt::print(stderr, "hearth: {}\n", error.what());
  }
  return 1;
}
