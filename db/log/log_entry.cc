// Entries as bytes and as rows. What is read here was written by this house, but perhaps years ago or on another
// machine: every length is checked, and a damaged entry is Corruption and never a guess.
//
//   sequence 7         size 2.5 MB, then the first MB     head: kind, life, offset, wall, told, base, by │ record …
//   sequence 7, 1      the second MB
//   sequence 7, 2      the rest
//
// The head stands in front of the record, so the first row of an entry says when it was made and where it lies in the
// log. Searches and trimming read that row alone (What::HeadOnly), however large the entry is.
#include "db/log/log_entry.h"

#include "db/base/bytes.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr char kStateVersion = 1;

Error damaged_entry(const char* what) { return {ErrorCode::Corruption, std::string("an entry of the log: ") + what}; }

}  // namespace

std::string LogEntry::encode() const {
  std::string bytes;
  parts().append_to(bytes);
  return bytes;
}

LogEntryParts LogEntry::parts() const { return {kind, life, offset, wall, told_as_update, base, by, record}; }

void LogEntryParts::append_to(std::string& bytes) const {
  bytes += static_cast<char>(kind);
  append_varint(life, bytes);
  append_varint(offset, bytes);
  append_varint(static_cast<uint64_t>(wall.count()), bytes);
  bytes += static_cast<char>(told_as_update ? 1 : 0);
  const std::string at = encode_path(base);
  append_bytes(at, bytes);
  append_bytes(by, bytes);
  record.append_to(bytes, {base, at});
}

Result<LogEntry> LogEntry::decode(std::string_view bytes, What what) {
  ByteReader in(bytes);
  LogEntry entry;
  const char kind = in.byte();
  if (kind != static_cast<char>(Kind::Commit) && kind != static_cast<char>(Kind::Restore)) {
    return damaged_entry("its kind is not known; it was written by a newer Hearth, or it is damaged");
  }
  entry.kind = static_cast<Kind>(kind);
  entry.life = static_cast<uint32_t>(in.varint());
  entry.offset = in.varint();
  entry.wall = Timestamp(static_cast<int64_t>(in.varint()));
  const char told = in.byte();
  if (told != 0 && told != 1) return damaged_entry("how it is told");
  entry.told_as_update = told == 1;
  const std::string_view base = in.bytes();
  entry.by = in.bytes();
  if (!in.ok()) return damaged_entry("cut short");
  if (what == What::HeadOnly) return entry;
  ASSIGN_OR_RETURN(entry.base, decode_path(base));
  ASSIGN_OR_RETURN(entry.record, Record::decode(in.rest()));
  return entry;
}

std::string log_row(uint64_t sequence, uint32_t part) {
  std::string row;
  append_sequence(sequence, row);
  if (part > 0) append_number(part, row);
  return row;
}

void each_log_row(uint64_t sequence, std::string_view entry,
                  const std::function<void(std::string key, std::string value)>& row) {
  std::string first;
  append_varint(entry.size(), first);
  first += entry.substr(0, kPartBytes);
  row(log_row(sequence), std::move(first));
  for (uint32_t part = 1; part * kPartBytes < entry.size(); ++part) {
    row(log_row(sequence, part), std::string(entry.substr(part * kPartBytes, kPartBytes)));
  }
}

Result<FirstPart> read_first_part(std::string_view row) {
  ByteReader in(row);
  FirstPart first;
  first.size = in.varint();
  first.bytes = in.rest();
  if (!in.ok() || first.bytes.size() > first.size) return damaged_entry("its size");
  return first;
}

std::string LogState::encode() const {
  std::string bytes(1, kStateVersion);
  append_varint(cut, bytes);
  append_varint(cut_offset, bytes);
  bytes += static_cast<char>(versions);
  append_varint(versions_from, bytes);
  append_bytes(carried, bytes);
  return bytes;
}

Result<LogState> LogState::decode(std::string_view bytes) {
  ByteReader in(bytes);
  LogState state;
  if (in.byte() != kStateVersion) return Error{ErrorCode::Corruption, "the row that says how far the log reaches"};
  state.cut = in.varint();
  state.cut_offset = in.varint();
  const char versions = in.byte();
  state.versions = static_cast<LogState::Versions>(versions);
  state.versions_from = in.varint();
  state.carried = in.bytes();
  if (!in.ok() || versions < 0 || versions > static_cast<char>(LogState::Versions::Known))
    return Error{ErrorCode::Corruption, "the row that says how far the log reaches"};
  return state;
}

}  // namespace hearth::db
