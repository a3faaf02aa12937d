// OpenSSL's one-shot SHA1() looks the algorithm up, and makes and frees a context, for each hash: more than half of the
// work for a leaf. Here both are made once for each thread.
#include "db/model/sha1.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <memory>

#include "db/base/invariant.h"
#include "db/base/text.h"

namespace hearth::db {
namespace {

struct Sha1 {
  struct Free {
    void operator()(EVP_MD* algorithm) const { EVP_MD_free(algorithm); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD, Free> algorithm{EVP_MD_fetch(nullptr, "SHA1", nullptr)};
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

}  // namespace

std::string sha1_base64(std::string_view text) {
  thread_local const Sha1 sha1;
  unsigned char digest[SHA_DIGEST_LENGTH];
  const bool is_done = EVP_DigestInit_ex2(sha1.context.get(), sha1.algorithm.get(), nullptr) == 1 &&
                       EVP_DigestUpdate(sha1.context.get(), text.data(), text.size()) == 1 &&
                       EVP_DigestFinal_ex(sha1.context.get(), digest, nullptr) == 1;
  invariant(is_done, "OpenSSL has SHA-1");
  return base64({reinterpret_cast<const char*>(digest), sizeof digest});
}

}  // namespace hearth::db
