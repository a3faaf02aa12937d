// Tokens: taken apart, and judged as a server would that has a secret and two published keys. Nobody finds a signature.
#include <memory>

#include "db/base/text.h"
#include "db/model/json.h"
#include "net/auth/auth_config.h"
#include "net/auth/claims.h"
#include "net/auth/jwt.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth;

namespace {

const net::Issuer& issuer() {
  static const net::Issuer one =
      net::parse_auth_config(R"({"issuers": [{"issuer": "b", "secret_file": "s", "audience": "a"}]})",
                             [](const std::string&) -> db::Result<std::string> {
                               return std::string("a secret that no fuzzer will ever guess");
                             })
          .value()
          .issuers.front();
  return one;
}

}  // namespace

FUZZ_TARGET(jwt) {
  db::decode_base64url(bytes);
  const auto token = net::decode_jwt(bytes);
  if (!token.ok()) return;
  test::invariant(net::looks_like_jwt(bytes), "a token looks like one");
  for (const std::string& part : {token.value().header, token.value().claims}) {
    const auto document = db::JsonDocument::parse(part);
    test::invariant(document.ok() && document.value().root().is_object(), "a token is of two objects");
  }
  test::invariant(!issuer().secret->verifies(bytes), "nobody guesses a secret");
}

// What a token may say once its signature is good.
FUZZ_TARGET(claims) {
  const auto document = db::JsonDocument::parse(bytes);
  if (!document.ok() || !document.value().root().is_object()) return;
  for (const net::Verdict& verdict :
       {net::judge_claims(issuer(), document.value().root(), "chat", std::chrono::seconds(1'700'000'000)),
        net::believe_claims(document.value().root())}) {
    const auto* accepted = std::get_if<net::Accepted>(&verdict);
    if (accepted == nullptr || accepted->auth.kind == rules::Auth::Kind::Admin) continue;
    const auto variable = db::JsonDocument::parse(accepted->auth.variable);
    test::invariant(variable.ok() && variable.value().root().is_object(), "who asks is an object");
  }
}
