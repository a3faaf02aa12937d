// What the command line says, as values. main.cc fills them in; each command takes its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/database.h"
#include "db/model/dump_request.h"
#include "net/http/limits.h"
#include "net/wire/limits.h"
#include "tools/rest_client.h"

namespace hearth::tools {

struct ServeFlags {
  bool dev = false;
  std::string data = "hearth-data";
  std::optional<std::string> host;  // nothing: both loopback addresses
  uint16_t port = 9000;             // 0: one that is free
  std::vector<std::string> namespaces;
  db::SyncMode sync = db::SyncMode::Group;
  std::string rules;  // a file: of the namespaces named, and of those that have none of their own
  std::string indexes;          // a file: of namespaces that have not set their own
  bool allow_unindexed = false;  // REST answers queries without an index too
  size_t failed_logins_per_minute = 100;  // guesses of one address; 0: any number
  std::chrono::milliseconds verify_time_max{100};  // a second, for one address' tokens; 0: any
  std::vector<std::string> dev_hosts;              // names of this machine, with --dev
  std::vector<std::string> origins;  // of pages that may use it; none: all
  uint64_t disk_reserve = 64u << 20;  // bytes
  net::http::Limits limits;           // of what clients may use up
  net::wire::Limits wire_limits;
  bool compress_websockets = false;
  uint64_t answer_bytes_max = 1024u << 20;
  uint64_t step_rows_max = 4'000;
  size_t reads_waiting_max = db::Database::Options().reads_waiting_max;
  size_t reads_waiting_of_one_max = db::Database::Options().reads_waiting_of_one_max;
  uint64_t namespace_rows_max = 0;  // 0: any number
  uint64_t namespace_bytes_max = 0;
  db::MemoryLimits memory;
  std::chrono::milliseconds namespace_idle_time{600'000};
  std::chrono::seconds disconnect_grace{15};
  std::string auth_config;       // a file: whose signed tokens are believed
  std::string tls_certificate;   // PEM files; both, or neither for plain HTTP
  std::string tls_key;
  std::vector<std::string> trusted_proxies;
  bool proxy_protocol = false;
  std::string log_level = "info";
  std::string log_format = "text";
  std::optional<uint16_t> metrics_port;  // of its own; nothing: none
  std::string metrics_host;              // "": both loopback addresses
  size_t threads = 0;  // that serve connections; 0: as many as there are cores
};

struct BenchFlags {
  std::vector<std::string> scenarios = {"all"};
  bool json = false;
  std::string url;     // a running `hearth serve --dev`; empty: one is started for the run
  std::string folder;  // where the temporary data folder is made; empty: the system's
  std::string sync = "group";
  size_t threads = 2;  // of the server that is started
  bool tls = false;    // spoken to it
  std::chrono::seconds time{5};
  size_t connections = 8;  // writes
  size_t window = 32;      // writes not yet answered, for each connection
  size_t listeners = 200;  // fanout
  size_t listening_connections = 200;
  size_t fanout_window = 4;
  size_t leaves = 1'000'000;  // tree
  size_t overwrites = 100'000;
  size_t in_flight = 256;  // embedded
  size_t idle_connections = 10'000;  // connections
  size_t clients = 1'000;            // reconnect
  size_t children = 200'000;         // neighbours
  std::vector<std::string> attacks;  // none: all
};

struct RulesFlags {
  enum class Command : uint8_t { Check, Test, Explain };
  Command command = Command::Check;
  std::string file;   // check: rules; test: a table of cases
  std::string rules;  // test, explain --data: a file of rules instead of those that are set
  bool coverage = false;
  std::string lcov;  // a file to write
  // explain
  std::string url = usual_url();
  std::string data;  // a folder, instead of the url
  std::string space;
  std::string token = env("HEARTH_TOKEN");
  std::string read, write, update;  // a path: one of them
  std::string value;                // JSON
  std::string auth;                 // JSON of the rules' variable; empty: signed out
  bool json = false;
};

struct ExecFlags {
  std::vector<std::string> words;  // the command
  std::string rules;
  std::string import;  // a JSON file
  std::string space = "default";
  uint16_t port = 0;
  std::string log_level = "error";
};

struct TokenFlags {
  std::string secret_file;  // or
  std::string auth_config;  // and
  std::string issuer;       // of it, by name or `iss`; with secret_file, the `iss`
  std::string audience;     // with secret_file
  std::string uid;
  std::string claims;  // JSON of an object
  std::chrono::seconds expires{3600};
};

struct KickFlags {
  std::string uid;
  std::string space;
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");                 // of an admin; empty: the admin secret of
  std::string data = "hearth-data";  // this folder, if there is one
};

struct DumpFlags {
  std::string out;   // "-": standard output
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");
  std::string data;  // a folder, instead of the url
  std::string space;
  std::string path;
  db::DumpFormat format = db::DumpFormat::Native;
  std::string file;  // verify
};

struct RestoreFlags {
  std::string file;  // "-": standard input
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");
  std::string data;  // a folder, instead of the url
  std::string space;
  std::optional<std::string> into;
  bool replace = false;
};

struct FsckFlags {
  std::string data = "hearth-data";
  bool repair = false;
  bool json = false;
};

struct UpkeepFlags {
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");
  std::string data;  // a folder, instead of the url
  std::string space;
  std::string path = "/";
  bool json = false;
};

int stats(const UpkeepFlags& flags);
int compact(const UpkeepFlags& flags);
int fsck(const FsckFlags& flags);  // 0: no problem was found
int token(const TokenFlags& flags);
int kick(const KickFlags& flags);
int dump(const DumpFlags& flags);
int verify_dump(const DumpFlags& flags);
int restore(const RestoreFlags& flags);
int serve(const ServeFlags& flags);
int exec(const ExecFlags& flags);           // the command's exit status
int rules_command(const RulesFlags& flags);  // 0: no errors, no case failed
int bench(const BenchFlags& flags);

}  // namespace hearth::tools
