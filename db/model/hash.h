// The node hash that SDKs compute too (db/model/data-model.md §9, net/wire/protocol.md §7.2): transactions, listens and
// ETags.
#pragma once

#include <string>
#include <string_view>

#include "db/model/value.h"

namespace hearth::db {

enum class NumberHex {
  Ieee754,
  JavaScript,  // the JS SDK's own rounding of some doubles (net/wire/protocol.md §7.2 "Number quirk")
};

// "" for null, else 28 characters of base64. Priorities count.
std::string node_hash(const Value& value, NumberHex hex = NumberHex::Ieee754);

// The same, but for integers that no double is, beyond 2^53: SDKs hash these as the nearest double, as they do their
// neighbours; here each has a hash of its own. What names a value (ETags, hashes that are remembered) is this one.
std::string exact_hash(const Value& value);

// The hashes by which a client can prove that it holds exactly this value. Both ways of writing doubles count. A hash
// that the value shares with a neighbour (an integer beyond 2^53 that no double represents) does not count.
struct NodeHashes {
  std::string exact;
  std::string javascript;  // the exact one, where both are the same or the value has such integers
  bool contain(std::string_view hash) const { return hash == exact || hash == javascript; }
};
// Costs one pass, or two when JavaScript writes one of the value's numbers differently.
NodeHashes node_hashes(const Value& value);

bool hash_matches(const Value& value, std::string_view hash);  // whether an SDK that holds the value may say so

// Names a text: the first bytes of its SHA-256. On disk.
inline constexpr size_t kTextDigestBytes = 16;
std::string text_digest(std::string_view text);

}  // namespace hearth::db
