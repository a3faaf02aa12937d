// The commands for the data of a running server, as a person and a script use them.
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/scripts/program.h"

using namespace hearth::test;

namespace {

class Place {
 public:
  explicit Place(std::vector<std::string> flags = {"--dev"}) : server_(with_data(std::move(flags), data())) {
    REQUIRE(server_.port() != 0);
  }
  Told operator()(std::vector<std::string> words) const {
    words.insert(words.end(), {"--url", fmt::format("http://127.0.0.1:{}", server_.port()), "--data", data()});
    return run(std::move(words));
  }
  std::string data() const { return folder_.path() + "/data"; }
  std::string file(const std::string& name) const { return folder_.path() + "/" + name; }
  Server& server() { return server_; }

 private:
  static std::vector<std::string> with_data(std::vector<std::string> flags, const std::string& data) {
    flags.insert(flags.end(), {"--data", data, "--sync", "os", "--log-level", "error"});
    return flags;
  }
  TempFolder folder_;
  Server server_;
};

// What a command prints that ends well.
std::string output_of(const Told& told) {
  INFO(told.errors);
  CHECK(told.status == 0);
  return told.output;
}

}  // namespace

TEST_CASE("get, set, update, push, remove: by hand", "[scripts]") {
  const Place hearth;
  CHECK(output_of(hearth({"get"})) == "null\n");
  CHECK(output_of(hearth({"set", "/rooms/tea", R"({"topic":"green tea","open":true})"})) == "");
  CHECK(output_of(hearth({"set", "rooms/tea/host", "ada"})) == "");  // what is no JSON is a string
  CHECK(output_of(hearth({"update", "/rooms", R"({"tea/seats":4,"coffee/seats":2})"})) == "");
  CHECK(output_of(hearth({"get", "/rooms/tea"})) == R"({"host":"ada","open":true,"seats":4,"topic":"green tea"})"
                                                    "\n");
  CHECK(output_of(hearth({"get", "/rooms", "--shallow"})) == R"({"coffee":true,"tea":true})"
                                                             "\n");
  CHECK(output_of(hearth({"get", "/rooms", "--pretty"})).starts_with("{\n  \"coffee\""));
  const std::string key = output_of(hearth({"push", "/messages", "hello"}));
  CHECK(key.size() == 21);
  CHECK(output_of(hearth({"get", "/messages/" + key.substr(0, 20)})) == "\"hello\"\n");
  CHECK(output_of(hearth({"push", "/messages", "1", "--json"})).starts_with(R"({"name":"-)"));
  CHECK(output_of(hearth({"remove", "/rooms/tea"})) == "");
  CHECK(output_of(hearth({"get", "/rooms"})) == "{\"coffee\":{\"seats\":2}}\n");
  CHECK(output_of(hearth({"get", "/rooms", "--ns", "other"})) == "null\n");
  CHECK(output_of(hearth({"set", "/odd key?&%ä", "1"})) == "");
  CHECK(output_of(hearth({"get", "/", "--shallow"})).find("\"odd key?&%ä\":true") != std::string::npos);
}

TEST_CASE("get: queries, with what is no JSON taken as a string", "[scripts]") {
  const Place hearth({"--dev", "--allow-unindexed"});
  output_of(hearth({"set", "/list", R"({"a":{"n":3,"who":"ada"},"b":{"n":1,"who":"bob"},"c":{"n":2,"who":"ada"}})"}));
  CHECK(output_of(hearth({"get", "/list", "--order-by", "n", "--start-at", "2", "--limit-to-first", "1"})) ==
        "{\"c\":{\"n\":2,\"who\":\"ada\"}}\n");
  CHECK(output_of(hearth({"get", "/list", "--order-by", "who", "--equal-to", "bob"})) ==
        "{\"b\":{\"n\":1,\"who\":\"bob\"}}\n");
  CHECK(output_of(hearth({"get", "/list", "--order-by", "$key", "--limit-to-last", "1"})) ==
        "{\"c\":{\"n\":2,\"who\":\"ada\"}}\n");
  CHECK(output_of(hearth({"get", "/list", "--order-by", "n", "--start-after", "1", "--end-before", "3"})) ==
        "{\"c\":{\"n\":2,\"who\":\"ada\"}}\n");
  CHECK(output_of(hearth({"get", "/list", "--count"})) == "3\n");
  CHECK(output_of(hearth({"get", "/list", "--order-by", "who", "--equal-to", "ada", "--count"})) == "2\n");
  CHECK(output_of(hearth({"get", "/list", "--order-by", R"(["who","n"])", "--start-at", R"(["ada",3])", "--end-at",
                          R"(["ada"])"})) == "{\"a\":{\"n\":3,\"who\":\"ada\"}}\n");
  const Told lost = hearth({"get", "/list", "--limit-to-last", "1"});
  CHECK(lost.status == 1);
  CHECK(lost.errors == "hearth: what part of it, without an order? Give --order-by, for example '$key'\n");
}

TEST_CASE("import and export: whole or not at all, and not over what is there", "[scripts]") {
  const Place hearth;
  const std::string tree = R"({"list":{"a":{".priority":2,"n":1}},"text":"ä"})";
  std::ofstream(hearth.file("in.json")) << tree;
  output_of(hearth({"import", hearth.file("in.json")}));
  output_of(hearth({"export", "--out", hearth.file("out.json")}));
  CHECK(contents(hearth.file("out.json")) == tree);
  CHECK(output_of(hearth({"export", "/list/a"})) == R"({".priority":2,"n":1})");
  const Told again = hearth({"import", hearth.file("in.json"), "/list"});
  CHECK(again.status == 1);
  CHECK(again.errors == "hearth: /list is not empty; --replace puts the file in its place\n");
  output_of(hearth({"import", hearth.file("in.json"), "/list", "--replace"}));
  CHECK(output_of(hearth({"get", "/list/text"})) == "\"ä\"\n");
  std::ofstream(hearth.file("broken.json")) << "{\"a\":1,";
  CHECK(hearth({"import", hearth.file("broken.json"), "/new"}).status == 1);
  CHECK(output_of(hearth({"get", "/new"})) == "null\n");
  const Told nowhere = hearth({"export", "--out", "/nowhere/out.json"});
  CHECK(nowhere.status == 1);
  CHECK(nowhere.errors == "hearth: cannot write /nowhere/out.json.part: No such file or directory\n");
}

TEST_CASE("watch: each change once, also over a restart of the server", "[scripts]") {
  TempFolder folder;
  std::vector<std::string> flags = {"--dev", "--data", folder.path() + "/data", "--log-level", "error"};
  auto server = std::make_unique<Server>(flags);
  REQUIRE(server->port() != 0);
  const std::string url = fmt::format("http://127.0.0.1:{}", server->port());
  Program watch({HEARTH_BIN_DIR "/hearth", "watch", "/n", "--count", "4", "--url", url});
  const auto has = [&](const std::string& line) {
    for (int i = 0; i < 15'000 && watch.output().find(line) == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return watch.output().find(line) != std::string::npos;
  };
  REQUIRE(has("put / null\n"));
  CHECK(run({"set", "/n", "1", "--url", url}).status == 0);
  REQUIRE(has("put / 1\n"));
  flags.insert(flags.end(), {"--port", std::to_string(server->port())});
  server->stop(SIGTERM);
  server = std::make_unique<Server>(flags);
  REQUIRE(server->port() != 0);
  CHECK(run({"set", "/n", R"({"a":2})", "--url", url}).status == 0);
  REQUIRE(has("put / {\"a\":2}\n"));
  CHECK(run({"update", "/n", R"({"b":3})", "--url", url}).status == 0);
  CHECK(watch.wait() == 0);
  const std::string all = watch.output();
  CHECK(all.find("{\"a\":2}\n") == all.rfind("{\"a\":2}\n"));
}

TEST_CASE("namespace list, tokens, and what is wrong is said with what to do", "[scripts]") {
  Place hearth({"--namespace", "chat", "--namespace", "shop"});
  CHECK(output_of(hearth({"namespace", "list"})) == "chat\nshop\n");
  CHECK(output_of(hearth({"namespace", "list", "--json"})) == "[\"chat\",\"shop\"]\n");
  CHECK(output_of(hearth({"set", "/a", "1", "--ns", "shop"})) == "");  // by the admin secret in --data
  const Told stranger = hearth({"get", "/a", "--ns", "shop", "--token", "nonsense"});
  CHECK(stranger.status == 1);
  CHECK(stranger.errors.find(" answers 401: ") != std::string::npos);
  CHECK(stranger.errors.find("give a --token of somebody who may") != std::string::npos);
  CHECK(stranger.errors.find("nonsense") == std::string::npos);
  const Told lost = run({"get", "/", "--url", "http://127.0.0.1:1"});
  CHECK(lost.status == 1);
  CHECK(lost.errors.find("cannot reach http://127.0.0.1:1") != std::string::npos);
  CHECK(lost.errors.find("is 'hearth serve' running there?") != std::string::npos);
  CHECK(hearth({"get", "/a", "--ns", "no such name!"}).status == 1);
}

TEST_CASE("fsck: says that a folder is well, and has to have it for itself", "[scripts]") {
  Place hearth;
  output_of(hearth({"set", "/rooms/tea", R"({"topic":"green tea","open":true})"}));
  const Told busy = run({"fsck", "--data", hearth.data()});
  CHECK(busy.status == 1);
  CHECK_THAT(busy.errors, Catch::StartsWith("hearth: " + hearth.data() + ": "));
  CHECK(hearth.server().stop(SIGTERM) == 0);
  CHECK(output_of(run({"fsck", "--data", hearth.data()})) == "1 namespaces, 2 rows, 0 rows of indexes: all is well\n");
  CHECK(output_of(run({"fsck", "--data", hearth.data(), "--json"})) ==
        R"({"namespaces":1,"rows":2,"index_rows":0,"documents":0,"updates":0,"problems":0,"told":[],"repaired":[]})"
        "\n");
  const Told mistyped = run({"fsck", "--data", hearth.file("dta")});
  CHECK(mistyped.status == 1);
  CHECK_THAT(mistyped.errors, Catch::Contains("there is no store in the folder"));
  CHECK_FALSE(std::filesystem::exists(hearth.file("dta")));
}

// net/rest/http-api.md §13.3: the CLI itself wants a signed-in account, so what it sends is sent.
TEST_CASE("firebase-tools: what its database commands send is answered as they expect", "[scripts]") {
  Place hearth;
  Server& server = hearth.server();
  const std::string admin = "Authorization: Bearer owner\r\n";
  const auto send = [&](const std::string& method, const std::string& target, const std::string& body = "") {
    return server.ask({.method = method, .target = target, .body = body, .headers = admin});
  };
  // database:set, update, push: streamed bodies.
  CHECK(send("PUT", "/app.json?ns=p&disableTriggers=true", R"({"a":1,"list":{"x":{"n":2},"y":{"n":1}}})").status ==
        200);
  CHECK(send("PATCH", "/app.json?ns=p", R"({"b":{".value":2,".priority":3}})").status == 200);
  const Reply pushed = send("POST", "/app/queue.json?ns=p", "\"job\"");
  CHECK(pushed.status == 200);
  CHECK_THAT(pushed.body, Catch::StartsWith(R"({"name":"-)"));
  // database:get, with all that it may say.
  CHECK(send("GET", "/app/a.json?ns=p").body == "1");
  CHECK_THAT(send("GET", "/app.json?ns=p&print=pretty").body, Catch::StartsWith("{\n  \"a\" : 1"));
  CHECK(send("GET", "/app.json?ns=p&shallow=true").body == R"({"a":true,"b":true,"list":true,"queue":true})");
  CHECK(send("GET", "/app/b.json?ns=p&format=export").body == R"({".value":2,".priority":3})");
  CHECK(send("GET", "/app/list.json?ns=p&orderBy=%22%24key%22&limitToFirst=1").body == R"({"x":{"n":2}})");
  CHECK(send("GET", "/app/list.json?ns=p&orderBy=%22%24key%22&startAt=%22y%22&endAt=%22y%22").body ==
        R"({"y":{"n":1}})");
  CHECK(send("GET", "/app/list.json?ns=p&orderBy=%22%24key%22&equalTo=%22x%22&limitToLast=5").body ==
        R"({"x":{"n":2}})");
  const Reply wrong = send("GET", "/app/list.json?ns=p&orderBy=nonsense");
  CHECK(wrong.status == 400);  // its body must be JSON
  CHECK_THAT(wrong.body, Catch::Contains("\"error\""));
  // database:import: what is there is asked for first; then chunks, at deep paths, at once.
  CHECK(send("GET", "/imported.json?ns=p&shallow=true").body == "null");
  CHECK(send("PATCH", "/imported/users.json?ns=p", R"({"ada":{"name":"Ada"},"bob":{"name":"Bob"}})").status == 200);
  CHECK(send("PATCH", "/imported/rooms/tea.json?ns=p", R"({"topic":"tea"})").status == 200);
  CHECK(send("GET", "/imported.json?ns=p").body ==
        R"({"rooms":{"tea":{"topic":"tea"}},"users":{"ada":{"name":"Ada"},"bob":{"name":"Bob"}}})");
  // database:remove: the size is probed, then parts go by PATCH, or all at once.
  CHECK(send("GET", "/imported.json?ns=p&shallow=true&limitToFirst=40000").status == 200);
  CHECK(send("PATCH", "/imported.json?ns=p", R"({"users":null})").status == 200);
  CHECK(send("DELETE", "/imported.json?ns=p").status == 200);
  CHECK(send("GET", "/imported.json?ns=p").body == "null");
}
