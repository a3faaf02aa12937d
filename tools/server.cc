// `hearth serve`: serves a data folder until told to stop.
#include <fmt/core.h>
#include <pthread.h>

#include <csignal>
#include <cstdio>

#include "net/http/log.h"
#include "tools/flags.h"
#include "tools/notify.h"
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

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

}  // namespace

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
    if (flags.host && !is_loopback(*flags.host)) {
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

}  // namespace hearth::tools
