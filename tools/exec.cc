// `hearth exec`: a throw-away development server around one command, for tests of apps.
//
//   signals blocked ─▶ folder ─▶ Service ─▶ the command runs, signals are passed on to it ─▶ stop, folder removed
//
// The command finds the server by its environment. Its exit status is ours, and signals to us are for it, so that CI
// sees the command and not this program around it.
#include <fmt/format.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "db/model/json.h"
#include "tools/commands.h"
#include "tools/rules_file.h"
#include "tools/service.h"
#include "tools/temporary_folder.h"

namespace hearth::tools {
namespace {

struct ExecFlags {
  std::vector<std::string> words;  // the command
  std::string rules;
  std::string import;  // a JSON file
  std::string space = "default";
  uint16_t port = 0;
  std::string log_level = "error";
};

constexpr int kPassedOn[] = {SIGINT, SIGTERM, SIGHUP};
volatile sig_atomic_t child = -1;

// Blocks or unblocks the signals for this thread, and for threads that it starts from then on.
void hold_back(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : kPassedOn) sigaddset(&signals, signal);
  pthread_sigmask(how, &signals, nullptr);
}

// Passes a signal on to the command, for which it was meant.
void pass_on(int signal) {
  if (child > 0) kill(child, signal);
}

// `url`: of the server.
int run_command(const ExecFlags& flags, const std::string& url) {
  std::vector<std::string> words = flags.words;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  child = fork();
  if (child == 0) {
    for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, nullptr);
    // By name: firebase-tools takes no address made of numbers.
    setenv("FIREBASE_DATABASE_EMULATOR_HOST", ("localhost" + url.substr(url.rfind(':'))).c_str(), 1);
    setenv("HEARTH_URL", url.c_str(), 1);
    execvp(argv.front(), argv.data());
    std::fprintf(stderr, "hearth: cannot run %s: %s\n", argv.front(), std::strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
  }
  if (child < 0) throw std::runtime_error(fmt::format("cannot start a process: {}", std::strerror(errno)));
  // From here on there is a command to pass signals on to. One that came while they were blocked is delivered now.
  for (const int signal : kPassedOn) std::signal(signal, pass_on);
  hold_back(SIG_UNBLOCK);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  child = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int exec(const ExecFlags& flags) {
  hold_back(SIG_BLOCK);  // a signal that ended us now would leave the folder behind
  const TemporaryFolder folder;
  ServeFlags serve_flags;
  serve_flags.dev = true;
  serve_flags.data = folder.path();
  serve_flags.port = flags.port;
  serve_flags.namespaces = {flags.space};
  serve_flags.sync = db::SyncMode::Os;  // nothing here outlives the process
  serve_flags.rules = flags.rules;
  serve_flags.log_level = flags.log_level;
  start_log(flags.log_level);
  ignore_broken_pipes();
  Service service(serve_flags);
  if (!flags.import.empty()) {
    auto value = db::parse_value(load_json(flags.import), db::Path());
    if (!value.ok()) throw std::runtime_error(fmt::format("{}: {}", flags.import, value.error().message));
    service.import(flags.space, std::move(value).value());
  }
  const int status = run_command(flags, service.url());
  service.stop();
  return status;
}

}  // namespace

void add_exec(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<ExecFlags>();
  CLI::App* command = program.add_subcommand(
      "exec", "Runs a command with a throw-away development server: FIREBASE_DATABASE_EMULATOR_HOST tells it where");
  command->add_option("--rules", flags->rules, "A file of security rules")->check(CLI::ExistingFile);
  command->add_option("--import", flags->import, "A JSON file that --namespace begins with")->check(CLI::ExistingFile);
  command->add_option("--namespace", flags->space, "The namespace of --import, and of clients that name none")
      ->capture_default_str();
  command->add_option("--port", flags->port, "0 picks a free one")->capture_default_str();
  command->add_option("--log-level", flags->log_level, "What is logged on standard error; 'warn' tells why rules deny")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  command->add_option("command", flags->words, "The command and its arguments, behind --")->required();
  command->positionals_at_end();
  command->callback([flags, &chosen] {
    chosen.run = [flags] { return exec(*flags); };
    chosen.keeps_descriptor_limit = true;  // the command that it runs has the limit that it would have without us
  });
  add_chapter(*command, "rules");
}

}  // namespace hearth::tools
