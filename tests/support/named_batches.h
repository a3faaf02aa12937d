// Batches that carry a name each, and what was read of them: each follows the one before, and its epoch is never less.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "db/log/batch.h"
#include "db/log/commit_log.h"

namespace hearth::test {

inline std::string entry_named(const std::string& name) {
  db::BatchEntry entry;
  entry.kind = db::BatchEntry::Kind::Create;
  entry.name = name;
  std::string bytes;
  entry.append_to(bytes);
  return bytes;
}

// A shard's batches from its first one on. Nothing of it outlives a test case that fails: it requires.
class NamedBatches {
 public:
  void follow(const std::string& batch) {
    const auto head = db::read_batch_head(batch);
    REQUIRE(head.ok());
    INFO("batch " << head.value().sequence);
    REQUIRE(head.value().sequence == last_.sequence + 1);
    REQUIRE(head.value().prev == last_.id);
    REQUIRE(head.value().epoch >= last_.epoch);
    last_.sequence = head.value().sequence;
    last_.epoch = head.value().epoch;
    last_.id = head.value().id;
    const auto read = db::read_batch(batch, [&](db::BatchEntry&& entry) {
      names_.push_back(entry.name);
      return db::Result<void>();
    });
    REQUIRE(read.ok());
  }
  const std::vector<std::string>& names() const { return names_; }
  const db::LogPosition& last() const { return last_; }

 private:
  db::LogPosition last_;
  std::vector<std::string> names_;
};

}  // namespace hearth::test
