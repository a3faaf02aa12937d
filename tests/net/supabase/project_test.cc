#include "net/supabase/project.h"

#include <catch2/catch.hpp>

#include "net/router.h"

using namespace hearth::net::supabase;

namespace {

// "realtime|rest SPACE: segment, …"; "-" for what is somebody else's.
std::string told(std::string_view target, std::string_view host = "localhost:9000") {
  if (hearth::net::owner_of(target) != hearth::net::Owner::Supabase) return "-";
  const auto project = project_of(target, host);
  if (!project.ok()) return project.error().message;
  std::string text = project.value().service == Service::Realtime ? "realtime " : "rest ";
  text += project.value().space + ":";
  for (const std::string& segment : project.value().rest) text += " " + segment;
  return text;
}

}  // namespace

TEST_CASE("Project: namespace and service are in the target", "[net][supabase]") {
  const struct {
    std::string target, told;
  } cases[] = {
      {"/realtime/v1/websocket?apikey=k&vsn=2.0.0", "realtime : websocket"},
      {"/ns/shop/realtime/v1/websocket?apikey=k", "realtime shop: websocket"},
      {"/realtime/v1/api/broadcast/by%20http%2F%C3%BC/events/e", "realtime : api broadcast by http/ü events e"},
      {"/rest/v1/todos?select=*", "rest : todos"},
      {"/ns/shop/rest/v1/todos", "rest shop: todos"},
      {"/ns/Sh%6fp/rest/v1/to%2Fdos", "rest Shop: to/dos"},
      {"/ns/shop/rest/v1//todos/", "rest shop: todos"},
      {"/rest/v1/todos?ns=shop", "rest shop: todos"},
      {"/rest/v1/todos?n%73=shop", "rest shop: todos"},
      {"/ns/shop/rest/v1/todos?ns=other", "rest shop: todos"},
      {"/rest/v1", "rest :"},
      {"/ns/shop/rest/v1/", "rest shop:"},
      {"/ns/a%2Fb/rest/v1/t", "rest a/b: t"},  // no namespace has this name: Guard::resolve says so
      {"/ns/ns/rest/v1/t", "rest ns: t"},
      // Somebody else's.
      {"/", "-"},
      {"", "-"},
      {"/ns/shop", "-"},
      {"/ns//rest/v1/todos", "-"},
      {"/ns/shop/todos", "-"},
      {"/ns/shop/other/rest/v1/todos", "-"},
      {"/rest/v2/todos", "-"},
      {"/rest/v11/todos", "-"},
      {"/restv1/todos", "-"},
      {"/realtime/todos", "-"},
      {"/a/rest/v1/todos", "-"},
      {"/%72est/v1/todos", "-"},
      {"?/rest/v1/todos", "-"},
      {"/x?/rest/v1/todos", "-"},
      // Firebase's, for it asks for a value.
      {"/rest/v1/todos.json", "-"},
      {"/rest/v1.json?a=/b", "-"},
      {"/ns/shop/rest/v1/todos.json?ns=x", "-"},
      {"/realtime/v1/websocket.json", "-"},
      {"/rest/v1/todos?select=a.json", "rest : todos"},
      // Mistakes.
      {"/rest/v1/%zz", "Invalid path: Invalid token in path"},
      {"/ns/%2/rest/v1/t", "Invalid path: Invalid token in path"},
      {"/rest/v1/t?a=%", "The query string contains an invalid percent escape."},
  };
  for (const auto& one : cases) {
    INFO(one.target);
    CHECK(told(one.target) == one.told);
  }
}

TEST_CASE("Project: where the target names no namespace, a host of three labels does", "[net][supabase]") {
  CHECK(told("/rest/v1/t", "shop.example.com") == "rest shop: t");
  CHECK(told("/rest/v1/t?ns=", "shop.example.com:9000") == "rest shop: t");
  CHECK(told("/rest/v1/t?ns=a", "shop.example.com") == "rest a: t");
  CHECK(told("/ns/b/rest/v1/t?ns=a", "shop.example.com") == "rest b: t");
  CHECK(told("/rest/v1/t", "example.com") == "rest : t");
  CHECK(told("/rest/v1/t", "127.0.0.1:9000") == "rest : t");
}

TEST_CASE("Project: a long target takes no longer than it is", "[net][supabase]") {
  const std::string much(60'000, '/');
  CHECK(told("/rest/v1" + much) == "rest :");
  CHECK(told("/ns/" + std::string(60'000, 'a') + "/rest/v1/t").size() > 60'000);
  CHECK(told("/ns/" + much) == "-");
}
