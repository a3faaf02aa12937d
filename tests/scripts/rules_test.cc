// `hearth rules` and `hearth exec`, and `serve --rules`, as their users meet them.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/scripts/program.h"

using hearth::test::contents;
using hearth::test::Folder;
using hearth::test::Program;
using hearth::test::Reply;
using hearth::test::run;
using hearth::test::Server;
using hearth::test::Told;

namespace {

const std::string kHearth = HEARTH_BIN_DIR "/hearth";

std::string write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  return path;
}

constexpr const char* kRules = R"x({
  // Everybody sees, members write.
  "rules": {
    ".read": true,
    "rooms": { "$room": { ".write": "data.child(auth.uid).exists()" } },
  }
})x";

}  // namespace

TEST_CASE("rules check: nothing to say of what compiles, FILE:LINE:COLUMN: text of what does not", "[scripts]") {
  const Folder folder;
  const std::string good = write(folder / "good.json", kRules);
  CHECK(run({"rules", "check", good}).status == 0);
  const std::string bad =
      write(folder / "bad.json", "{\"rules\":{\n\"a\":{\".read\":\"nope\"},\n\"b\":{\".write\":1}}}");
  const Told told = run({"rules", "check", bad});
  CHECK(told.status == 1);
  CHECK(told.output.empty());
  CHECK(told.errors == bad + ":2:15: Unknown variable 'nope'.\n" + bad +
                           ":3:15: Invalid rule expression.  Expected 'true', 'false', or an expression string.\n");
  CHECK(run({"rules", "check", folder / "none.json"}).status != 0);
}

TEST_CASE("rules test: a table of questions, its failures explained, and what of the rules was reached", "[scripts]") {
  const Folder folder;
  write(folder / "rules.json", kRules);
  const std::string table = write(folder / "table.json", R"({
    "rules": "rules.json", // beside it
    "data": {"rooms": {"tea": {"ada": true}}},
    "cases": [
      {"name": "members write", "auth": {"uid": "ada"}, "write": "/rooms/tea/x", "value": 1, "expect": "allow"},
      {"name": "strangers do not", "auth": {"uid": "bob"}, "update": "/", "value": {"rooms/tea/x": 1}, "expect": "deny"},
      {"name": "all read", "read": "/rooms", "expect": "allow"},
    ],
  })");
  const Told good = run({"rules", "test", table, "--coverage", "--lcov", folder / "out.lcov"});
  CHECK(good.status == 0);
  CHECK_THAT(good.output, Catch::EndsWith("3 passed, 0 failed\n"));
  CHECK_THAT(good.output, Catch::Contains("1 true       1 false       0 failed  /rooms/$room .write"));
  CHECK_THAT(contents(folder / "out.lcov"), Catch::Contains("DA:5,2\n"));

  const std::string wrong = write(folder / "wrong.json", R"({"rules": "rules.json", "cases": [
      {"name": "on purpose", "auth": null, "write": "/x", "value": 1, "expect": "allow"}]})");
  const Told failed = run({"rules", "test", wrong});
  CHECK(failed.status == 1);
  CHECK_THAT(failed.output, Catch::Contains("FAILED on purpose\n  expected allow\ndenied: no .write rule"));
  CHECK_THAT(failed.output, Catch::EndsWith("0 passed, 1 failed\n"));

  for (const char* text : {"{\"cases\":[{\"read\":\"/a\",\"expect\":\"maybe\"}],\"rules\":\"rules.json\"}", "{}", "{",
                           R"({"rules":"rules.json","cases":[{"expect":"deny"}]})"}) {
    const Told refused = run({"rules", "test", write(folder / "none.json", text)});
    INFO(text << refused.errors);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.errors, Catch::StartsWith("hearth: ") && Catch::Contains("none.json"));
  }
}

TEST_CASE("serve --rules and rules explain: the file's rules are in force, and say why", "[scripts]") {
  const Folder folder;
  const std::string rules = write(folder / "rules.json", kRules);
  const std::string data = folder / "data";
  {
    Server server({"--namespace", "app", "--data", data, "--rules", rules, "--log-level", "off"});
    INFO(server.program().errors());
    REQUIRE(server.port() != 0);
    CHECK(server.ask({.target = "/rooms.json"}).status == 200);
    CHECK(server.ask({.method = "PUT", .target = "/rooms/x.json", .body = "1"}).status == 401);
    const std::string url = fmt::format("http://127.0.0.1:{}", server.port());
    const std::vector<std::string> question = {"rules", "explain", "--url", url, "--write", "/rooms/x", "--value", "1"};
    const Told stranger = run(question);
    CHECK(stranger.status == 1);
    CHECK_THAT(stranger.errors, Catch::Contains("answers 401"));
    std::string secret = contents(data + "/admin-secret");
    while (secret.ends_with('\n')) secret.pop_back();
    auto words = question;
    words.insert(words.end(), {"--token", secret});
    const Told admin = run(words);
    CHECK(admin.status == 0);
    CHECK_THAT(admin.output, Catch::StartsWith("denied: no .write rule from the root to /rooms/x grants it\n") &&
                                 Catch::Contains("auth.uid = null"));
    CHECK(server.stop(SIGTERM) == 0);
  }
  // They are the namespace's own now: a start without the flag has them too, and a folder can be asked by itself.
  const Told folder_told = run({"rules", "explain", "--data", data, "--read", "/rooms", "--json"});
  CHECK(folder_told.status == 0);
  CHECK_THAT(folder_told.output, Catch::StartsWith(R"({"allowed":true,"reason":"the .read rule at / grants it")"));
  const Told unknown = run({"rules", "explain", "--data", data, "--ns", "other", "--read", "/"});
  CHECK(unknown.status == 1);
  CHECK_THAT(unknown.errors, Catch::Contains("has the namespaces: app"));
  CHECK(run({"rules", "explain", "--data", folder / "nowhere", "--read", "/"}).status == 1);

  const std::string bad = write(folder / "bad.json", R"({"rules":{".read":"x"}})");
  Server refused({"--dev", "--data", folder / "other", "--rules", bad});
  CHECK(refused.port() == 0);
  CHECK(refused.program().wait() == 1);
  CHECK(refused.program().errors() == "hearth: " + bad + ":1:20: Unknown variable 'x'.\n");
}

TEST_CASE("exec: a server for one command, whose exit status it has, and nothing stays", "[scripts]") {
  const Folder folder;
  const std::string rules = write(folder / "rules.json", kRules);
  const std::string import = write(folder / "data.json", R"({"rooms":{"tea":{"ada":true}}})");
  const std::string temporary = folder / "tmp";
  std::filesystem::create_directory(temporary);
  REQUIRE(setenv("TMPDIR", temporary.c_str(), 1) == 0);
  const std::string say = folder / "say";
  const std::string script =
      "exec 3<>/dev/tcp/${FIREBASE_DATABASE_EMULATOR_HOST%:*}/${FIREBASE_DATABASE_EMULATOR_HOST#*:}; "
      "printf 'GET /rooms/tea.json HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3; tail -n 1 <&3 > " +
      say +
      "; "
      "case $FIREBASE_DATABASE_EMULATOR_HOST in localhost:*[!0-9]*) exit 8 ;; localhost:*) exit 7 ;; esac; exit 9";
  const Told ran = run({"exec", "--rules", rules, "--import", import, "--", "bash", "-c", script});
  INFO(ran.errors);
  CHECK(ran.status == 7);
  CHECK(contents(say) == R"({"ada":true})");
  CHECK(std::filesystem::is_empty(temporary));

  CHECK(run({"exec", "--", "sh", "-c", "kill -9 $$"}).status == 137);
  const Told none = run({"exec", "--", "/no/such/command"});
  CHECK(none.status == 127);
  CHECK_THAT(none.errors, Catch::Contains("cannot run /no/such/command"));
  CHECK(run({"exec", "--import", write(folder / "bad.json", "{"), "--", "true"}).status == 1);

  // What stops it stops the command first.
  for (const int wait : {0, 20, 500}) {
    Program stopped({kHearth, "exec", "--", "sleep", "100"});
    std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    stopped.signal(SIGTERM);
    CHECK(stopped.wait() == 128 + SIGTERM);
  }
  CHECK(std::filesystem::is_empty(temporary));
  unsetenv("TMPDIR");
}
