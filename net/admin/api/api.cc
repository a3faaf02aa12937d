// The addresses of the admin API that are not REST's.
//
//   accept ─▶ row_of: is the address ours? ─▶ the method? no: 405 ─▶ the namespace is looked up; a failure is kept
//     └▶ authenticate ─▶ on_verdict ─▶ no administrator: 401
//                                   └▶ the failure of before, if any ─▶ the row's function
//
// Rights come first. Only what depends on nobody is told before: a method that an address does not have, a target that
// can't be parsed. A failure of the namespace is told after the verdict: a stranger learns of no name whether there is
// such a namespace.
//
// What is gathered from many. Connections are looked at on their own io threads, one thread after the other
// (http::Listener::look); sessions are asked of the shards of their namespaces. Nobody waits in a thread for another
// one: whoever is last makes the answer, on a worker.
//
// A credential is taken from Authorization alone. In development this machine needs none, unless a page of another site
// had a browser send the request (Whence).
#include "net/admin/api/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "db/base/text.h"
#include "db/model/json.h"
#include "net/admin/api/activity_wait.h"
#include "net/admin/api/live_text.h"
#include "net/error_reply.h"
#include "net/http/origin.h"
#include "net/io/log.h"

namespace hearth::net::admin {
namespace {

using db::Error;
using db::ErrorCode;

void tell_api(const std::shared_ptr<http::Exchange>& exchange, std::string json) {
  http::Response reply;
  reply.headers = {{"Content-Type", "application/json; charset=utf-8"}, {"Cache-Control", "no-store"}};
  reply.body = std::move(json);
  exchange->respond(std::move(reply));
}

void refuse_api(const std::shared_ptr<http::Exchange>& exchange, const Error& error) {
  const int status = error.code == ErrorCode::TooLarge ? 413 : error_reply(error.code).http_status;
  exchange->respond(http::error_response(status, error.message));
}

void refuse_stranger(const std::shared_ptr<http::Exchange>& exchange) {
  http::Response reply = http::error_response(401, "Permission denied");
  reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  exchange->respond(std::move(reply));
}

const Row* row_of(std::string_view path, std::string_view method, std::string& allowed) {
  const Row* found = nullptr;
  for (const Row& row : admin_table()) {
    if (row.answer == nullptr || row.path != path) continue;
    allowed += (allowed.empty() ? "" : " or ") + std::string(row.method);
    if (row.method == method) found = &row;
  }
  return found;
}

}  // namespace

bool Api::accept(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  std::string_view path = request.target;
  if (!path.starts_with("/.inspect/") && !path.starts_with("/.settings/")) return false;
  path = path.substr(0, path.find('?'));
  std::string allowed;
  const Row* row = row_of(path, request.method, allowed);
  if (allowed.empty() || request.method == "OPTIONS") return false;
  exchange->set_deed("admin");
  if (row == nullptr) {
    exchange->respond(http::error_response(405, "Method not allowed here; use " + allowed + "."));
    return true;
  }
  const auto call = std::make_shared<ApiCall>();
  call->exchange = exchange;
  call->row = row;
  auto target = http::parse_target(request.target);
  if (!target.ok()) {
    refuse_api(exchange, target.error());
    return true;
  }
  call->target = std::move(target).value();
  // An empty `ns` names none: that is the whole server where a row can be about that, and else the default one.
  const std::string_view name = call->target.parameter("ns").value_or("");
  const bool is_of_all =
      row->right == Right::Server || row->answer == &Api::tell_connections || row->answer == &Api::tell_activity;
  if (row->right == Right::Namespace && !(name.empty() && is_of_all)) {
    auto space = with_.guard.resolve(name);
    if (space.ok()) {
      call->space = std::move(space).value();
    } else {
      call->named = space.error();
    }
  }
  authenticate(call);
  return true;
}

void Api::authenticate(const Call& call) {
  const http::Request& request = call->exchange->request();
  const auto token = http::bearer_token(request.headers);
  const bool is_here = http::whence_of(request) == http::Whence::Here;
  if (!token) {
    const bool is_own_machine = with_.guard.dev() && request.peer_is_loopback && is_here;
    return on_verdict(call, is_own_machine ? rules::Auth::admin("this machine") : rules::Auth());
  }
  if (*token == kOwner && with_.guard.dev() && !is_here) return refuse_stranger(call->exchange);
  const Asker asker(request.peer, request.is_behind_stranger);
  if (const auto verdict = with_.verifier.verify(*token, call->space, asker)) return on_verdict(call, *verdict);
  with_.verifier.verify_late(std::string(*token), call->space, asker,
                             waiting_.expect_a<db::Result<rules::Auth>>([this, call](db::Result<rules::Auth> auth) {
                               with_.io.post(call->exchange->thread(), [this, call, auth] { on_verdict(call, auth); });
                             }));
}

void Api::on_verdict(const Call& call, const db::Result<rules::Auth>& auth) {
  if (!auth.ok() && with_.verifier.is_guessing(call->exchange->request().peer, auth.error())) {
    http::Response reply = http::error_response(429, auth.error().message);
    reply.headers.emplace_back("Retry-After", "60");
    return call->exchange->respond(std::move(reply));
  }
  if (!auth.ok() || auth.value().kind != rules::Auth::Kind::Admin) return refuse_stranger(call->exchange);
  // From here on an admin asks.
  if (!call->named.ok()) return refuse_api(call->exchange, call->named.error());
  call->auth = auth.value();
  (this->*call->row->answer)(call);
}

bool Api::serves(rest::Endpoint endpoint) const {
  const auto table = admin_table();
  return std::any_of(table.begin(), table.end(), [&](const Row& row) { return row.endpoint == endpoint; });
}

// net/rest has refused other methods already. An endpoint may have several rows, which are served by the same function.
void Api::serve(const rest::Surroundings& with, const std::shared_ptr<rest::DeskCall>& call) {
  for (const Row& row : admin_table()) {
    if (row.endpoint == call->request.endpoint) return row.serve(with, call);
  }
}

void Api::tell_table(const Call& call) { tell_api(call->exchange, table_text()); }
void Api::tell_figures(const Call& call) { tell_api(call->exchange, chart_.text()); }

// `left` counts those who have not answered yet: the listener, and each namespace. It begins at one, for the listener,
// and the namespaces are added before that one is taken away; so it can't come to nothing too early.
void Api::tell_connections(const Call& call) {
  const http::Listener* listener = with_.listener();
  if (listener == nullptr) return refuse_api(call->exchange, {ErrorCode::Unavailable, "The server is starting."});
  struct Gathering {
    std::mutex mutex;  // Guards all below.
    std::vector<http::SeenConnection> seen, relayed;
    std::vector<SessionIn> sessions;
    size_t left = 1;  // namespaces, the list of them, and connections of other nodes
  };
  const auto all = std::make_shared<Gathering>();
  const auto came = [this, call, all] {
    {
      const std::lock_guard lock(all->mutex);
      if (--all->left > 0) return;
    }
    with_.workers.run([call, all] {
      tell_api(call->exchange, connections_text(all->seen, all->relayed, call->exchange->request().connection,
                                                all->sessions, !call->space.empty(), db::SystemClock().now()));
    });
  };
  // Of a namespace also those that came by way of another node: that node does not know whom they are of.
  const http::Listener* from_nodes = call->space.empty() ? nullptr : with_.from_nodes();
  if (from_nodes != nullptr) {
    ++all->left;
    from_nodes->look(
        waiting_.expect_a<std::vector<http::SeenConnection>>([all, came](std::vector<http::SeenConnection> seen) {
          {
            const std::lock_guard lock(all->mutex);
            all->relayed = std::move(seen);
          }
          came();
        }));
  }
  listener->look(waiting_.expect_a<std::vector<http::SeenConnection>>(
      [this, call, all, came](std::vector<http::SeenConnection> seen) {
        std::vector<std::string> names = {call->space};
        if (call->space.empty()) names = with_.guard.names_in_use(call->auth, kNamespacesLookedMax);
        {
          const std::lock_guard lock(all->mutex);
          all->seen = std::move(seen);
          all->left += names.size();
        }
        db::LiveAsk ask;
        ask.what = db::LiveAsk::What::SessionsBrief;
        for (const std::string& name : names) {
          with_.guard.live(name, call->auth, ask,
                           waiting_.expect_a<db::Result<db::Live>>([all, came, name](db::Result<db::Live> live) {
                             if (live.ok()) {
                               const std::lock_guard lock(all->mutex);
                               for (db::LiveSession& one : live.value().sessions) {
                                 all->sessions.emplace_back(name, std::move(one));
                               }
                             }
                             came();
                           }));
        }
        came();
      }));
}

void Api::cut(const Call& call) {
  const http::Listener* listener = with_.listener();
  if (listener == nullptr) return refuse_api(call->exchange, {ErrorCode::Unavailable, "The server is starting."});
  const auto& exchange = call->exchange;
  const auto body = db::JsonDocument::parse(exchange->request().body);
  const auto field = body.ok() ? body.value().root().field("connection") : std::nullopt;
  const auto number = field ? field->integer() : std::nullopt;
  if (!number || *number < 0) {
    return exchange->respond(http::error_response(400, R"(Expected {"connection": …}, the number of one.)"));
  }
  const auto wanted = static_cast<uint64_t>(*number);
  const auto tell = [exchange, wanted](bool is_cut) {
    if (is_cut) {
      http::log(http::LogLevel::Info, "connection cut",
                {{"cut", static_cast<int64_t>(wanted)},
                 {"connection", static_cast<int64_t>(exchange->request().connection)},
                 {"peer", exchange->request().peer}});
    }
    tell_api(exchange, is_cut ? R"({"cut":true})" : R"({"cut":false})");
  };
  // All connections of a process have numbers of their own, whichever way they came.
  listener->cut(wanted, [wanted, tell, from_nodes = with_.from_nodes()](bool is_cut) {
    if (is_cut || from_nodes == nullptr) return tell(is_cut);
    from_nodes->cut(wanted, tell);
  });
}

// ---- the cluster ----

void Api::tell_cluster(const Call& call) {
  if (with_.cluster == nullptr) {
    return call->exchange->respond(http::error_response(404, "This server is part of no cluster."));
  }
  with_.workers.run([call, door = with_.cluster] { tell_api(call->exchange, door->status()); });
}

void Api::ask_cluster(const Call& call) {
  const auto& exchange = call->exchange;
  const ClusterDoor* door = with_.cluster;
  if (door == nullptr) return exchange->respond(http::error_response(404, "This server is part of no cluster."));
  const auto body = db::JsonDocument::parse(exchange->request().body);
  const auto text = [&](std::string_view name) -> std::optional<std::string> {
    const auto field = body.ok() ? body.value().root().field(name) : std::nullopt;
    const auto said = field ? field->string() : std::nullopt;
    return said ? std::optional<std::string>(*said) : std::nullopt;
  };
  const auto shard_field = body.ok() ? body.value().root().field("move") : std::nullopt;
  const auto shard = shard_field ? shard_field->integer() : std::nullopt;
  std::function<db::Result<void>()> ask;
  if (const auto to = text("to"); shard && *shard >= 0 && *shard <= UINT32_MAX && to) {
    ask = [door, to = *to, number = static_cast<uint32_t>(*shard)] { return door->move(number, to); };
  } else if (const auto drained = text("drain")) {
    ask = [door, node = *drained] { return door->drain(node, true); };
  } else if (const auto undrained = text("undrain")) {
    ask = [door, node = *undrained] { return door->drain(node, false); };
  } else if (const auto forgotten = text("forget")) {
    ask = [door, node = *forgotten] { return door->forget(node); };
  } else if (body.ok() && body.value().root().field("reseed")) {
    ask = [door] {
      door->reseed();
      return db::Result<void>();
    };
  } else {
    return exchange->respond(http::error_response(
        400,
        R"(Expected {"move": SHARD, "to": NODE}, {"drain": NODE}, {"undrain": NODE}, {"forget": NODE} or {"reseed": true}.)"));
  }
  with_.workers.run([exchange, ask = std::move(ask)] {
    const auto done = ask();
    if (!done.ok()) {
      const bool is_away = done.error().code == ErrorCode::Unavailable;
      return exchange->respond(http::error_response(is_away ? 503 : 400, done.error().message));
    }
    http::log(http::LogLevel::Info, "asked of the cluster",
              {{"what", exchange->request().body}, {"peer", exchange->request().peer}});
    tell_api(exchange, R"({"asked":true})");
  });
}

void Api::live(const Call& call, db::LiveAsk ask, std::string (*text)(const db::Live& live)) {
  with_.guard.live(call->space, call->auth, std::move(ask),
                   waiting_.expect_a<db::Result<db::Live>>([this, call, text](db::Result<db::Live> found) {
                     if (!found.ok()) return refuse_api(call->exchange, found.error());
                     with_.workers.run([call, text, live = std::make_shared<const db::Live>(std::move(found).value())] {
                       tell_api(call->exchange, text(*live));
                     });
                   }));
}

void Api::tell_sessions(const Call& call) {
  db::LiveAsk ask;
  if (const auto connection = call->target.parameter("connection")) {
    ask.connection = db::whole_number(*connection);
    if (!ask.connection) {
      return refuse_api(call->exchange, {ErrorCode::InvalidArgument, "connection is the number of one."});
    }
  }
  live(call, std::move(ask), sessions_text);
}

void Api::tell_listeners(const Call& call) {
  db::LiveAsk ask;
  ask.what = db::LiveAsk::What::Paths;
  live(call, std::move(ask), listeners_text);
}

void Api::tell_unindexed(const Call& call) {
  tell_api(call->exchange, rules::unindexed_text(with_.guard.unindexed(call->space)));
}

void Api::tell_topics(const Call& call) {
  db::LiveAsk ask;
  ask.what = db::LiveAsk::What::Topics;
  const auto topic = call->target.parameter("topic");
  if (!topic) return live(call, std::move(ask), topics_text);
  ask.what = db::LiveAsk::What::Topic;
  ask.topic = *topic;
  live(call, std::move(ask), [](const db::Live& live) { return topic_text(live.topics.front()); });
}

void Api::tell_documents(const Call& call) {
  auto after = db::Path::parse(call->target.parameter("after").value_or(""));
  if (!after.ok()) return refuse_api(call->exchange, after.error());
  const auto limit = db::whole_number(call->target.parameter("limit").value_or("100"));
  if (!limit || *limit == 0 || *limit > db::kLiveDocumentsMax) {
    return refuse_api(call->exchange, {ErrorCode::InvalidArgument,
                                       fmt::format("limit is a number from 1 to {}.", db::kLiveDocumentsMax)});
  }
  with_.guard.documents(call->space, call->auth, std::move(after).value(), *limit,
                        waiting_.expect_a<db::Result<db::DocumentsPage>>([call](db::Result<db::DocumentsPage> page) {
                          if (!page.ok()) return refuse_api(call->exchange, page.error());
                          tell_api(call->exchange, documents_text(page.value()));
                        }));
}

void Api::tell_document(const Call& call) {
  auto path = db::Path::parse(call->target.parameter("path").value_or(""));
  if (!path.ok()) return refuse_api(call->exchange, path.error());
  with_.guard.document(
      call->space, call->auth, std::move(path).value(),
      waiting_.expect_a<db::Result<db::DocumentContent>>([call](db::Result<db::DocumentContent> found) {
        if (!found.ok()) return refuse_api(call->exchange, found.error());
        tell_api(call->exchange, document_text(found.value()));
      }));
}

void Api::tell_activity(const Call& call) {
  auto filter = ActivityFilter::parse(call->target, call->space);
  if (!filter.ok()) return refuse_api(call->exchange, filter.error());
  ActivityWait::start(with_.guard.activity(), call->exchange, std::move(filter).value());
}

}  // namespace hearth::net::admin
