// What whoever runs a server sees of it: metrics and the log.
#include <catch2/catch.hpp>
#include <regex>
#include <set>

#include "db/model/json.h"
#include "tests/scripts/program.h"
#include "tests/support/exposition.h"
#include "tests/support/http_client.h"

using hearth::test::ask;
using hearth::test::contents;
using hearth::test::Exposition;
using hearth::test::Folder;
using hearth::test::HttpClient;
using hearth::test::Reply;
using hearth::test::Server;
namespace db = hearth::db;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string admin_secret(const Folder& folder) {
  std::string secret = contents(folder / "data/admin-secret");
  if (!secret.empty()) secret.pop_back();
  return secret;
}

// Of the port that --metrics-port 0 has picked, as the log says it.
uint16_t watch_port(const Server& server) {
  static const std::regex kUrl(R"(url=http://[^ ]+:(\d+)/\.metrics)");
  const std::string log = const_cast<Server&>(server).program().errors();
  std::smatch found;
  return std::regex_search(log, found, kUrl) ? static_cast<uint16_t>(std::stoi(found[1])) : uint16_t{0};
}

// The fields of a line of the log that is an object.
std::string field_of(const std::string& line, std::string_view name) {
  const auto document = db::JsonDocument::parse(line);
  if (!document.ok() || !document.value().root().is_object()) return "no object";
  const auto field = document.value().root().field(name);
  if (!field) return "none";
  return field->string() ? std::string(*field->string()) : field->to_text();
}

}  // namespace

TEST_CASE("serve: /.metrics is for admins; --metrics-port serves it and health to everyone", "[scripts]") {
  const Folder folder;
  Server server(
      {"--data", folder / "data", "--namespace", "chat", "--metrics-port", "0", "--metrics-host", "127.0.0.1"});
  INFO("stderr: " << server.program().errors());
  REQUIRE(server.port() != 0);
  const std::string secret = admin_secret(folder);
  const std::string bearer = "Authorization: Bearer " + secret + "\r\n";
  CHECK(server.ask({.target = "/.metrics"}).status == 401);
  CHECK(server.ask({.target = "/.metrics", .headers = bearer}).status == 200);

  const uint16_t port = watch_port(server);
  REQUIRE(port != 0);
  CHECK(ask(port, {.target = "/.health"}).status == 200);
  CHECK(ask(port, {.target = "/a.json?ns=chat", .headers = bearer}).status == 404);
  const Exposition before(ask(port, {.target = "/.metrics"}).body);
  CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "1", .headers = bearer}).status == 200);
  const Exposition after(ask(port, {.target = "/.metrics"}).body);
  INFO(after.all_faults());
  CHECK(after.faults().empty());
  CHECK(after.at("hearth_commits_total") == before.at("hearth_commits_total") + 1);
  CHECK(after.at("hearth_fsync_seconds_count") == before.at("hearth_fsync_seconds_count") + 1);
  CHECK(after.at("process_resident_memory_bytes") > 1 << 20);
  CHECK(after.at("hearth_store_broken") == 0);
  CHECK(server.stop(SIGTERM) == 0);
  CHECK(ask(port, {.target = "/.health"}).status == 0);
}

TEST_CASE("serve: metrics go on while the disk is full, and say so", "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data"}, {"sh", "-c", "ulimit -f 4000; exec \"$@\"", "sh"});
  REQUIRE(server.port() != 0);
  const std::string large = "\"" + std::string(1 << 20, 'x') + "\"";
  Reply reply;
  for (int i = 0; i < 20 && reply.status / 100 != 5; ++i) {
    reply = server.ask({.method = "PUT", .target = fmt::format("/large{}.json?print=silent", i), .body = large});
  }
  CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "1"}).status == 503);
  const Exposition figures(server.ask({.target = "/.metrics"}).body);
  CHECK(figures.faults().empty());
  CHECK(figures.at("hearth_store_broken") == 1);
  CHECK(figures.at(R"(hearth_writes_total{result="failed"})") >= 1);
}

TEST_CASE("serve: a metrics port that is taken, and a host without a port, are refused", "[scripts]") {
  const Folder folder;
  Server first({"--dev", "--data", folder / "one"});
  REQUIRE(first.port() != 0);
  const std::string port = std::to_string(first.port());
  Server second({"--dev", "--data", folder / "two", "--metrics-port", port, "--log-level", "error"});
  CHECK(second.program().wait() == 1);
  CHECK_THAT(second.program().errors(),
             Catch::StartsWith("hearth: ") && Catch::Contains(port) && Catch::Contains("metrics"));
  Server third({"--dev", "--data", folder / "three", "--metrics-host", "127.0.0.1"});
  CHECK(third.program().wait() != 0);
  CHECK_THAT(third.program().errors(), Catch::Contains("--metrics-port"));
}

TEST_CASE("serve: the log says what an admin did, who it was and from where", "[scripts]") {
  const Folder folder;
  for (const std::string format : {"text", "json"}) {
    INFO(format);
    Server server({"--data", folder / format, "--namespace", "chat", "--log-format", format});
    REQUIRE(server.port() != 0);
    std::string secret = contents(folder / format + "/admin-secret");
    secret.pop_back();
    const std::string bearer = "Authorization: Bearer " + secret + "\r\n";
    const auto put = [&](const std::string& target, const std::string& body) {
      return server.ask({.method = "PUT", .target = target, .body = body, .headers = bearer}).status;
    };
    CHECK(put("/.settings/rules.json?dryRun=true", R"({"rules":{}})") == 200);  // does nothing
    CHECK(put("/.settings/rules.json", R"({"rules":{".read":true}})") == 200);
    CHECK(put("/.settings/indexes.json", R"([{"at":"/m","by":"n"}])") == 200);
    CHECK(put("/.settings/rules.json", "{") == 400);  // the same
    CHECK(server.stop(SIGTERM) == 0);
    const std::string log = server.program().errors();
    INFO(log);
    if (format == "text") {
      CHECK_THAT(log, Catch::Contains(" info namespace made ns=chat by=--namespace\n"));
      for (const std::string act : {"rules set", "indexes set"}) {
        const std::regex line(" info " + act + R"( ns=chat by="the admin secret" connection=\d+ peer=127\.0\.0\.1)" +
                              "\n");
        CHECK(std::distance(std::sregex_iterator(log.begin(), log.end(), line), std::sregex_iterator()) == 1);
      }
      continue;
    }
    size_t acts = 0;
    for (const std::string& line : lines_of(log)) {
      INFO(line);
      CHECK(std::regex_match(field_of(line, "ts"), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")));
      CHECK(field_of(line, "level") == "info");
      const std::string message = field_of(line, "msg");
      CHECK(message != "none");
      if (message != "rules set" && message != "indexes set") continue;
      ++acts;
      CHECK(field_of(line, "ns") == "chat");
      CHECK(field_of(line, "by") == "the admin secret");
      CHECK(field_of(line, "peer") == "127.0.0.1");
      CHECK(std::atoi(field_of(line, "connection").c_str()) > 0);
    }
    CHECK(acts == 2);
  }
}

TEST_CASE("serve --dev: a denial is one object with --log-format json", "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data", "--log-format", "json", "--log-level", "warn"});
  REQUIRE(server.port() != 0);
  const std::string owner = "Authorization: Bearer owner\r\n";
  CHECK(server
            .ask({.method = "PUT",
                  .target = "/.settings/rules.json",
                  .body = R"x({"rules":{".write":"auth != null"}})x",
                  .headers = owner})
            .status == 200);
  CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "1"}).status == 401);
  CHECK(server.stop(SIGTERM) == 0);
  const std::vector<std::string> lines = lines_of(server.program().errors());
  REQUIRE(lines.size() == 1);
  CHECK(field_of(lines.front(), "level") == "warning");
  CHECK(field_of(lines.front(), "msg") == "denied");
  CHECK(field_of(lines.front(), "ns") == "default");
  CHECK_THAT(field_of(lines.front(), "detail"), Catch::Contains("no .write rule") && Catch::Contains("auth != null"));
}

TEST_CASE("serve --dev: many denials of a rule, and a large one, make little log", "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data", "--log-level", "warn"});
  REQUIRE(server.port() != 0);
  const std::string rules =
      R"x({"rules":{"i":{".write":true,"$k":{".validate":"newData.child('n').isNumber() && newData.hasChildren(['n','s'])"}}}})x";
  CHECK(server
            .ask({.method = "PUT",
                  .target = "/.settings/rules.json",
                  .body = rules,
                  .headers = "Authorization: Bearer owner\r\n"})
            .status == 200);
  std::string body = "{";
  for (int i = 0; i < 20'000; ++i) body += fmt::format(R"("k{}":{{"n":{},"s":"words"}},)", i, i);
  body += R"("z":{"n":"none","s":"words"}})";
  CHECK(server.ask({.method = "PUT", .target = "/i.json", .body = body}).status == 401);
  for (int i = 0; i < 50; ++i)
    CHECK(server.ask({.method = "PUT", .target = fmt::format("/i/k{}.json", i), .body = "1"}).status == 401);
  CHECK(server.stop(SIGTERM) == 0);
  const std::string log = server.program().errors();
  CHECK(log.size() < 3 * 128 * 1024);
  CHECK_THAT(log, Catch::Contains("the .validate rule at /i/$k does not hold for /i/z") &&
                      Catch::Contains(" rules more left out)"));
}

TEST_CASE("serve: no credential, no session's name and no data gets into the log", "[scripts]") {
  // In every place where a client can put a token, good ones and bad ones.
  constexpr const char* kMark = "MARKED-c29tZSB0b2tlbg";
  constexpr const char* kData = "MARKED-DATA";
  // {"alg":"none"} {"sub":"alice","m":"MARKED"}: the mark is what follows the first dot.
  constexpr const char* kClaims = "eyJzdWIiOiJhbGljZSIsIm0iOiJNQVJLRUQifQ";
  for (const std::string mode : {"dev", "closed"}) {
    for (const std::string format : {"text", "json"}) {
      INFO(mode << " " << format);
      const Folder folder;
      std::vector<std::string> flags = {"--data",      folder / "data", "--namespace",  "default",
                                        "--log-level", "trace",         "--log-format", format};
      if (mode == "dev") flags.insert(flags.begin(), "--dev");
      Server server(flags);
      REQUIRE(server.port() != 0);
      const std::string secret = mode == "dev" ? "owner" : admin_secret(folder);
      const std::string unsigned_token = fmt::format("eyJhbGciOiJub25lIn0.{}.", kClaims);
      const std::string signed_token = fmt::format("eyJhbGciOiJSUzI1NiJ9.{}.{}", kClaims, kMark);
      std::string session;
      for (const std::string& token : {std::string(kMark), secret, unsigned_token, signed_token, secret + kMark}) {
        const std::string body = fmt::format("\"{}\"", kData);
        for (const std::string& target :
             {"/a.json?auth=" + token, "/a.json?access_token=" + token, "/.settings/rules.json?auth=" + token,
              "/.metrics?auth=" + token, "/.nothing?auth=" + token, "/a?auth=" + token, "/a.json&auth=" + token,
              "/a.json?auth=" + token + "&timeout=never", "/a.json?auth_variable_override={\"x\":\"" + token + "\"}",
              "http://" + token + "@localhost/a.json", "http://user:" + token + "@localhost/a.json?auth=" + token,
              "/a.json?auth=" + token + "&bad=%zz"}) {
          server.ask({.target = target});
          server.ask({.method = "PUT", .target = target, .body = body});
        }
        for (const std::string& headers : {"Authorization: Bearer " + token, "Authorization: Basic " + token,
                                           "Authorization:" + token, "Cookie: auth=" + token, "X-Token: " + token,
                                           "Last-Event-ID: " + token, "Content-Length: " + token, token}) {
          server.ask({.target = "/a.json", .headers = headers + "\r\n"});
          server.ask({.target = "/.metrics", .headers = headers + "\r\n"});
          server.ask({.method = "POST",
                      .target = "/a.json",
                      .headers = headers + "\r\nX-HTTP-Method-Override: " + token + "\r\n"});
          HttpClient stream(server.port());
          stream.ask("/a.json", "Accept: text/event-stream\r\n" + headers + "\r\n");
          CHECK(stream.take_until("\r\n\r\n").starts_with("HTTP/1.1 "));
        }
        server.ask({.method = token, .target = "/a.json"});
        server.ask({.target = "/" + std::string(20'000, 'x') + "?auth=" + token});

        HttpClient client(server.port());
        REQUIRE(client.upgrade(fmt::format("/.ws?v=5&ns=default&ls={}&p={}", token, token)).status == 101);
        const std::string hello = client.take_frame().payload;
        const size_t at = hello.find(R"("s":")") + 5;
        session = hello.substr(at, hello.find('"', at) - at);
        REQUIRE(session.size() > 8);
        int number = 0;
        for (const std::string& body :
             {fmt::format(R"("a":"auth","b":{{"cred":"{}"}})", token),
              fmt::format(R"("a":"gauth","b":{{"cred":"{}"}})", token),
              fmt::format(R"("a":"appcheck","b":{{"token":"{}"}})", token), fmt::format(R"("a":"{}","b":{{}})", token),
              fmt::format(R"("a":"auth","b":{{"cred":{{"x":"{}"}}}})", token),
              fmt::format(R"("a":"p","b":{{"p":"/a","d":"{}"}})", kData),
              fmt::format(R"("a":"p","b":{{"p":"/a$","d":"{}"}})", kData)}) {
          client.send_text(fmt::format(R"({{"t":"d","d":{{"r":{},{}}}}})", ++number, body));
          const std::string answer = fmt::format(R"("r":{},)", number);
          while (client.take_frame().payload.find(answer) == std::string::npos) REQUIRE_FALSE(client.is_closed());
        }
        client.send_text(token);
        client.send_close(1000);
        client.take_all();
        HttpClient(server.port()).upgrade(fmt::format("/.ws?v=5&ns={}&s={}", token, token));
      }
      CHECK(server.ask({.target = "/a.json?auth=" + secret}).body == fmt::format("\"{}\"", kData));  // it was written
      CHECK(server.stop(SIGTERM) == 0);

      const std::string log = server.program().errors();
      CHECK(lines_of(log).size() > 500);  // something was said
      CHECK_THAT(log, Catch::Contains("credential refused"));
      std::set<std::string> marks = {kMark, kData, kClaims, session};
      if (mode == "closed") marks.insert(secret);
      for (const std::string& mark : marks) {
        INFO(mark << " in:\n"
                  << log.substr(log.find(mark) == std::string::npos ? 0 : log.rfind('\n', log.find(mark)) + 1, 300));
        CHECK(log.find(mark) == std::string::npos);
      }
      if (format != "json") continue;
      for (const std::string& line : lines_of(log)) {
        INFO(line);
        if (field_of(line, "msg") == "none" || field_of(line, "msg") == "no object") CHECK(false);
        const std::string message = field_of(line, "msg");
        const bool is_of_connection = message.starts_with("connection") || message == "answered" ||
                                      message == "bad request" || message == "credential refused" ||
                                      message == "session opened";
        if (is_of_connection && std::atoi(field_of(line, "connection").c_str()) == 0) CHECK(false);
      }
    }
  }
}
