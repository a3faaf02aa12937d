#include "db/model/sha1.h"

#include <openssl/sha.h>

#include "db/base/text.h"
#include "db/model/hash.h"

namespace hearth::db {

std::string sha1_base64(std::string_view text) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return base64({reinterpret_cast<const char*>(digest), sizeof digest});
}

}  // namespace hearth::db
