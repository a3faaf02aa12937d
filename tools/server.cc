// `hearth serve`: the wiring. Opens the data folder, puts the door before it, serves until told to stop.
#include <fmt/core.h>
#include <pthread.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "db/database.h"
#include "net/server.h"
#include "rules/guard.h"
#include "tools/flags.h"
#include "tools/secret.h"

namespace hearth::tools {
namespace {

// The program cannot start: main says why.
template <typename T>
T or_throw(db::Result<T> result, std::string_view doing) {
  if (!result.ok()) throw std::runtime_error(fmt::format("{}: {}", doing, result.error().message));
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

void start_log(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>("hearth", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(level == "warn" ? "warning" : level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

// The signals that end the server are taken by wait(), and by no thread that is started from here on.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is an error of the write, to be answered
  }
  int wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
    return signal;
  }

 private:
  sigset_t signals_;
};

void make_folder(const std::string& folder) {
  if (mkdir(folder.c_str(), S_IRWXU) == 0) return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder, error)) {
    throw std::runtime_error(fmt::format("cannot use the data folder {}: {}", folder,
                                         error ? error.message() : std::string("it is not a folder")));
  }
}

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

rules::Guard::Options guard_options(const ServeFlags& flags) {
  rules::Guard::Options options;
  options.dev = flags.dev;
  if (!flags.namespaces.empty()) {
    options.default_namespace = flags.namespaces.front();
  } else if (flags.dev) {
    options.default_namespace = "default";
  }
  if (flags.dev) return options;
  AdminSecret secret = or_throw(load_admin_secret(flags.data), "the admin secret");
  spdlog::info("{} admin secret is in {}", secret.is_new ? "a new" : "the", secret.path);
  options.admin_secret = std::move(secret.text);
  return options;
}

}  // namespace

int serve(const ServeFlags& flags) {
  start_log(flags.log_level);
  const EndSignals signals;
  for (const std::string& name : flags.namespaces)
    or_throw(db::check_namespace_name(name), fmt::format("--namespace {}", name));

  make_folder(flags.data);
  db::Database::Options options;
  options.folder = flags.data;
  options.sync = flags.sync;
  auto database = or_throw(db::Database::open(std::move(options)), fmt::format("cannot open {}", flags.data));
  for (const std::string& name : flags.namespaces) {
    if (!database->exists(or_throw(db::check_namespace_name(name), name))) {
      or_throw(database->create(name), fmt::format("cannot make the namespace {}", name));
    }
  }

  rules::Guard guard(*database, guard_options(flags));
  net::Server::Options net_options;
  if (flags.host) net_options.host = *flags.host;
  net_options.port = flags.port;
  net_options.io_threads = flags.threads > 0 ? flags.threads : std::max(1u, std::thread::hardware_concurrency());
  const auto server = or_throw(net::Server::start(guard, std::move(net_options)), "cannot listen");

  if (flags.dev) {
    spdlog::info("development mode: open to everyone who can connect");
    if (flags.host && !is_loopback(*flags.host)) {
      spdlog::warn("--dev on {}: whoever reaches this machine can read and write everything", *flags.host);
    }
  }
  spdlog::info("data in {}, sync {}", flags.data, guard.sync_mode());
  fmt::print("hearth listening on {}\n", server->url());
  std::fflush(stdout);

  const int signal = signals.wait();
  spdlog::info("{}: closing", signal == SIGTERM ? "SIGTERM" : "SIGINT");
  server->stop();
  // From here on nobody asks. What was accepted is finished, and then the folder is let go.
  database.reset();
  return 0;
}

}  // namespace hearth::tools
