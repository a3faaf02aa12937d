// What a browser is shown of `/`, and who is told the namespaces there.
#include "net/admin/front_page.h"

#include <catch2/catch.hpp>
#include <optional>

#include "db/host.h"
#include "net/server.h"
#include "tests/support/http_client.h"
#include "tests/support/temp_folder.h"

using hearth::net::admin::host_in_commands;
using hearth::test::HttpClient;
namespace db = hearth::db;
namespace net = hearth::net;
namespace rules = hearth::rules;

namespace {

constexpr const char* kHtml = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n";

class Fixture {
 public:
  Fixture(bool dev, size_t spaces, std::string default_space = "") {
    db::Database::Options options;
    options.folder = folder_.path() + "/data";
    database_ = db::Host::open(std::move(options)).value();
    for (size_t i = 0; i < spaces; ++i) REQUIRE(database_->create("space" + std::to_string(1000 + i)).ok());
    guard_.emplace(*database_, rules::Guard::Options{.dev = dev,
                                                     .admin_secret = dev ? "" : "the-admin-secret",
                                                     .default_namespace = std::move(default_space)});
    net::Server::Options server_options;
    server_options.port = 0;
    server_ = net::Server::start(*guard_, server_options).value();
  }
  ~Fixture() { server_->stop(); }

  HttpClient::Reply get(const std::string& headers, const std::string& host = "localhost",
                        const std::string& target = "/") const {
    HttpClient client(server_->port());
    client.send("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers + "\r\n");
    return client.reply();
  }

 private:
  hearth::test::TempFolder folder_;
  std::unique_ptr<db::Host> database_;
  std::optional<rules::Guard> guard_;
  std::unique_ptr<net::Server> server_;
};

bool has(const HttpClient::Reply& reply, const char* text) { return reply.body.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("FrontPage: a browser is told what this is and how to go on, and may do nothing else with the page",
          "[admin]") {
  const Fixture server(true, 1, "default");
  const auto page = server.get(kHtml, "localhost:4000");
  CHECK(page.status == 200);
  CHECK(page.has("content-type: text/html; charset=utf-8"));
  CHECK(page.has(
      "content-security-policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
  CHECK(page.has("x-content-type-options: nosniff"));
  CHECK(page.has("x-frame-options: deny"));
  CHECK_FALSE(page.has("access-control-allow-origin"));
  CHECK(has(page, "curl -X PUT -d '{\"name\":\"Ada\"}' 'http://localhost:4000/people/ada.json'\n"));
  CHECK(has(page, "curl 'http://localhost:4000/people.json?print=pretty'\n"));
  CHECK(has(page, "curl -N -H 'Accept: text/event-stream' 'http://localhost:4000/people.json'\n"));
  CHECK_FALSE(has(page, HEARTH_VERSION));
}

TEST_CASE("FrontPage: everybody else is told of the API in one line, without version or names", "[admin]") {
  const Fixture server(true, 1, "default");
  for (const char* accept : {"", "Accept: */*\r\n", "Accept: application/json\r\n"}) {
    const auto reply = server.get(accept);
    CHECK(reply.status == 404);
    CHECK(reply.body == "append .json to your request URI to use the REST API.");
  }
  CHECK(server.get(kHtml, "localhost", "/people").status == 404);
}

TEST_CASE("FrontPage: in development this machine sees the namespaces, under a name that is no site's", "[admin]") {
  const Fixture server(true, 2, "default");
  CHECK(has(server.get(kHtml), "<li>space1001\n"));
  CHECK(has(server.get(kHtml, "127.0.0.1:9000"), "<li>space1001\n"));
  CHECK_FALSE(has(server.get(kHtml, "rebound.example"), "space1001"));
  CHECK_FALSE(has(server.get(std::string(kHtml) + "Referer: http://elsewhere.example/\r\n"), "space1001"));
}

TEST_CASE("FrontPage: else admins see the namespaces, the first hundred of them", "[admin]") {
  const Fixture server(false, net::admin::kNamesShownMax + 5);
  const auto stranger = server.get(kHtml);
  CHECK(stranger.status == 200);
  CHECK_FALSE(has(stranger, "space1001"));
  CHECK(has(stranger,
            "curl -H \"Authorization: Bearer $TOKEN\" 'http://localhost/people.json?ns=NAMESPACE&amp;print=pretty'\n"));
  CHECK_FALSE(has(server.get(std::string(kHtml) + "Authorization: Bearer a-guess\r\n"), "space1001"));
  const auto admin = server.get(std::string(kHtml) + "Authorization: Bearer the-admin-secret\r\n");
  CHECK(has(admin, "<li>space1001\n"));
  CHECK(has(admin, "<li>space1099\n"));
  CHECK_FALSE(has(admin, "space1100"));
  CHECK(has(admin, "And 5 more."));
}

TEST_CASE("FrontPage: a name that could do something in a shell or a page stands in no command", "[admin]") {
  const auto named = [](const char* host) {
    net::http::Request request;
    request.headers = {{"Host", host}};
    return host_in_commands(request);
  };
  CHECK(named("chat.example.com:9000") == "chat.example.com:9000");
  CHECK(named("[::1]:9000") == "[::1]:9000");
  for (const char* bad : {"", "a'b", "$(x)", "a b", "<script>", "a&b", "a\"", "a/b"})
    CHECK(named(bad) == "127.0.0.1:9000");
}
