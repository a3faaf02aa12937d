// `hearth token`: makes a token, signed with a secret, without asking any server.
//
//   --secret-file    an issuer is made of the flags alone
//   --auth-config    the issuer is the server's own, so a token has the shape that this server expects
//
// Both end in an Issuer, and net::mint_token() signs for it; the Verifier reads tokens by the same Issuer. So a token
// that is made here is believed there, or the flags are refused with a reason. A secret is read from a file and never
// from a flag, for command lines can be seen by all users of a machine.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "db/base/clock.h"
#include "net/auth/auth_config.h"
#include "net/auth/key_source.h"
#include "net/auth/mint.h"
#include "tools/commands.h"

namespace hearth::tools {
namespace {

struct TokenFlags {
  std::string secret_file;  // or
  std::string auth_config;  // and
  std::string issuer;       // of it, by name or `iss`; with secret_file, the `iss`
  std::string audience;     // with secret_file
  std::string uid;
  std::string role;    // of a Supabase project
  std::string claims;  // JSON of an object
  std::chrono::seconds expires{3600};
};

// A config of the flags alone, so that what is wrong with a secret is said in one place.
net::Issuer issuer_of_flags(const TokenFlags& flags) {
  const bool is_key = !flags.role.empty() && flags.role != net::kAuthenticatedRole;  // which has no issuer of its own
  if (flags.issuer.empty() && !is_key)
    throw std::runtime_error("--issuer is missing: the `iss` that the server's --auth-config has for this secret");
  const auto read = net::fetch_file(flags.secret_file);
  if (!read.ok()) throw std::runtime_error(read.error().message);
  std::string secret = read.value().body;
  while (!secret.empty() && std::string_view(" \t\r\n").find(secret.back()) != std::string_view::npos)
    secret.pop_back();
  auto key = net::Key::secret(secret);
  if (!key.ok()) throw std::runtime_error(fmt::format("{}: {}", flags.secret_file, key.error().message));
  net::Issuer issuer;
  issuer.name = issuer.issuer = flags.issuer;
  if (!flags.audience.empty()) issuer.audiences = {flags.audience};
  if (!flags.role.empty()) {
    issuer.shape = net::Shape::Supabase;
    if (issuer.audiences.empty()) issuer.audiences = {std::string(net::kAuthenticatedRole)};
  }
  issuer.secret = std::move(key).value();
  issuer.uid = {"sub"};
  return issuer;
}

net::Issuer issuer_of_config(const TokenFlags& flags) {
  auto config = net::load_auth_config(flags.auth_config);
  if (!config.ok()) throw std::runtime_error(config.error().message);
  std::string names;
  net::Issuer* project = nullptr;  // the one of shape supabase, if there is one alone
  size_t projects = 0;
  for (net::Issuer& one : config.value().issuers) {
    if (!one.secret) continue;
    if (one.name == flags.issuer || one.issuer == flags.issuer) return std::move(one);
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", one.name);
    if (one.shape == net::Shape::Supabase && ++projects == 1) project = &one;
  }
  if (!flags.role.empty() && flags.issuer.empty() && projects == 1) return std::move(*project);
  throw std::runtime_error(
      fmt::format("--issuer: {} has a secret for: {}", flags.auth_config, names.empty() ? "none" : names));
}

int token(const TokenFlags& flags) {
  if (flags.secret_file.empty() == flags.auth_config.empty())
    throw std::runtime_error("give --secret-file or --auth-config");
  const net::Issuer issuer = flags.auth_config.empty() ? issuer_of_flags(flags) : issuer_of_config(flags);
  if (flags.uid.empty() && flags.role.empty()) throw std::runtime_error("--uid is missing (or --role)");
  net::Minting what{flags.uid, flags.claims.empty() ? "{}" : flags.claims, flags.expires, flags.role};
  const auto made = net::mint_token(issuer, what, db::SystemClock().now());
  if (!made.ok()) throw std::runtime_error(made.error().message);
  fmt::print("{}\n", made.value());
  return 0;
}

}  // namespace

void add_token(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<TokenFlags>();
  CLI::App* command = program.add_subcommand("token", "Makes a token that a server with --auth-config believes");
  command->add_option("--uid", flags->uid, "Who the bearer is: auth.uid in the rules");
  command
      ->add_option("--role", flags->role,
                   "Of an issuer of shape supabase: anon or service_role makes a key, authenticated a user's token")
      ->check(CLI::IsMember({"anon", "authenticated", "service_role"}));
  command->add_option("--secret-file", flags->secret_file, "The secret to sign with; spaces at its end do not count")
      ->check(CLI::ExistingFile);
  command->add_option("--auth-config", flags->auth_config, "The server's file, instead: it has the secret of --issuer")
      ->check(CLI::ExistingFile);
  command->add_option("--issuer", flags->issuer,
                      "With --secret-file the token's iss; with --auth-config an issuer's name or iss");
  command->add_option("--audience", flags->audience, "With --secret-file, the token's aud, if the server wants one");
  command->add_option("--claims", flags->claims, "More that it says, as JSON: auth.token in the rules");
  command->add_option("--expires", flags->expires, "How long it is good for: a number with s, m, h or d")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, int>{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}))
      ->default_str("1h");
  command->footer(R"(The token goes to standard output, alone on a line. It is signed with HS256.

  openssl rand -base64 48 > token.secret
  echo '{"issuers": [{"issuer": "my-backend", "secret_file": "token.secret"}]}' > auth.json
  hearth serve --auth-config auth.json --namespace chat &
  TOKEN=$(hearth token --auth-config auth.json --issuer my-backend --uid ada --claims '{"editor":true}')
  curl "http://127.0.0.1:9000/rooms/tea.json?ns=chat&auth=$TOKEN"

A plain issuer's token is a custom token as Firebase's admin SDKs make them: {iss, aud, sub, uid, iat, exp, claims}. What
--claims says is found at auth.token.NAME. For issuers of another shape the claims stand beside the rest, as that provider
has them. With --role anon or service_role it makes a key of a Supabase project, as createClient(url, key) takes one;
an --issuer is needed only where there are several of shape supabase.

  hearth token --auth-config auth.json --role anon --expires 3650d

Whoever has the secret can be anybody: keep it where the server and your backend read it, and nowhere else.

Exit status: 0, or 1 with one line that says what is wrong.)");
  command->callback([flags, &chosen] { chosen.run = [flags] { return token(*flags); }; });
  add_chapter(*command, "who-may-connect");
}

}  // namespace hearth::tools
