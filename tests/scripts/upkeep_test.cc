// What an operator does with a server: namespaces, stats, compact.
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/scripts/program.h"

using namespace hearth::test;

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A server as in production, with its folder.
class Place {
 public:
  Place()
      : server_(std::make_unique<Server>(
            std::vector<std::string>{"--data", data(), "--namespace", "chat", "--sync", "os"})) {
    REQUIRE(server_->port() != 0);
  }
  std::string data() const { return folder_.path() + "/data"; }
  std::string secret() const {
    std::string text = text_of(data() + "/admin-secret");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
  Told operator()(std::vector<std::string> words) const { return as(secret(), std::move(words)); }
  Told as(const std::string& token, std::vector<std::string> words) const {
    words.insert(words.end(), {"--url", url(), "--token", token});
    return run(std::move(words));
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", server_->port()); }
  int stop() {
    const int status = server_->stop(SIGTERM);
    server_.reset();
    return status;
  }

 private:
  TempFolder folder_;
  std::unique_ptr<Server> server_;
};

std::string output_of(const Told& told) {
  INFO(told.errors);
  CHECK(told.status == 0);
  return told.output;
}

std::string error_of(const Told& told) {
  CHECK(told.status == 1);
  CHECK(told.output.empty());
  return told.errors;
}

}  // namespace

TEST_CASE("namespace: created, listed, deleted, and nothing of it is there afterwards", "[scripts]") {
  const Place hearth;
  CHECK(error_of(hearth({"set", "/a", "1", "--ns", "shop"})).find("404") != std::string::npos);
  output_of(hearth({"namespace", "create", "shop"}));
  CHECK(output_of(hearth({"namespace", "list"})) == "chat\nshop\n");
  CHECK(error_of(hearth({"namespace", "create", "shop"})) == "hearth: there is a namespace shop already\n");
  CHECK(error_of(hearth({"namespace", "create", "Shop"})) == "hearth: there is a namespace Shop already\n");
  CHECK(error_of(hearth({"namespace", "create", "no name"})).find("has only letters, digits") != std::string::npos);
  CHECK(output_of(hearth({"namespace", "create", "other", "--json"})) == "{\"created\":true}\n");
  output_of(hearth({"set", "/a", "1", "--ns", "shop"}));
  CHECK(error_of(hearth({"namespace", "delete", "shop"})) ==
        "hearth: nobody can be asked whether that is meant: --yes says so\n");
  CHECK(output_of(hearth({"get", "/", "--ns", "shop"})) == "{\"a\":1}\n");
  output_of(hearth({"namespace", "delete", "shop", "--yes"}));
  CHECK(output_of(hearth({"namespace", "list"})) == "chat\nother\n");
  CHECK(error_of(hearth({"namespace", "delete", "shop", "--yes"})).find("404: There is no namespace of that name") !=
        std::string::npos);
  CHECK(error_of(hearth({"get", "/", "--ns", "shop"})).find("404") != std::string::npos);
  output_of(hearth({"namespace", "create", "shop"}));
  CHECK(output_of(hearth({"get", "/", "--ns", "shop"})) == "null\n");
}

TEST_CASE("namespace, stats, compact: for admins", "[scripts]") {
  const Place hearth;
  for (const std::vector<std::string>& words : {std::vector<std::string>{"namespace", "create", "shop"},
                                                {"namespace", "delete", "chat", "--yes"},
                                                {"stats"},
                                                {"compact"}}) {
    CHECK(error_of(hearth.as("", words)).find("401") != std::string::npos);
  }
  CHECK(output_of(hearth({"namespace", "list"})) == "chat\n");
}

TEST_CASE("commands: --url and --token win over HEARTH_URL and HEARTH_TOKEN, whatever the command", "[scripts]") {
  const Place one, two;
  output_of(one({"set", "/name", "\"one\""}));
  output_of(two({"set", "/name", "\"two\""}));
  output_of(one({"namespace", "create", "only-one"}));
  setenv("HEARTH_URL", one.url().c_str(), 1);
  setenv("HEARTH_TOKEN", one.secret().c_str(), 1);
  const std::vector<std::string> there = {"--url", two.url(), "--token", two.secret()};
  const auto with = [&](std::vector<std::string> words, bool is_told) {
    if (is_told) words.insert(words.end(), there.begin(), there.end());
    return output_of(run(std::move(words)));
  };
  CHECK(with({"get", "/name"}, false) == "\"one\"\n");
  CHECK(with({"get", "/name"}, true) == "\"two\"\n");
  CHECK(with({"namespace", "list"}, false) == "chat\nonly-one\n");
  CHECK(with({"namespace", "list"}, true) == "chat\n");
  with({"set", "/to", "\"one\""}, false);
  with({"set", "/to", "\"two\""}, true);
  with({"namespace", "create", "only-two"}, true);
  CHECK(with({"export"}, false) == R"({"name":"one","to":"one"})");
  CHECK(with({"export"}, true) == R"({"name":"two","to":"two"})");
  CHECK(with({"watch", "/name", "--count", "1"}, true) == "put / \"two\"\n");
  CHECK(with({"stats", "--ns", "only-two", "--json"}, true).find("\"sizes\"") != std::string::npos);
  CHECK(run({"stats", "--ns", "only-two"}).status == 1);
  CHECK(with({"dump", "--ns", "only-one", "--out", "-"}, false).size() > 50);
  CHECK(with({"dump", "--ns", "only-two", "--out", "-"}, true).size() > 50);
  CHECK(with({"compact", "--json"}, true).starts_with("{"));
  CHECK(with({"kick", "--uid", "ada", "--ns", "only-two"}, true).starts_with("ada was signed out"));
  CHECK(run({"kick", "--uid", "ada", "--ns", "only-two"}).status == 1);
  unsetenv("HEARTH_URL");
  unsetenv("HEARTH_TOKEN");
}

TEST_CASE("commands: the admin secret of a folder goes to this machine alone", "[scripts]") {
  const Place hearth;
  const std::string port = hearth.url().substr(hearth.url().rfind(':'));
  for (const std::string host :
       {"127.0.0.1", "127.0.0.1:1@0.0.0.0", "0.0.0.0", "127.0.0.1.nowhere.invalid", "localhost"}) {
    INFO(host);
    const Told told = run({"get", "/", "--url", "http://" + host + port, "--data", hearth.data()});
    const bool is_here = host == "127.0.0.1" || host == "localhost";
    CHECK((told.status == 0) == is_here);
    if (host.ends_with("0.0.0.0"))
      CHECK(told.errors.find("answers 401: Could not parse auth token") != std::string::npos);
  }
  const Told told = run({"get", "/", "--url", hearth.url() + "/?ns=chat", "--data", hearth.data()});
  CHECK(error_of(told).find("its namespace is --ns") != std::string::npos);
}

TEST_CASE("stats: keys are shown, and not obeyed", "[scripts]") {
  const Place hearth;
  output_of(hearth({"set", "/", "{\"c1\u009b31m\":1,\"bidi\u202etxt\":2}"}));
  const std::string told = output_of(hearth({"stats"}));
  CHECK(told.find("c1\\u009b31m\n") != std::string::npos);
  CHECK(told.find("bidi\\u202etxt\n") != std::string::npos);
}

TEST_CASE("stats: the largest paths, of a server and of its folder", "[scripts]") {
  Place hearth;
  output_of(
      hearth({"set", "/", R"({"rooms":{"a":{"x":1,"y":"much longer than the others"},"b":1},"users":{"u":true}})"}));
  const std::string told = output_of(hearth({"stats"}));
  INFO(told);
  CHECK(told.find("100 %              4            2  /\n") != std::string::npos);
  CHECK(told.find("  rooms\n") != std::string::npos);
  CHECK(told.find("      y\n") != std::string::npos);
  CHECK(told.find("sequence 1, 0 connections, 0 listeners\n") != std::string::npos);
  CHECK(told.find('~') == std::string::npos);
  const std::string below = output_of(hearth({"stats", "/rooms", "--json"}));
  CHECK(below.find(R"("sizes":[{"path":"/rooms","leaves":3,)") != std::string::npos);
  const std::string unknown = error_of(hearth({"stats", "--ns", "nope"}));
  CHECK(unknown.find("404: There is no namespace nope on this server") != std::string::npos);
  CHECK(unknown.find("hearth namespace create nope") != std::string::npos);
  CHECK(error_of(hearth({"stats", "/a.b"})).find("400") != std::string::npos);
  CHECK(error_of(run({"stats", "--data", hearth.data(), "--ns", "chat"})).find("in use by another process") !=
        std::string::npos);
  hearth.stop();
  const std::string sizes = below.substr(below.find("\"sizes\""));
  CHECK(output_of(run({"stats", "/rooms", "--data", hearth.data(), "--ns", "chat", "--json"})).ends_with(sizes));
  CHECK(error_of(run({"stats", "--data", hearth.data()})).find("--ns is required") != std::string::npos);
  CHECK(error_of(run({"stats", "--data", hearth.data(), "--ns", "nope"})).find("there is no namespace nope") !=
        std::string::npos);
}

TEST_CASE("compact: of a running server, and of its folder", "[scripts]") {
  Place hearth;
  output_of(hearth({"set", "/a", "1"}));
  CHECK(output_of(hearth({"compact"})).find(" are ") != std::string::npos);
  CHECK(output_of(hearth({"compact", "--json"})).starts_with("{\"bytesBefore\":"));
  CHECK(output_of(hearth({"get", "/a"})) == "1\n");
  hearth.stop();
  CHECK(output_of(run({"compact", "--data", hearth.data()})).find(" now, after ") != std::string::npos);
  CHECK(error_of(run({"compact", "--data", hearth.data() + "/none"})).find("there is no store in the folder") !=
        std::string::npos);
}
