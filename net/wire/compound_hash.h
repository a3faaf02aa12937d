// What a client holds of a large value, told in ranges, and what of ours it lacks (net/wire/protocol.md §13): the
// compound hashes and range merges of the Android and iOS SDKs. A few changed leaves do not bring the whole value
// again.
//
//   leaves  := those of the tree in path order, children in key order; the priority of an inner node is a leaf `.priority` of it,
//              unless no key of its children comes behind that
//   posts      cut them into ranges: (−∞, P1], (P1, P2], …, (Pn, +∞)
//   hash    := base64(SHA-1("(" nested text of the range's leaves ")")); "" of none
//
// No hash tells of a priority that is no leaf. When our value has such a priority, the client is sent all of the value.
//
// Pure. Thread: any.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/model/value.h"

namespace hearth::db {
class JsonNode;
}

namespace hearth::net::wire {

struct CompoundHash {
  std::vector<std::string> posts;   // paths, as the client wrote them
  std::vector<std::string> places;  // the same, encoded (db/model/key_order.h); they ascend, and none is the root
  std::vector<std::string> hashes;  // one more
};

// Reads {"hs":[…],"ps":[…]}. Returns null when that makes no sense or tells nothing; the client is then sent the
// whole value.
std::shared_ptr<const CompoundHash> parse_compound_hash(const db::JsonNode& node);

// The hashes of a value between posts (encoded, ascending), as a client computes them: one more than there are posts.
std::vector<std::string> range_hashes(const db::Value& value, const std::vector<std::string>& places);

// Returns the JSON list of ranges that turn what the client holds (`known`) into `value`. Nothing: the whole value
// must be sent, because ranges cannot say it, or because they would be no shorter.
std::optional<std::string> range_merges(const db::Value& value, const CompoundHash& known);

}  // namespace hearth::net::wire
