// The order is the router's: whose a path is says where its namespace stands.
#include "net/request_space.h"

#include <optional>
#include <string_view>
#include <utility>

#include "net/admin/api/table.h"
#include "net/host_namespace.h"
#include "net/http/target.h"
#include "net/router.h"
#include "net/supabase/project.h"
#include "net/wire/poll_request.h"
#include "net/wire/upgrade.h"
#include "net/yjs/room.h"

namespace hearth::net {
namespace {

using Of = RequestSpace::Of;

RequestSpace of_wire(const http::Request& request) {
  if (wire::is_poll_target(request.target)) {
    const auto poll = wire::parse_poll(request.target, request.host());
    if (!poll.ok()) return {};
    if (poll.value().kind == wire::PollRequest::Kind::Start) return {Of::Space, poll.value().upgrade.space};
    return poll.value().node.empty() ? RequestSpace{} : RequestSpace{Of::Node, poll.value().node};
  }
  const auto upgrade = wire::parse_upgrade(request.target, request.host());
  if (!upgrade) return {};
  const bool is_socket = http::header_has_token(request.headers, "Upgrade", "websocket");
  return {Of::Space, upgrade->space, is_socket && upgrade->transport_of.empty()};
}

// Addresses that are a node's own, though they look like a namespace's.
bool is_of_node(std::string_view path) {
  for (const std::string_view one : {"/.settings/compact.json", "/.inspect/api.json", "/.inspect/databases.json",
                                     "/.inspect/figures.json", "/.settings/dump.json"}) {
    if (path == one) return true;
  }
  return path.starts_with("/.inspect/cluster");
}

// What may be about all of a server where nobody is named: then it is about this node.
bool is_of_all(std::string_view path) {
  for (const std::string_view one : {"/.inspect/connections.json", "/.settings/cut.json", "/.inspect/activity.json",
                                     "/.settings/dump", "/.settings/restore.json", "/.settings/namespace.json"}) {
    if (path == one) return true;
  }
  return false;
}

// Whether the address is one that net/admin answers by itself, where the host names nothing.
bool goes_by_parameter_alone(std::string_view path) {
  for (const admin::Row& row : admin::admin_table()) {
    if (row.path == path) return row.answer != nullptr || row.endpoint == rest::Endpoint::Stats;
  }
  return is_of_all(path);
}

RequestSpace of_others(const http::Request& request) {
  if (request.method == "OPTIONS") return {};
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (is_of_node(path)) return {};
  const auto target = http::parse_target(request.target);
  if (!target.ok()) return {};
  const auto& segments = target.value().segments;
  if (segments.empty()) return {};  // a page
  if (segments.front() == ".health" || segments.front() == ".info") return {};
  RequestSpace found{Of::Space, std::string(target.value().parameter("ns").value_or(""))};
  if (!found.name.empty()) return found;
  if (is_of_all(path)) return {};
  if (!goes_by_parameter_alone(path)) found.name = namespace_of_host(request.host());
  return found;
}

}  // namespace

RequestSpace request_space(const http::Request& request) {
  switch (owner_of(request.target)) {
    case Owner::Wire:
      return of_wire(request);
    case Owner::Supabase: {
      auto project = supabase::project_of(request.target, request.host());
      return project.ok() ? RequestSpace{Of::Space, std::move(project.value().space)} : RequestSpace{};
    }
    case Owner::Yjs: {
      auto room = yjs::room_of(request.target, request.host());
      return room.ok() ? RequestSpace{Of::Space, std::move(room.value().space)} : RequestSpace{};
    }
    case Owner::Metrics:
    case Owner::Console:
    case Owner::FrontPage:
      return {};
    case Owner::Webhooks:
    case Owner::AdminApi:
    case Owner::Rest:
      return of_others(request);
  }
  return {};
}

}  // namespace hearth::net
