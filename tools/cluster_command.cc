// `hearth cluster`: makes a cluster, and asks things of it. All but `reseed` are asked of the engine alone, so they work while
// nodes are down; nodes see what is wished for within a quarter of a second.
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "db/base/random.h"
#include "db/cluster/board.h"
#include "db/log/postgres/cluster_url.h"
#include "db/log/postgres/postgres_board.h"
#include "db/log/postgres/schema.h"
#include "db/model/json_members.h"
#include "net/peer/peer_port.h"
#include "tools/commands.h"
#include "tools/or_throw.h"
#include "tools/output.h"

namespace hearth::tools {
namespace {

// Long enough to see a beat move twice, which is told each half second.
constexpr std::chrono::milliseconds kWatchTime{1'200};
constexpr std::chrono::milliseconds kAnswerTimeMax{5'000};
constexpr const char* kOwnName = "hearth-cluster";  // of this program, to the engine and to nodes

// The flags of all of them. The command line names one, which then runs.
class ClusterCommands : public std::enable_shared_from_this<ClusterCommands> {
 public:
  explicit ClusterCommands(Chosen& chosen) : chosen_(chosen) {}
  void add_to(CLI::App& program);  // the program owns this from then on

 private:
  CLI::App* command(CLI::App& cluster, const std::string& name, const std::string& text, std::function<int()> run);
  CLI::App* of_node(CLI::App& cluster, const std::string& name, const std::string& text, std::function<int()> run);
  db::ClusterUrl url() const;
  std::unique_ptr<db::PostgresBoard> board() const;
  int init() const;
  int status() const;
  int move() const;
  int drain() const;
  int upgrade() const;
  int forget() const;
  int reseed() const;

  Chosen& chosen_;
  std::string url_, node_;
  uint32_t shards_ = 16, shard_ = 0;
  bool json_ = false, is_attested_ = false, undo_ = false;
  net::peer::PeerTls tls_{};
};

CLI::App* ClusterCommands::command(CLI::App& cluster, const std::string& name, const std::string& text,
                                   std::function<int()> run) {
  CLI::App* command = cluster.add_subcommand(name, text);
  command->add_option(
      "url", url_,
      "The PostgreSQL of the cluster: postgresql://…, or file:PATH, whose first line has it; without it, "
      "HEARTH_CLUSTER");
  command->callback([self = shared_from_this(), run = std::move(run)] { self->chosen_.run = run; });
  return command;
}

// NODE comes last on the line, and the URL may be left out: `drain n2`, `drain URL n2`.
CLI::App* ClusterCommands::of_node(CLI::App& cluster, const std::string& name, const std::string& text,
                                   std::function<int()> run) {
  CLI::App* one = cluster.add_subcommand(name, text);
  one->add_option("node", node_, "The node's name")->required();
  one->add_option("--cluster", url_, "The PostgreSQL of the cluster: postgresql://…, file:PATH, or HEARTH_CLUSTER")
      ->type_name("URL");
  one->callback([self = shared_from_this(), run = std::move(run)] { self->chosen_.run = run; });
  return one;
}

void ClusterCommands::add_to(CLI::App& program) {
  CLI::App* cluster = program.add_subcommand("cluster", "Several servers on one PostgreSQL, any of which may die");
  cluster->require_subcommand(1);
  command(*cluster, "init", "Makes a cluster in an empty database", [this] { return init(); })
      ->add_option("--shards", shards_, "For ever: 16; 64 for more than five nodes")
      ->check(CLI::Range(1u, db::kClusterShardsMax))
      ->capture_default_str();
  CLI::App* status = command(*cluster, "status", "Prints the nodes, who owns what, and what is wrong",
                             [this] { return this->status(); });
  status->add_flag("--json", json_, "For scripts: nothing but JSON on standard output");
  status->add_flag("--attested", is_attested_, "The nodes run with --durability attested");
  CLI::App* move = cluster->add_subcommand("move", "Asks for a shard to be given to a node");
  move->add_option("shard", shard_, "Its number")->required();
  move->add_option("node", node_, "The node's name")->required();
  move->add_option("--cluster", url_, "The PostgreSQL of the cluster: postgresql://…, file:PATH, or HEARTH_CLUSTER")
      ->type_name("URL");
  move->callback([self = shared_from_this()] { self->chosen_.run = [self] { return self->move(); }; });
  of_node(*cluster, "drain", "Asks a node to give up all it owns, and to take nothing", [this] {
    return drain();
  })->add_flag("--undo", undo_, "It may own something again");
  command(*cluster, "upgrade", "Lets owners write what this version knows, once all nodes read it",
          [this] { return upgrade(); });
  of_node(*cluster, "forget", "Removes a node that will not come back: the log is not kept for it any more",
          [this] { return forget(); });
  CLI::App* reseed = of_node(*cluster, "reseed", "Has a node take all its shards anew from the others",
                             [this] { return this->reseed(); });
  reseed->add_option("--peer-tls-cert", tls_.certificate, "As the nodes have it: a certificate for TLS between them");
  reseed->add_option("--peer-tls-key", tls_.key, "Its key");
  reseed->add_option("--peer-tls-ca", tls_.authority, "Who has signed them");
  add_chapter(*cluster, "cluster");
}

db::ClusterUrl ClusterCommands::url() const {
  db::ClusterUrl url = or_throw(db::read_cluster_url(url_), "the cluster's URL");
  if (!url.warning.empty()) note(url.warning);
  return url;
}

std::unique_ptr<db::PostgresBoard> ClusterCommands::board() const {
  db::PostgresBoard::Options options;
  options.target.url = url().url;
  options.target.node = kOwnName;
  options.target.run = db::random_hex(4);
  options.durability = is_attested_ ? db::Durability::Attested : db::Durability::Verified;
  return std::make_unique<db::PostgresBoard>(std::move(options));
}

int ClusterCommands::init() const {
  const db::ClusterFacts facts = or_throw(db::init_cluster(url().url, shards_), "cannot make the cluster");
  fmt::print("cluster {} of {} shards\n", facts.id, facts.shards);
  fmt::print("admin secret of all nodes: {}\n", facts.admin_secret);
  note("Start nodes: hearth serve --cluster URL --node n1 --peer HOST:PORT --data FOLDER");
  return 0;
}

std::string status_json(const db::ClusterFacts& facts, const db::EngineCheck& check, const db::ClusterView& view,
                        const std::map<std::string, bool>& alive) {
  std::string json;
  db::JsonMembers top(json);
  top.text("id", facts.id);
  top.number("format", facts.format);
  db::JsonMembers engine(top.begin("engine"));
  engine.text("durability", check.durability);
  engine.number("timeline", check.timeline);
  engine.texts("wrong", check.wrong);
  engine.texts("warnings", check.warnings);
  engine.close();
  top.objects("nodes", view.nodes, [&](const db::ClusterNode& one, db::JsonMembers& node) {
    node.text("name", one.name);
    node.text("peer", one.peer);
    node.text("client", one.client);
    node.truth("alive", alive.at(one.name));
    node.truth("drained", one.is_drained);
    node.number("formats", one.formats);
    node.number("beat", one.beat);
    node.number("owns", view.owned_by(one.name));
    node.number("behind", view.behind(one));
  });
  top.objects("shards", view.shards, [&](const db::ClusterShard& one, db::JsonMembers& shard) {
    shard.number("shard", one.shard);
    shard.text("owner", one.owner);
    shard.number("epoch", one.last.epoch);
    shard.number("sequence", one.last.sequence);
    shard.number("cut", one.cut);
    shard.text("wish", one.is_gift ? std::string() : one.wish);
    db::JsonMembers durable(shard.begin("durable"));
    for (const db::ClusterNode& node : view.nodes) {
      durable.number(node.name, node.durable_of(one.shard));
    }
    durable.close();
  });
  top.close();
  return json + "\n";
}

// 0: all is well; 1: it is not, and the output says what.
int ClusterCommands::status() const {
  const auto board = this->board();
  const db::ClusterFacts facts = or_throw(board->facts(), "the cluster");
  const db::EngineCheck check = or_throw(board->check(), "the engine");
  const db::ClusterView before = or_throw(board->look(), "the cluster");
  std::this_thread::sleep_for(kWatchTime);
  const db::ClusterView view = or_throw(board->look(), "the cluster");
  std::map<std::string, bool> alive;
  bool is_well = check.wrong.empty();
  for (const db::ClusterNode& one : view.nodes) {
    const db::ClusterNode* then = before.node(one.name);
    alive[one.name] = then == nullptr || then->beat != one.beat || then->run != one.run;
    is_well = is_well && alive[one.name];
  }
  for (const db::ClusterShard& one : view.shards) {
    is_well = is_well && !one.owner.empty() && alive.contains(one.owner) && alive.at(one.owner);
  }
  if (json_) {
    print_bytes(status_json(facts, check, view, alive));
    return is_well ? 0 : 1;
  }
  fmt::print("cluster {}, {} shards, batch format {}, durability {}\n", facts.id, facts.shards, facts.format,
             check.durability);
  for (const std::string& one : check.wrong) fmt::print("WRONG    {}\n", one);
  for (const std::string& one : check.warnings) fmt::print("warning  {}\n", one);
  fmt::print("\n{:<20} {:<9} {:>5} {:>9}  {}\n", "node", "state", "owns", "behind", "peer");
  for (const db::ClusterNode& one : view.nodes) {
    fmt::print("{:<20} {:<9} {:>5} {:>9}  {}\n", one.name,
               !alive[one.name] ? "AWAY"
               : one.is_drained ? "drained"
                                : "up",
               view.owned_by(one.name), view.behind(one), one.peer);
  }
  fmt::print("\n{:>5}  {:<20} {:>7} {:>12} {:>12}  {}\n", "shard", "owner", "epoch", "batch", "cut", "asked for");
  for (const db::ClusterShard& one : view.shards) {
    fmt::print("{:>5}  {:<20} {:>7} {:>12} {:>12}  {}\n", one.shard,
               one.owner.empty()                                  ? "NOBODY"
               : alive.contains(one.owner) && alive.at(one.owner) ? one.owner
                                                                  : one.owner + " (AWAY)",
               one.last.epoch, one.last.sequence, one.cut, one.wish.empty() || one.is_gift ? "" : "to " + one.wish);
  }
  return is_well ? 0 : 1;
}

int ClusterCommands::move() const {
  or_throw(board()->wish(shard_, node_), "cannot ask for that");
  note(fmt::format("Asked for. Shard {} goes to {} as soon as that node has all of it: hearth cluster status", shard_,
                   node_));
  return 0;
}

int ClusterCommands::drain() const {
  or_throw(board()->drain(node_, !undo_), "cannot ask for that");
  note(undo_ ? fmt::format("{} may own shards again.", node_)
             : fmt::format("Asked for. {} gives up its shards one after the other: hearth cluster status", node_));
  return 0;
}

int ClusterCommands::upgrade() const {
  const auto board = this->board();
  const db::ClusterFacts facts = or_throw(board->facts(), "the cluster");
  if (facts.format >= db::kBatchFormat) {
    fmt::print("owners write batches of format {} already\n", facts.format);
    return 0;
  }
  or_throw(board->set_format(db::kBatchFormat), "cannot raise the format");
  fmt::print("owners write batches of format {} from now on; older programs do not become nodes any more\n",
             db::kBatchFormat);
  return 0;
}

int ClusterCommands::forget() const {
  const auto board = this->board();
  const db::ClusterView before = or_throw(board->look(), "the cluster");
  const db::ClusterNode* node = before.node(node_);
  if (node == nullptr) throw std::runtime_error(fmt::format("there is no node {} in this cluster", node_));
  std::this_thread::sleep_for(kWatchTime);
  const db::ClusterView after = or_throw(board->look(), "the cluster");
  if (const db::ClusterNode* now = after.node(node_); now != nullptr && now->beat != node->beat) {
    throw std::runtime_error(fmt::format("{} is alive: stop it before it is forgotten", node_));
  }
  or_throw(board->forget(node_), "cannot forget it");
  note(fmt::format("{} is forgotten. If it comes back with its folder, it is a new node that has some data already.",
                   node_));
  return 0;
}

// The node itself has to do it, so it is asked at its peer port, with the cluster's secret.
int ClusterCommands::reseed() const {
  const auto board = this->board();
  const db::ClusterFacts facts = or_throw(board->facts(), "the cluster");
  const db::ClusterView view = or_throw(board->look(), "the cluster");
  const db::ClusterNode* node = view.node(node_);
  if (node == nullptr) throw std::runtime_error(fmt::format("there is no node {} in this cluster", node_));
  net::peer::PeerOptions options;
  options.node = kOwnName;
  options.cluster = facts.id;
  options.secret = facts.secret;
  options.tls = tls_;
  options.plain = tls_.certificate.empty();  // nothing is told but the wish
  const auto dialer = or_throw(net::peer::PeerDialer::make(options), "TLS");
  const net::peer::PeerSocket socket = or_throw(dialer->dial(node->peer, node_, "reseed"), "cannot ask the node");
  pollfd answer{socket.fd, POLLIN, 0};
  char text[8];
  const bool is_answered = !socket.early.empty() || (poll(&answer, 1, static_cast<int>(kAnswerTimeMax.count())) == 1 &&
                                                     recv(socket.fd, text, sizeof text, 0) > 0);
  ::close(socket.fd);
  if (!is_answered) throw std::runtime_error(fmt::format("{} has not answered", node_));
  note(fmt::format(
      "Asked for. {} gives up what it owns, and takes each shard anew from the others: hearth cluster status", node_));
  return 0;
}

}  // namespace

void add_cluster(CLI::App& program, Chosen& chosen) { std::make_shared<ClusterCommands>(chosen)->add_to(program); }

}  // namespace hearth::tools
