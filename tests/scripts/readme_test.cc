// What the chapters of tools/manual have their reader do, done: blocks of them as they stand there.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/scripts/program.h"

using hearth::test::contents;
using hearth::test::Folder;
using hearth::test::Program;
using hearth::test::run;
using hearth::test::Told;

namespace {

// The first block of that language behind `mark` in a chapter, without its fences.
std::string block_behind(const std::string& chapter, const std::string& mark, const std::string& language) {
  const std::string text = contents(HEARTH_SOURCE_DIR "/tools/manual/" + chapter + ".md");
  const std::string fence = "```" + language + "\n";
  const size_t at = text.find(mark);
  REQUIRE(at != std::string::npos);
  const size_t begin = text.find(fence, at);
  REQUIRE(begin != std::string::npos);
  const size_t from = begin + fence.size();
  return text.substr(from, text.find("\n```", from) + 1 - from);
}

std::string rules_json() { return block_behind("rules", "Save this as `rules.json`", "json"); }

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()), ++count)
    text.replace(at, what.size(), by);
  REQUIRE(count > 0);
  return text;
}

}  // namespace

TEST_CASE("manual: by rules.json a room is its members' alone, and whoever makes it is one", "[scripts]") {
  const Folder folder;
  write(folder / "rules.json", rules_json());
  write(folder / "table.json", R"({
    "rules": "rules.json",
    "data": {"rooms": {"tea": {"members": {"ada": true}, "messages": {"m0": {"by": "ada", "text": "hi"}}}}},
    "cases": [
      {"name": "a maker is a member", "auth": {"uid": "bob"}, "write": "/rooms/new", "value": {"members": {"bob": true}}, "expect": "allow"},
      {"name": "by the smallest write", "auth": {"uid": "eve"}, "write": "/rooms/other/members/eve", "value": true, "expect": "allow"},
      {"name": "nobody makes a room of others", "auth": {"uid": "bob"}, "write": "/rooms/x", "value": {"members": {"ada": true}}, "expect": "deny"},
      {"name": "or of nobody", "auth": {"uid": "bob"}, "write": "/rooms/x/messages/m", "value": {"by": "bob", "text": "a"}, "expect": "deny"},
      {"name": "nobody makes one unnamed", "auth": null, "write": "/rooms/x", "value": {"members": {"ada": true}}, "expect": "deny"},
      {"name": "members read", "auth": {"uid": "ada"}, "read": "/rooms/tea", "expect": "allow"},
      {"name": "others do not", "auth": {"uid": "bob"}, "read": "/rooms/tea", "expect": "deny"},
      {"name": "nor does anybody read all rooms", "auth": {"uid": "ada"}, "read": "/rooms", "expect": "deny"},
      {"name": "others do not join", "auth": {"uid": "bob"}, "write": "/rooms/tea/members/bob", "value": true, "expect": "deny"},
      {"name": "members let them in", "auth": {"uid": "ada"}, "write": "/rooms/tea/members/bob", "value": true, "expect": "allow"},
      {"name": "members write messages", "auth": {"uid": "ada"}, "write": "/rooms/tea/messages/m1", "value": {"by": "ada", "text": "a"}, "expect": "allow"},
      {"name": "in their own name", "auth": {"uid": "ada"}, "write": "/rooms/tea/messages/m1", "value": {"by": "bob", "text": "a"}, "expect": "deny"},
      {"name": "members end a room", "auth": {"uid": "ada"}, "write": "/rooms/tea", "value": null, "expect": "allow"},
    ],
  })");
  const Told told = run({"rules", "test", folder / "table.json"});
  INFO(told.output << told.errors);
  CHECK(told.status == 0);
}

TEST_CASE("manual: a token by hand makes a room by those rules, and reads it", "[scripts]") {
  const Folder folder;
  write(folder / "rules.json", rules_json());
  std::string script = block_behind("who-may-connect", "## A token by hand", "sh");
  script = replaced(script, "hearth serve", "exec hearth serve --port 0 --log-level error > listening");
  script = replaced(script, "rules.json &\n",
                    "rules.json &\nserver=$!\n"
                    "until grep -q listening listening || ! kill -0 $server; do sleep 0.02; done\n"
                    "port=$(sed 's/.*://' listening)\n");
  script = replaced(script, "127.0.0.1:9000", "127.0.0.1:$port");
  script = "cd '" + folder.path() + "' && PATH='" HEARTH_BIN_DIR "':$PATH\n" + script + "kill $server; wait $server\n";
  Program shell({"sh", "-c", script});
  CHECK(shell.wait() == 0);
  INFO(script << shell.errors());
  CHECK(shell.output() == R"({"members":{"ada":true}}{"members":{"ada":true}})");
}
