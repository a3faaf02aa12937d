// `hearth kick`: signs a user out of a running server.
#include <fmt/format.h>

#include <fstream>
#include <stdexcept>

#include "db/model/json.h"
#include "tools/bench_client.h"
#include "tools/flags.h"

namespace hearth::tools {
namespace {

// A server in development wants none.
std::string token_of(const KickFlags& flags) {
  if (!flags.token.empty()) return flags.token;
  std::ifstream file(flags.data + "/admin-secret");
  std::string secret;
  std::getline(file, secret);
  return secret.empty() ? "owner" : secret;
}

}  // namespace

int kick(const KickFlags& flags) {
  std::string body = R"({"uid":)";
  db::append_json_string(flags.uid, body);
  body += '}';
  const std::string target = "/.settings/kick.json" + (flags.space.empty() ? "" : "?ns=" + flags.space);
  const HttpReply reply =
      http(parse_url(flags.url), "POST", target, body, fmt::format("Authorization: Bearer {}\r\n", token_of(flags)));
  const auto document = db::JsonDocument::parse(reply.body);
  const auto field = [&](std::string_view name) {
    return document.ok() && document.value().root().is_object() ? document.value().root().field(name) : std::nullopt;
  };
  if (reply.status != 200) {
    const auto error = field("error");
    throw std::runtime_error(
        fmt::format("{} answers {}: {}{}", flags.url, reply.status,
                    error && error->string() ? std::string(*error->string()) : reply.body,
                    reply.status == 401 ? "; give an admin's --token, or --data where admin-secret is" : ""));
  }
  const auto count = field("kicked");
  fmt::print("{} was signed out, on {} connections\n", flags.uid, count ? count->integer().value_or(0) : 0);
  return 0;
}

}  // namespace hearth::tools
