#include "net/router.h"

#include <catch2/catch.hpp>
#include <string>

using hearth::net::kRoutes;
using hearth::net::Owner;
using hearth::net::owner_of;
using hearth::net::split_namespace;

TEST_CASE("Router: each path has one owner, and what no row names is REST's", "[net]") {
  const struct {
    std::string target;
    Owner owner;
  } cases[] = {
      {"/.ws", Owner::Wire},
      {"/.ws/?v=5&ns=shop", Owner::Wire},
      {"/.ws//", Owner::Rest},
      {"/.wsx", Owner::Rest},
      {"/a/.ws", Owner::Rest},
      {"/.lp?start=t", Owner::Wire},
      {"/.lp/?start=t", Owner::Wire},
      {"/realtime/v1", Owner::Supabase},
      {"/realtime/v1/websocket?apikey=k", Owner::Supabase},
      {"/realtime/v2/websocket", Owner::Rest},
      {"/ns/shop/rest/v1/todos?select=a.json", Owner::Supabase},
      {"/ns/shop/rest/v1/todos.json", Owner::Rest},
      {"/ns//rest/v1/todos", Owner::Rest},
      {"/rest/v1x", Owner::Rest},
      {"/yjs", Owner::Yjs},
      {"/ns/shop/yjs/a/b?token=t", Owner::Yjs},
      {"/yjs/a.json", Owner::Rest},
      {"/.webhooks.json", Owner::Webhooks},
      {"/.webhooks/orders.json?ns=shop", Owner::Webhooks},
      {"/.webhooksx", Owner::Rest},
      {"/.metrics", Owner::Metrics},
      {"/.metrics/", Owner::Rest},
      {"/.inspect/connections.json", Owner::AdminApi},
      {"/.settings/cut.json", Owner::AdminApi},
      {"/.console", Owner::Console},
      {"/.console/index.html", Owner::Console},
      {"/.consoles", Owner::Rest},
      {"/ns/shop/.console", Owner::Console},
      {"/ns/shop/.console/about.json?x=1", Owner::Console},
      {"/ns/shop/.inspect/api.json", Owner::Rest},
      {"/", Owner::FrontPage},
      {"/?x=/.ws", Owner::FrontPage},
      {"", Owner::Rest},
      {"/.health", Owner::Rest},
      {"/.json", Owner::Rest},
      {"/users/ada.json", Owner::Rest},
      {"/ns/shop", Owner::Rest},
      {"*", Owner::Rest},
  };
  for (const auto& [target, owner] : cases) {
    INFO(target);
    CHECK(owner_of(target) == owner);
  }
}

TEST_CASE("Router: each row is reached, and no row hides behind one above it", "[net]") {
  for (const auto& route : kRoutes) {
    INFO(route.path);
    CHECK(owner_of(route.path) == route.owner);
  }
}

TEST_CASE("A path that begins with /ns/NAME names a namespace; an empty name is none", "[net]") {
  CHECK(split_namespace("/ns/shop/yjs/a").name == "shop");
  CHECK(split_namespace("/ns/shop/yjs/a").path == "/yjs/a");
  CHECK(split_namespace("/ns/shop/").path == "/");
  for (const char* path : {"/ns/shop", "/ns//yjs", "/ns/", "/ns", "/nsx/shop/yjs", "", "/"}) {
    INFO(path);
    CHECK_FALSE(split_namespace(path).name.has_value());
    CHECK(split_namespace(path).path == path);
  }
}
