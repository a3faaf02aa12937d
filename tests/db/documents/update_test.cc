#include "db/documents/update.h"

#include "tests/db/documents/vectors.h"

using namespace hearth::db;
using namespace hearth::db::documents;
using namespace hearth::test;

namespace {

std::vector<Update> updates_of(const std::vector<std::string>& all) {
  std::vector<Update> updates;
  for (const std::string& bytes : all) updates.push_back(update_of(bytes));
  return updates;
}

std::string merged(const std::vector<std::string>& all) { return merge(updates_of(all)).value(); }
std::string compacted(const std::vector<std::string>& all) { return compact(updates_of(all)).value(); }

std::string difference(const std::string& update, const StateVector& from) {
  return diff(updates_of({update}), from).value();
}

StateVector vector_of(std::initializer_list<std::pair<uint64_t, uint64_t>> clocks) {
  StateVector vector;
  for (const auto& [client, clock] : clocks) vector.set(client, clock);
  return vector;
}

// A1 to A11, one edit each.
std::vector<std::string> edits() {
  std::vector<std::string> found(11);
  for (const auto& [name, bytes] : yjs_vectors()) {
    if (name.starts_with("update/A")) found.at(std::stoul(name.substr(8)) - 1) = bytes;
  }
  for (const std::string& bytes : found) REQUIRE_FALSE(bytes.empty());
  return found;
}

// `count` letters, typed one by one at the end of a text.
std::vector<std::string> typed(size_t count) {
  std::vector<std::string> updates;
  for (size_t i = 0; i < count; ++i) {
    std::string bytes = from_hex("01 01 07");
    append_var_uint(i, bytes);
    if (i == 0) {
      bytes += from_hex("04 01 01 74");
    } else {
      bytes += from_hex("84 07");
      append_var_uint(i - 1, bytes);
    }
    bytes += from_hex("01 61 00");
    updates.push_back(std::move(bytes));
  }
  return updates;
}

}  // namespace

TEST_CASE("Update: each vector is one, and alone it is its own merge", "[db][documents]") {
  size_t count = 0;
  for (const auto& [name, bytes] : yjs_vectors()) {
    if (!name.starts_with("update/") && !name.starts_with("state/") && !name.starts_with("merge/")) continue;
    INFO(name);
    CHECK(update_of(bytes).is_empty() == (name == "update/empty"));
    CHECK(merged({bytes}) == bytes);
    ++count;
  }
  CHECK(count == 17);
}

TEST_CASE("Update: merges and differences are those of Yjs, byte for byte where it joins nothing", "[db][documents]") {
  // But for one bit: that an entry of a map was overwritten is known of the entry before it, so Yjs drops it here.
  std::string expected = yjs_vector("merge/A1..A11");
  const size_t entry = expected.find(from_hex("88 01 03 01 77 01 55"));
  REQUIRE(entry != std::string::npos);
  expected[entry] = '\xa8';
  CHECK(merged(edits()) == expected);
  std::vector<std::string> backwards = edits();
  std::reverse(backwards.begin(), backwards.end());
  CHECK(merged(backwards) == expected);
  CHECK(merged({edits()[0], edits()[3]}) == yjs_vector("merge/A1+A3-gap"));
  CHECK(merged({yjs_vector("update/A1-text-insert-hi"), yjs_vector("update/B1-insert-middle")}) ==
        yjs_vector("merge/A1+B1"));
  const std::string& all = yjs_vector("merge/A1..A11");
  CHECK(difference(all, vector_of({{1, 2}})) == yjs_vector("diff/merge-vs-sv{1:2}"));
  CHECK(difference(all, vector_of({{1, 1}})) == yjs_vector("diff/merge-vs-sv{1:1}"));
  CHECK(difference(all, vector_of({})) == all);
  CHECK(difference(all, vector_of({{1, 16}})) == from_hex("00 01 01 02 00 01 03 01"));  // the deletes alone
  CHECK(merged({}) == kEmptyUpdate);
  CHECK(merged({from_hex("0000"), from_hex("0000")}) == kEmptyUpdate);
}

TEST_CASE("Update: a state vector counts what a replica could apply", "[db][documents]") {
  CHECK(state_vector(updates_of({yjs_vector("merge/A1..A11")})).encode() == yjs_vector("svFromUpdate/merge"));
  CHECK(state_vector(updates_of(edits())).encode() == yjs_vector("sv/A"));
  CHECK(state_vector({}).encode() == kEmptyStateVector);
  CHECK(state_vector(updates_of({yjs_vector("merge/A1+A3-gap")})).clock(1) == 2);  // up to the hole
  CHECK(state_vector(updates_of({edits()[3]})).clocks().empty());                  // not from the beginning
  CHECK(StateVector::parse(yjs_vector("sv/A")).value().clock(1) == 16);
  CHECK(StateVector::parse(from_hex("02 05 01 ac02 03")).value().encode() == from_hex("02 ac02 03 05 01"));
  for (const char* hex : {"", "01", "01 01", "02 01 01", "00 00", "ffffffffffffff0f 01 01"}) {
    INFO(hex);
    CHECK_FALSE(StateVector::parse(from_hex(hex)).ok());
  }
}

TEST_CASE("Update: holes are kept, filled, and never begin a section", "[db][documents]") {
  const std::vector<std::string> all = typed(6);
  const std::string with_holes = merged({all[0], all[2], all[5]});
  CHECK(update_of(with_holes).skips() == 2);
  CHECK(merged({with_holes, all[1]}) == merged({all[0], all[1], all[2], all[5]}));
  CHECK(merged({with_holes, all[1], all[3], all[4]}) == merged(all));
  // A hole over what is there hides nothing.
  CHECK(merged({with_holes, merged(all)}) == merged(all));
  const std::string rest = difference(with_holes, vector_of({{7, 1}}));
  CHECK(update_of(rest).sections().front().start == 2);
  CHECK(update_of(rest).skips() == 1);
  CHECK(difference(with_holes, vector_of({{7, 4}})) == all[5]);
}

TEST_CASE("Update: more holes than kSkipsMax are too many", "[db][documents]") {
  for (const size_t holes : {kSkipsMax, kSkipsMax + 1}) {
    std::string bytes = from_hex("01");
    append_var_uint(2 * holes + 1, bytes);
    bytes += from_hex("07 00 00 01");
    for (size_t i = 0; i < holes; ++i) bytes += from_hex("0a 01 00 01");
    bytes += from_hex("00");
    const auto result = merge(updates_of({bytes}));
    CHECK(result.ok() == (holes == kSkipsMax));
    if (!result.ok()) CHECK(result.error().code == ErrorCode::TooLarge);
  }
}

TEST_CASE("Update: clients and deletes in any order and in pieces are as if in one", "[db][documents]") {
  // Client 1 has two sections, its deletes are in pieces that overlap.
  const std::string odd = from_hex(
      "03 01 01 02 84 01 01 01 63 | 01 09 00 00 02 | 01 01 00 04 01 01 74 02 6162 |"
      "02 01 03 01 01 00 01 02 01 | 09 01 00 01");
  CHECK(merged({odd}) == from_hex("02 01 09 00 00 02 | 02 01 00 04 01 01 74 02 6162 84 01 01 01 63 |"
                                  "02 09 01 00 01 01 01 00 03"));
  CHECK(state_vector(updates_of({odd})).clock(1) == 3);
}

TEST_CASE("Update: what is typed letter by letter becomes one text", "[db][documents]") {
  const std::vector<std::string> all = typed(2000);
  CHECK(merged(all).size() > 11'000);
  const std::string compact_bytes = compacted(all);
  CHECK(compact_bytes == [] {
    std::string bytes = from_hex("01 01 07 00 04 01 01 74 d00f");
    return bytes + std::string(2000, 'a') + std::string(1, '\0');
  }());
  CHECK(compacted({compact_bytes}) == compact_bytes);
  CHECK(merged({compact_bytes, all[5]}) == compact_bytes);
}

TEST_CASE("Update: what is deleted loses its content, in the middle of a text too", "[db][documents]") {
  const std::string text = from_hex("01 01 07 00 04 01 01 74 06 616263646566 00");
  const std::string cut = from_hex("00 01 07 01 02 02");  // "cd"
  CHECK(compacted({text, cut}) ==
        from_hex("01 03 07 00 04 01 01 74 02 6162 81 07 01 02 84 07 03 02 6566 01 07 01 02 02"));
  CHECK(compacted({text, from_hex("00 01 07 01 00 06")}) == from_hex("01 01 07 00 01 01 01 74 06 01 07 01 00 06"));
  CHECK(compacted({text, from_hex("00 01 07 01 04 63")}) ==  // further than it goes
        from_hex("01 02 07 00 04 01 01 74 04 61626364 81 07 03 02 01 07 01 04 63"));
  CHECK(compacted({text, from_hex("00 01 08 01 00 06")}) ==
        from_hex("01 01 07 00 04 01 01 74 06 616263646566 01 08 01 00 06"));
  // One key that is set again and again: only the last value is left.
  std::vector<std::string> sets = {from_hex("01 01 07 00 28 01 01 6d 01 6b 01 77 02 7631 00")};
  for (size_t i = 1; i < 100; ++i) {
    std::string bytes = from_hex("01 01 07");
    append_var_uint(i, bytes);
    bytes += from_hex("a8 07");
    append_var_uint(i - 1, bytes);
    bytes += from_hex("01 77 02 7632 01 07 01");
    append_var_uint(i - 1, bytes);
    sets.push_back(bytes + from_hex("01"));
  }
  CHECK(compacted(sets) == from_hex("01 02 07 00 21 01 01 6d 01 6b 63 a8 07 62 01 77 02 7632 01 07 01 00 63"));
}

TEST_CASE("Update: bytes that are none are refused, with the place", "[db][documents]") {
  struct Case {
    const char* hex;
    const char* error;
  };
  for (const Case& at : {
           Case{"", "The bytes end too early at byte 0."},
           Case{"00", "The bytes end too early at byte 1."},
           Case{"0000 00", "There are bytes behind the end at byte 2."},
           Case{"01 ffffffffffffff0f 01 00 00 01", "The bytes end too early at byte 13."},
           Case{"ffffffffffffff0f 00", "The bytes end too early at byte 9."},
           Case{"01 02 01 ffffffffffffff0f 00 01 00 01 00", "A clock is too large at byte 13."},
           Case{"00 01 01 ffffffff0f 00 01", "The bytes end too early at byte 10."},
           Case{"00 01 01 01 05 00", "A range is empty at byte 6."},
           Case{"00 01 01 01 01 ffffffffffffff0f", "A clock is too large at byte 13."},
           Case{"01 01 01 00 04 01 01 74 05 6869 00", "A length reaches past the end at byte 9."},
       }) {
    INFO(at.hex);
    CHECK(text_of_error(from_hex(at.hex)) == at.error);
  }
  const std::string& whole = yjs_vector("merge/A1..A11");
  for (size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(Update::parse(whole.substr(0, size)).ok());
}

TEST_CASE("Update: its own bytes are parsed without a second look at texts", "[db][documents]") {
  const std::string broken = from_hex("01 01 01 00 04 01 01 74 01 ff 00");
  CHECK_FALSE(Update::parse(broken).ok());
  CHECK(Update::parse_own(broken).ok());
}
