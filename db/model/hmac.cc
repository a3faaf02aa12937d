#include "db/model/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "db/base/invariant.h"

namespace hearth::db {

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  const auto* made =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  invariant(made != nullptr, "OpenSSL has HMAC-SHA256");
  digest.resize(size);
  return digest;
}

}  // namespace hearth::db
