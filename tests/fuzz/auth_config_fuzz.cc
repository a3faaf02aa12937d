// Files of operators, and key sets of other servers.
#include "net/auth/auth_config.h"
#include "net/auth/key_set.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth;

FUZZ_TARGET(auth_config) {
  const auto config =
      net::parse_auth_config(bytes, [](const std::string& path) -> db::Result<std::string> { return path; });
  if (!config.ok()) {
    test::invariant(config.error().message.ends_with('\n'), "a mistake is a line");
    return;
  }
  test::invariant(!config.value().issuers.empty(), "there is an issuer");
  for (const net::Issuer& one : config.value().issuers) {
    test::invariant(one.secret || !one.keys_at.empty(), "an issuer has keys");
    test::invariant(one.secret || !one.audiences.empty(), "published keys are for an audience");
    test::invariant(!one.issuer.empty() && !one.name.empty(), "an issuer has a name");
  }
}

FUZZ_TARGET(key_set) {
  const auto set = net::KeySet::parse(bytes);
  if (!set.ok()) return;
  test::invariant(!set.value().keys().empty(), "a set has a key");
  for (const net::Key& key : set.value().keys()) {
    test::invariant(key.algorithm() != net::Algorithm::HS256, "no secret is published");
    test::invariant(!key.verifies("eyJhbGciOiJSUzI1NiJ9.e30.AAAA"), "a signature takes a key");
    test::invariant(!key.verifies("eyJhbGciOiJFUzI1NiJ9.e30.AAAA"), "a signature takes a key");
  }
}
