// `hearth serve` as its users meet it: the real program, started, asked, stopped and killed.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <sstream>

#include "db/base/text.h"
#include "tests/net/wire/base64.h"
#include "tests/scripts/program.h"
#include "tests/support/http_client.h"

using hearth::test::ask;
using hearth::test::Connection;
using hearth::test::contents;
using hearth::test::Folder;
using hearth::test::HttpClient;
using hearth::test::Program;
using hearth::test::Reply;
using hearth::test::run;
using hearth::test::Server;
using hearth::test::Told;

namespace {

long lines_of(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

bool has_ipv6() {
  return ask(1, {}, "::1").status == 0 && [] {
    const int descriptor = socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    const bool bound = bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(descriptor);
    return bound;
  }();
}

// A server that must not start: what it says of it, in one line, and a code that scripts can see.
void check_refused(Server& server, const std::vector<std::string>& words) {
  INFO("stderr: " << server.program().errors());
  CHECK(server.port() == 0);
  CHECK(server.program().wait() == 1);
  CHECK(server.program().output().empty());
  const std::string errors = server.program().errors();
  CHECK(lines_of(errors) == 1);
  CHECK(errors.starts_with("hearth: "));
  for (const std::string& word : words) CHECK_THAT(errors, Catch::Contains(word));
}

}  // namespace

TEST_CASE("serve: one line says where, health answers, SIGTERM and SIGINT end it with 0", "[scripts]") {
  for (const int signal : {SIGTERM, SIGINT}) {
    const Folder folder;
    Server server({"--dev", "--data", folder / "data", "--log-level", "off"});
    INFO("stderr: " << server.program().errors());
    REQUIRE(server.port() != 0);
    CHECK(server.program().output() == fmt::format("hearth listening on http://127.0.0.1:{}\n", server.port()));

    const Reply health = server.ask({.target = "/.health"});
    CHECK(health.status == 200);
    CHECK_THAT(health.body,
               Catch::StartsWith(R"({"status":"ok","version":")") && Catch::EndsWith(R"("sync":"group"})"));

    CHECK(server.stop(signal) == 0);
    CHECK(server.program().errors().empty());
  }
}

TEST_CASE("serve: --sync os is what health says", "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data", "--sync", "os"});
  REQUIRE(server.port() != 0);
  CHECK_THAT(server.ask({.target = "/.health"}).body, Catch::Contains(R"("sync":"os")"));
}

TEST_CASE("serve: both loopback addresses have the same port; --host has one", "[scripts]") {
  if (!has_ipv6()) {
    WARN("no IPv6 here: not tested");
    return;
  }
  const Folder folder;
  {
    Server server({"--dev", "--data", folder / "data"});
    REQUIRE(server.port() != 0);
    CHECK(ask(server.port(), {.target = "/.health"}, "127.0.0.1").status == 200);
    CHECK(ask(server.port(), {.target = "/.health"}, "::1").status == 200);
    CHECK(server.stop(SIGTERM) == 0);
  }
  {
    Server server({"--dev", "--data", folder / "data", "--host", "127.0.0.1"});
    REQUIRE(server.port() != 0);
    CHECK(ask(server.port(), {.target = "/.health"}, "127.0.0.1").status == 200);
    CHECK(ask(server.port(), {.target = "/.health"}, "::1").status == 0);
    CHECK(server.stop(SIGTERM) == 0);
  }
  {
    Server server({"--dev", "--data", folder / "data", "--host", "::1"});
    REQUIRE(server.port() != 0);
    CHECK(server.program().output() == fmt::format("hearth listening on http://[::1]:{}\n", server.port()));
    CHECK(ask(server.port(), {.target = "/.health"}, "::1").status == 200);
    CHECK(ask(server.port(), {.target = "/.health"}, "127.0.0.1").status == 0);
  }
}

TEST_CASE("serve: a second server on one data folder is refused, and the first goes on", "[scripts]") {
  const Folder folder;
  Server first({"--dev", "--data", folder / "data"});
  REQUIRE(first.port() != 0);
  Server second({"--dev", "--data", folder / "data", "--log-level", "error"});
  check_refused(second, {folder / "data", "another process"});
  CHECK(first.ask({.target = "/.health"}).status == 200);
}

TEST_CASE("serve: a taken port is refused, by its number", "[scripts]") {
  const Folder folder;
  Server first({"--dev", "--data", folder / "one"});
  REQUIRE(first.port() != 0);
  const std::string port = std::to_string(first.port());
  Server second({"--dev", "--data", folder / "two", "--port", port, "--log-level", "error"});
  check_refused(second, {port, "taken"});
}

TEST_CASE("serve: an address that is not this machine's is refused", "[scripts]") {
  const Folder folder;
  for (const std::string host : {"203.0.113.1", "not a host"}) {
    INFO(host);
    Server server({"--dev", "--data", folder / "data", "--host", host, "--log-level", "error"});
    check_refused(server, {host});
  }
}

TEST_CASE("serve: a data folder that cannot be made or written is refused", "[scripts]") {
  const Folder folder;
  std::ofstream(folder / "file") << "not a folder";
  for (const std::string& data : {folder / "file", folder / "file/below", std::string("/proc/hearth")}) {
    INFO(data);
    Server server({"--dev", "--data", data, "--log-level", "error"});
    check_refused(server, {data});
  }
  if (geteuid() == 0) return;  // who may write everywhere
  mkdir((folder / "locked").c_str(), 0500);
  Server server({"--dev", "--data", folder / "locked", "--log-level", "error"});
  check_refused(server, {folder / "locked"});
}

TEST_CASE("serve: a corrupt store is refused and left as it is", "[scripts]") {
  const Folder folder;
  {
    Server server({"--dev", "--data", folder / "data"});
    REQUIRE(server.port() != 0);
    CHECK(server.ask({.method = "PUT", .target = "/a.json?ns=x", .body = "1"}).status == 200);
    CHECK(server.stop(SIGTERM) == 0);
  }
  const std::string current = contents(folder / "data/CURRENT");
  REQUIRE(!current.empty());
  std::ofstream(folder / "data/CURRENT") << "garbage";
  {
    Server server({"--dev", "--data", folder / "data", "--log-level", "error"});
    check_refused(server, {folder / "data", "Corruption"});
  }
  // Whoever repairs it finds the data.
  std::ofstream(folder / "data/CURRENT") << current;
  Server server({"--dev", "--data", folder / "data"});
  REQUIRE(server.port() != 0);
  CHECK(server.ask({.target = "/a.json?ns=x"}).body == "1");
}

TEST_CASE("serve: flags that make no sense are refused before anything is made", "[scripts]") {
  const std::vector<std::vector<std::string>> cases = {
      {"--port", "65536"},  {"--port", "-1"},          {"--port", "http"},          {"--sync", "never"},
      {"--unknown"},        {"--log-level", "loudly"}, {"--namespace", "a.b"},      {"--namespace", ""},
      {"--history", "day"}, {"--history", "1h"},       {"--webhook-retry", "soon"},
  };
  for (const auto& flags : cases) {
    const Folder folder;
    std::vector<std::string> all = {"--dev", "--data", folder / "data"};
    all.insert(all.end(), flags.begin(), flags.end());
    Server server(all);
    INFO(flags.front() << " " << flags.back());
    CHECK(server.port() == 0);
    CHECK(server.program().wait() == 1);
    CHECK(!server.program().errors().empty());
    CHECK(!std::filesystem::exists(folder / "data"));
  }
}

TEST_CASE("serve: the data folder is for its owner alone, below folders that are new too", "[scripts]") {
  const Folder folder;
  for (const char* data : {"data", "data-slash/", "new/data", "other/data/"}) {
    INFO(data);
    const Server server({"--dev", "--data", folder / data});
    REQUIRE(server.port() != 0);
    struct stat status {};
    REQUIRE(stat((folder / data).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
  }
}

TEST_CASE("serve: without --dev only the admin secret opens anything", "[scripts]") {
  const Folder folder;
  const std::vector<std::string> flags = {"--data", folder / "data", "--namespace", "Chat", "--log-level", "trace"};
  std::string secret;
  {
    Server server(flags);
    INFO("stderr: " << server.program().errors());
    REQUIRE(server.port() != 0);
    struct stat status {};
    REQUIRE(stat((folder / "data/admin-secret").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    secret = contents(folder / "data/admin-secret");
    REQUIRE(secret.ends_with('\n'));
    secret.pop_back();
    CHECK(secret.size() == 40);
    CHECK(
        std::all_of(secret.begin(), secret.end(), [](char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; }));

    const std::string with_secret = fmt::format("Authorization: Bearer {}\r\n", secret);
    CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "1", .headers = with_secret}).status == 200);
    CHECK(server.ask({.target = "/a.json?ns=chat&auth=" + secret}).body == "1");

    struct Case {
      std::string target, headers;
    };
    const std::vector<Case> refused = {
        {"/a.json?ns=chat", ""},
        {"/a.json", ""},
        {"/a.json?ns=chat&auth=owner", ""},
        {"/a.json?ns=chat", "Authorization: Bearer owner\r\n"},
        {"/a.json?ns=chat&auth=" + secret.substr(1), ""},
        {"/a.json?ns=chat&auth=" + secret + "x", ""},
        {"/a.json?ns=chat&auth=eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", ""},
    };
    for (const Case& c : refused) {
      INFO(c.target << " " << c.headers);
      CHECK(server.ask({.target = c.target, .headers = c.headers}).status == 401);
      CHECK(server.ask({.method = "PUT", .target = c.target, .body = "2", .headers = c.headers}).status == 401);
    }
    CHECK(server.ask({.target = "/a.json", .headers = with_secret}).body == "1");

    // A namespace nobody made is refused, also to the admin, and leaves no trace.
    CHECK(server.ask({.method = "PUT", .target = "/a.json?ns=other", .body = "1", .headers = with_secret}).status ==
          404);
    CHECK(server.ask({.target = "/a.json?ns=other", .headers = with_secret}).status == 404);
    CHECK(server.ask({.target = "/.inspect/databases.json", .headers = with_secret}).body == R"([{"name":"chat"}])");
    CHECK(server.ask({.target = "/.inspect/databases.json"}).status == 401);

    CHECK(server.stop(SIGTERM) == 0);
    CHECK_THAT(server.program().errors(), Catch::Contains(folder / "data/admin-secret"));
    CHECK_THAT(server.program().errors(), !Catch::Contains(secret));
    CHECK_THAT(server.program().errors(), !Catch::Contains("eyJhbGci"));
  }
  // The secret is made once.
  Server server({"--data", folder / "data"});
  REQUIRE(server.port() != 0);
  CHECK(contents(folder / "data/admin-secret") == secret + "\n");
  CHECK(server.ask({.target = "/a.json?ns=chat&auth=" + secret}).body == "1");
}

TEST_CASE("serve: a secret file that holds none is refused rather than trusted", "[scripts]") {
  const Folder folder;
  std::filesystem::create_directory(folder / "data");
  std::ofstream(folder / "data/admin-secret") << "\n";
  Server server({"--data", folder / "data", "--log-level", "error"});
  check_refused(server, {folder / "data/admin-secret"});
}

TEST_CASE("serve --dev: namespaces spring into being, owner is an admin, no secret is made", "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data"});
  REQUIRE(server.port() != 0);
  CHECK(server.ask({.method = "PUT", .target = "/a.json?ns=one", .body = "1"}).status == 200);
  CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "2"}).status == 200);
  CHECK(server.ask({.target = "/a.json?ns=default"}).body == "2");
  CHECK(server.ask({.target = "/a.json?ns=one", .headers = "Authorization: Bearer owner\r\n"}).body == "1");
  CHECK(server.ask({.target = "/.inspect/databases.json"}).body == R"([{"name":"default"},{"name":"one"}])");
  CHECK(!std::filesystem::exists(folder / "data/admin-secret"));
}

namespace {

// What a request by that name for this machine gets, for each way to be `owner`, and for what needs no credential here.
class ByName {
 public:
  ByName(uint16_t port, std::string host) : port_(port), host_(std::move(host)) {}

  int status(const std::string& target, const std::string& headers = "",
             HttpClient::Body body = HttpClient::Body::AsSaid) const {
    HttpClient client(port_);
    client.send(head("GET", target) + headers + "\r\n");
    return client.reply(body).status;
  }
  int rules() const { return status("/.settings/rules.json?ns=a", kOwner); }
  int by_query() const { return status("/.settings/rules.json?ns=a&auth=owner"); }
  int metrics() const { return status("/.metrics"); }
  int metrics_as_owner() const { return status("/.metrics", kOwner); }
  int stream() const {  // which has no end
    return status("/.json?ns=a", std::string("Accept: text/event-stream\r\n") + kOwner, HttpClient::Body::None);
  }
  bool socket(const std::string& headers = "") const {
    HttpClient client(port_);
    client.send(head("GET", "/.ws?v=5&ns=a") + headers +
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    if (client.reply(HttpClient::Body::None).status != 101) return false;
    client.take_frame();
    client.send_text(kLogin);
    return client.take_frame().payload.find(R"("s":"ok")") != std::string::npos;
  }
  bool long_poll() const {
    HttpClient client(port_);
    client.send(head("GET", "/.lp?start=t&ser=1&cb=1&v=5&ns=a") + "\r\n");
    const std::string start = client.reply().body;
    const auto word = [&](size_t at) { return start.substr(at, start.find('\'', at) - at); };
    const std::string mark = "pLPCommand('start','";
    if (start.find(mark) == std::string::npos) return false;
    const std::string id = word(start.find(mark) + mark.size());
    const std::string password = word(start.find("'" + id + "','") + id.size() + 4);
    client.send(head("GET", "/.lp?id=" + id + "&pw=" + password +
                                "&ser=2&ns=a&seg0=0&ts0=1&d0=" + hearth::net::wire::test::base64(kLogin)) +
                "\r\n");
    return client.reply().body.find(R"("s":"ok")") != std::string::npos;
  }

 private:
  static constexpr const char* kOwner = "Authorization: Bearer owner\r\n";
  static constexpr const char* kLogin = R"({"t":"d","d":{"r":1,"a":"gauth","b":{"cred":"owner"}}})";
  std::string head(const std::string& method, const std::string& target) const {
    return method + " " + target + " HTTP/1.1\r\nHost: " + host_ + "\r\n";
  }

  uint16_t port_;
  std::string host_;
};

}  // namespace

TEST_CASE("serve --dev: by a name that is not this machine's, nobody is `owner`, whatever way they ask", "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data", "--dev-host", "hearth", "--dev-host", "*.dev.test"});
  REQUIRE(server.port() != 0);
  struct Case {
    const char* host;
    bool is_here;
  };
  const std::vector<Case> cases = {
      {"localhost", true},
      {"127.0.0.1:9000", true},
      {"[::1]:9000", true},
      {"my.localhost", true},
      {"192.0.2.7", true},
      {"hearth", true},
      {"DB.dev.test.:9000", true},
      {"dev.test", false},
      {"rebound.example", false},
      {"", false},
      {"127.0.0.1.example:9000", false},
  };
  for (const auto& [host, is_here] : cases) {
    INFO(host);
    const ByName by(server.port(), host);
    CHECK(by.rules() == (is_here ? 200 : 401));
    CHECK(by.by_query() == (is_here ? 200 : 401));
    CHECK(by.metrics() == (is_here ? 200 : 401));
    CHECK(by.metrics_as_owner() == (is_here ? 200 : 401));
    CHECK(by.stream() == (is_here ? 200 : 401));
    CHECK(by.socket() == is_here);
    CHECK(by.long_poll() == is_here);
    // A page of that name sends it as its Origin; so does firebase-admin-java, which is none.
    const std::string origin = std::string("Origin: http://") + host + "\r\n";
    const bool is_own_page = is_here && std::string_view(host) != "192.0.2.7";
    CHECK(by.socket(origin) == is_own_page);
    CHECK(by.socket(origin + "User-Agent: Firebase/5/9.10.0/17.0.15/AdminJava\r\n"));
    CHECK(by.status("/a.json?ns=a") == 200);  // what is open to all is open by any name
  }
  const ByName rebound(server.port(), "rebound.example");
  CHECK(rebound.status("/.settings/rules.json?ns=a",
                       "Authorization: Bearer owner\r\nX-Forwarded-Host: localhost\r\n") == 401);
  // A whole URL as target names a host as well, and both count.
  const ByName local(server.port(), "localhost");
  CHECK(local.status("http://rebound.example/.settings/rules.json?ns=a&auth=owner") == 401);
  CHECK(local.status("http://localhost:9000/.settings/rules.json?ns=a&auth=owner") == 200);
  CHECK(rebound.status("http://localhost:9000/.settings/rules.json?ns=a&auth=owner") == 401);
  // HTTP/1.0 may leave the name away.
  HttpClient old(server.port());
  old.send("GET /.settings/rules.json?ns=a&auth=owner HTTP/1.0\r\n\r\n");
  const auto refused = old.reply();
  CHECK(refused.status == 401);
  CHECK_THAT(refused.body, Catch::Contains("--dev-host NAME"));
}

TEST_CASE("serve --dev: names of this machine by HEARTH_DEV_HOST, and what is no name", "[scripts]") {
  const Folder folder;
  {
    Server server({"--dev", "--data", folder / "data"}, {"env", "HEARTH_DEV_HOST=hearth,*.dev.test"});
    REQUIRE(server.port() != 0);
    CHECK(ByName(server.port(), "hearth:9000").rules() == 200);
    CHECK(ByName(server.port(), "a.dev.test").rules() == 200);
    CHECK(ByName(server.port(), "other").rules() == 401);
  }
  Server server({"--dev", "--data", folder / "data", "--dev-host", "http://hearth", "--log-level", "error"});
  check_refused(server, {"http://hearth is no name of a host"});
}

TEST_CASE("serve: without a namespace it says what to do, at its start and to clients that name none", "[scripts]") {
  const Folder folder;
  Server server({"--data", folder / "data"});
  REQUIRE(server.port() != 0);
  const auto refused = server.ask({.target = "/a.json"});
  CHECK(refused.status == 400);
  CHECK_THAT(refused.body,
             Catch::Contains("name one by ns=NAME in the URL, or start the server with --namespace NAME"));
  CHECK_THAT(server.program().errors(),
             Catch::Contains("start it with --namespace NAME, or make one with `hearth namespace create NAME`"));
}

TEST_CASE("serve --dev: warns when others can reach it", "[scripts]") {
  const Folder folder;
  {
    Server server({"--dev", "--data", folder / "data", "--host", "0.0.0.0", "--log-level", "warn"});
    REQUIRE(server.port() != 0);
    CHECK(lines_of(server.program().errors()) == 1);
    CHECK_THAT(server.program().errors(), Catch::Contains("0.0.0.0"));
    CHECK(server.stop(SIGTERM) == 0);
  }
  Server server({"--dev", "--data", folder / "data", "--host", "localhost", "--log-level", "warn"});
  REQUIRE(server.port() != 0);
  CHECK(server.program().errors().empty());
}

TEST_CASE("serve: what was acknowledged is there after kill -9 and after SIGTERM", "[scripts]") {
  const Folder folder;
  const std::vector<std::string> flags = {"--dev", "--data", folder / "data"};
  for (int round = 0; round < 4; ++round) {
    Server server(flags);
    REQUIRE(server.port() != 0);
    if (round > 0) CHECK(server.ask({.target = "/n.json"}).body == std::to_string(round - 1));
    CHECK(server.ask({.method = "PUT", .target = "/n.json", .body = std::to_string(round)}).status == 200);
    CHECK(server.stop(round % 2 == 0 ? SIGKILL : SIGTERM) == (round % 2 == 0 ? 128 + SIGKILL : 0));
  }
}

TEST_CASE("serve: SIGTERM ends streams and idle connections at once, and a request that never ends soon", "[scripts]") {
  for (const bool with_halfway : {false, true}) {
    INFO((with_halfway ? "with" : "without") << " a request of which the rest does not come");
    const Folder folder;
    Server server({"--dev", "--data", folder / "data"});
    REQUIRE(server.port() != 0);
    Connection stream(server.port()), idle(server.port()), halfway(server.port());
    stream.send_text("GET /a.json HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
    CHECK_THAT(stream.read_until("\n\n"), Catch::Contains("200"));
    if (with_halfway) halfway.send_text("PUT /a.json HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n12");
    const auto begin = std::chrono::steady_clock::now();
    CHECK(server.stop(SIGTERM) == 0);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(with_halfway ? 15 : 4));
    stream.read_to_end();
    idle.read_to_end();
    CHECK(ask(server.port(), {}).status == 0);
  }
}

TEST_CASE("hearth: says its version, and what it can do", "[scripts]") {
  Program version({HEARTH_BIN_DIR "/hearth", "--version"});
  CHECK(version.wait() == 0);
  CHECK_THAT(version.output(), Catch::StartsWith("hearth "));
  Program help({HEARTH_BIN_DIR "/hearth", "--help"});
  CHECK(help.wait() == 0);
  CHECK_THAT(help.output(), Catch::Contains("serve") && Catch::Contains("bench"));
  Program nothing({HEARTH_BIN_DIR "/hearth"});
  CHECK(nothing.wait() != 0);
}

TEST_CASE("serve: what TLS and proxies need is said before the server starts", "[scripts]") {
  const Folder folder;
  const std::string data = folder / "data";
  const std::string text = folder / "text.pem";
  std::ofstream(text) << "not a certificate\n";
  struct Case {
    std::vector<std::string> flags;
    std::vector<std::string> words;
  };
  for (const Case& now : std::vector<Case>{
           {{"--tls-cert", text}, {text, "--tls-key"}},
           {{"--tls-key", text}, {text, "--tls-cert"}},
           {{"--tls-cert", text, "--tls-key", text}, {text, "no certificate in PEM"}},
           {{"--tls-cert", folder / "none", "--tls-key", text}, {folder / "none", "No such file"}},
           {{"--proxy-protocol"}, {"--proxy-protocol", "--trusted-proxy"}},
           {{"--trusted-proxy", "10.0.0.0/33"}, {"10.0.0.0/33", "ADDRESS/BITS"}},
           {{"--trusted-proxy", "::1", "--trusted-proxy", "localhost"}, {"localhost", "ADDRESS/BITS"}},
       }) {
    std::vector<std::string> flags = {"--dev", "--data", data, "--log-level", "error"};
    flags.insert(flags.end(), now.flags.begin(), now.flags.end());
    Server server(flags);
    check_refused(server, now.words);
  }
}

TEST_CASE("serve: SIGHUP ends a server without a certificate, as it ends other programs", "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data"});
  REQUIRE(server.port() != 0);
  CHECK(server.stop(SIGHUP) == 128 + SIGHUP);
}

TEST_CASE("serve: a service manager is told when it is ready and when it stops, and reloads it by SIGHUP",
          "[scripts]") {
  hearth::test::TempFolder folder;
  const std::string path = folder.path() + "/notify";
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const timeval patience{hearth::test::kPatience.count(), 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto told = [socket] {
    char bytes[256];
    const ssize_t count = ::recv(socket, bytes, sizeof bytes, 0);
    return std::string(bytes, static_cast<size_t>(std::max<ssize_t>(count, 0)));
  };
  Server server({"--dev", "--data", folder.path() + "/data"}, {"env", "NOTIFY_SOCKET=" + path});
  REQUIRE(server.port() != 0);
  CHECK(told() == "READY=1");
  server.program().signal(SIGHUP);
  CHECK(server.ask({.target = "/.json"}).status == 200);
  CHECK(server.stop(SIGTERM) == 0);
  CHECK(told() == "STOPPING=1");
  ::close(socket);
}
