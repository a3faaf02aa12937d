// The `hearth` program: reads the command line, runs the command, and says in one line why it could not.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>

#include "tools/data_commands.h"
#include "tools/descriptors.h"
#include "tools/flags.h"

namespace {

using hearth::tools::BenchFlags;
using hearth::tools::DumpFlags;
using hearth::tools::ExecFlags;
using hearth::tools::FsckFlags;
using hearth::tools::KickFlags;
using hearth::tools::RestoreFlags;
using hearth::tools::RulesFlags;
using hearth::tools::ServeFlags;
using hearth::tools::TokenFlags;
using hearth::tools::UpkeepFlags;

// Of what clients may use up: what each is for is in tools/manual/limits.md.
void add_limits(CLI::App& command, ServeFlags& flags) {
  const std::string group = "Limits";
  const auto size = [&](const char* name, size_t& bytes, const char* text, const char* usual) {
    command.add_option(name, bytes, text)->transform(CLI::AsSizeValue(false))->default_str(usual)->group(group);
  };
  const auto number = [&](const char* name, auto& count, const char* text) {
    command.add_option(name, count, text)->type_name("COUNT")->capture_default_str()->group(group);
  };
  const auto seconds = [&](const char* name, std::chrono::milliseconds& time, const char* text) {
    command
        .add_option_function<int64_t>(name, [&time](int64_t count) { time = std::chrono::seconds(count); }, text)
        ->check(CLI::Range(1, 86'400))
        ->type_name("SECONDS")
        ->default_str(std::to_string(time.count() / 1000))
        ->group(group);
  };
  hearth::net::http::Limits& http = flags.limits;
  number("--max-connections", http.connections_max, "Connections in total");
  number("--max-connections-per-address", http.connections_per_address_max,
         "Of one address, or one IPv6 network of 64 bits; a --trusted-proxy has any number");
  number("--max-listeners", flags.wire_limits.listeners_max, "Of one connection");
  number("--max-request-rate", http.request_rate_max,
         "Requests and WebSocket frames a second on one connection, above which it is read more slowly; 0: any number");
  size("--max-message-size", flags.wire_limits.message_bytes_max, "Of one message of an SDK", "16MB");
  size("--max-body-size", http.body_bytes_max, "Of one request's body, after inflating", "256MB");
  size("--max-pending-size", http.pending_bytes_max,
       "Of all bodies and messages that are received or answered, as far as they have come", "1GB");
  size("--max-pending-size-per-address", http.pending_bytes_per_address_max,
       "Of those of one address, or one IPv6 network of 64 bits; at least --max-body-size, to be of use", "512MB");
  size("--min-receive-pace", http.receive_pace_min,
       "Bytes a second, on average, of a body or message that has begun: slower for --max-body-time, and it is given up; "
       "0: any pace",
       "1kB");
  command
      .add_option_function<int64_t>(
          "--max-verify-time",
          [&flags](int64_t count) { flags.verify_time_max = std::chrono::milliseconds(count); },
          "Of a processor, a second, for verifying the new tokens of one address; tokens that were verified before need none; "
          "0: any")
      ->check(CLI::Range(0, 1'000'000))
      ->type_name("MILLISECONDS")
      ->default_str("100")
      ->group(group);
  seconds("--max-head-time", http.head_time_max, "From the first byte of a request to the end of its head");
  seconds("--max-body-time", http.body_stall_max, "Without a byte of a body or message that has begun");
  seconds("--max-idle-time", http.idle_time_max, "Between two requests on one connection");
  size("--max-backlog-size", http.backlog_bytes_max,
       "Waiting to be sent on one connection, the largest piece aside; past it the client is cut off", "64MB");
  seconds("--max-send-time", http.send_stall_max, "Without a byte taken by a client for whom some wait");
  size("--max-outbound-size", http.outbound_bytes_max,
       "Waiting on all connections; past it whoever does not read is cut off sooner", "2GB");
  size("--max-answers-size", flags.answer_bytes_max,
       "Of large values asked for and not taken, in all; past it such reads are refused", "1GB");
  number("--max-waiting-reads", flags.reads_waiting_max,
         "Reads that wait for a thread, and likewise long ones; past it reads are refused");
  number("--max-waiting-reads-per-namespace", flags.reads_waiting_of_one_max, "The same of one namespace");
  seconds("--max-read-time", http.long_body_time_max, "For a long answer as a whole");
  number("--max-step-rows", flags.step_rows_max,
         "Rows that one request may take of a thread that namespaces share; larger ones go elsewhere");
  number("--max-namespace-rows", flags.namespace_rows_max, "Values in one namespace; 0: any number");
  hearth::db::MemoryLimits& memory = flags.memory;
  size("--max-query-size", memory.query_bytes_max, "Of one listener's query: its paths, bounds and keys", "64KB");
  size("--max-listeners-size", memory.session_listener_bytes_max,
       "Of one connection's listeners: paths, queries, what they show", "64MB");
  number("--max-namespace-listeners", memory.space_listeners_max, "Of one namespace");
  size("--max-namespace-listeners-size", memory.space_listener_bytes_max, "Of one namespace's listeners", "512MB");
  number("--max-total-listeners", memory.listeners_max, "Listeners in total");
  size("--max-total-listeners-size", memory.listener_bytes_max, "Of all listeners", "1GB");
  size("--max-disconnect-size", memory.session_disconnect_bytes_max, "Of what one connection wants written at its end",
       "16MB");
  size("--max-namespace-disconnect-size", memory.space_disconnect_bytes_max, "Of the same in one namespace", "64MB");
  size("--max-total-disconnect-size", memory.disconnect_bytes_max, "Of the same in total", "256MB");
  size("--max-events-size", memory.event_bytes_max,
       "Of events that clients have not taken, in total; past it those are cut off who have more than a little waiting", "1GB");
  size("--max-remembered-size", memory.remembered_bytes_max,
       "Of first values, hashes and changed paths that are kept to spare work; past it the oldest are forgotten",
       "256MB");
  seconds("--max-namespace-idle-time", flags.namespace_idle_time,
          "After that what is known of a namespace that nobody uses is forgotten");
  size("--max-namespace-size", flags.namespace_bytes_max, "Keys and values of one namespace; 0: any number", "0");
}

CLI::App* add_serve(CLI::App& program, ServeFlags& flags) {
  CLI::App* command = program.add_subcommand("serve", "Serves a data folder to clients");
  command->add_flag("--dev", flags.dev,
                    "Like the Firebase emulator: open to all, namespaces spring into being, 'owner' is an admin");
  command
      ->add_option("--dev-host", flags.dev_hosts,
                   "With --dev: a name that this machine is asked by, NAME or *.NAME, beside localhost and IP addresses; by any "
                   "other name 'owner' and what is for this machine alone are refused (repeatable)")
      ->envname("HEARTH_DEV_HOST")
      ->delimiter(',')
      ->type_name("NAME");
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
  command
      ->add_option("--allow-origin", flags.origins,
                   "Pages of this origin may use the server, as https://app.example.com or https://*.example.com; repeat for "
                   "more. Without it, all may")
      ->type_name("ORIGIN");
  command
      ->add_option("--failed-logins", flags.failed_logins_per_minute,
                   "Guesses at secrets a minute from one address, past which its next are answered 429; who is right always "
                   "gets in; 0: any number")
      ->type_name("COUNT")
      ->capture_default_str();
  command
      ->add_option("--disk-reserve", flags.disk_reserve,
                   "With less left on the disk, writes that add something are refused: 64MB, 1GB; 0: until it is full")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("64MB");
  command
      ->add_option_function<int64_t>(
          "--disconnect-grace", [&flags](int64_t seconds) { flags.disconnect_grace = std::chrono::seconds(seconds); },
          "After a crash: seconds that clients have to come back before their onDisconnect writes are written")
      ->check(CLI::Range(1, 86'400))
      ->type_name("SECONDS")
      ->default_str("15");
  command
      ->add_option(
          "--auth-config", flags.auth_config,
          "A file that says whose signed tokens are believed (hearth help who-may-connect); read again on SIGHUP")
      ->check(CLI::ExistingFile);
  command->add_option(
      "--tls-cert", flags.tls_certificate,
      "Serve https: a PEM file with the certificate and those between it and its root; SIGHUP reloads it");
  command->add_option("--tls-key", flags.tls_key, "A PEM file with the certificate's key");
  command->add_option("--trusted-proxy", flags.trusted_proxies,
                      "ADDRESS[/BITS] of a proxy whose X-Forwarded-For, -Proto and -Host are believed (repeatable)");
  command->add_flag("--proxy-protocol", flags.proxy_protocol,
                    "Connections of a --trusted-proxy begin with a PROXY header, version 1 or 2");
  command->add_flag("--compress-websockets", flags.compress_websockets,
                    "WebSockets are compressed (permessage-deflate) for clients that offer it, as browsers do");
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
  add_limits(*command, flags);
  command->add_option("--threads", flags.threads, "Threads that serve connections; 0: one for each core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  return command;
}

// Which server a command asks, and as whom. The option of the URL.
CLI::Option* add_server(CLI::App& command, std::string& url, std::string& token) {
  command.add_option("--token", token, "A credential of an admin (HEARTH_TOKEN); not needed with serve --dev");
  return command.add_option("--url", url, "A running server (HEARTH_URL)")->capture_default_str();
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
  add_server(*explain, flags.url, flags.token);
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

CLI::App* add_token(CLI::App& program, TokenFlags& flags) {
  CLI::App* command = program.add_subcommand("token", "Makes a token that a server with --auth-config believes");
  command->add_option("--uid", flags.uid, "Who the bearer is: auth.uid in the rules")->required();
  command->add_option("--secret-file", flags.secret_file, "The secret to sign with; spaces at its end do not count")
      ->check(CLI::ExistingFile);
  command->add_option("--auth-config", flags.auth_config, "The server's file, instead: it has the secret of --issuer")
      ->check(CLI::ExistingFile);
  command->add_option("--issuer", flags.issuer,
                      "With --secret-file the token's iss; with --auth-config an issuer's name or iss");
  command->add_option("--audience", flags.audience, "With --secret-file, the token's aud, if the server wants one");
  command->add_option("--claims", flags.claims, "More that it says, as JSON: auth.token in the rules");
  command->add_option("--expires", flags.expires, "How long it is good for: a number with s, m, h or d")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, int>{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}))
      ->default_str("1h");
  command->footer(R"(The token goes to standard output, alone on a line. It is signed with HS256.

  openssl rand -base64 48 > token.secret
  echo '{"issuers": [{"issuer": "my-backend", "secret_file": "token.secret"}]}' > auth.json
  hearth serve --auth-config auth.json --namespace chat &
  TOKEN=$(hearth token --auth-config auth.json --issuer my-backend --uid ada --claims '{"editor":true}')
  curl "http://127.0.0.1:9000/rooms/tea.json?ns=chat&auth=$TOKEN"

A plain issuer's token is a custom token as Firebase's admin SDKs make them: {iss, aud, sub, uid, iat, exp, claims}. What
--claims says is found at auth.token.NAME. For issuers of another shape the claims stand beside the rest, as that provider
has them. Whoever has the secret can be anybody: keep it where the server and your backend read it, and nowhere else.

Exit status: 0, or 1 with one line that says what is wrong.)");
  return command;
}

CLI::App* add_kick(CLI::App& program, KickFlags& flags) {
  CLI::App* command =
      program.add_subcommand("kick", "Signs a user out: ends the sessions, and refuses the tokens of up to now");
  command->add_option("--uid", flags.uid, "Who")->required();
  command->add_option("--ns", flags.space, "The namespace; without it, the server's default one");
  command->add_option("--url", flags.url, "The running server (HEARTH_URL)")->capture_default_str();
  command->add_option("--token", flags.token, "A credential of an admin (HEARTH_TOKEN); without it, what --data has");
  command->add_option("--data", flags.data, "The server's data folder, for the admin secret in it")
      ->capture_default_str();
  command->footer(
      R"(WebSockets and event streams of that user end: SDKs hear that their token is invalid and ask for a new one, streams hear
auth_revoked. Tokens that were issued up to this second are refused in that namespace from now on, also after a restart; so
are tokens of that user that do not say when they were issued (iat).

What it does not do: a token that is issued later is good again, so bar the user where tokens are made too. What the user
has written stays, and a REST request that is being answered is answered. It forgets after 30 days: tokens should not live
that long.

Exit status: 0, also when the user had no session; 1 with one line that says what is wrong.)");
  return command;
}

CLI::App* add_fsck(CLI::App& program, FsckFlags& flags) {
  CLI::App* command = program.add_subcommand("fsck", "Goes through a data folder, and says what in it cannot be");
  command->add_option("--data", flags.data, "The folder; no server has it open")->capture_default_str();
  command->add_flag("--repair", flags.repair, "Removes indexes that are wrong; they are built again when next used");
  command->add_flag("--json", flags.json, "For scripts");
  command->footer(R"(Reads every row: keys are paths, values are values, none has children, each index has what follows from the data and nothing
else, and counts what there is. Data that is wrong is told by its path and left as it is: restore a backup.

Exit status: 0 when all is well, 1 when not, also when it has been repaired.)");
  return command;
}

CLI::App* add_upkeep(CLI::App& program, const char* name, const char* text, UpkeepFlags& flags) {
  CLI::App* command = program.add_subcommand(name, text);
  CLI::Option* url = add_server(*command, flags.url, flags.token);
  command->add_option("--data", flags.data, "A data folder that no server has open, instead of --url")->excludes(url);
  command->add_flag("--json", flags.json, "For scripts");
  return command;
}

CLI::App* add_stats(CLI::App& program, UpkeepFlags& flags) {
  CLI::App* command = add_upkeep(program, "stats", "Says how large a tree is and where, and who listens", flags);
  command->add_option("path", flags.path, "Of the tree at this path alone")->capture_default_str();
  command->add_option("--ns", flags.space, "The namespace; without it, the server's default one");
  command->footer(R"(Below each path its largest children, down to 1 % of the whole. Bytes are those of keys and values, as the limit of a namespace
counts them. What is small is read; of what is large the store is asked, and '~' marks what is about right. At most 200,000
rows are read, at whatever size, beside the reads of others. '+' marks a number of children that was not counted to its end.

  hearth stats --ns chat
  hearth stats /rooms --ns chat
  hearth stats --data hearth-data --ns chat --json

Listeners and connections are of the whole namespace, and of a running server only.

Exit status: 0, or 1 with one line that says what is wrong.)");
  return command;
}

CLI::App* add_compact(CLI::App& program, UpkeepFlags& flags) {
  CLI::App* command = add_upkeep(program, "compact", "Gives back the room of what was overwritten and removed", flags);
  command->footer(R"(All files are written anew, one after the other; until the old ones go, that takes as much room again as the largest part. The
store does this by and by itself: after much was removed, here it is done now. A running server goes on meanwhile, and shares
its disk. Of all namespaces. One that is under way goes on when this command ends, and ends when the server is stopped.

Exit status: 0, or 1 with one line that says what is wrong.)");
  return command;
}

CLI::App* add_dump(CLI::App& program, DumpFlags& flags) {
  CLI::App* command = program.add_subcommand("dump", "Writes namespaces to a file, as they are at one moment");
  command->add_option("--out", flags.out, "The file; '-': standard output");
  add_server(*command, flags.url, flags.token);
  command->add_option("--data", flags.data, "A data folder that no server has open, instead of --url");
  command->add_option("--ns", flags.space, "The namespace; without it, all");
  command->add_option("--path", flags.path, "Of the namespace the tree at this path alone");
  static const std::map<std::string, hearth::db::DumpFormat> formats = {{"native", hearth::db::DumpFormat::Native},
                                                                        {"json", hearth::db::DumpFormat::Json}};
  command
      ->add_option("--format", flags.format,
                   "'native': compressed and checked, with settings; 'json': of one namespace, as Firebase exports it")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case).description("native|json"))
      ->default_str("native");
  CLI::App* verify = command->add_subcommand("verify", "Reads a dump to its end and says what is in it");
  verify->add_option("file", flags.file, "The dump, native or JSON; '-': standard input")->required();
  command->footer(
      R"(The file appears under its name when it is whole; until then it is FILE.part.

Exit status: 0, or 1 with one line that says what is wrong.)");
  return command;
}

CLI::App* add_restore(CLI::App& program, RestoreFlags& flags) {
  CLI::App* command = program.add_subcommand("restore", "Fills namespaces from a dump or a JSON file: all of it, or nothing");
  command->add_option("file", flags.file, "The dump, or JSON as Firebase exports it; '-': standard input")->required();
  add_server(*command, flags.url, flags.token);
  command->add_option("--data", flags.data, "A data folder that no server has open, made when missing; instead of --url");
  command->add_option("--ns", flags.space,
                      "Of JSON or a dump of one namespace: its name from now on. Of a dump of several: which one");
  command->add_option("--into", flags.into, "The path where the tree goes; without it, where it was taken from");
  command->add_flag("--replace", flags.replace, "Replace the data that is there; without it, that is refused");
  command->footer(
      R"(The file is read to its end and checked before anyone sees anything of it. A native dump of a whole namespace brings its
rules and indexes with it; JSON and the dump of a path do not.

Exit status: 0, or 1 with one line that says what is wrong, and nothing is changed.)");
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
      ->check(CLI::IsMember({"writes", "latency", "fanout", "tree", "connections", "reconnect", "neighbours", "embedded",
                             "rules", "queries", "all"}))
      ->capture_default_str();
  command->add_flag("--json", flags.json, "For scripts: one JSON document on standard output");
  command->add_option("--url", flags.url, "Measure this running 'hearth serve --dev', without its CPU and memory");
  command->add_option("--folder", flags.folder, "Where the new data folder is made; it is removed afterwards");
  command->add_option("--sync", flags.sync, "As of serve")
      ->check(CLI::IsMember({"group", "os"}))
      ->capture_default_str();
  command->add_option("--threads", flags.threads, "As of serve")->check(CLI::Range(1, 1024))->capture_default_str();
  command->add_flag("--tls", flags.tls, "All but embedded, rules and queries over TLS, with a certificate made for the run");
  command->add_option("--time", flags.time, "Seconds each of writes, latency, fanout, embedded, rules (twice) and each attack of neighbours is run for")
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
  command
      ->add_option("--idle-connections", flags.idle_connections,
                   "connections: of one listener each; as many open files are needed (ulimit -Hn)")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--clients", flags.clients, "reconnect: clients that listen to the same value of 1 MiB")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--children", flags.children, "neighbours: of the collections of the one that attacks")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--attack", flags.attacks, "neighbours: this one alone; may be given again")
      ->check(CLI::IsMember({"counts", "large_reads", "shallow_reads", "large_queries", "small_reads", "small_writes",
                             "denied_conditional_writes", "denied_deletes", "imports", "deletes", "index_builds"}));
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
  TokenFlags token_flags;
  KickFlags kick_flags;
  DumpFlags dump_flags;
  RestoreFlags restore_flags;
  BenchFlags bench_flags;
  const CLI::App* serve_command = add_serve(program, serve_flags);
  const CLI::App* rules_command = add_rules(program, rules_flags);
  const CLI::App* exec_command = add_exec(program, exec_flags);
  const CLI::App* token_command = add_token(program, token_flags);
  const CLI::App* kick_command = add_kick(program, kick_flags);
  FsckFlags fsck_flags;
  const CLI::App* fsck_command = add_fsck(program, fsck_flags);
  UpkeepFlags upkeep_flags;
  const CLI::App* stats_command = add_stats(program, upkeep_flags);
  const CLI::App* compact_command = add_compact(program, upkeep_flags);
  const CLI::App* dump_command = add_dump(program, dump_flags);
  const CLI::App* restore_command = add_restore(program, restore_flags);
  const CLI::App* bench_command = add_bench(program, bench_flags);
  const hearth::tools::DataCommands data_commands(program);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 1;
  }
  // A store may have many files. The command that exec runs has the limit that it would have without us.
  if (!exec_command->parsed()) hearth::tools::raise_descriptor_limit();
  try {
    if (serve_command->parsed()) return hearth::tools::serve(serve_flags);
    if (rules_command->parsed()) return hearth::tools::rules_command(rules_flags);
    if (exec_command->parsed()) return hearth::tools::exec(exec_flags);
    if (token_command->parsed()) return hearth::tools::token(token_flags);
    if (kick_command->parsed()) return hearth::tools::kick(kick_flags);
    if (data_commands.has_one()) return data_commands.run();
    if (fsck_command->parsed()) return hearth::tools::fsck(fsck_flags);
    if (stats_command->parsed()) return hearth::tools::stats(upkeep_flags);
    if (compact_command->parsed()) return hearth::tools::compact(upkeep_flags);
    if (dump_command->parsed()) {
      const bool verifies = !dump_command->get_subcommands().empty();
      return verifies ? hearth::tools::verify_dump(dump_flags) : hearth::tools::dump(dump_flags);
    }
    if (restore_command->parsed()) return hearth::tools::restore(restore_flags);
    if (bench_command->parsed()) return hearth::tools::bench(bench_flags);
  } catch (const std::exception& error) {
    fmt::print(stderr, "hearth: {}\n", error.what());
  }
  return 1;
}
