// Opens, guards and serves a data folder: what `hearth serve` and `hearth exec` have in common. Thread: one.
#pragma once

#include <memory>
#include <string>

#include "db/database.h"
#include "net/server.h"
#include "rules/guard.h"
#include "tools/flags.h"

namespace hearth::tools {

void start_log(const std::string& level, const std::string& format = "text");  // to standard error
void ignore_broken_pipes();                // broken pipes become errors of the write

class Service {
 public:
  // Answers from here on. Throws with what keeps it from starting.
  explicit Service(const ServeFlags& flags);

  std::string url() const { return server_->url(); }              // http://127.0.0.1:9000, or https
  std::string watch_url() const { return server_->watch_url(); }  // "" without --metrics-port
  bool has_certificate() const { return !certificate_.empty(); }
  void reload_certificate();  // for connections to come; says in the log what came of it
  std::string_view sync_mode() const { return guard_->sync_mode(); }
  void import(const std::string& space, db::Value value);  // becomes the whole tree
  void reload_auth();  // reads --auth-config again; logs what is wrong with it, and then nothing changes
  void stop();  // lets go of the clients, then finishes what was accepted and lets go of the folder

 private:
  void log_certificate() const;

  const std::string auth_config_;  // the file; "" without one
  const std::string certificate_;  // the file; "" without TLS
  std::unique_ptr<db::Database> database_;
  std::unique_ptr<rules::Guard> guard_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace hearth::tools
