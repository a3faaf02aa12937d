// `hearth serve`: serves a data folder until told to stop. The flags are here, the wiring is in service.cc.
//
//   log ─▶ signals blocked ─▶ Service: opens, guards, listens ─▶ "listening on" and READY=1 ─▶ wait for a signal
//                                                                    SIGHUP: reads its files again, and waits on
//                                                                    SIGTERM, SIGINT: STOPPING=1 ─▶ Service::stop()
//
// The order matters. A thread inherits the signals that are blocked when it is started, so they are blocked before the
// first one; a signal that finds a thread with it open ends the process at once. What tells others that the server is
// there comes after it can be asked: the line on standard output is for scripts, and READY=1 for a service manager.
// Logs go to standard error.
#include <fmt/core.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "net/io/ip_address.h"
#include "net/io/log.h"
#include "tools/commands.h"
#include "tools/notify.h"
#include "tools/or_throw.h"
#include "tools/service.h"
#include "tools/trim.h"

namespace hearth::tools {
namespace {

// The signals that end the server, or have it read its files again, are taken by wait(), and by no thread that is
// started from here on.
class Signals {
 public:
  // SIGHUP only where there is something to read: else it ends us, as when a terminal goes.
  explicit Signals(bool reloads) {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    if (reloads) sigaddset(&signals_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  int wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
    return signal;
  }

 private:
  sigset_t signals_;
};

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
        .add_option_function<int64_t>(
            name, [&time](int64_t count) { time = std::chrono::seconds(count); }, text)
        ->check(CLI::Range(1, 86'400))
        ->type_name("SECONDS")
        ->default_str(std::to_string(time.count() / 1000))
        ->group(group);
  };
  net::http::Limits& http = flags.limits;
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
       "Bytes a second, on average, of a body or message that has begun: slower for --max-body-time, and it is given "
       "up; "
       "0: any pace",
       "1kB");
  command
      .add_option_function<int64_t>(
          "--max-verify-time", [&flags](int64_t count) { flags.verify_time_max = std::chrono::milliseconds(count); },
          "Of a processor, a second, for verifying the new tokens of one address; tokens that were verified before "
          "need none; "
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
  db::MemoryLimits& memory = flags.memory;
  size("--max-query-size", memory.query_bytes_max, "Of one listener's query: its paths, bounds and keys", "64KB");
  size("--max-listeners-size", memory.session_listener_bytes_max,
       "Of one connection's listeners: paths, queries, what they show", "64MB");
  number("--max-namespace-listeners", memory.space_listeners_max, "Of one namespace");
  size("--max-namespace-listeners-size", memory.space_listener_bytes_max, "Of one namespace's listeners", "512MB");
  number("--max-total-listeners", memory.listeners_max, "Listeners in total");
  size("--max-total-listeners-size", memory.listener_bytes_max, "Of all listeners", "1GB");
  size("--max-namespace-topics-size", memory.space_topic_bytes_max,
       "Of topics in one namespace: who is there, and what is kept of what was said", "64MB");
  size("--max-total-topics-size", memory.topic_bytes_max, "Of the same in total", "256MB");
  size("--max-ephemeral-size", memory.space_ephemeral_bytes_max,
       "Of what lies at ephemeral paths in one namespace; it is in memory alone", "16MB");
  size("--max-document-size", memory.document_bytes_max, "Of one Yjs document, as it is stored", "64MB");
  size("--max-disconnect-size", memory.session_disconnect_bytes_max, "Of what one connection wants written at its end",
       "16MB");
  size("--max-namespace-disconnect-size", memory.space_disconnect_bytes_max, "Of the same in one namespace", "64MB");
  size("--max-total-disconnect-size", memory.disconnect_bytes_max, "Of the same in total", "256MB");
  size("--max-events-size", memory.event_bytes_max,
       "Of events that clients have not taken, in total; past it those are cut off who have more than a little waiting",
       "1GB");
  size("--max-remembered-size", memory.remembered_bytes_max,
       "Of first values, hashes and changed paths that are kept to spare work; past it the oldest are forgotten",
       "256MB");
  size("--max-resume-size", memory.resume_bytes_max,
       "Of hashes by which SDKs name the value that they had, with --history; past it the oldest get the whole value",
       "32MB");
  size("--max-leaf-cache-size", memory.leaf_cache_bytes_max,
       "Of rows that a write asks for and the server knows; past it some are forgotten", "64MB");
  size("--max-activity-size", flags.activity_bytes_max,
       "Of the latest requests, which are kept while somebody looks at the console's Activity; past it the oldest go",
       "1MB");
  seconds("--max-namespace-idle-time", flags.namespace_idle_time,
          "After that what is known of a namespace that nobody uses is forgotten");
  size("--max-idempotency-size", flags.kept_answers_bytes_max,
       "Of the answers to writes with an Idempotency-Key that one namespace keeps for 24 h; past it the oldest go "
       "sooner",
       "64MB");
  size("--max-namespace-size", flags.namespace_bytes_max, "Keys and values of one namespace; 0: any number", "0");
}

void add_backups(CLI::App& command, ServeFlags& flags) {
  CLI::Option* target = command.add_option("--backup", flags.backup.target,
                                           "Backups are made into that folder, or s3://bucket/prefix "
                                           "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION): "
                                           "what came since the last one, which --history tells");
  target->type_name("TARGET");
  const auto age = [&](const char* name, auto& time, const char* text, const char* usual) {
    command
        .add_option_function<std::string>(
            name, [&time, name](const std::string& given) { time = or_throw(db::parse_age(given), name); }, text)
        ->needs(target)
        ->type_name("AGE")
        ->default_str(usual);
  };
  age("--backup-every", flags.backup.every, "How often: 10m, 1h", "1h");
  age("--backup-keep", flags.backup.policy.keep, "Moments that old can be restored, as 7d; without it, all, for ever",
      "");
  age("--backup-full-every", flags.backup.policy.full_every, "A full dump again, at the latest", "7d");
}

int serve(const ServeFlags& flags) {
  using net::http::log;
  using net::http::LogLevel;
  start_log(flags.log_level, flags.log_format);
  ignore_broken_pipes();
  // A service manager has it reload by SIGHUP, whether there is something to read or not.
  const Signals signals(!flags.auth_config.empty() || !flags.tls_certificate.empty() || has_service_manager());
  // Signals are blocked before the first thread starts, so that every thread inherits that and only wait() takes
  // them.
  Service service(flags);
  const Trim trim;
  if (flags.dev) {
    log(LogLevel::Info, flags.rules.empty()
                            ? "development mode: whoever connects may be anyone, and without rules do everything"
                            : "development mode: whoever connects may be anyone");
    if (flags.host && !net::http::is_loopback_host(*flags.host)) {
      log(LogLevel::Warn, "--dev: whoever reaches this machine can read and write everything", {{"host", *flags.host}});
    }
  }
  log(LogLevel::Info, "store opened", {{"folder", flags.data}, {"sync", service.sync_mode()}});
  if (flags.metrics_port) {
    log(LogLevel::Info, "metrics served to whoever reaches them", {{"url", service.watch_url() + "/.metrics"}});
  }
  fmt::print("hearth listening on {}\n", service.url());
  std::fflush(stdout);
  notify("READY=1");

  int signal = signals.wait();
  for (; signal == SIGHUP; signal = signals.wait()) {
    service.reload_auth();
    service.reload_certificate();
  }
  notify("STOPPING=1");
  log(LogLevel::Info, "closing", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  service.stop();
  return 0;
}

}  // namespace

void add_serve(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = program.add_subcommand("serve", "Serves a data folder to clients");
  command->add_flag("--dev", flags->dev,
                    "Like the Firebase emulator: open to all, namespaces spring into being, 'owner' is an admin");
  command
      ->add_option(
          "--dev-host", flags->dev_hosts,
          "With --dev: a name that this machine is asked by, NAME or *.NAME, beside localhost and IP addresses; by any "
          "other name 'owner' and what is for this machine alone are refused (repeatable)")
      ->envname("HEARTH_DEV_HOST")
      ->delimiter(',')
      ->type_name("NAME");
  command->add_option("--data", flags->data, "The folder of the data; made when missing")->capture_default_str();
  command->add_option("--host", flags->host, "The one address to listen on; without it, 127.0.0.1 and ::1");
  command->add_option("--port", flags->port, "0 picks a free one")->capture_default_str();
  command->add_option("--namespace", flags->namespaces,
                      "A namespace to have, made when missing; the first is for clients that name none (repeatable)");
  static const std::map<std::string, db::SyncMode> modes = {{"group", db::SyncMode::Group}, {"os", db::SyncMode::Os}};
  command
      ->add_option("--sync", flags->sync,
                   "What an acknowledged write survives: 'group' a power cut, 'os' the end of the process only")
      ->transform(CLI::CheckedTransformer(modes, CLI::ignore_case).description("group|os"))
      ->default_str("group");
  command
      ->add_option("--rules", flags->rules,
                   "A file of security rules: set in each --namespace, and in force where none are set")
      ->check(CLI::ExistingFile);
  command
      ->add_option_function<std::string>(
          "--history",
          [flags](const std::string& text) { flags->history = or_throw(db::parse_history(text), "--history"); },
          "What happened is kept for that long and up to that size, in each namespace that has not set its own: for "
          "event "
          "streams that come back, and for the change feed")
      ->type_name("AGE,SIZE")
      ->default_str("off");
  command
      ->add_option("--indexes", flags->indexes,
                   "A file of indexes beside those of the rules, for namespaces that have not set their own: "
                   R"([{"at": "/rooms/$room", "by": ["author", "sent"]}])")
      ->check(CLI::ExistingFile);
  command->add_flag("--allow-unindexed", flags->allow_unindexed,
                    "REST answers queries that no index names, by reading the whole collection");
  command
      ->add_option(
          "--allow-origin", flags->origins,
          "Pages of this origin may use the server, as https://app.example.com or https://*.example.com; repeat for "
          "more. Without it, all may")
      ->type_name("ORIGIN");
  command
      ->add_option(
          "--failed-logins", flags->failed_logins_per_minute,
          "Guesses at secrets a minute from one address, past which its next are answered 429; who is right always "
          "gets in; 0: any number")
      ->type_name("COUNT")
      ->capture_default_str();
  command
      ->add_option("--disk-reserve", flags->disk_reserve,
                   "With less left on the disk, writes that add something are refused: 64MB, 1GB; 0: until it is full")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("64MB");
  command
      ->add_option_function<int64_t>(
          "--disconnect-grace", [flags](int64_t seconds) { flags->disconnect_grace = std::chrono::seconds(seconds); },
          "After a crash: seconds that clients have to come back before their onDisconnect writes are written")
      ->check(CLI::Range(1, 86'400))
      ->type_name("SECONDS")
      ->default_str("15");
  command
      ->add_option(
          "--auth-config", flags->auth_config,
          "A file that says whose signed tokens are believed (hearth help who-may-connect); read again on SIGHUP")
      ->check(CLI::ExistingFile);
  command->add_option(
      "--tls-cert", flags->tls_certificate,
      "Serve https: a PEM file with the certificate and those between it and its root; SIGHUP reloads it");
  command->add_option("--tls-key", flags->tls_key, "A PEM file with the certificate's key");
  command->add_option("--trusted-proxy", flags->trusted_proxies,
                      "ADDRESS[/BITS] of a proxy whose X-Forwarded-For, -Proto and -Host are believed (repeatable)");
  command->add_flag("--proxy-protocol", flags->proxy_protocol,
                    "Connections of a --trusted-proxy begin with a PROXY header, version 1 or 2");
  command->add_flag("--compress-websockets", flags->compress_websockets,
                    "WebSockets are compressed (permessage-deflate) for clients that offer it, as browsers do");
  command->add_option("--log-level", flags->log_level, "What is logged on standard error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  command->add_option("--log-format", flags->log_format, "One line for each: 'text' for people, 'json' for machines")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  CLI::Option* metrics_port =
      command->add_option("--metrics-port", flags->metrics_port,
                          "A port of its own for /.metrics and /.health, without credentials; 0 picks a free one");
  command
      ->add_option("--metrics-host", flags->metrics_host, "The one address of that port; without it, 127.0.0.1 and ::1")
      ->needs(metrics_port);
  add_webhook_flags(*command, flags->webhooks);
  add_backups(*command, *flags);
  add_cluster_flags(*command, flags->cluster);
  add_limits(*command, *flags);
  command->add_option("--threads", flags->threads, "Threads that serve connections; 0: one for each core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->callback([flags, &chosen] { chosen.run = [flags] { return serve(*flags); }; });
  add_chapter(*command, "serve");
}

}  // namespace hearth::tools
