// A primary and two standbys of PostgreSQL on loopback, from Debian's packages, as an operator would have them, and all that
// can happen to them: a primary that dies, a standby that is promoted, one that comes back, standbys that stand still.
//
//   a ──▶ b        synchronous_standby_names = 'ANY 1 (a, b, c)': whoever is the primary leaves itself out
//     └─▶ c
//
// It takes about 3 s to start, so that a test program shares one. Servers run as the user postgres when the tests run as root.
#pragma once

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_folder.h"

namespace hearth::test {

class PostgresTrio {
 public:
  static constexpr const char* kBin = "/usr/lib/postgresql/15/bin";
  static bool is_installed() { return std::filesystem::exists(std::string(kBin) + "/initdb"); }

  PostgresTrio() {
    for (Server& server : servers_) server.port = free_port();
    if (geteuid() == 0) shell("chown postgres " + folder_.path());
    shell(as() + kBin + "/initdb -D " + at(0) +
          " -U hearth --auth=trust --data-checksums --no-sync -E UTF8 --locale=C");
    std::ofstream(at(0) + "/postgresql.conf", std::ios::app)
        << "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nwal_keep_size = 256MB\n"
        << "shared_buffers = 32MB\nmax_connections = 60\nautovacuum_naptime = 5s\n";
    set_up(0);
    up(0);
    shell("( " + copy(1) + " ) & ( " + copy(2) + " ) & wait");
    for (int i : {1, 2}) {
      set_up(i);
      up(i);
    }
    // Only now, or the first commits would wait for standbys that are not there yet.
    for (int i : {0, 1, 2}) {
      std::ofstream(at(i) + "/postgresql.conf", std::ios::app) << "synchronous_standby_names = 'ANY 1 (a, b, c)'\n";
      ask(i, "SELECT pg_reload_conf()");
    }
    await_standbys(0, 2);
  }
  ~PostgresTrio() {
    for (int i : {0, 1, 2}) {
      freeze(i, SIGCONT);
      kill_server(i);
    }
    if (geteuid() == 0) shell("rm -rf " + folder_.path());
  }
  PostgresTrio(const PostgresTrio&) = delete;
  PostgresTrio& operator=(const PostgresTrio&) = delete;

  // All servers, for who finds the one that takes writes. `user` may have a password: "ada:secret".
  std::string url(const std::string& database = "postgres", const std::string& user = "hearth") const {
    std::string hosts;
    for (const Server& server : servers_) {
      hosts += (hosts.empty() ? "" : ",") + std::string("127.0.0.1:") + std::to_string(server.port);
    }
    return "postgresql://" + user + "@" + hosts + "/" + database;
  }
  int port(int server) const { return servers_[static_cast<size_t>(server)].port; }

  // The last one that was promoted. What stands still cannot be asked.
  int primary() const { return leader_; }
  // What psql answers, or "" when it fails.
  std::string ask(int server, const std::string& sql, const std::string& database = "postgres") const {
    return shell("PGCONNECT_TIMEOUT=2 psql -XqAt -h 127.0.0.1 -p " + std::to_string(port(server)) + " -U hearth -d " +
                     database + " -c \"" + sql + "\"",
                 Failure::Ignored);
  }
  std::string ask_primary(const std::string& sql, const std::string& database = "postgres") const {
    return ask(primary(), sql, database);
  }

  // As a power switch would do it to its processes. Returns which it was.
  int kill_primary() {
    const int killed = primary();
    kill_server(killed);
    return killed;
  }
  // The standby that has more becomes the primary, and the other one follows it. Both must be up, if both were.
  int promote() {
    int best = -1;
    std::string best_lsn;
    for (int i : {0, 1, 2}) {
      const std::string lsn = ask(i,
                                  "SELECT coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), "
                                  "'0/0') WHERE pg_is_in_recovery()");
      if (lsn.empty()) continue;
      if (best < 0 || ask(i, "SELECT '" + lsn + "'::pg_lsn > '" + best_lsn + "'::pg_lsn") == "t") {
        best = i;
        best_lsn = lsn;
      }
    }
    if (best < 0) throw std::runtime_error("there is no standby to promote");
    shell(as() + kBin + "/pg_ctl -D " + at(best) + " -w promote");
    for (int i : {0, 1, 2}) {
      if (i == best || ask(i, "SELECT 1") != "1") continue;
      follow(i, best);
      ask(i, "SELECT pg_reload_conf()");
    }
    leader_ = best;
    ask(best, "CHECKPOINT");  // or pg_rewind sees the timeline from before, and does nothing
    return best;
  }
  // Whoever is down follows the primary.
  void rejoin() {
    const int to = primary();
    for (int i : {0, 1, 2}) {
      if (postmaster(i) != 0) continue;
      shell(as() + kBin + "/pg_rewind -D " + at(i) + " --no-sync --source-server='host=127.0.0.1 port=" +
            std::to_string(port(to)) + " user=hearth dbname=postgres'");
      shell(as() + "touch " + at(i) + "/standby.signal");
      set_up(i);
      follow(i, to);
      up(i);
    }
    await_standbys(to, 2);
  }
  // It starts as it is: a former primary as a primary.
  void start(int server) { up(server); }
  void kill_server(int server) {
    const pid_t pid = postmaster(server);
    if (pid == 0) return;
    std::vector<pid_t> all = children(pid);
    all.push_back(pid);
    // The postmaster first, or it would start others.
    kill(pid, SIGKILL);
    for (const pid_t one : all) kill(one, SIGKILL);
    for (int tries = 0; tries < 200 && std::filesystem::exists("/proc/" + std::to_string(pid)); ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  // The standbys stand still, or go on: commits wait meanwhile.
  void stop_standbys() {
    const int leader = primary();
    for (int i : {0, 1, 2}) {
      if (i != leader) freeze(i, SIGSTOP);
    }
  }
  void continue_standbys() {
    for (int i : {0, 1, 2}) freeze(i, SIGCONT);
  }

  // A setting of the primary's file; "" resets it.
  void set(const std::string& name, const std::string& value) {
    const int to = primary();
    ask(to, value.empty() ? "ALTER SYSTEM RESET " + name : "ALTER SYSTEM SET " + name + " = '" + value + "'");
    ask(to, "SELECT pg_reload_conf()");
  }
  // From now on the primary takes TLS as well, with copies of these PEM files, which its user can read.
  void speak_tls(const std::string& certificate, const std::string& key) {
    for (const auto& [from, name, setting] :
         {std::array{certificate, std::string("/tls.crt"), std::string("ssl_cert_file")},
          std::array{key, std::string("/tls.key"), std::string("ssl_key_file")}}) {
      const std::string copy = at(primary()) + name;
      shell("cp " + from + " " + copy + " && chmod 0600 " + copy +
            (geteuid() == 0 ? " && chown postgres " + copy : ""));
      set(setting, copy);
    }
    set("ssl", "on");
  }
  // A database with nothing of ours in it. Used again where it can be: each new one is 7 MB that a rejoining server fetches.
  std::string make_database() {
    if (!emptied_.empty()) {
      const std::string name = emptied_.back();
      emptied_.pop_back();
      return name;
    }
    const std::string name = "d" + std::to_string(++databases_);
    ask_primary("CREATE DATABASE " + name);
    return name;
  }
  void give_back(const std::string& database) {
    ask_primary("DROP SCHEMA IF EXISTS hearth CASCADE", database);
    ask_primary("ALTER DATABASE " + database + " RESET ALL");
    emptied_.push_back(database);
  }
  void await_standbys(int of, int count) const {
    for (int tries = 0; tries < 200; ++tries) {
      const std::string now =
          ask(of, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum' AND state = 'streaming'");
      if (now == std::to_string(count)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw std::runtime_error("the standbys do not stream");
  }

 private:
  struct Server {
    int port = 0;
  };
  enum class Failure : uint8_t { Thrown, Ignored };

  static int free_port() {
    const int one = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    (void)bind(one, reinterpret_cast<sockaddr*>(&address), size);
    (void)getsockname(one, reinterpret_cast<sockaddr*>(&address), &size);
    close(one);
    return ntohs(address.sin_port);
  }
  static std::string shell(const std::string& command, Failure failure = Failure::Thrown) {
    const std::string quiet = "{ " + command + " ; } 2>&1 </dev/null";
    FILE* pipe = popen((failure == Failure::Ignored ? command + " 2>/dev/null" : quiet).c_str(), "re");
    std::string out;
    std::array<char, 4096> buffer;
    for (size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) out.append(buffer.data(), got);
    const int status = pclose(pipe);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    if (status == 0) return out;
    if (failure == Failure::Thrown) throw std::runtime_error(command + ": " + out);
    return "";
  }
  static std::string as() {
    return geteuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --init-groups env -C / LC_ALL=C.UTF-8 " : "";
  }
  std::string at(int server) const { return folder_.path() + "/" + std::string(1, static_cast<char>('a' + server)); }
  std::string copy(int server) const {
    return as() + kBin + "/pg_basebackup -h 127.0.0.1 -p " + std::to_string(port(0)) + " -U hearth -D " + at(server) +
           " -R -X stream --no-sync --checkpoint=fast";
  }
  void set_up(int server) const {
    std::ofstream(at(server) + "/postgresql.conf", std::ios::app)
        << "port = " << port(server) << "\ncluster_name = '" << static_cast<char>('a' + server) << "'\n";
  }
  void follow(int server, int leader) const {
    std::ofstream(at(server) + "/postgresql.auto.conf", std::ios::app)
        << "primary_conninfo = 'host=127.0.0.1 port=" << port(leader) << " user=hearth'\n";
  }
  void up(int server) const {
    // What it starts must not keep our pipe open.
    shell(as() + kBin + "/pg_ctl -D " + at(server) + " -l " + at(server) + ".log -w start >/dev/null");
  }
  pid_t postmaster(int server) const {
    std::ifstream file(at(server) + "/postmaster.pid");
    pid_t pid = 0;
    file >> pid;
    return pid != 0 && kill(pid, 0) == 0 ? pid : 0;
  }
  static std::vector<pid_t> children(pid_t of) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream stat(entry.path() / "stat");
      std::string line;
      std::getline(stat, line);
      const size_t end = line.rfind(") ");
      if (end == std::string::npos) continue;
      pid_t parent = 0;
      if (std::sscanf(line.c_str() + end + 2, "%*c %d", &parent) == 1 && parent == of) found.push_back(std::stoi(name));
    }
    return found;
  }
  void freeze(int server, int signal) const {
    const pid_t pid = postmaster(server);
    if (pid == 0) return;
    kill(pid, signal);
    for (const pid_t one : children(pid)) kill(one, signal);
  }
  TempFolder folder_;
  std::array<Server, 3> servers_;
  int leader_ = 0;
  int databases_ = 0;
  std::vector<std::string> emptied_;
};

// That of the test program.
inline PostgresTrio& trio() {
  static PostgresTrio one;
  return one;
}

}  // namespace hearth::test
