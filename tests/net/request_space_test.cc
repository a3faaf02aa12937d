// The namespace that a request is said to be for is the one that its protocol then serves it from.
#include "net/request_space.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <variant>

#include "net/rest/desk.h"
#include "net/rest/request.h"
#include "net/router.h"
#include "net/supabase/project.h"
#include "net/wire/poll_request.h"
#include "net/wire/upgrade.h"
#include "net/yjs/room.h"

using namespace hearth::net;
using Of = RequestSpace::Of;

namespace {

struct Case {
  std::string target;
  std::string host;
  Of of = Of::Space;
  std::string name{};
  std::string method = "GET";
  std::string headers = "";  // "websocket": an upgrade
};

http::Request request_of(const Case& one) {
  http::Request request;
  request.method = one.method;
  request.target = one.target;
  request.headers = {{"Host", one.host}};
  if (one.headers == "websocket")
    request.headers.insert(request.headers.end(), {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}});
  return request;
}

// What the protocol itself finds; nothing: it has no word for that.
std::optional<std::string> own_word(const http::Request& request) {
  switch (owner_of(request.target)) {
    case Owner::Wire:
      if (wire::is_poll_target(request.target)) {
        const auto poll = wire::parse_poll(request.target, request.host());
        if (!poll.ok() || poll.value().kind != wire::PollRequest::Kind::Start) return {};
        return poll.value().upgrade.space;
      }
      return wire::parse_upgrade(request.target, request.host())->space;
    case Owner::Supabase: {
      const auto project = supabase::project_of(request.target, request.host());
      return project.ok() ? std::optional(project.value().space) : std::nullopt;
    }
    case Owner::Yjs: {
      const auto room = yjs::room_of(request.target, request.host());
      return room.ok() ? std::optional(room.value().space) : std::nullopt;
    }
    case Owner::Rest: {
      const auto parsed = rest::parse_request(request);
      const auto* found = std::get_if<rest::RestRequest>(&parsed);
      if (found == nullptr || !rest::is_of_one_namespace(found->endpoint)) return {};
      return found->space;
    }
    case Owner::Webhooks:
    case Owner::Metrics:
    case Owner::AdminApi:
    case Owner::Console:
    case Owner::FrontPage:
      return {};
  }
  return {};
}

}  // namespace

TEST_CASE("RequestSpace: says what each protocol finds by itself", "[net][peer]") {
  const Case cases[] = {
      {"/.ws?v=5&ns=shop", "localhost:9000", Of::Space, "shop"},
      {"/.ws?v=5&ns=shop", "other.example.com", Of::Space, "shop", "GET", "websocket"},
      {"/.ws?v=5", "shop.example.com", Of::Space, "shop"},
      {"/.ws?v=5", "127.0.0.1:9000", Of::Space, ""},
      {"/.lp?start=t&cb=1&v=5&ns=shop", "localhost", Of::Space, "shop"},
      {"/.lp?start=t&cb=1", "shop.example.com:80", Of::Space, "shop"},
      {"/.lp?id=0a1b.n2&pw=x&ser=3", "localhost", Of::Node, "n2"},
      {"/.lp?dframe=t&id=0a1b.n2&pw=x", "localhost", Of::Node, "n2"},
      {"/.lp?id=0a1b&pw=x&ser=3", "localhost", Of::Nobody},
      {"/.lp?ser=3", "localhost", Of::Nobody},
      {"/realtime/v1/websocket?apikey=k", "shop.example.com", Of::Space, "shop"},
      {"/ns/shop/realtime/v1/websocket?apikey=k&ns=other", "a.b.c", Of::Space, "shop"},
      {"/ns/sh%6fp/rest/v1/todos?select=id", "localhost", Of::Space, "shop"},
      {"/rest/v1/todos?ns=shop", "localhost", Of::Space, "shop"},
      {"/rest/v1/todos", "localhost", Of::Space, ""},
      {"/rest/v1/%zz", "localhost", Of::Nobody},
      {"/yjs/a/b?ns=shop", "localhost", Of::Space, "shop"},
      {"/yjs?token=t", "shop.example.com", Of::Space, "shop"},
      {"/ns/shop/yjs/a", "localhost", Of::Space, "shop"},
      {"/a/b.json?ns=shop", "localhost", Of::Space, "shop"},
      {"/a/b.json?ns=shop", "other.example.com", Of::Space, "shop", "PUT"},
      {"/.json", "shop.example.com", Of::Space, "shop"},
      {"/a.json", "[::1]:9000", Of::Space, ""},
      {"/a/.upload?ns=shop", "localhost", Of::Space, "shop", "POST"},
      {"/.changes?since=0&ns=shop", "localhost", Of::Space, "shop"},
      {"/.changes?since=0", "shop.example.com", Of::Space, "shop"},
      {"/.changes/undo.json?ns=shop", "localhost", Of::Space, "shop", "POST"},
      {"/.settings/rules.json?ns=shop", "localhost", Of::Space, "shop"},
      {"/.settings/realtime.json", "shop.example.com", Of::Space, "shop"},
      {"/.settings/kick.json?ns=shop", "localhost", Of::Space, "shop", "POST"},
      {"/.settings/namespace.json?ns=shop", "localhost", Of::Space, "shop", "PUT"},
      {"/.settings/dump?ns=shop", "localhost", Of::Space, "shop"},
      {"/.settings/dump", "shop.example.com", Of::Nobody},
      {"/.settings/restore.json", "shop.example.com", Of::Nobody, "", "POST"},
      {"/.settings/compact.json?ns=shop", "localhost", Of::Nobody, "", "POST"},
      {"/.settings/cut.json", "localhost", Of::Nobody, "", "POST"},
      {"/.settings/cut.json", "shop.example.com", Of::Nobody, "", "POST"},
      {"/.settings/cut.json?ns=shop", "localhost", Of::Space, "shop", "POST"},
      {"/.inspect/explain.json?ns=shop", "localhost", Of::Space, "shop", "POST"},
      {"/.inspect/stats.json?ns=shop", "localhost", Of::Space, "shop"},
      {"/.inspect/stats.json", "shop.example.com", Of::Space, ""},
      {"/.inspect/sessions.json", "shop.example.com", Of::Space, ""},
      {"/.inspect/sessions.json?ns=shop", "localhost", Of::Space, "shop"},
      {"/.inspect/connections.json", "localhost", Of::Nobody},
      {"/.inspect/connections.json?ns=shop", "localhost", Of::Space, "shop"},
      {"/.inspect/databases.json", "shop.example.com", Of::Nobody},
      {"/.inspect/figures.json?ns=shop", "localhost", Of::Nobody},
      {"/.inspect/cluster.json?ns=shop", "localhost", Of::Nobody},
      {"/.webhooks.json?ns=shop", "localhost", Of::Space, "shop"},
      {"/.webhooks/test.json", "shop.example.com", Of::Space, "shop", "POST"},
      {"/.health?ns=shop", "localhost", Of::Nobody},
      {"/.info/connected.json?ns=shop", "localhost", Of::Nobody},
      {"/.metrics", "shop.example.com", Of::Nobody},
      {"/.console/", "shop.example.com", Of::Nobody},
      {"/ns/shop/.console/", "localhost", Of::Nobody},
      {"/", "shop.example.com", Of::Nobody},
      {"/a.json?ns=shop", "localhost", Of::Nobody, "", "OPTIONS"},
      {"/%zz.json", "shop.example.com", Of::Nobody},
  };
  for (const Case& one : cases) {
    INFO(one.method << " " << one.target << " at " << one.host);
    const http::Request request = request_of(one);
    const RequestSpace found = request_space(request);
    CHECK(found.of == one.of);
    CHECK(found.name == one.name);
    CHECK(found.is_sdk_socket == (one.headers == "websocket"));
    if (const auto word = own_word(request)) {
      CHECK(found.of == Of::Space);
      CHECK(found.name == *word);
    }
  }
}

TEST_CASE("RequestSpace: a second transport goes where its session is, and is not sent elsewhere", "[net][peer]") {
  const RequestSpace found =
      request_space(request_of({"/.ws?v=5&ns=shop&s=0a1b", "localhost", Of::Space, "shop", "GET", "websocket"}));
  CHECK(found.name == "shop");
  CHECK_FALSE(found.is_sdk_socket);
}
