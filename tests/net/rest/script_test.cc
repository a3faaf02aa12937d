// The specification as requests and replies (tests/scripts/*.script), each script played against a server of its own.
#include "tests/support/script.h"

#include <catch2/catch.hpp>

#include "tests/net/rest/fixture.h"

using hearth::test::Ask;
using hearth::test::read_script;
using hearth::test::RestServer;
using hearth::test::ScriptPlayer;
using hearth::test::ScriptStep;

TEST_CASE("scripts: every request has its reply", "[net][rest][scripts]") {
  const std::vector<std::string> paths = hearth::test::scripts_in(HEARTH_SOURCE_DIR "/tests/scripts");
  REQUIRE(!paths.empty());
  for (const std::string& path : paths) {
    const bool closed = path.ends_with("closed.script");
    const RestServer server(closed ? RestServer::Mode::Closed : RestServer::Mode::Dev);
    ScriptPlayer player;
    const std::vector<ScriptStep> steps = read_script(path);
    CHECK(!steps.empty());
    for (const ScriptStep& step : steps) {
      INFO(step.name() << "\n#" << step.about);
      CHECK(player.play(step, [&](const Ask& ask) { return server.ask(ask); }) == "");
    }
  }
}

TEST_CASE("scripts: a reply that is not the one expected is noticed", "[net][rest][scripts]") {
  const hearth::test::HttpReply reply{200, "HTTP/1.1 200 OK\r\nETag: abc\r\n\r\n", "{\"a\":1}"};
  ScriptStep step;
  step.status = 200;
  const auto play = [&] { return ScriptPlayer().play(step, [&](const Ask&) { return reply; }); };
  step.body = "{\"a\":1}";
  step.headers = {"ETag: {1}", "!Location"};
  CHECK(play() == "");
  step.body = "{\"a\":…}";
  CHECK(play() == "");
  step.body = "{\"a\":2}";
  CHECK(play() != "");
  step.body = "{\"a\":1}\n";
  CHECK(play() != "");
  step.body.reset();
  step.headers = {"ETag: abd"};
  CHECK(play() != "");
  step.headers = {"!ETag"};
  CHECK(play() != "");
  step.headers.clear();
  step.status = 204;
  CHECK(play() != "");
}
