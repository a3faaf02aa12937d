// Standard Webhooks (standardwebhooks.com), symmetric:
//
//   secret    "whsec_" and base64 of 24 to 64 bytes; ours are 32 random ones
//   signed    ID "." SECONDS "." BODY, by HMAC-SHA-256 with the bytes of the secret
//   header    "v1," and base64 of the digest; during a rotation two of them, with a blank between (Shared::send)
//
// The time is signed with the body, so that nobody can send an old message again later: receivers refuse old times.
// Hence each attempt is signed anew, with its own time and the same id.
#include "net/webhooks/signature.h"

#include <algorithm>
#include <array>

#include "db/base/invariant.h"
#include "db/base/random.h"
#include "db/base/text.h"
#include "db/model/hmac.h"

namespace hearth::net::webhooks {
namespace {
constexpr std::string_view kPrefix = "whsec_";
constexpr size_t kSecretBytes = 32, kSecretBytesMin = 24, kSecretBytesMax = 64;
}  // namespace

std::string make_secret() {
  std::array<char, kSecretBytes> bytes{};
  db::random_bytes(bytes.data(), bytes.size());
  return std::string(kPrefix) + db::base64({bytes.data(), bytes.size()});
}

std::optional<std::string> secret_bytes(std::string_view secret) {
  if (!secret.starts_with(kPrefix)) return {};
  std::string text(secret.substr(kPrefix.size()));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  auto bytes = db::decode_base64url(text);
  if (!bytes || bytes->size() < kSecretBytesMin || bytes->size() > kSecretBytesMax) return {};
  return bytes;
}

std::string signature_of(std::string_view secret, std::string_view id, int64_t seconds, std::string_view body) {
  const auto key = secret_bytes(secret);
  db::invariant(key.has_value(), "secrets are made here, and read from our own rows");
  std::string signed_text(id);
  signed_text += '.';
  signed_text += std::to_string(seconds);
  signed_text += '.';
  signed_text += body;
  return "v1," + db::base64(db::hmac_sha256(*key, signed_text));
}

}  // namespace hearth::net::webhooks
