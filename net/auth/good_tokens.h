// Signed tokens whose signature was verified a while ago. A client that comes again with one of them is not verified
// again, whatever its address has used up meanwhile. Only the signature is remembered; what the token says is judged
// each time. The number is bounded: tokens that were not seen for longest are forgotten. Nothing of a token is kept
// but its SHA-256. Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

namespace hearth::net {

inline constexpr size_t kGoodTokensMax = 20'000;

class GoodTokens {
 public:
  using Digest = std::array<uint8_t, 32>;
  static Digest digest_of(std::string_view token);

  explicit GoodTokens(size_t most = kGoodTokensMax) : half_(most / 2) {}

  // `key`: the identity of the key that verified the token. Another key, also one that replaced that key, has
  // verified nothing.
  bool knows(const Digest& token, const std::shared_ptr<const void>& key);
  void add(const Digest& token, std::shared_ptr<const void> key);
  size_t size() const;

 private:
  // The bytes of a SHA-256 are as good as random, so any of them serve as a hash.
  struct FirstBytes {
    size_t operator()(const Digest& digest) const {
      size_t bytes = 0;
      std::memcpy(&bytes, digest.data(), sizeof bytes);
      return bytes;
    }
  };
  using Tokens = std::unordered_map<Digest, std::shared_ptr<const void>, FirstBytes>;
  void put(const Digest& token, std::shared_ptr<const void> key);  // under mutex_

  const size_t half_;
  mutable std::mutex mutex_;  // Guards both.
  Tokens young_;              // seen since the last change of generations
  Tokens old_;
};

}  // namespace hearth::net
