// GET /.metrics: what this server has done and holds, in the text format of Prometheus. All that has a figure is named
// here and nowhere else; the layers below count without knowing it (db/base/metrics.h).
//
// Collected when it is asked for, on a worker: no shard and no io thread waits for it. The number of series is bounded:
// no label holds a path, a user or a namespace's name.
//
// Thread: any.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/metrics.h"
#include "db/base/thread_pool.h"
#include "net/admin/cluster_door.h"
#include "net/auth/verifier.h"
#include "net/http/exchange.h"
#include "net/io/listener.h"
#include "rules/guard.h"

namespace hearth::net::admin {

inline constexpr std::string_view kMetricsPath = "/.metrics";

class MetricsPage {
 public:
  // Figures of net/wire: clients that speak the protocol of the SDKs.
  struct Wire {
    uint64_t polls_open = 0;  // long polls
    uint64_t polls_opened = 0;
    uint64_t polls_refused = 0;
    uint64_t listens_refused = 0;   // for the number of listeners
    uint64_t messages_refused = 0;  // for their size
  };
  // Figures of the other families of clients.
  struct OtherClients {
    uint64_t channels = 0;  // of Supabase clients, now
    uint64_t channels_joined = 0;
    uint64_t channel_messages_refused = 0;
    uint64_t documents = 0;  // that Yjs clients have open, each client's
    uint64_t documents_refused = 0;
  };
  struct Webhooks {
    uint64_t hooks = 0, under_way = 0;  // now
    uint64_t delivered = 0, failed = 0, dead = 0, missed = 0, dropped = 0;
    std::chrono::milliseconds waiting_since{0};  // the time of the oldest change that waits; 0: none does
  };
  // What went to other nodes of a cluster (net/peer/relay.h).
  struct Relay {
    uint64_t requests = 0, sockets = 0, asked_again = 0, redirected = 0, unowned = 0, unknown = 0, unsure = 0, cut = 0;
    int64_t sockets_open = 0, waiting = 0;  // now
    http::Stats lines{};                    // of the connections to other nodes
    http::Stats from_nodes{};               // of those that came from them
  };
  // Limits that are set, each with the name of its flag.
  using Limits = std::vector<std::pair<std::string_view, uint64_t>>;
  // All outlive the page.
  struct Sources {
    const rules::Guard& guard;
    const Verifier& verifier;
    db::ThreadPool& workers;
    std::function<http::Stats()> traffic;  // of the listener that serves clients
    std::function<Wire()> wire;
    std::function<OtherClients()> other_clients;
    std::function<Webhooks()> webhooks;
    std::function<db::BackupFigures()> backups{};  // null: none are made
    const ClusterDoor* cluster = nullptr;          // null: the server is part of none
    std::function<Relay()> relay{};                // null: there is no cluster
    Limits limits;
    const db::Counter& serialised;  // bodies of events
  };
  explicit MetricsPage(Sources sources) : from_(std::move(sources)) {}

  // Admins: requests with an admin's credential in Authorization; in development, all requests of this machine.
  enum class For : uint8_t { Admins, Everyone };
  // Answers it, now or later. False when the request is for something else. On the exchange's home thread.
  bool accept(const std::shared_ptr<http::Exchange>& exchange, For whom) const;

  std::string text() const;  // blocks on the disk

 private:
  const Sources from_;
};

// Whether an admin asks, by a credential in Authorization. In development everybody on this machine counts as one.
bool is_for_admin(const http::Request& request, const rules::Guard& guard, const Verifier& verifier);

// Whether a request's target names that path, with or without a query.
bool is_for(const http::Request& request, std::string_view path);

}  // namespace hearth::net::admin
