// Tokens, before anything is verified.
#include "net/auth/jwt.h"

#include "db/model/json.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth;

FUZZ_TARGET(jwt) {
  net::decode_base64url(bytes);
  const auto token = net::decode_jwt(bytes);
  if (!token.ok()) return;
  test::invariant(net::looks_like_jwt(bytes), "a token looks like one");
  for (const std::string& part : {token.value().header, token.value().claims}) {
    const auto document = db::JsonDocument::parse(part);
    test::invariant(document.ok() && document.value().root().is_object(), "a token is of two objects");
  }
}
