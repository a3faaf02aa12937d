// The key of every row in the store. One column family; the table comes first, so that what is read together at a start
// (names, queues of lost connections) lies together.
//
//   key   := table:1 rest
//   table := 0x01 store       rest = "format" | "id" | "shards" | "life" index:4 BE  → text
//                                | "applied" shard:4 BE | "removed/" name          → db/log/commit_log.h, where there is a log
//          | 0x02 name        rest = name of a namespace                             → number:4 BE
//          | 0x03 head        rest = number:4 BE                                     → head (tree_store.h)
//          | 0x04 disconnect  rest = number:4 BE session 0x00 path [0x00]            → value rows (disconnect_queue.h)
//          | 0x05 data        rest = number:4 BE path [0x00]                         → leaf (db/model/value.h)
//          | 0x06 setting     rest = number:4 BE name                                → text
//          | 0x07 index       rest = number:4 BE row                                 → db/model/index.h
//          | 0x08 document    rest = number:4 BE path 0x00 sequence:8 BE             → update (db/documents/update.h)
//          | 0x09 history     rest = number:4 BE                                     → how far the log reaches (db/log)
//          | 0x0a log         rest = number:4 BE sequence:8 BE [part:4 BE]           → entry (db/log/log_entry.h)
//          | 0x0b version     rest = number:4 BE path 0x00 kind:1 ~sequence:8 BE      → leaf, or nothing (db/log/versions.h)
//          | 0x0c answer      rest = number:4 BE row                                 → db/commit/kept_answer.h
//          | 0x0d mirror      rest = number:4 BE [path]                              → db/commit/committer_mirrors.cc
//          | 0x0e beside      rest = number:4 BE row                                 → of whoever serves it (net/webhooks, db/shard/resume_points.h)
//          | 0x0f expiry      rest = number:4 BE row                                 → db/model/expiry.h
//
// `path` is encoded (db/model/key_order.h), a last 0x00 marks a priority. On disk. Never renumber.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::db {

enum class Table : char {
  Store = 1,
  Name = 2,
  Head = 3,
  Disconnect = 4,
  Data = 5,
  Setting = 6,
  Index = 7,
  Document = 8,
  History = 9,
  Log = 10,
  Version = 11,
  Answer = 12,
  Mirror = 13,
  Beside = 14,
  Expiry = 15,
  End = 16
};

inline void append_number(uint32_t number, std::string& to) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(number >> shift);
}

inline uint32_t read_number(std::string_view bytes) {  // precondition: at least 4 bytes
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

inline std::string row_key(Table table, std::string_view rest) {
  std::string key(1, static_cast<char>(table));
  key += rest;
  return key;
}

inline std::string row_key(Table table, uint32_t number, std::string_view rest = {}) {
  std::string key(1, static_cast<char>(table));
  key.reserve(5 + rest.size());
  append_number(number, key);
  key += rest;
  return key;
}

// Behind all rows of the table, whichever tables come later.
inline std::string end_of_table(Table table) { return {static_cast<char>(static_cast<char>(table) + 1)}; }

inline void append_sequence(uint64_t sequence, std::string& to) {
  for (int shift = 56; shift >= 0; shift -= 8) to += static_cast<char>(sequence >> shift);
}

inline uint64_t read_sequence(std::string_view bytes) {  // precondition: at least 8 bytes
  return static_cast<uint64_t>(read_number(bytes)) << 32 | read_number(bytes.substr(4));
}

// The key of an update's row, below table and number.
inline std::string document_row(std::string_view encoded_path, uint64_t sequence) {
  std::string row(encoded_path);
  row += '\0';
  append_sequence(sequence, row);
  return row;
}

struct DocumentRow {
  std::string_view path;  // encoded
  uint64_t sequence;
};
// Nothing: it is not the key of an update. Whether the path is one is not looked at.
inline std::optional<DocumentRow> read_document_row(std::string_view row) {
  constexpr size_t kTail = 9;  // the mark and the sequence
  if (row.size() < kTail || row[row.size() - kTail] != '\0') return {};
  return DocumentRow{row.substr(0, row.size() - kTail), read_sequence(row.substr(row.size() - 8))};
}

inline constexpr size_t kTableAndNumber = 5;  // bytes before the path of a data row

}  // namespace hearth::db
