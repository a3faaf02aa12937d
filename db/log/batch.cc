// Batches as bytes. They come from another machine, or from years ago: every length is checked, and what is damaged or
// not known is an error and never a guess.
//
//   damaged              a length that goes too far, a flag that is neither 0 nor 1: Corruption
//   of a newer Hearth    another format, another kind of entry: Unsupported, which tells an operator to update
//
// A format that is not known is told before anything else is judged: what follows it may mean something else there.
//
// read_batch() gives each entry as soon as it is read, so a batch of any size needs no second copy in memory. The
// price: of a batch that is damaged at its end the first entries have been given already. Whoever takes entries must
// not rely on them before read_batch() has returned.
//
// A name stands in front of what each kind has, but for Nothing. What a kind writes in append_to() and reads in
// read_entry() has to have the same order; tests/db/log/batch_test.cc takes each kind there and back.
#include "db/log/batch.h"

#include "db/base/bytes.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

constexpr char kBatchFormat = 1;

Error damaged_batch(const char* what) { return {ErrorCode::Corruption, std::string("a batch of the log: ") + what}; }

Result<BatchHead> read_head(ByteReader& in) {
  const char format = in.byte();
  if (in.ok() && format != kBatchFormat) {
    return Error{ErrorCode::Unsupported, "a batch of the log has format " + std::to_string(format) +
                                             ", and this Hearth reads format 1; a newer Hearth wrote it"};
  }
  BatchHead head;
  head.shard = static_cast<uint32_t>(in.varint());
  head.sequence = in.varint();
  head.epoch = in.varint();
  head.prev = in.fixed(kBatchIdBytes);
  head.id = in.fixed(kBatchIdBytes);
  head.time = Timestamp(static_cast<int64_t>(in.varint()));
  if (!in.ok()) return damaged_batch("cut short");
  return head;
}

Result<void> read_restore(ByteReader& in, BatchEntry& entry) {
  entry.wall = Timestamp(static_cast<int64_t>(in.varint()));
  ASSIGN_OR_RETURN(entry.at, decode_path(in.bytes()));
  entry.head = in.bytes();
  const uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view key = in.bytes();
    const std::string_view leaf = in.bytes();
    entry.above.emplace_back(key, leaf);
  }
  entry.file = in.bytes();
  entry.digest = in.bytes();
  return {};
}

Result<void> read_entry(ByteReader& in, BatchEntry& entry) {
  const char kind = in.byte();
  entry.kind = static_cast<BatchEntry::Kind>(kind);
  if (entry.kind == BatchEntry::Kind::Nothing) return {};
  entry.name = in.bytes();
  switch (entry.kind) {
    case BatchEntry::Kind::Create:
    case BatchEntry::Kind::Remove:
      entry.sequence = in.varint();
      return {};
    case BatchEntry::Kind::Commit: {
      ASSIGN_OR_RETURN(entry.commit, LogEntry::decode(in.bytes()));
      return {};
    }
    case BatchEntry::Kind::Answer:
      entry.answer = in.bytes();
      return {};
    case BatchEntry::Kind::Beside: {
      const uint64_t count = in.varint();
      for (uint64_t i = 0; i < count && in.ok(); ++i) {
        std::string row(in.bytes());
        const char is_set = in.byte();
        std::string value(in.bytes());
        if (is_set != 0 && is_set != 1) return damaged_batch("a row beside a tree");
        entry.beside[std::move(row)] = is_set == 1 ? std::optional(std::move(value)) : std::nullopt;
      }
      return {};
    }
    case BatchEntry::Kind::Restore:
      return read_restore(in, entry);
    case BatchEntry::Kind::Purge: {
      ASSIGN_OR_RETURN(entry.at, decode_path(in.bytes()));
      return {};
    }
    case BatchEntry::Kind::Nothing:
      return {};
  }
  return Error{ErrorCode::Unsupported,
               "a batch of the log has an entry of a kind that this Hearth does not know; a "
               "newer Hearth wrote it, or it is damaged"};
}

}  // namespace

void BatchHead::append_to(std::string& batch) const {
  batch += kBatchFormat;
  append_varint(shard, batch);
  append_varint(sequence, batch);
  append_varint(epoch, batch);
  batch += prev;
  batch += id;
  append_varint(static_cast<uint64_t>(time.count()), batch);
}

void BatchEntry::append_to(std::string& batch) const {
  if (kind == Kind::Commit) return append_commit(name, commit.parts(), batch);
  batch += static_cast<char>(kind);
  if (kind == Kind::Nothing) return;
  append_bytes(name, batch);
  switch (kind) {
    case Kind::Create:
    case Kind::Remove:
      append_varint(sequence, batch);
      return;
    case Kind::Answer:
      append_bytes(answer, batch);
      return;
    case Kind::Beside:
      append_varint(beside.size(), batch);
      for (const auto& [row, value] : beside) {
        append_bytes(row, batch);
        batch += static_cast<char>(value ? 1 : 0);
        append_bytes(value.value_or(""), batch);
      }
      return;
    case Kind::Restore:
      append_varint(static_cast<uint64_t>(wall.count()), batch);
      append_bytes(encode_path(at), batch);
      append_bytes(head, batch);
      append_varint(above.size(), batch);
      for (const auto& [key, leaf] : above) {
        append_bytes(key, batch);
        append_bytes(leaf, batch);
      }
      append_bytes(file, batch);
      append_bytes(digest, batch);
      return;
    case Kind::Purge:
      append_bytes(encode_path(at), batch);
      return;
    case Kind::Nothing:
    case Kind::Commit:
      return;
  }
}

void append_commit(std::string_view name, const LogEntryParts& commit, std::string& batch) {
  batch += static_cast<char>(BatchEntry::Kind::Commit);
  append_bytes(name, batch);
  const size_t at = batch.size();
  commit.append_to(batch);
  std::string length;  // known only now; what stands behind it moves by a byte or two
  append_varint(batch.size() - at, length);
  batch.insert(at, length);
}

Result<BatchHead> read_batch_head(std::string_view batch) {
  ByteReader in(batch);
  return read_head(in);
}

Result<void> read_batch(std::string_view batch, const std::function<Result<void>(BatchEntry&&)>& entry) {
  ByteReader in(batch);
  if (const auto head = read_head(in); !head.ok()) return head.error();
  while (!in.done()) {
    BatchEntry next;
    RETURN_IF_ERROR(read_entry(in, next));
    if (!in.ok()) return damaged_batch("cut short");
    RETURN_IF_ERROR(entry(std::move(next)));
  }
  return {};
}

void append_file_row(std::string_view key, std::string_view value, std::string& part) {
  append_bytes(key, part);
  append_bytes(value, part);
}

Result<void> read_file_rows(std::string_view part,
                            const std::function<Result<void>(std::string_view key, std::string_view value)>& row) {
  ByteReader in(part);
  while (!in.done()) {
    const std::string_view key = in.bytes();
    const std::string_view value = in.bytes();
    if (!in.ok() || key.empty()) return damaged_batch("a file is cut short");
    RETURN_IF_ERROR(row(key, value));
  }
  return {};
}

}  // namespace hearth::db
