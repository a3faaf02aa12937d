// A server as a node of a cluster: what `hearth serve --cluster` has beside what every server has.
//
//   flags ─▶ facts of the cluster, its log ─▶ Database::Options ─▶ Host ─▶ peer port, bus, Member ─▶ Server::Options ─▶ Server
//            ClusterNode()                    prepare()                    attach()                  prepare()          start()
//
// Built in this order by tools/service.cc, and taken apart in the reverse one: give_up() while the server still serves, so that
// others own the shards before clients are let go of; close() when neither server nor database asks anything any more.
// Thread: one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "db/cluster/member.h"
#include "db/database.h"
#include "db/host.h"
#include "net/admin/cluster_door.h"
#include "net/peer/bus.h"
#include "net/peer/peer_port.h"
#include "net/server.h"
#include "rules/guard.h"

namespace CLI {
class App;
}

namespace hearth::db {
class PostgresLog;
class PostgresBoard;
}  // namespace hearth::db

namespace hearth::net::peer {
class RelayDirectory;
}

namespace hearth::tools {

struct ClusterFlags {
  std::string url;            // or file:PATH; "": a server by itself
  std::string node;           // its name
  std::string peer;           // HOST:PORT, for other nodes
  bool is_attested = false;   // --durability attested
  std::string redirect_host;  // s-NAME[:PORT]; "": clients stay where they are
  net::peer::PeerTls tls{};
  bool plain = false;
  size_t queue_bytes_max = net::peer::kBusQueueBytesMax;
  db::BootTime stale_reads_max{30'000};

  bool is_on() const { return !url.empty(); }
};

void add_cluster_flags(CLI::App& serve, ClusterFlags& flags);

class ClusterNode {
 public:
  // Asks the engine what cluster it is. `folder` is made already. Throws with what keeps the node from starting: a flag, an
  // engine that is not there, a folder of another cluster or of a server by itself.
  ClusterNode(const ClusterFlags& flags, const std::string& folder);
  ~ClusterNode();

  const std::string& admin_secret() const { return facts_.admin_secret; }
  void prepare(db::Database::Options& options);
  void attach(db::Host& host);
  void prepare(net::Server::Options& options);
  // From here on this node is one of the cluster. `namespaces` are made where they are missing, by whoever owns them.
  void start(net::Server& server, rules::Guard& guard, std::vector<std::string> namespaces);

  // Shards are given to others; the server relays what is for them, and may be stopped then.
  void give_up();
  void close();

 private:
  void on_change(const db::ClusterChange& change);
  void catch_up_with_owned();  // a thread's: what a server does at its start, for what it came to own
  void leave_process();

  const ClusterFlags flags_;
  const std::string run_;
  db::ClusterFacts facts_{};
  std::unique_ptr<db::PostgresBoard> board_;
  std::unique_ptr<db::PostgresLog> log_;
  db::NodeStanding standing_;
  std::unique_ptr<db::GuardedLog> guarded_;
  db::Host* host_ = nullptr;
  std::unique_ptr<net::peer::PeerDialer> dialer_;
  std::unique_ptr<net::peer::PeerPort> port_;
  std::unique_ptr<net::peer::PeerBus> bus_;
  std::atomic<db::Member*> told_ = nullptr;  // member_, once it is there
  std::unique_ptr<db::Member> member_;
  std::unique_ptr<net::peer::RelayDirectory> nodes_;
  net::admin::ClusterDoor door_{};

  std::atomic<net::Server*> server_ = nullptr;  // while it serves
  rules::Guard* guard_ = nullptr;
  std::vector<std::string> namespaces_;
  std::mutex mutex_;  // Guards the next two.
  std::condition_variable changed_;
  bool must_catch_up_ = false, is_closing_ = false;
  std::thread catches_up_;
  bool has_given_up_ = false, is_closed_ = false;
};

}  // namespace hearth::tools
