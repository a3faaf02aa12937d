// Opens, guards and serves a data folder: what `hearth serve` and `hearth exec` have in common. Thread: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/host.h"
#include "net/io/limits.h"
#include "net/server.h"
#include "net/wire/limits.h"
#include "rules/guard.h"
#include "tools/backup/schedule.h"
#include "tools/cluster_serve.h"

namespace hearth::tools {

// What `hearth serve` was told.
struct ServeFlags {
  bool dev = false;
  std::string data = "hearth-data";
  std::optional<std::string> host;  // nothing: both loopback addresses
  uint16_t port = 9000;             // 0: one that is free
  std::vector<std::string> namespaces;
  db::SyncMode sync = db::SyncMode::Group;
  std::string rules;                      // a file: of the namespaces named, and of those that have none of their own
  db::HistoryPlan history;                // of namespaces that have not set their own
  std::string indexes;                    // a file: of namespaces that have not set their own
  bool allow_unindexed = false;           // REST answers queries without an index too
  size_t failed_logins_per_minute = 100;  // guesses of one address; 0: any number
  std::chrono::milliseconds verify_time_max{100};  // a second, for one address' tokens; 0: any
  std::vector<std::string> dev_hosts;              // names of this machine, with --dev
  std::vector<std::string> origins;                // of pages that may use it; none: all
  uint64_t disk_reserve = 64u << 20;               // bytes
  net::http::Limits limits;                        // of what clients may use up
  net::wire::Limits wire_limits;
  bool compress_websockets = false;
  uint64_t answer_bytes_max = 1024u << 20;
  uint64_t step_rows_max = 4'000;
  size_t reads_waiting_max = db::Database::Options().reads_waiting_max;
  size_t reads_waiting_of_one_max = db::Database::Options().reads_waiting_of_one_max;
  uint64_t namespace_rows_max = 0;  // 0: any number
  uint64_t namespace_bytes_max = 0;
  uint64_t kept_answers_bytes_max = 64u << 20;
  db::MemoryLimits memory;
  size_t activity_bytes_max = rules::kActivityBytesMax;
  std::chrono::milliseconds namespace_idle_time{600'000};
  std::chrono::seconds disconnect_grace{15};
  std::string auth_config;      // a file: whose signed tokens are believed
  std::string tls_certificate;  // PEM files; both, or neither for plain HTTP
  std::string tls_key;
  std::vector<std::string> trusted_proxies;
  bool proxy_protocol = false;
  net::WebhookOptions webhooks;
  std::string log_level = "info";
  std::string log_format = "text";
  std::optional<uint16_t> metrics_port;  // of its own; nothing: none
  std::string metrics_host;              // "": both loopback addresses
  size_t threads = 0;                    // that serve connections; 0: as many as there are cores
  BackupFlags backup;
  ClusterFlags cluster;
};

void start_log(const std::string& level, const std::string& format = "text");  // to standard error
void ignore_broken_pipes();  // broken pipes become errors of the write

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
  void stop();         // lets go of the clients, then finishes what was accepted and lets go of the folder

 private:
  void log_certificate() const;

  const std::string auth_config_;         // the file; "" without one
  const std::string certificate_;         // the file; "" without TLS
  std::unique_ptr<ClusterNode> cluster_;  // null: a server by itself
  std::unique_ptr<db::Host> database_;
  std::unique_ptr<rules::Guard> guard_;
  std::unique_ptr<BackupSchedule> backups_;  // null: none are made
  std::unique_ptr<net::Server> server_;
};

}  // namespace hearth::tools
