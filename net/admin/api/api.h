// Serves the admin API (table.h): what REST hands over, and what is asked of the server itself and not of its data.
//
//   accept ─▶ row of that address? ─▶ method ─▶ who asks ─▶ an admin, of the server or of `ns`? ─▶ (this->*row.answer)(call)
//                                                  └ a key is to be fetched: the verdict comes late
//
// By a credential in Authorization; in development also without one, for this machine, as /.metrics. Thread: that of the
// exchange, unless it says otherwise.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "db/base/thread_pool.h"
#include "db/model/live.h"
#include "net/admin/api/chart.h"
#include "net/admin/api/table.h"
#include "net/admin/cluster_door.h"
#include "net/auth/verifier.h"
#include "net/http/exchange.h"
#include "net/http/pending_answers.h"
#include "net/http/target.h"
#include "net/io/io_pool.h"
#include "net/io/listener.h"
#include "net/rest/desk.h"
#include "rules/guard.h"

namespace hearth::net::admin {

inline constexpr size_t kNamespacesLookedMax = 64;  // whose sessions are looked at for a list of all connections

struct ApiCall {
  std::shared_ptr<http::Exchange> exchange;
  const Row* row = nullptr;
  http::Target target{};
  std::string space{};       // "": none is named
  db::Result<void> named{};  // why that one is none
  rules::Auth auth{};
};

class Api final : public rest::Desk {
 public:
  struct Sources {
    rules::Guard& guard;
    const Verifier& verifier;
    http::IoPool& io;
    db::ThreadPool& workers;
    std::function<const http::Listener*()> listener;    // of clients; null until it is open
    std::function<const http::Listener*()> from_nodes;  // of clients that came by way of another node; null: none do
    const ClusterDoor* cluster = nullptr;               // null: the server is part of none
  };
  // All outlive it.
  explicit Api(Sources with) : with_(std::move(with)) {}

  // Answers it, now or later. False when the request is for something else. On the exchange's home thread.
  bool accept(const std::shared_ptr<http::Exchange>& exchange);
  Chart& chart() { return chart_; }
  void close() { waiting_.close(); }  // answers that are still to come go nowhere

  bool serves(rest::Endpoint endpoint) const override;
  void serve(const rest::Surroundings& with, const std::shared_ptr<rest::DeskCall>& call) override;

  // What rows of the table answer with.
  using Call = std::shared_ptr<ApiCall>;
  void tell_table(const Call& call);
  void tell_connections(const Call& call);
  void cut(const Call& call);
  void tell_sessions(const Call& call);
  void tell_listeners(const Call& call);
  void tell_unindexed(const Call& call);
  void tell_activity(const Call& call);
  void tell_topics(const Call& call);
  void tell_documents(const Call& call);
  void tell_document(const Call& call);
  void tell_figures(const Call& call);
  void tell_cluster(const Call& call);
  void ask_cluster(const Call& call);

 private:
  void authenticate(const Call& call);
  void on_verdict(const Call& call, const db::Result<rules::Auth>& auth);
  void live(const Call& call, db::LiveAsk ask, std::string (*text)(const db::Live& live));

  const Sources with_;
  Chart chart_;
  http::PendingAnswers waiting_;
};

}  // namespace hearth::net::admin
