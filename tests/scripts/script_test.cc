// The specification as requests and replies (*.script), each script played against the real program.
#include "tests/support/script.h"

#include <catch2/catch.hpp>

#include "tests/scripts/program.h"

using hearth::test::Ask;
using hearth::test::Folder;
using hearth::test::HttpReply;
using hearth::test::ScriptPlayer;
using hearth::test::ScriptStep;
using hearth::test::Server;
using hearth::test::TcpClient;

TEST_CASE("scripts: the real program answers by them", "[scripts]") {
  for (const std::string& path : hearth::test::scripts_in(HEARTH_SOURCE_DIR "/tests/scripts")) {
    if (path.ends_with("closed.script")) continue;  // speaks of a secret that this server has not
    const Folder folder;
    const Server server({"--dev", "--data", folder / "data", "--log-level", "off"});
    REQUIRE(server.port() != 0);
    ScriptPlayer player;
    for (const ScriptStep& step : hearth::test::read_script(path)) {
      INFO(step.name() << "\n#" << step.about);
      const auto answer = [&](const Ask& ask) -> HttpReply {
        TcpClient client(server.port());
        client.send(hearth::test::text_of(ask));
        return client.read_reply(ask.method == "HEAD" ? TcpClient::Body::None : TcpClient::Body::Expected);
      };
      CHECK(player.play(step, answer) == "");
    }
  }
}
