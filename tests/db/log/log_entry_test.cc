#include "db/log/log_entry.h"

#include <catch2/catch.hpp>

#include "db/model/path.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;

namespace {

LogEntry entry_of(Value value) {
  LogEntry entry;
  entry.life = 7;
  entry.offset = 1'234'567;
  entry.wall = Timestamp(1'700'000'000'123);
  entry.told_as_update = true;
  entry.base = Path::parse("/rooms/1").value();
  entry.by = "ada";
  entry.record = {42,
                  Timestamp(1'700'000'000'100),
                  {{Effect::Kind::Set, Path::parse("/rooms/1/a").value(), std::move(value), Slot::Value, {}}}};
  return entry;
}

}  // namespace

TEST_CASE("log: an entry is the same when it is read again", "[log]") {
  const LogEntry entry = entry_of(Value::string("hello"));
  const LogEntry read = LogEntry::decode(entry.encode()).value();
  CHECK(read.kind == LogEntry::Kind::Commit);
  CHECK(read.life == 7);
  CHECK(read.offset == 1'234'567);
  CHECK(read.wall == entry.wall);
  CHECK(read.told_as_update);
  CHECK(read.base == entry.base);
  CHECK(read.by == "ada");
  CHECK(read.record.encode() == entry.record.encode());
  const LogEntry head = LogEntry::decode(entry.encode(), LogEntry::What::HeadOnly).value();
  CHECK(head.offset == 1'234'567);
  CHECK(head.record.effects.empty());
}

TEST_CASE("log: an entry that is cut short or damaged is no entry", "[log]") {
  const std::string bytes = entry_of(Value::string("hello")).encode();
  for (size_t length = 0; length < bytes.size(); ++length) {
    INFO(length);
    CHECK(LogEntry::decode(bytes.substr(0, length)).error().code == ErrorCode::Corruption);
  }
  std::string other = bytes;
  other[0] = 'Z';
  CHECK(LogEntry::decode(other).error().code == ErrorCode::Corruption);
}

TEST_CASE("log: a large entry is several rows, each of at most a part", "[log]") {
  for (const size_t size : {size_t{0}, size_t{1}, kPartBytes - 1, kPartBytes, kPartBytes + 1, 3 * kPartBytes + 5}) {
    const std::string entry(size, 'x');
    std::string together;
    std::vector<std::string> keys;
    uint64_t said = 0;
    each_log_row(9, entry, [&](const std::string& key, const std::string& value) {
      keys.push_back(key);
      if (keys.size() > 1) {
        together += value;
        return;
      }
      const FirstPart first = read_first_part(value).value();
      said = first.size;
      together += first.bytes;
    });
    CHECK(said == size);
    CHECK(together == entry);
    CHECK(keys.size() == std::max<size_t>(1, (size + kPartBytes - 1) / kPartBytes));
    CHECK(std::is_sorted(keys.begin(), keys.end()));
    CHECK(keys.back() < log_row(10));
  }
}

TEST_CASE("log: how far it reaches, as a row", "[log]") {
  const LogState read = LogState::decode(LogState{300, 70'000}.encode()).value();
  CHECK(read.cut == 300);
  CHECK(read.cut_offset == 70'000);
  CHECK(LogState::decode("").error().code == ErrorCode::Corruption);
  CHECK(LogState::decode("\x02").error().code == ErrorCode::Corruption);
}
