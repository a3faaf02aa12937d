#include "net/webhooks/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <catch2/catch.hpp>

#include "db/base/text.h"

namespace hearth::net::webhooks {

TEST_CASE("Signature: as Standard Webhooks has it", "[net][webhooks]") {
  // The specification's own example (standardwebhooks.com, "Signature scheme", and the tests of its libraries).
  const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  CHECK(signature_of(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})") ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("Signature: the HMAC of id, timestamp and body by the secret's bytes", "[net][webhooks]") {
  const std::string secret = make_secret();
  const auto key = secret_bytes(secret);
  REQUIRE(key);
  CHECK(key->size() == 32);
  CHECK(make_secret() != secret);
  const std::string signed_text = "wh_1:abc:7.1700000000.{\"a\":1}";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key->data(), static_cast<int>(key->size()),
       reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(), digest, &size);
  CHECK(signature_of(secret, "wh_1:abc:7", 1700000000, R"({"a":1})") ==
        "v1," + db::base64({reinterpret_cast<const char*>(digest), size}));
}

TEST_CASE("Signature: what is no secret", "[net][webhooks]") {
  for (const char* text : {"", "whsec_", "secret", "whsec_MfKQ", "whsec_!!!!9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                           "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}) {
    INFO(text);
    CHECK_FALSE(secret_bytes(text));
  }
}

}  // namespace hearth::net::webhooks
