// Keys, by libcjose. A key has one algorithm from the moment it is read, and verifies by no other.
//
// That closes the oldest hole of tokens: a published RSA key taken for an HMAC secret by a token that says
// "alg":"HS256". Secrets and published keys are read by different functions from different places; KeySet::parse
// leaves out symmetric keys, and Key::secret refuses PEM. What a set has beyond RS256 and ES256 is left out without
// an error, since issuers publish keys for other uses too.
#include "net/auth/key_set.h"

#include <cjose/cjose.h>
#include <fmt/format.h>

#include <set>

#include "db/model/json.h"

namespace hearth::net {

namespace {

using db::Error;
using db::ErrorCode;

struct Release {
  void operator()(cjose_jwk_t* key) const { cjose_jwk_release(key); }
  void operator()(cjose_jws_t* signed_text) const { cjose_jws_release(signed_text); }
  void operator()(cjose_header_t* header) const { cjose_header_release(header); }
};
template <typename T>
using Owned = std::unique_ptr<T, Release>;

bool is_for_verifying(const db::JsonNode& key) {
  if (const auto use = key.field("use"); use && use->string() != "sig") return false;
  const auto operations = key.field("key_ops");
  if (!operations) return true;
  for (const db::JsonNode& one : operations->elements()) {
    if (one.string() == "verify") return true;
  }
  return false;
}

// The one algorithm that a published key is for. Nothing: none that is known here, or its `alg` says another one.
std::optional<Algorithm> algorithm_of(const db::JsonNode& key) {
  std::optional<Algorithm> algorithm;
  if (key.text("kty") == "RSA") algorithm = Algorithm::RS256;
  if (key.text("kty") == "EC" && key.text("crv") == "P-256") algorithm = Algorithm::ES256;
  const auto said = key.field("alg");
  if (algorithm && said && said->string() != name_of(*algorithm)) return std::nullopt;
  return algorithm;
}

}  // namespace

std::string_view name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::HS256:
      return "HS256";
    case Algorithm::RS256:
      return "RS256";
    case Algorithm::ES256:
      return "ES256";
  }
  return "";
}

Key::Key(std::optional<std::string> id, Algorithm algorithm, _cjose_jwk_int* jwk)
    : id_(std::move(id)), algorithm_(algorithm), jwk_(jwk, Release()) {}

db::Result<Key> Key::secret(std::string_view bytes) {
  if (bytes.size() < kSecretBytesMin || bytes.size() > kSecretBytesMax) {
    return Error{ErrorCode::InvalidData,
                 fmt::format("a secret has {} to {} bytes, this one {}; make one with: openssl rand "
                             "-base64 48",
                             kSecretBytesMin, kSecretBytesMax, bytes.size())};
  }
  if (bytes.find("-----BEGIN ") != std::string_view::npos) {
    return Error{ErrorCode::InvalidData, "that is a key in PEM form, no secret; public keys belong into a jwks_file"};
  }
  cjose_jwk_t* jwk = cjose_jwk_create_oct_spec(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), nullptr);
  db::invariant(jwk != nullptr, "any bytes are a secret");
  return Key(std::nullopt, Algorithm::HS256, jwk);
}

// The algorithm is compared here once more, although the verifier has done so: this function must be right by itself.
bool Key::verifies(std::string_view token) const {
  const Owned<cjose_jws_t> parsed(cjose_jws_import(token.data(), token.size(), nullptr));
  if (parsed == nullptr) return false;
  const char* algorithm = cjose_header_get(cjose_jws_get_protected(parsed.get()), CJOSE_HDR_ALG, nullptr);
  if (algorithm == nullptr || algorithm != name_of(algorithm_)) return false;
  return cjose_jws_verify(parsed.get(), jwk_.get(), nullptr);
}

std::string Key::sign(std::string_view claims_json) const {
  db::invariant(algorithm_ == Algorithm::HS256, "tokens are made with secrets");
  const Owned<cjose_header_t> header(cjose_header_new(nullptr));
  const bool is_set = cjose_header_set(header.get(), CJOSE_HDR_ALG, "HS256", nullptr) &&
                      cjose_header_set(header.get(), "typ", "JWT", nullptr);
  db::invariant(is_set, "a header takes two words");
  const Owned<cjose_jws_t> made(cjose_jws_sign(
      jwk_.get(), header.get(), reinterpret_cast<const uint8_t*>(claims_json.data()), claims_json.size(), nullptr));
  const char* text = nullptr;
  db::invariant(made != nullptr && cjose_jws_export(made.get(), &text, nullptr), "a secret signs any text");
  return text;
}

db::Result<KeySet> KeySet::parse(std::string_view json) {
  if (json.size() > kKeySetBytesMax) {
    return Error{ErrorCode::InvalidData, fmt::format("a key set has at most {} bytes", kKeySetBytesMax)};
  }
  const auto document = db::JsonDocument::parse(json);
  const auto list = document.ok() ? document.value().root().field("keys") : std::nullopt;
  if (!list || list->kind() != db::JsonNode::Kind::Array) {
    return Error{ErrorCode::InvalidData, R"(that is no key set: expected {"keys":[…]})"};
  }
  const std::vector<db::JsonNode> all = list->elements();
  if (all.size() > kKeysMax)
    return Error{ErrorCode::InvalidData, fmt::format("a key set has at most {} keys", kKeysMax)};
  KeySet set;
  std::set<std::optional<std::string>> ids;
  for (const db::JsonNode& one : all) {
    if (!one.is_object() || !is_for_verifying(one)) continue;
    const auto algorithm = algorithm_of(one);
    if (!algorithm) continue;
    const std::string text = one.to_text();
    Owned<cjose_jwk_t> jwk(cjose_jwk_import(text.data(), text.size(), nullptr));
    if (jwk == nullptr) continue;
    if (algorithm == Algorithm::RS256 && cjose_jwk_get_keysize(jwk.get(), nullptr) < kRsaBitsMin) continue;
    std::optional<std::string> id;
    if (const auto kid = one.field("kid"); kid && kid->string()) id = *kid->string();
    if (!ids.insert(id).second && id) {
      return Error{ErrorCode::InvalidData, "two keys of the set have the same kid"};
    }
    set.keys_.push_back(Key(std::move(id), *algorithm, jwk.release()));
  }
  if (set.keys_.empty()) {
    return Error{
        ErrorCode::InvalidData,
        fmt::format("the key set has no key for RS256 (RSA, {} bits or more) or ES256 (EC, P-256)", kRsaBitsMin)};
  }
  return set;
}

const Key* KeySet::find(const std::optional<std::string>& id) const {
  if (!id) return keys_.size() == 1 ? &keys_.front() : nullptr;
  for (const Key& key : keys_) {
    if (key.id() == id) return &key;
  }
  return nullptr;
}

}  // namespace hearth::net
