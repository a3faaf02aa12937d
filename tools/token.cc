// `hearth token`: makes a token, signed with a secret.
#include <fmt/format.h>

#include <stdexcept>

#include "db/base/clock.h"
#include "net/auth/auth_config.h"
#include "net/auth/key_source.h"
#include "net/auth/mint.h"
#include "tools/flags.h"

namespace hearth::tools {
namespace {

// A config of the flags alone, so that what is wrong with a secret is said in one place.
net::Issuer issuer_of_flags(const TokenFlags& flags) {
  if (flags.issuer.empty())
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
  issuer.secret = std::move(key).value();
  issuer.uid = {"sub"};
  return issuer;
}

net::Issuer issuer_of_config(const TokenFlags& flags) {
  auto config = net::load_auth_config(flags.auth_config);
  if (!config.ok()) throw std::runtime_error(config.error().message);
  std::string names;
  for (net::Issuer& one : config.value().issuers) {
    if (!one.secret) continue;
    if (one.name == flags.issuer || one.issuer == flags.issuer) return std::move(one);
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", one.name);
  }
  throw std::runtime_error(
      fmt::format("--issuer: {} has a secret for: {}", flags.auth_config, names.empty() ? "none" : names));
}

}  // namespace

int token(const TokenFlags& flags) {
  if (flags.secret_file.empty() == flags.auth_config.empty())
    throw std::runtime_error("give --secret-file or --auth-config");
  const net::Issuer issuer = flags.auth_config.empty() ? issuer_of_flags(flags) : issuer_of_config(flags);
  net::Minting what{flags.uid, flags.claims.empty() ? "{}" : flags.claims, flags.expires};
  const auto made = net::mint_token(issuer, what, db::SystemClock().now());
  if (!made.ok()) throw std::runtime_error(made.error().message);
  fmt::print("{}\n", made.value());
  return 0;
}

}  // namespace hearth::tools
