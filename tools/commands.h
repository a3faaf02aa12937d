// The commands of `hearth`. The file of each command has its flags too: its add_NAME puts them on the command line, and
// says what is to run when the command line names the command. Thread: one.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hearth::net {
struct WebhookOptions;
}

namespace hearth::tools {

// What the command line asks for. The command that the command line names fills this in while the line is parsed.
struct Chosen {
  std::function<int()> run;             // returns the exit status; throws what keeps the command from running
  bool keeps_descriptor_limit = false;  // else run() may open as many files as the hard limit allows
};

// `chosen` outlives `program`.
void add_serve(CLI::App& program, Chosen& chosen);
void add_rules(CLI::App& program, Chosen& chosen);
void add_exec(CLI::App& program, Chosen& chosen);
void add_token(CLI::App& program, Chosen& chosen);
void add_kick(CLI::App& program, Chosen& chosen);
void add_fsck(CLI::App& program, Chosen& chosen);
void add_stats(CLI::App& program, Chosen& chosen);
void add_compact(CLI::App& program, Chosen& chosen);
void add_dump(CLI::App& program, Chosen& chosen);
void add_restore(CLI::App& program, Chosen& chosen);
void add_backup(CLI::App& program, Chosen& chosen);
void add_bench(CLI::App& program, Chosen& chosen);
void add_data_commands(CLI::App& program, Chosen& chosen);  // get, watch, set, and so on
void add_past_commands(CLI::App& program, Chosen& chosen);  // changes, history, undo, purge
void add_webhook(CLI::App& program, Chosen& chosen);
void add_cluster(CLI::App& program, Chosen& chosen);  // cluster init, status, move, and so on
void add_help(CLI::App& program, Chosen& chosen);

void add_webhook_flags(CLI::App& serve, net::WebhookOptions& options);  // of `hearth serve`

// For the commands that ask a server: which one, and as whom. Returns the option of the URL.
CLI::Option* add_server(CLI::App& command, std::string& url, std::string& token);
// Has --help of a command and of its subcommands name the chapter of the manual that they belong to.
void add_chapter(CLI::App& command, const std::string& chapter);

}  // namespace hearth::tools
