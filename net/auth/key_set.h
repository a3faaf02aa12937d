// Keys that sign tokens: a set of public ones as an identity provider publishes it, or one shared secret.
//
//   key set := {"keys":[{"kty":"RSA"|"EC","kid":…,"use":"sig","alg":…, …}…]}      RFC 7517 §5
//
// A key knows its one algorithm, and verifies by no other: what a token says of itself chooses nothing. Secrets come
// only from where secrets are kept, never from a key set, so no public key can be taken for one.
//
// Values; immutable, shared inside. Thread: any. RS256 costs 19 µs to verify, ES256 61 µs, HS256 2 µs (a token of 150
// bytes, one core of the test machine): little enough for an io thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"

struct _cjose_jwk_int;

namespace hearth::net {

inline constexpr size_t kKeySetBytesMax = 256u << 10;
inline constexpr size_t kKeysMax = 100;        // of one set
inline constexpr size_t kRsaBitsMin = 2048;    // RFC 7518 §3.3
inline constexpr size_t kSecretBytesMin = 32;  // RFC 7518 §3.2: as many as the hash has
inline constexpr size_t kSecretBytesMax = 4096;

enum class Algorithm : uint8_t { HS256, RS256, ES256 };
std::string_view name_of(Algorithm algorithm);  // as `alg` has it

class Key {
 public:
  // Errors: InvalidData: too short to be a secret, too long, or a public key.
  static db::Result<Key> secret(std::string_view bytes);

  const std::optional<std::string>& id() const { return id_; }
  Algorithm algorithm() const { return algorithm_; }

  // Names this key: no other key has the same identity as long as somebody holds this pointer.
  std::shared_ptr<const void> identity() const { return jwk_; }

  // Whether the signature of that token, in its compact form, is this key's by its own algorithm.
  bool verifies(std::string_view token) const;
  // The compact form of a token. Precondition: a secret.
  std::string sign(std::string_view claims_json) const;

 private:
  friend class KeySet;
  Key(std::optional<std::string> id, Algorithm algorithm, _cjose_jwk_int* jwk);

  std::optional<std::string> id_;
  Algorithm algorithm_;
  std::shared_ptr<_cjose_jwk_int> jwk_;
};

class KeySet {
 public:
  // Keys for anything but RS256 and ES256 are left out, as are secrets and RSA keys below kRsaBitsMin. Errors:
  // InvalidData: no key set, one without any usable key, or too large.
  static db::Result<KeySet> parse(std::string_view json);

  const std::vector<Key>& keys() const { return keys_; }

  // The key of that id; without one, the only key there is. Null: none, or more than one could be meant.
  const Key* find(const std::optional<std::string>& id) const;

 private:
  std::vector<Key> keys_;
};

}  // namespace hearth::net
