// Keys of an identity provider, for tests: they sign what they are given, good or bad, and publish their public half.
#pragma once

#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/invariant.h"
#include "db/base/text.h"
#include "net/auth/jwt.h"

namespace hearth::test {

inline std::string base64url(std::string_view bytes) { return db::encode_base64url(bytes); }

// A token of any parts, signed or not.
inline std::string token_of(std::string_view header, std::string_view claims, std::string_view signature = "") {
  return base64url(header) + "." + base64url(claims) + "." + base64url(signature);
}

class Signer {
 public:
  static Signer rsa(const std::string& kid, size_t bits = 2048) { return Signer("RS256", kid, EVP_RSA_gen(bits)); }
  static Signer ec(const std::string& kid, const char* curve = "P-256") {
    return Signer("ES256", kid, EVP_EC_gen(curve));
  }
  static Signer secret(std::string_view bytes) {
    return Signer("HS256", "", R"("kty":"oct","k":")" + base64url(bytes) + "\"", "");
  }

  // `more`: members of the header, beside alg and kid: {name, JSON}.
  using Members = std::vector<std::pair<std::string, std::string>>;
  std::string sign(std::string_view claims, const Members& more = {}) const {
    std::unique_ptr<cjose_header_t, void (*)(cjose_header_t*)> header(cjose_header_new(nullptr), cjose_header_release);
    cjose_header_set(header.get(), "alg", algorithm_.c_str(), nullptr);
    if (!kid_.empty()) cjose_header_set(header.get(), "kid", kid_.c_str(), nullptr);
    for (const auto& [name, json] : more)
      json_object_set_new(header.get(), name.c_str(), json_loads(json.c_str(), JSON_DECODE_ANY, nullptr));
    const std::string jwk = "{" + members_ + private_ + "}";
    std::unique_ptr<cjose_jwk_t, bool (*)(cjose_jwk_t*)> key(cjose_jwk_import(jwk.data(), jwk.size(), nullptr),
                                                             cjose_jwk_release);
    std::unique_ptr<cjose_jws_t, void (*)(cjose_jws_t*)> made(
        cjose_jws_sign(key.get(), header.get(), reinterpret_cast<const uint8_t*>(claims.data()), claims.size(),
                       nullptr),
        cjose_jws_release);
    const char* text = nullptr;
    db::invariant(made != nullptr && cjose_jws_export(made.get(), &text, nullptr), "a key signs");
    return text;
  }
  Signer without_kid() const {
    Signer other = *this;
    other.kid_.clear();
    return other;
  }
  Signer with_kid(std::string kid) const {
    Signer other = *this;
    other.kid_ = std::move(kid);
    return other;
  }

  // What is published of it. `more`: members, each behind a comma.
  std::string jwk(const std::string& more = "") const {
    return "{" + members_ + (kid_.empty() ? "" : R"(,"kid":")" + kid_ + "\"") + more + "}";
  }
  const std::string& pem() const { return pem_; }

 private:
  Signer(std::string algorithm, std::string kid, std::string members, std::string private_members)
      : algorithm_(std::move(algorithm)),
        kid_(std::move(kid)),
        members_(std::move(members)),
        private_(std::move(private_members)) {}

  Signer(std::string algorithm, std::string kid, EVP_PKEY* made)
      : algorithm_(std::move(algorithm)), kid_(std::move(kid)) {
    std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(made, EVP_PKEY_free);
    const auto member = [&](const char* name, const char* parameter) {
      BIGNUM* number = nullptr;
      db::invariant(EVP_PKEY_get_bn_param(key.get(), parameter, &number) == 1, "the key has that number");
      const int width = algorithm_ == "ES256" ? (EVP_PKEY_get_bits(key.get()) + 7) / 8 : BN_num_bytes(number);
      std::string bytes(static_cast<size_t>(width), '\0');
      BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), width);
      BN_clear_free(number);
      return std::string(",\"") + name + "\":\"" + base64url(bytes) + "\"";
    };
    if (algorithm_ == "RS256") {
      members_ = R"("kty":"RSA")" + member("n", OSSL_PKEY_PARAM_RSA_N) + member("e", OSSL_PKEY_PARAM_RSA_E);
      private_ = member("d", OSSL_PKEY_PARAM_RSA_D) + member("p", OSSL_PKEY_PARAM_RSA_FACTOR1) +
                 member("q", OSSL_PKEY_PARAM_RSA_FACTOR2) + member("dp", OSSL_PKEY_PARAM_RSA_EXPONENT1) +
                 member("dq", OSSL_PKEY_PARAM_RSA_EXPONENT2) + member("qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
    } else {
      const std::string curve = EVP_PKEY_get_bits(key.get()) == 256 ? "P-256" : "P-384";
      members_ = R"("kty":"EC","crv":")" + curve + "\"" + member("x", OSSL_PKEY_PARAM_EC_PUB_X) +
                 member("y", OSSL_PKEY_PARAM_EC_PUB_Y);
      private_ = member("d", OSSL_PKEY_PARAM_PRIV_KEY);
    }
    std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PUBKEY(text.get(), key.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(text.get(), &bytes);
    pem_.assign(bytes, static_cast<size_t>(size));
  }

  std::string algorithm_;
  std::string kid_;
  std::string members_;  // of the public key
  std::string private_;
  std::string pem_;
};

inline std::string key_set_of(const std::vector<std::string>& jwks) {
  std::string text = R"({"keys":[)";
  for (const std::string& one : jwks) text += (text.ends_with('[') ? "" : ",") + one;
  return text + "]}";
}

}  // namespace hearth::test
