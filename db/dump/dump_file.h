// The native dump: whole namespaces, or the tree at a path of one, at one moment.
//
//   file  := magic:12 version:4 BE  block*             blocks: db/dump/block.h; their raw bytes are, in this order:
//            file ( space ( rows | documents | entries )* end )* last            nothing behind it
//   magic := 0x89 "HearthDump" 0x0a
//   file  := 'F'  made:varint (ms)  hearth:bytes  store:bytes  spaces:varint ( name:bytes position:bytes )*
//            id:bytes  incremental:1  base:bytes  base_made:varint (ms)  lives:varint ( index:varint life:bytes )*
//            of which version and store it is, and what is in it, in order. position: LIFE:SEQUENCE of the last commit that
//            is in it. base: the id of the dump that this one continues; lives: the runs that its entries are of
//   space := 'S'  name:bytes  path:bytes  sequence:varint  time:varint  flags:1
//            settings:varint ( name:bytes text:bytes )*  [ since:varint position:bytes ]
//            with bit 1 of flags: entries follow, and neither rows nor documents. They are those after `since`, in order
//            and without a gap, up to `sequence`; position: where the namespace was in `base`, "": it was not there
//   rows  := 'R'  ( key:bytes leaf:bytes )*                          in key order, below `path`
//   documents := 'D'  ( key:bytes left:varint piece:bytes )*
//            updates of Yjs documents, among the rows in the order of all keys. left: bytes of the update still to come,
//            in parts of the same key that follow at once, for an update may be larger than a block
//   entries := 'G'  ( left:varint piece:bytes )*     entries of the log (db/log/log_entry.h), cut as updates are
//   end   := 'E'  rows:varint  leaves:varint  bytes:varint  digest:32  documents:varint  updates:varint
//   last  := 'L'
//   flags: bit 0: some node has or had a priority. digest: SHA-256 of the namespace's row bytes (db/dump/tree_rows.h),
//            or of its entries, each with its size before it; `rows` are these then
//
// Version 1 had no documents: no part of that kind, and an end without the last two numbers. Version 2 had no entries:
// its file has no positions, and ends with the names. Both are read, and version 3 is written; a Hearth that does not
// know it refuses it, naming both.
//
// On disk. Never renumber; what can't be read by this version raises `version`. A `path` other than the root says
// that only the tree below it was taken, without settings. Thread: one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/dump/block.h"
#include "db/dump/tree_rows.h"
#include "db/log/log_entry.h"
#include "db/model/path.h"
#include "db/model/settings.h"

namespace hearth::db {

inline constexpr std::string_view kDumpMagic = "\x89HearthDump\n";
inline constexpr uint32_t kDumpVersion = 3;
inline constexpr uint32_t kDumpVersionOldest = 1;  // that is read
inline constexpr size_t kDumpIdBytes = 16;         // random; in hex
inline constexpr size_t kDumpSettingsMax = 12;     // of one namespace: with kSettingBytesMax each, they fit in a block
inline constexpr size_t kDumpSpacesMax = 90'000;   // of one file: their names and positions fit in a block
inline constexpr size_t kRowsBlockBytes = 1u << 20;    // of rows, before a block is ended
inline constexpr size_t kUpdatePieceBytes = 4u << 20;  // of one update, or entry, in one block
inline constexpr uint64_t kEntryBytesMax = 1u << 30;   // of one entry, which is whole in memory where it is checked

struct DumpInfo {
  Timestamp made{};
  std::string hearth;
  std::string store;
  std::vector<std::string> spaces{};     // names, in the order in which they come
  std::vector<std::string> positions{};  // as many; "" in dumps before version 3, and of a path
  std::string id{};                      // "" before version 3
  std::string base{};                    // the id of the dump that it continues
  Timestamp base_made{};
  bool is_incremental = false;              // it continues another one, which may have no id
  std::map<uint32_t, std::string> lives{};  // the runs that its entries are of
};

struct DumpedSpace {
  std::string name;
  Path path;  // the root: all of the namespace, and its settings
  uint64_t sequence = 0;
  Timestamp time{};
  bool has_priorities = false;
  std::vector<Setting> settings{};
  // Entries follow: what was committed after `since`, up to `sequence`. Else the namespace is there as a whole.
  bool has_entries = false;
  uint64_t since = 0;
  std::string base{};      // its position in the dump that is continued; "": it was not there
  std::string position{};  // at the end of this one
};

struct DumpedRows {
  uint64_t rows = 0;
  uint64_t leaves = 0;
  uint64_t bytes = 0;    // of rows and updates, uncompressed
  std::string digest{};  // kDigestBytes
  uint64_t documents = 0;
  uint64_t updates = 0;  // of them
  uint64_t entries = 0;  // of the log; then there are none of the others
};

// Whoever takes what is read of a dump. Rows come checked (TreeCheck); `end` says that those of a namespace are all
// and right. An error ends the reading.
class DumpVisitor {
 public:
  virtual ~DumpVisitor() = default;
  virtual Result<void> begin(const DumpInfo&) { return {}; }
  virtual void expect(uint64_t) {}  // of JSON, before its first row: how many come, at most
  virtual Result<void> space(const DumpedSpace& space) = 0;
  virtual Result<void> row(std::string_view key, std::string_view leaf) = 0;
  virtual Result<void> document(std::string_view key, std::string_view update) = 0;  // one update of one
  virtual Result<void> entry(LogEntry&&) { return {}; }  // their sequences ascend without a gap
  virtual Result<void> end(const DumpedRows& rows) = 0;
};

// Appends a dump to a text piece by piece: begin, then for each namespace space, row or document …, end; then last.
class DumpWriter {
 public:
  void begin(const DumpInfo& info, std::string& to);
  void space(const DumpedSpace& space, std::string& to);
  // Keys ascend, those of rows and of documents together.
  void row(std::string_view key, std::string_view leaf, std::string& to);
  void document(std::string_view key, std::string_view update, std::string& to);
  void entry(std::string_view entry, std::string& to);
  DumpedRows end(std::string& to);
  void last(std::string& to);

 private:
  void begin_part(char kind, std::string& to);
  void flush(std::string& to);

  BlockWriter blocks_;
  std::string part_;      // its kind, and what it has so far
  std::string document_;  // path of the last one
  std::optional<Sha256> digest_;
  DumpedRows counted_;
};

// Reads a dump to its end. Errors: InvalidData (not a dump), Unsupported (of a newer Hearth), Corruption (damaged or
// cut short, saying where), the visitor's.
Result<void> read_dump(const ByteSource& source, DumpVisitor& visitor);

// Its first part alone. Errors: of read_dump.
Result<DumpInfo> read_dump_info(const ByteSource& source);

}  // namespace hearth::db
