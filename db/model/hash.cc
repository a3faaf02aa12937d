// The text that a node is hashed by, and its SHA-1 in base64. The grammar is the SDKs' own (see
// net/wire/protocol.md §7.2). A client that holds a value sends this hash instead of the value, and a server that
// computes any other byte sends the whole value for nothing, or refuses a transaction that should succeed.
//
//   leaf    := [ "priority:" kind ":" value ":" ]  "boolean:" … | "number:" hex:16 | "string:" …
//   object  := [ "priority:" … ]  ( ":" key ":" hash-of-child )*    in key order; by priority when a child has one
//
//        {a: 1, b: {c: true}}                       hash of b = sha1(":c:" + sha1("boolean:true"))
//         ├─ a  sha1("number:3ff0…")                hash of the whole = sha1(":a:" + … + ":b:" + …)
//         └─ b ─ c
//
// Two variations run through the same code. NumberHex: the JavaScript SDK writes some doubles differently from all
// others, and either spelling must be accepted. Integers: beyond 2^53 the SDKs hash the nearest double, so neighbours
// collide; our own names for values (ETags, remembered hashes) append the exact integer and do not collide.
#include "db/model/hash.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "db/model/key_order.h"
#include "db/model/number_text.h"
#include "db/model/sha1.h"

namespace hearth::db {
namespace {

// net/wire/protocol.md §7.2, "Number quirk": the JS SDK finds the exponent by a logarithm, and so misses some.
uint64_t javascript_bits(double value) {
  const bool negative = std::signbit(value);
  const double v = std::fabs(value);
  uint64_t exponent = 0;
  double fraction = 0;
  if (v >= std::numeric_limits<double>::min()) {
    constexpr double kLn2 = 0.6931471805599453;
    // These are the SDK's steps, in its order and precision. std::frexp would be right, and therefore wrong here.
    const double ln = std::min(std::floor(std::log(v) / kLn2), 1023.0);
    exponent = static_cast<uint64_t>(ln + 1023);
    const double scale = std::pow(2, 52 - ln);
    fraction = std::isinf(scale) ? 0 : std::floor(v * scale - 4503599627370496.0 + 0.5);
  } else if (v > 0) {
    fraction = std::floor(v / std::numeric_limits<double>::denorm_min() + 0.5);
  }
  const uint64_t low = static_cast<uint64_t>(static_cast<int64_t>(fraction)) & ((uint64_t{1} << 52) - 1);
  return static_cast<uint64_t>(negative) << 63 | exponent << 52 | low;
}

// What kinds of numbers a value has.
// hash_of() fills this in on the way, so node_hashes() needs a second pass only when the value has such a number.
struct Seen {
  bool rounded = false;  // JavaScript writes one of them differently
  bool inexact = false;  // an integer that no double is
};

enum class Integers : unsigned char { AsDoubles, Exact };

// Writes numbers in one way, and notes what they are.
class Hex {
 public:
  Hex(NumberHex way, Integers integers, Seen* seen = nullptr) : way_(way), integers_(integers), seen_(seen) {}
  void append(double value, std::string& to) const {
    static constexpr char kDigits[] = "0123456789abcdef";
    uint64_t bits = std::bit_cast<uint64_t>(value);
    if (seen_ != nullptr) seen_->rounded = seen_->rounded || javascript_bits(value) != bits;
    if (way_ == NumberHex::JavaScript) bits = javascript_bits(value);
    for (int shift = 60; shift >= 0; shift -= 4) to += kDigits[bits >> shift & 15];
  }
  void append(int64_t value, std::string& to) const {
    append(static_cast<double>(value), to);
    if (!is_inexact(value)) return;
    if (seen_ != nullptr) seen_->inexact = true;
    if (integers_ == Integers::Exact) to.append(":integer:").append(std::to_string(value));
  }

 private:
  const NumberHex way_;
  const Integers integers_;
  Seen* const seen_;
};

// Children are collected before they are joined: their order may be that of priorities, which is known only at the end.
struct Child {
  std::string key;
  std::string hash;
  Value priority;
};

// No priority sorts before numbers, and numbers sort before strings (db/model/data-model.md §4).
int priority_rank(const Value& priority) {
  if (priority.is_null()) return 0;
  return priority.is_number() ? 1 : 2;
}

bool priority_less(const Child& a, const Child& b) {  // ties stay in key order: the sort is stable
  if (priority_rank(a.priority) != priority_rank(b.priority))
    return priority_rank(a.priority) < priority_rank(b.priority);
  switch (priority_rank(a.priority)) {
    case 1:
      return a.priority.as_double() < b.priority.as_double();
    case 2:
      return compare_utf16(a.priority.as_string(), b.priority.as_string()) < 0;
    default:
      return false;
  }
}

// At most kDepthMax deep.
std::string hash_of(const Value& value, const Hex& hex) {
  std::string text;
  const Value priority = value.priority();
  if (priority.is_number()) {
    text += "priority:number:";
    hex.append(priority.as_double(), text);
    text += ':';
  } else if (priority.kind() == Value::Kind::String) {
    text.append("priority:string:").append(priority.as_string()).append(":");
  }
  switch (value.kind()) {
    case Value::Kind::Boolean:
      text += value.as_boolean() ? "boolean:true" : "boolean:false";
      return sha1_base64(text);
    case Value::Kind::Integer:
      text += "number:";
      hex.append(value.as_integer(), text);
      return sha1_base64(text);
    case Value::Kind::Double:
      text += "number:";
      hex.append(value.as_double(), text);
      return sha1_base64(text);
    case Value::Kind::String:
      text.append("string:").append(value.as_string());
      return sha1_base64(text);
    case Value::Kind::Null:
    case Value::Kind::Timestamp:
    case Value::Kind::Increment:
      return {};
    case Value::Kind::Object:
      break;
  }
  std::vector<Child> children;
  bool prioritised = false;
  for (auto at = value.children(); !at.done(); at.next()) {
    const Value child = at.value();
    children.push_back({at.key(), hash_of(child, hex), child.priority()});
    prioritised = prioritised || !children.back().priority.is_null();
  }
  if (prioritised) std::stable_sort(children.begin(), children.end(), priority_less);
  for (const Child& child : children) text.append(":").append(child.key).append(":").append(child.hash);
  return sha1_base64(text);
}

}  // namespace

std::string node_hash(const Value& value, NumberHex hex) {
  return value.is_null() ? std::string() : hash_of(value, Hex(hex, Integers::AsDoubles));
}

std::string exact_hash(const Value& value) {
  return value.is_null() ? std::string() : hash_of(value, Hex(NumberHex::Ieee754, Integers::Exact));
}

NodeHashes node_hashes(const Value& value) {
  if (value.is_null()) return {};
  Seen seen;
  NodeHashes hashes{hash_of(value, Hex(NumberHex::Ieee754, Integers::Exact, &seen)), {}};
  // With an inexact integer in it, no SDK's hash may stand for the value: a client with the neighbouring integer
  // would send the same one, and would be told that it has everything.
  const bool is_one = !seen.rounded || seen.inexact;
  hashes.javascript = is_one ? hashes.exact : node_hash(value, NumberHex::JavaScript);
  return hashes;
}

std::string text_digest(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return {reinterpret_cast<const char*>(digest), kTextDigestBytes};
}

bool hash_matches(const Value& value, std::string_view hash) {
  return node_hash(value) == hash || node_hash(value, NumberHex::JavaScript) == hash;
}

}  // namespace hearth::db
