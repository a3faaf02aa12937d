#include "db/documents/update_v2.h"

#include "tests/db/documents/vectors.h"

using namespace hearth::db;
using namespace hearth::db::documents;
using namespace hearth::test;

namespace {

constexpr size_t kMax = 1 << 20;

// What yjs 13.6.33 wrote: encodeStateAsUpdateV2 of a document of client 5 after text.insert(0, 'hi😀'), text.format(0, 2,
// {bold: true}), map.set('k', [1, 'x']), map.set('k', 2) and a Y.XmlElement('p') in a fragment.
const char* const kState =
    "00030003000245040302000a0200040d040084004600c6002100a800071b13746869f09f9880626f6c64626f6c646d6b787001420044004102"
    "01010103024100010700787e7d020105010600";
const char* const kSameInFormat1 =
    "010705000401017402686984050104f09f988046050004626f6c640474727565c60501050204626f6c64046e756c6c2101016d016b01a80506"
    "017d02070101780301700105010601";

}  // namespace

TEST_CASE("Format 2: a state of Yjs becomes the same in format 1", "[db][documents]") {
  const auto result = from_v2(from_hex(kState), kMax);
  REQUIRE(result.ok());
  CHECK(result.value() == from_hex(kSameInFormat1));
}

TEST_CASE("Format 2: no document", "[db][documents]") {
  CHECK(from_v2(from_hex("00000000000001000000000000"), kMax).value() == kEmptyUpdate);
}

TEST_CASE("Format 2: cut anywhere, it is refused", "[db][documents]") {
  const std::string state = from_hex(kState);
  for (size_t size = 0; size < state.size(); ++size) {
    INFO(size);
    const auto result = from_v2(state.substr(0, size), kMax);
    CHECK_FALSE(result.ok());
  }
}

TEST_CASE("Format 2: a few bytes that stand for very many are too large", "[db][documents]") {
  // One section of 2^53 − 1 structs, each Gc of length 1: columns say "for ever" and "so many times".
  std::string bytes = from_hex("00 00 01 05 00 00 01 00 01 00 00 00");
  std::string lengths = from_hex("41 ffffffffffffff0f");
  append_var_buf(lengths, bytes);
  bytes += from_hex("01 ffffffffffffff0f 00 00");
  const auto result = from_v2(bytes, kMax);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::TooLarge);
}
