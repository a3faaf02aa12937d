// The native dump: whole namespaces, or the tree at a path of one, at one moment.
//
//   file  := magic:12 version:4 BE  block*             blocks: db/dump/block.h; their raw bytes are, in this order:
//            file ( space ( rows | documents )* end )* last            nothing behind it
//   magic := 0x89 "HearthDump" 0x0a
//   file  := 'F'  made:varint (ms)  hearth:bytes  store:bytes  spaces:varint ( name:bytes )*
//            of which version and store it is, and what is in it, in order
//   space := 'S'  name:bytes  path:bytes  sequence:varint  time:varint  flags:1
//            settings:varint ( name:bytes text:bytes )*
//   rows  := 'R'  ( key:bytes leaf:bytes )*                          in key order, below `path`
//   documents := 'D'  ( key:bytes left:varint piece:bytes )*
//            updates of Yjs documents, among the rows in the order of all keys. left: bytes of the update still to come,
//            in parts of the same key that follow at once, for an update may be larger than a block
//   end   := 'E'  rows:varint  leaves:varint  bytes:varint  digest:32  documents:varint  updates:varint
//   last  := 'L'
//   flags: bit 0: some node has or had a priority. digest: SHA-256 of the namespace's row bytes (db/dump/tree_rows.h)
//
// Version 1 had no documents: no part of that kind, and an end without the last two numbers. It is read, and version 2
// is written; a Hearth that knows version 1 alone refuses it, naming both.
//
// On disk. Never renumber; what can't be read by this version raises `version`. A `path` other than the root says
// that only the tree below it was taken, without settings. Thread: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/dump/block.h"
#include "db/dump/tree_rows.h"
#include "db/model/path.h"
#include "db/model/settings.h"

namespace hearth::db {

inline constexpr std::string_view kDumpMagic = "\x89HearthDump\n";
inline constexpr uint32_t kDumpVersion = 2;
inline constexpr uint32_t kDumpVersionOldest = 1;  // that is read
inline constexpr size_t kDumpSettingsMax = 12;     // of one namespace: with kSettingBytesMax each, they fit in a block
inline constexpr size_t kDumpSpacesMax = 100'000;  // of one file: their names fit in a block
inline constexpr size_t kRowsBlockBytes = 1u << 20;    // of rows, before a block is ended
inline constexpr size_t kUpdatePieceBytes = 4u << 20;  // of one update, in one block

struct DumpInfo {
  Timestamp made{};
  std::string hearth;
  std::string store;
  std::vector<std::string> spaces{};  // names, in the order in which they come
};

struct DumpedSpace {
  std::string name;
  Path path;  // the root: all of the namespace, and its settings
  uint64_t sequence = 0;
  Timestamp time{};
  bool has_priorities = false;
  std::vector<Setting> settings{};
};

struct DumpedRows {
  uint64_t rows = 0;
  uint64_t leaves = 0;
  uint64_t bytes = 0;  // of rows and updates, uncompressed
  std::string digest;  // kDigestBytes
  uint64_t documents = 0;
  uint64_t updates = 0;  // of them
};

// Whoever takes what is read of a dump. Rows come checked (TreeCheck); `end` says that those of a namespace are all
// and right. An error ends the reading.
class DumpVisitor {
 public:
  virtual ~DumpVisitor() = default;
  virtual Result<void> begin(const DumpInfo&) { return {}; }
  virtual Result<void> space(const DumpedSpace& space) = 0;
  virtual Result<void> row(std::string_view key, std::string_view leaf) = 0;
  virtual Result<void> document(std::string_view key, std::string_view update) = 0;  // one update of one
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

}  // namespace hearth::db
