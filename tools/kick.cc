// `hearth kick`: signs a user out of a running server. The server does all of it (Guard::kick); the footer below says
// what that is, and what it is not.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "db/model/json.h"
#include "tools/commands.h"
#include "tools/rest_client.h"

namespace hearth::tools {
namespace {

struct KickFlags {
  std::string uid;
  std::string space;
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");  // of an admin; empty: the admin secret of
  std::string data = "hearth-data";         // this folder, if there is one
};

int kick(const KickFlags& flags) {
  std::string body = R"({"uid":)";
  db::append_json_string(flags.uid, body);
  body += '}';
  const std::string reply = ask_ok({flags.url, flags.space, flags.token, flags.data},
                                   {.method = "POST", .path = "/.settings/kick.json", .body = body});
  const auto document = db::JsonDocument::parse(reply);
  const auto count = document.ok() ? document.value().root().field("kicked") : std::nullopt;
  fmt::print("{} was signed out, on {} connections\n", flags.uid, count ? count->integer().value_or(0) : 0);
  return 0;
}

}  // namespace

void add_kick(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<KickFlags>();
  CLI::App* command =
      program.add_subcommand("kick", "Signs a user out: ends the sessions, and refuses the tokens of up to now");
  command->add_option("--uid", flags->uid, "Who")->required();
  command->add_option("--ns", flags->space, "The namespace; without it, the server's default one");
  command->add_option("--url", flags->url, "The running server (HEARTH_URL)")->capture_default_str();
  command->add_option("--token", flags->token, "A credential of an admin (HEARTH_TOKEN); without it, what --data has");
  command->add_option("--data", flags->data, "The server's data folder, for the admin secret in it")
      ->capture_default_str();
  command->footer(
      R"(WebSockets and event streams of that user end: SDKs hear that their token is invalid and ask for a new one, streams hear
auth_revoked. Tokens that were issued up to this second are refused in that namespace from now on, also after a restart; so
are tokens of that user that do not say when they were issued (iat).

What it does not do: a token that is issued later is good again, so bar the user where tokens are made too. What the user
has written stays, and a REST request that is being answered is answered. It forgets after 30 days: tokens should not live
that long.

Exit status: 0, also when the user had no session; 1 with one line that says what is wrong.)");
  command->callback([flags, &chosen] { chosen.run = [flags] { return kick(*flags); }; });
  add_chapter(*command, "who-may-connect");
}

}  // namespace hearth::tools
