#include "db/log/batch.h"

#include <catch2/catch.hpp>
#include <set>

#include "db/model/json.h"

using namespace hearth::db;

namespace {

BatchEntry entry_of(BatchEntry::Kind kind, std::string name) {
  BatchEntry entry;
  entry.kind = kind;
  entry.name = std::move(name);
  return entry;
}

std::vector<BatchEntry> one_of_each() {
  std::vector<BatchEntry> all;
  all.push_back(entry_of(BatchEntry::Kind::Create, "shop"));
  all.back().sequence = 41;
  all.push_back(entry_of(BatchEntry::Kind::Commit, "shop"));
  LogEntry& commit = all.back().commit;
  commit.wall = Timestamp(1'700'000'000'000);
  commit.told_as_update = true;
  commit.base = Path::parse("a/b").value();
  commit.by = "ada";
  commit.record.sequence = 42;
  commit.record.time = Timestamp(1'700'000'000'001);
  commit.record.effects = {{Effect::Kind::Set, commit.base, parse_value(R"({"n":3})", Path()).value(), Slot::Value, {}},
                           {Effect::Kind::Configure, {}, Value::string("{}"), Slot::Value, "rules"},
                           {Effect::Kind::Enqueue, commit.base, Value::integer(1), Slot::Priority, "session"}};
  all.push_back(entry_of(BatchEntry::Kind::Answer, "shop"));
  all.back().answer = std::string("an\0swer", 7);
  all.push_back(entry_of(BatchEntry::Kind::Beside, "shop"));
  all.back().beside = {{"cursor", "17"}, {"gone", std::nullopt}, {"empty", ""}};
  all.push_back(entry_of(BatchEntry::Kind::Restore, "shop"));
  all.back().wall = Timestamp(5);
  all.back().at = Path::parse("a/b").value();
  all.back().head = "head";
  all.back().above = {{"k", "leaf"}, {"", "root"}};
  all.back().file = "file";
  all.back().digest = "digest";
  all.push_back(entry_of(BatchEntry::Kind::Purge, "shop"));
  all.back().at = Path::parse("a").value();
  all.push_back(entry_of(BatchEntry::Kind::Remove, "shop"));
  all.back().sequence = 43;
  all.push_back(entry_of(BatchEntry::Kind::Nothing, ""));
  return all;
}

BatchHead head_of(uint64_t sequence) {
  BatchHead head;
  head.shard = 3;
  head.sequence = sequence;
  head.epoch = 300;
  head.prev = "0123456789abcdef";
  head.id = std::string("\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16);
  head.time = Timestamp(1'700'000'000'002);
  return head;
}

std::string bytes_of(const BatchHead& head, const std::vector<BatchEntry>& entries) {
  std::string bytes;
  head.append_to(bytes);
  for (const BatchEntry& entry : entries) entry.append_to(bytes);
  return bytes;
}

}  // namespace

TEST_CASE("Batch: each kind of entry is read as it was written", "[log][batch]") {
  const std::string bytes = bytes_of(head_of(7), one_of_each());
  const auto head = read_batch_head(bytes);
  REQUIRE(head.ok());
  CHECK(head.value().shard == 3);
  CHECK(head.value().sequence == 7);
  CHECK(head.value().epoch == 300);
  CHECK(head.value().prev == head_of(7).prev);
  CHECK(head.value().id == head_of(7).id);
  CHECK(head.value().time == head_of(7).time);
  std::vector<BatchEntry> found;
  REQUIRE(read_batch(bytes, [&](BatchEntry&& entry) {
            found.push_back(std::move(entry));
            return Result<void>();
          }).ok());
  CHECK(bytes_of(head.value(), found) == bytes);
  REQUIRE(found.size() == one_of_each().size());
  CHECK(found[1].commit.by == "ada");
  CHECK(found[1].commit.record.effects.size() == 3);
  CHECK(found[3].beside == one_of_each()[3].beside);
  CHECK(found[4].above == one_of_each()[4].above);
}

TEST_CASE("Batch: one that is cut short, or of a kind or format that is not known, is an error", "[log][batch]") {
  const std::vector<BatchEntry> entries = one_of_each();
  const auto ignore = [](BatchEntry&&) { return Result<void>(); };
  // Where one entry ends and none follows, the bytes are whole: whether all are there, whoever sends them has to know.
  std::set<size_t> ends;
  for (size_t i = 0; i <= entries.size(); ++i) {
    ends.insert(bytes_of(head_of(7), {entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(i)}).size());
  }
  const std::string bytes = bytes_of(head_of(7), entries);
  for (size_t size = 0; size < bytes.size(); ++size) {
    INFO(size);
    CHECK(read_batch(std::string_view(bytes).substr(0, size), ignore).ok() == ends.contains(size));
  }
  const auto unknown = read_batch(bytes + "Z" + std::string(1, '\x01') + "n", ignore);
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().code == ErrorCode::Unsupported);
  std::string newer = bytes;
  newer[0] = 2;
  const auto format = read_batch_head(newer);
  REQUIRE_FALSE(format.ok());
  CHECK(format.error().code == ErrorCode::Unsupported);
}

TEST_CASE("Batch: the rows of a file come as they were put, and a damaged part is an error", "[log][batch]") {
  std::string part;
  append_file_row(std::string("\x05"
                              "a\0",
                              3),
                  "1", part);
  append_file_row("\x06rules", "", part);
  std::vector<std::pair<std::string, std::string>> found;
  const auto take = [&](std::string_view key, std::string_view value) {
    found.emplace_back(key, value);
    return Result<void>();
  };
  REQUIRE(read_file_rows(part, take).ok());
  CHECK(found == std::vector<std::pair<std::string, std::string>>{{std::string("\x05"
                                                                               "a\0",
                                                                               3),
                                                                   "1"},
                                                                  {"\x06rules", ""}});
  CHECK_FALSE(read_file_rows(part.substr(0, part.size() - 1), take).ok());
  CHECK_FALSE(read_file_rows(std::string(2, '\0'), take).ok());
}

TEST_CASE("Batch: a commit that is not copied is the same bytes, whatever its length takes", "[db][log]") {
  const BatchEntry entry = one_of_each()[1];
  REQUIRE(entry.kind == BatchEntry::Kind::Commit);
  for (const size_t size : {0, 100, 200, 20'000}) {
    INFO(size);
    LogEntry commit = entry.commit;
    commit.record.effects.front().value = Value::string(std::string(size, 'x'));
    BatchEntry copied = entry;
    copied.commit = commit;
    std::string expected = "before", batch = "before";
    copied.append_to(expected);
    append_commit("shop",
                  {.wall = commit.wall,
                   .told_as_update = commit.told_as_update,
                   .base = commit.base,
                   .by = commit.by,
                   .record = commit.record},
                  batch);
    CHECK(batch == expected);
  }
}
