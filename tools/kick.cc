// `hearth kick`: signs a user out of a running server.
#include <fmt/format.h>

#include "db/model/json.h"
#include "tools/flags.h"
#include "tools/rest_client.h"

namespace hearth::tools {

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

}  // namespace hearth::tools
