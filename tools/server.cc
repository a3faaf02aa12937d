// `hearth serve`: serves a data folder until told to stop.
#include <fmt/core.h>
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>

#include "tools/flags.h"
#include "tools/service.h"

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

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

}  // namespace

int serve(const ServeFlags& flags) {
  start_log(flags.log_level);
  ignore_broken_pipes();
  const Signals signals(!flags.auth_config.empty() || !flags.tls_certificate.empty());
  Service service(flags);
  if (flags.dev) {
    spdlog::info("development mode: whoever connects may be anyone{}",
                 flags.rules.empty() ? ", and without rules do everything" : "");
    if (flags.host && !is_loopback(*flags.host)) {
      spdlog::warn("--dev on {}: whoever reaches this machine can read and write everything", *flags.host);
    }
  }
  spdlog::info("data in {}, sync {}", flags.data, service.sync_mode());
  fmt::print("hearth listening on {}\n", service.url());
  std::fflush(stdout);

  int signal = signals.wait();
  for (; signal == SIGHUP; signal = signals.wait()) {
    service.reload_auth();
    service.reload_certificate();
  }
  spdlog::info("{}: closing", signal == SIGTERM ? "SIGTERM" : "SIGINT");
  service.stop();
  return 0;
}

}  // namespace hearth::tools
