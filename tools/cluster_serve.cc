// What happens in a cluster is told in the log as it happens: each change of an owner with its reason and the time it took.
#include "tools/cluster_serve.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>

#include "db/base/random.h"
#include "db/cluster/replica.h"
#include "db/log/postgres/cluster_url.h"
#include "db/log/postgres/postgres_board.h"
#include "db/log/postgres/postgres_log.h"
#include "db/log/postgres/schema.h"
#include "net/io/log.h"
#include "net/peer/relay_directory.h"
#include "tools/or_throw.h"

namespace hearth::tools {
namespace {

using net::http::log;
using net::http::LogLevel;

constexpr std::string_view kFolderFile = "cluster";  // ID NODE: whose data these are
constexpr size_t kRunBytes = 4;
// Of one try to settle what is in doubt. The guard goes on trying for as long as the shard is ours to wait for
// (db/cluster/guarded_log.h), and must hear in between that it is not any more.
constexpr std::chrono::milliseconds kSettleTime{3'000};

// Data of one cluster must not be given to another, nor those of a server by itself to any: they would be other trees behind
// the same log.
void claim_folder(const std::string& folder, const std::string& cluster, const std::string& node) {
  const std::string path = folder + "/" + std::string(kFolderFile);
  std::ifstream file(path);
  std::string found_cluster, found_node;
  if (file >> found_cluster >> found_node) {
    if (found_cluster != cluster) {
      throw std::runtime_error(
          fmt::format("{} holds data of another cluster ({}, and the engine's is {}): start the node with "
                      "an empty folder, and it takes its data from the others",
                      folder, found_cluster, cluster));
    }
    if (found_node != node) {
      throw std::runtime_error(
          fmt::format("{} holds data of the node {}: --node {} needs a folder of its own", folder, found_node, node));
    }
    return;
  }
  for (const auto& one : std::filesystem::directory_iterator(folder)) {
    if (one.path().filename() == "admin-secret" || one.path().filename() == "lost+found") continue;
    throw std::runtime_error(fmt::format(
        "{} holds data of a server that is part of no cluster: take them along with `hearth dump` and `hearth "
        "restore`, and start the node with an empty folder",
        folder));
  }
  std::ofstream made(path);
  made << cluster << " " << node << "\n";
  made.close();
  if (!made) throw std::runtime_error(fmt::format("cannot write {}", path));
}

LogLevel level_of(db::ClusterOptions::Level level) {
  switch (level) {
    case db::ClusterOptions::Level::Info:
      return LogLevel::Info;
    case db::ClusterOptions::Level::Warning:
      return LogLevel::Warn;
    case db::ClusterOptions::Level::Error:
      return LogLevel::Error;
  }
  return LogLevel::Error;
}

}  // namespace

void add_cluster_flags(CLI::App& serve, ClusterFlags& flags) {
  const std::string group = "Cluster";
  serve
      .add_option("--cluster", flags.url,
                  "Serve as a node of the cluster in that PostgreSQL: postgresql://…, file:PATH or HEARTH_CLUSTER "
                  "(hearth help cluster)")
      ->envname(db::kClusterVariable)
      ->type_name("URL")
      ->group(group);
  serve.add_option("--node", flags.node, "This node's name, as 'n1'")->type_name("NAME")->group(group);
  serve.add_option("--peer", flags.peer, "Where other nodes reach it")->type_name("HOST:PORT")->group(group);
  static const std::map<std::string, bool> durabilities = {{"verified", false}, {"attested", true}};
  serve
      .add_option(
          "--durability", flags.is_attested,
          "'verified': PostgreSQL shows its synchronous standbys; 'attested': you answer for replication that no "
          "setting shows, as of many managed services")
      ->transform(CLI::CheckedTransformer(durabilities, CLI::ignore_case).description("verified|attested"))
      ->default_str("verified")
      ->group(group);
  serve
      .add_option_function<int64_t>(
          "--stale-reads-max", [&flags](int64_t seconds) { flags.stale_reads_max = std::chrono::seconds(seconds); },
          "While the engine is away: for how long reads are still answered")
      ->check(CLI::Range(0, 86'400))
      ->type_name("SECONDS")
      ->default_str("30")
      ->group(group);
  serve
      .add_option("--redirect-host", flags.redirect_host,
                  "SDKs may be told to go to this node directly, by that public name; it begins with 's-'")
      ->type_name("s-NAME")
      ->group(group);
  serve
      .add_option("--peer-tls-cert", flags.tls.certificate,
                  "TLS between nodes: a PEM file with this node's certificate")
      ->group(group);
  serve.add_option("--peer-tls-key", flags.tls.key, "A PEM file with its key")->group(group);
  serve
      .add_option("--peer-tls-ca", flags.tls.authority,
                  "A PEM file: only certificates that it has signed are believed. Without it, any of who knows the "
                  "cluster's secret")
      ->group(group);
  serve
      .add_flag("--peer-plain", flags.plain, "Plain text between nodes, also off this machine: the network is trusted")
      ->group(group);
  serve
      .add_option("--peer-queue-size", flags.queue_bytes_max,
                  "Of batches that wait for one other node; past it they are dropped, and read from the log")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("64MB")
      ->group(group);
}

ClusterNode::ClusterNode(const ClusterFlags& flags, const std::string& folder)
    : flags_(flags), run_(db::random_hex(kRunBytes)) {
  if (flags_.node.empty()) throw std::runtime_error("--cluster needs --node NAME: the others know it by that");
  if (flags_.peer.empty()) throw std::runtime_error("--cluster needs --peer HOST:PORT: the others reach it there");
  or_throw(db::check_node_name(flags_.node), "--node");
  // An SDK that was told a host with another beginning never comes back from it when the node dies.
  if (!flags_.redirect_host.empty() && !flags_.redirect_host.starts_with("s-")) {
    throw std::runtime_error(
        fmt::format("--redirect-host {}: it has to begin with 's-', or SDKs do not come back when the node dies",
                    flags_.redirect_host));
  }
  const db::ClusterUrl url = or_throw(db::read_cluster_url(flags_.url), "--cluster");
  if (!url.warning.empty()) log(LogLevel::Warn, url.warning);
  db::PostgresTarget target;
  target.url = url.url;
  target.node = flags_.node;
  target.run = run_;
  db::PostgresBoard::Options board;
  board.target = target;
  board.durability = flags_.is_attested ? db::Durability::Attested : db::Durability::Verified;
  board_ = std::make_unique<db::PostgresBoard>(std::move(board));
  facts_ = or_throw(board_->facts(), "the cluster");
  claim_folder(folder, facts_.id, flags_.node);
  db::PostgresLog::Options options;
  options.target = target;
  options.settle_max = kSettleTime;
  options.tell = [](const std::string& trouble) { log(LogLevel::Warn, "the engine", {{"trouble", trouble}}); };
  log_ = std::make_unique<db::PostgresLog>(std::move(options));
  guarded_ = std::make_unique<db::GuardedLog>(*log_, standing_);
}

ClusterNode::~ClusterNode() { close(); }

void ClusterNode::prepare(db::Database::Options& options) {
  options.log = guarded_.get();
  options.follows = true;
  options.cluster_id = facts_.id;
  options.shards = facts_.shards;
  options.on_lost = [this](uint32_t shard, const db::Error& why) {
    if (db::Member* member = told_) member->lost(shard, why.message);
  };
}

void ClusterNode::attach(db::Host& host) {
  host_ = &host;
  net::peer::PeerOptions peer;
  peer.address = flags_.peer;
  peer.node = flags_.node;
  peer.cluster = facts_.id;
  peer.secret = facts_.secret;
  peer.tls = flags_.tls;
  peer.plain = flags_.plain;
  dialer_ = or_throw(net::peer::PeerDialer::make(peer), "--peer");
  port_ = or_throw(net::peer::PeerPort::open(peer, *dialer_), "--peer");
  bus_ = std::make_unique<net::peer::PeerBus>(*port_, *dialer_, flags_.queue_bytes_max);
  db::ClusterOptions options;
  options.node = flags_.node;
  options.run = run_;
  options.peer = port_->address();
  options.client = flags_.redirect_host;
  options.formats = db::kBatchFormat;
  options.stale_reads_max = flags_.stale_reads_max;
  options.lanes = std::clamp<size_t>(std::thread::hardware_concurrency(), 2, 8);
  options.on_change = [this](const db::ClusterChange& change) { on_change(change); };
  options.on_word = [](db::ClusterOptions::Level level, const std::string& text) {
    log(level_of(level), "cluster", {{"says", text}});
  };
  options.on_out = [this] { leave_process(); };
  db::Replica* replica = host.replica();
  member_ = std::make_unique<db::Member>(db::Member::Parts{*board_, *board_, *guarded_, *replica, *bus_, standing_},
                                         std::move(options));
  told_ = member_.get();
  nodes_ = std::make_unique<net::peer::RelayDirectory>(
      flags_.node, member_->directory(), *dialer_, [this]() -> std::optional<std::chrono::milliseconds> {
        const auto stale = standing_.stale();
        if (!stale) return {};
        return std::chrono::duration_cast<std::chrono::milliseconds>(*stale);
      });
  door_.status = [this] { return member_->status_json(); };
  door_.figures = [this] {
    db::ClusterFigures figures = member_->figures();
    const db::PostgresLogFigures& log = log_->figures();
    figures.engine = {.rounds = log.rounds.value(), .batches = log.appends.value(), .bytes = log.bytes.value()};
    log.append_time.add_to(figures.engine.append_time);
    return figures;
  };
  door_.move = [this](uint32_t shard, const std::string& to) { return member_->move(shard, to); };
  door_.drain = [this](const std::string& node, bool is_drained) { return member_->drain(node, is_drained); };
  door_.forget = [this](const std::string& node) { return member_->forget(node); };
  door_.reseed = [this] { member_->reseed(); };
}

void ClusterNode::prepare(net::Server::Options& options) {
  options.nodes = nodes_.get();
  options.cluster = &door_;
}

void ClusterNode::start(net::Server& server, rules::Guard& guard, std::vector<std::string> namespaces) {
  guard_ = &guard;
  server_ = &server;
  namespaces_ = std::move(namespaces);
  port_->on_http([&server](int fd, std::string early, const std::string&) { server.adopt(fd, std::move(early)); });
  // `hearth cluster reseed NODE`.
  port_->on("reseed", [this](net::peer::PeerSocket socket, const std::string&) {
    log(LogLevel::Info, "asked to take its shards anew", {{"by", socket.node}});
    member_->reseed();
    (void)!write(socket.fd, "ok\n", 3);
    ::close(socket.fd);
  });
  catches_up_ = std::thread([this] { catch_up_with_owned(); });
  or_throw(member_->start(), "cannot become a node of the cluster");
  log(LogLevel::Info, "node of a cluster",
      {{"cluster", facts_.id}, {"node", flags_.node}, {"peer", port_->address()}, {"shards", facts_.shards}});
}

void ClusterNode::on_change(const db::ClusterChange& change) {
  log(LogLevel::Info, change.to.empty() ? "shard given up" : "shard taken",
      {{"shard", change.shard},
       {"from", change.from.empty() ? "nobody" : std::string_view(change.from)},
       {"to", change.to.empty() ? "whoever takes it" : std::string_view(change.to)},
       {"why", change.why},
       {"ms", change.took.count()}});
  net::Server* server = server_;
  if (server != nullptr && (change.to == flags_.node || change.from == flags_.node)) {
    server->moved([&directory = member_->directory(), shard = change.shard](const std::string& space) {
      return directory.shard_of(space) == shard;
    });
  }
  if (change.to != flags_.node) return;
  const std::lock_guard lock(mutex_);
  must_catch_up_ = true;
  changed_.notify_all();
}

// A server by itself does this once, at its start, for all of its namespaces; a node when it has come to own some.
void ClusterNode::catch_up_with_owned() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return must_catch_up_ || is_closing_; });
    if (is_closing_) return;
    must_catch_up_ = false;
    lock.unlock();
    // Who was signed out stands beside each namespace. Those of other nodes' shards are refused, and are theirs to know.
    (void)guard_->load_revoked();
    for (const std::string& name : namespaces_) {
      if (!member_->directory().owner_of(name)->is_here || host_->exists(name)) continue;
      const auto made = host_->create(name);
      if (made.ok()) log(LogLevel::Info, "namespace made", {{"ns", name}, {"by", "--namespace"}});
    }
    lock.lock();
  }
}

void ClusterNode::leave_process() { kill(getpid(), SIGTERM); }

void ClusterNode::give_up() {
  if (std::exchange(has_given_up_, true) || member_ == nullptr) return;
  const auto began = std::chrono::steady_clock::now();
  member_->stop();
  log(LogLevel::Info, "shards given up",
      {{"ms",
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count()}});
}

void ClusterNode::close() {
  if (std::exchange(is_closed_, true)) return;
  give_up();
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
    changed_.notify_all();
  }
  if (catches_up_.joinable()) catches_up_.join();
  if (port_ != nullptr) port_->stop();
  if (guarded_ != nullptr) guarded_->stop();
  if (log_ != nullptr) log_->close();
}

}  // namespace hearth::tools
