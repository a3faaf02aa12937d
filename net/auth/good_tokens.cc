// Two generations instead of a list of ages.
//
//   young_  tokens seen since the last change    half of the limit at most
//   old_    tokens of the generation before      forgotten at the next change, unless seen again: then put into young_
//
// When young_ is full it becomes old_, and old_ is dropped. So a token is forgotten only if it was not seen while
// half of the limit of others were, each operation costs a look-up or two, and nothing has to be ordered.
//
// Only the signature is remembered, by the SHA-256 of the whole token and the identity of the key. What the token
// claims (times, audience, namespace) is judged each time. A key that was replaced has another identity, even with
// the same kid, so a key that its issuer withdraws takes its tokens with it.
#include "net/auth/good_tokens.h"

#include <openssl/sha.h>

#include <utility>

namespace hearth::net {

GoodTokens::Digest GoodTokens::digest_of(std::string_view token) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

bool GoodTokens::knows(const Digest& token, const std::shared_ptr<const void>& key) {
  const std::lock_guard lock(mutex_);
  if (const auto found = young_.find(token); found != young_.end()) return found->second == key;
  const auto found = old_.find(token);
  if (found == old_.end() || found->second != key) return false;
  put(token, key);
  return true;
}

void GoodTokens::add(const Digest& token, std::shared_ptr<const void> key) {
  const std::lock_guard lock(mutex_);
  put(token, std::move(key));
}

void GoodTokens::put(const Digest& token, std::shared_ptr<const void> key) {
  if (young_.size() >= half_ && !young_.contains(token)) old_ = std::exchange(young_, {});
  young_.insert_or_assign(token, std::move(key));
}

size_t GoodTokens::size() const {
  const std::lock_guard lock(mutex_);
  return young_.size() + old_.size();
}

}  // namespace hearth::net
