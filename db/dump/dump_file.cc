// The native dump, written and read as a sequence of parts, one in each block (the grammar stands in dump_file.h).
//
//   magic version  [F names …] [S space] [R rows] [D updates] … [E digest]  [S …] [G entries] [E …]  [L]   nothing behind it
//                       │          └─ check_, digest_ begin      └─ they are compared, and end
//                       └─ says which namespaces come, in order; `last` says that none was lost
//
// The reader trusts nothing. Each part must be one that may come here (`fits`), its bytes must make sense to the end,
// rows must be a tree (TreeCheck), and numbers and digest must be those that the writer counted. A visitor that was
// told end() of a namespace knows that it was whole.
#include "db/dump/dump_file.h"

#include <utility>

#include "db/base/bytes.h"
#include "db/base/invariant.h"
#include "db/documents/update.h"
#include "db/model/value.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr char kFile = 'F';
constexpr char kSpace = 'S';
constexpr char kRows = 'R';
constexpr char kDocuments = 'D';
constexpr char kEntries = 'G';
constexpr char kEnd = 'E';
constexpr char kLast = 'L';

Error damaged(const std::string& how) { return {ErrorCode::Corruption, "the dump is damaged: " + how}; }

// Whether the kind's parts are those of a namespace.
bool is_within(char kind) { return kind == kRows || kind == kDocuments || kind == kEntries || kind == kEnd; }

void add_entry(Sha256& digest, std::string_view entry) {
  std::string head;
  append_varint(entry.size(), head);
  digest.add(head);
  digest.add(entry);
}

Result<DumpInfo> parse_info(ByteReader in, uint32_t version) {
  DumpInfo info;
  info.made = Timestamp(static_cast<int64_t>(in.varint()));
  info.hearth = in.bytes();
  info.store = in.bytes();
  const uint64_t spaces = in.varint();
  for (uint64_t i = 0; i < spaces && in.ok(); ++i) {
    info.spaces.emplace_back(in.bytes());
    info.positions.emplace_back(version > 2 ? in.bytes() : "");
  }
  if (version > 2) {
    info.id = in.bytes();
    const std::string_view kind = in.fixed(1);
    info.is_incremental = kind == "\1";
    info.base = in.bytes();
    info.base_made = Timestamp(static_cast<int64_t>(in.varint()));
    const uint64_t lives = in.varint();
    for (uint64_t i = 0; i < lives && in.ok(); ++i) {
      const auto index = static_cast<uint32_t>(in.varint());
      info.lives[index] = in.bytes();
    }
  }
  if (!in.ok() || !in.done()) return damaged("its first part makes no sense");
  return info;
}

// The version, behind the magic.
Result<uint32_t> read_version(const ByteSource& source) {
  std::string head(kDumpMagic.size() + 4, '\0');
  ASSIGN_OR_RETURN(const size_t got, read_fully(source, head.data(), head.size()));
  const std::string_view read = std::string_view(head).substr(0, got);
  if (!read.starts_with(kDumpMagic)) {
    // The beginning of our magic and no more: a dump that was cut, and not some other file.
    if (got > 0 && kDumpMagic.starts_with(read)) return damaged("it is cut short");
    return Error{ErrorCode::InvalidData, "this is not a dump of Hearth, or its first bytes are damaged"};
  }
  if (got < head.size()) return damaged("it is cut short");
  const uint32_t version = read_number(read.substr(kDumpMagic.size()));
  if (version < kDumpVersionOldest || version > kDumpVersion) {
    return Error{ErrorCode::Unsupported, "the dump has format " + std::to_string(version) +
                                             ", this Hearth reads formats " + std::to_string(kDumpVersionOldest) +
                                             " to " + std::to_string(kDumpVersion) +
                                             "; use the version that made it, or a newer one"};
  }
  return version;
}

// Adds an update as one row, and says how many bytes that is.
uint64_t add_to(Sha256& digest, std::string_view key, std::string_view update) {
  std::string head;
  append_bytes(key, head);
  append_varint(update.size(), head);
  digest.add(head);
  digest.add(update);
  return head.size() + update.size();
}

class DumpReading {
 public:
  DumpReading(const ByteSource& source, uint32_t version, DumpVisitor& visitor)
      : blocks_(source, "the dump"), version_(version), visitor_(visitor) {}
  Result<void> run();

 private:
  Result<void> space(ByteReader in);
  Result<void> rows(std::string_view bytes);
  Result<void> documents(ByteReader in);
  Result<void> entries(ByteReader in);
  Result<void> entry(std::string_view bytes);
  Result<void> document(std::string_view key, std::string_view update);
  Result<void> end(ByteReader in);

  BlockReader blocks_;
  const uint32_t version_;
  DumpVisitor& visitor_;
  bool begun_ = false;
  bool finished_ = false;
  DumpInfo info_;                   // with the names that should come
  size_t spaces_ = 0;               // that came
  std::optional<TreeCheck> check_;  // while a namespace is open
  std::optional<Sha256> digest_;
  uint64_t bytes_ = 0;
  uint64_t sequence_ = 0;     // of the namespace
  bool has_entries_ = false;  // and no rows
  uint64_t last_ = 0;         // sequence of the last entry
  std::string cut_key_;       // of an update that goes on in the next part
  std::string cut_update_;    // what has come of it
  uint64_t left_ = 0;         // and what has not
};

Result<void> DumpReading::run() {
  for (;;) {
    ASSIGN_OR_RETURN(const auto block, blocks_.next());
    if (!block) break;
    if (block->empty() || finished_) return damaged("there is more behind its end");
    const char kind = block->front();
    const std::string_view rest = block->substr(1);
    // The order of parts as one line: the head once and first, rows and end within a namespace, the others between
    // namespaces.
    const bool fits = kind == kFile ? !begun_ : is_within(kind) ? check_.has_value() : begun_ && !check_;
    const bool goes_on = kind == (has_entries_ ? kEntries : kDocuments);
    if (!fits || (left_ > 0 && !goes_on)) return damaged("its parts are out of order");
    if (check_ && is_within(kind) && kind != kEnd && (kind == kEntries) != has_entries_) {
      return damaged("its parts are out of order");
    }
    if (kind == kDocuments && version_ < 2) return damaged("it has a part of an unknown kind");
    switch (kind) {
      case kFile: {
        begun_ = true;
        ASSIGN_OR_RETURN(info_, parse_info(ByteReader(rest), version_));
        RETURN_IF_ERROR(visitor_.begin(info_));
        break;
      }
      case kSpace:
        RETURN_IF_ERROR(space(ByteReader(rest)));
        break;
      case kRows:
        RETURN_IF_ERROR(rows(rest));
        break;
      case kDocuments:
        RETURN_IF_ERROR(documents(ByteReader(rest)));
        break;
      case kEntries:
        RETURN_IF_ERROR(entries(ByteReader(rest)));
        break;
      case kEnd:
        RETURN_IF_ERROR(end(ByteReader(rest)));
        break;
      case kLast:
        if (!rest.empty() || spaces_ != info_.spaces.size()) return damaged("it has other namespaces than it says");
        finished_ = true;
        break;
      default:
        return damaged("it has a part of an unknown kind");
    }
  }
  // Every block was right, and yet the copy may have stopped between two of them.
  if (!finished_) return damaged("it ends too early; it was not written or copied to its end");
  return {};
}

Result<void> DumpReading::space(ByteReader in) {
  DumpedSpace space;
  space.name = in.bytes();
  const std::string_view path = in.bytes();
  space.sequence = in.varint();
  space.time = Timestamp(static_cast<int64_t>(in.varint()));
  const std::string_view flags = in.fixed(1);
  space.has_priorities = !flags.empty() && (flags.front() & 1) != 0;
  space.has_entries = version_ > 2 && !flags.empty() && (flags.front() & 2) != 0;
  const uint64_t settings = in.varint();
  // Limits before loops: the number may be anything.
  if (settings > kDumpSettingsMax) return damaged("a namespace has too many settings");
  for (uint64_t i = 0; i < settings && in.ok(); ++i) {
    const std::string_view name = in.bytes();
    const std::string_view text = in.bytes();
    if (text.size() > kSettingBytesMax) return damaged("a setting is too long");
    space.settings.push_back({std::string(name), std::string(text)});
  }
  if (space.has_entries) {
    space.since = in.varint();
    space.base = in.bytes();
  }
  if (!in.ok() || !in.done()) return damaged("the head of a namespace makes no sense");
  if (space.since > space.sequence || (space.has_entries && !info_.is_incremental)) {
    return damaged("the head of a namespace makes no sense");
  }
  // Namespaces come in the order in which the head names them, and none comes that it does not name.
  if (spaces_ == info_.spaces.size() || info_.spaces[spaces_] != space.name) {
    return damaged("it has other namespaces than it says");
  }
  space.position = info_.positions[spaces_];
  const Result<Path> at = Path::parse(path);
  if (!at.ok()) return damaged(at.error().message);
  space.path = at.value();
  check_.emplace();
  digest_.emplace();
  bytes_ = 0;
  sequence_ = space.sequence;
  has_entries_ = space.has_entries;
  last_ = space.since;
  ++spaces_;
  return visitor_.space(space);
}

Result<void> DumpReading::rows(std::string_view bytes) {
  // Of the bytes as they are in the block: independent of how rows were cut into blocks.
  digest_->add(bytes);
  bytes_ += bytes.size();
  ByteReader in(bytes);
  while (!in.done()) {
    const std::string_view key = in.bytes();
    const std::string_view leaf = in.bytes();
    if (!in.ok()) break;
    RETURN_IF_ERROR(check_->add(key, leaf));
    RETURN_IF_ERROR(visitor_.row(key, leaf));
  }
  if (!in.ok()) return damaged("its rows make no sense");
  return {};
}

Result<void> DumpReading::documents(ByteReader in) {
  while (!in.done()) {
    const std::string_view key = in.bytes();
    const uint64_t left = in.varint();
    const std::string_view piece = in.bytes();
    if (!in.ok()) break;
    if (left_ > 0 && (key != cut_key_ || piece.empty() || piece.size() > left_ || left != left_ - piece.size())) {
      return damaged("an update of a document does not go on");
    }
    if (left_ == 0 && left == 0) {
      RETURN_IF_ERROR(document(key, piece));
      continue;
    }
    if (left > documents::kUpdateBytesMax) return damaged("an update of a document is too long");
    cut_key_ = key;
    cut_update_ += piece;
    left_ = left;
    if (left_ > 0) continue;
    RETURN_IF_ERROR(document(cut_key_, cut_update_));
    cut_update_ = std::string();
  }
  if (!in.ok()) return damaged("its documents make no sense");
  return {};
}

Result<void> DumpReading::entries(ByteReader in) {
  while (!in.done()) {
    const uint64_t left = in.varint();
    const std::string_view piece = in.bytes();
    if (!in.ok()) break;
    if (left_ > 0 && (piece.empty() || piece.size() > left_ || left != left_ - piece.size())) {
      return damaged("an entry does not go on");
    }
    if (left_ == 0 && left == 0) {
      RETURN_IF_ERROR(entry(piece));
      continue;
    }
    if (left > kEntryBytesMax) return damaged("an entry is too long");
    cut_update_ += piece;
    left_ = left;
    if (left_ > 0) continue;
    RETURN_IF_ERROR(entry(cut_update_));
    cut_update_ = std::string();
  }
  if (!in.ok()) return damaged("its entries make no sense");
  return {};
}

Result<void> DumpReading::entry(std::string_view bytes) {
  bytes_ += bytes.size();
  add_entry(*digest_, bytes);
  Result<LogEntry> entry = LogEntry::decode(bytes);
  if (!entry.ok()) return damaged(entry.error().message);
  // A restore says only that there was one, so the namespace would have been taken as a whole.
  if (entry.value().record.sequence != ++last_ || entry.value().kind != LogEntry::Kind::Commit) {
    return damaged("an entry is missing, or there is another in its place");
  }
  return visitor_.entry(std::move(entry).value());
}

Result<void> DumpReading::document(std::string_view key, std::string_view update) {
  // As a row, whole: independent of how the update was cut into pieces.
  bytes_ += add_to(*digest_, key, update);
  RETURN_IF_ERROR(check_->add_document(key, update));
  if (check_->last_sequence() > sequence_) return damaged("an update of a document is later than its namespace");
  return visitor_.document(key, update);
}

Result<void> DumpReading::end(ByteReader in) {
  RETURN_IF_ERROR(check_->finish());
  DumpedRows said;
  said.rows = in.varint();
  said.leaves = in.varint();
  said.bytes = in.varint();
  said.digest = in.fixed(kDigestBytes);
  if (version_ > 1) {
    said.documents = in.varint();
    said.updates = in.varint();
  }
  if (!in.ok() || !in.done()) return damaged("the end of a namespace makes no sense");
  if (said.digest != std::move(*digest_).finish()) return damaged("the rows of a namespace have another digest");
  if (has_entries_) {
    said.entries = std::exchange(said.rows, 0);
    if (last_ != sequence_ || said.bytes != bytes_) return damaged("a namespace has another number of entries");
  }
  if ((!has_entries_ && said.bytes != bytes_) || said.rows != check_->row_count() ||
      said.leaves != check_->leaf_count()) {
    return damaged("a namespace has another number of rows");
  }
  if (said.documents != check_->document_count() || said.updates != check_->update_count()) {
    return damaged("a namespace has another number of documents");
  }
  check_.reset();
  digest_.reset();
  return visitor_.end(said);
}

}  // namespace

void DumpWriter::begin(const DumpInfo& info, std::string& to) {
  to += kDumpMagic;
  append_number(kDumpVersion, to);
  std::string raw(1, kFile);
  append_varint(static_cast<uint64_t>(info.made.count()), raw);
  append_bytes(info.hearth, raw);
  append_bytes(info.store, raw);
  append_varint(info.spaces.size(), raw);
  for (size_t i = 0; i < info.spaces.size(); ++i) {
    append_bytes(info.spaces[i], raw);
    append_bytes(i < info.positions.size() ? std::string_view(info.positions[i]) : "", raw);
  }
  append_bytes(info.id, raw);
  raw += info.is_incremental ? '\1' : '\0';
  append_bytes(info.base, raw);
  append_varint(static_cast<uint64_t>(info.base_made.count()), raw);
  append_varint(info.lives.size(), raw);
  for (const auto& [index, life] : info.lives) {
    append_varint(index, raw);
    append_bytes(life, raw);
  }
  blocks_.write(raw, to);
}

void DumpWriter::space(const DumpedSpace& space, std::string& to) {
  std::string raw(1, kSpace);
  append_bytes(space.name, raw);
  append_bytes(space.path.text(), raw);
  append_varint(space.sequence, raw);
  append_varint(static_cast<uint64_t>(space.time.count()), raw);
  raw += static_cast<char>((space.has_priorities ? 1 : 0) | (space.has_entries ? 2 : 0));
  append_varint(space.settings.size(), raw);
  for (const Setting& setting : space.settings) {
    append_bytes(setting.name, raw);
    append_bytes(setting.text.value_or(""), raw);
  }
  if (space.has_entries) {
    append_varint(space.since, raw);
    append_bytes(space.base, raw);
  }
  blocks_.write(raw, to);
  // part_ keeps its first byte, the part's kind, from here on; flush() cuts back to it.
  part_.assign(1, kRows);
  document_.clear();
  digest_.emplace();
  counted_ = {};
}

// The digest of rows is of what is written, so it is taken here and not row by row.
void DumpWriter::flush(std::string& to) {
  if (part_.size() == 1) return;
  if (part_.front() == kRows) {
    digest_->add(std::string_view(part_).substr(1));
    counted_.bytes += part_.size() - 1;
  }
  blocks_.write(part_, to);
  part_.resize(1);
}

void DumpWriter::begin_part(char kind, std::string& to) {
  if (part_.front() == kind) return;
  flush(to);
  part_.front() = kind;
}

void DumpWriter::row(std::string_view key, std::string_view leaf, std::string& to) {
  begin_part(kRows, to);
  append_bytes(key, part_);
  append_bytes(leaf, part_);
  ++counted_.rows;
  if (!is_priority_key(key)) ++counted_.leaves;
  if (part_.size() >= kRowsBlockBytes) flush(to);
}

void DumpWriter::document(std::string_view key, std::string_view update, std::string& to) {
  begin_part(kDocuments, to);
  const auto row = read_document_row(key);
  invariant(row.has_value(), "whoever dumps documents has looked at their keys");
  if (counted_.updates == 0 || row->path != document_) ++counted_.documents;
  document_ = row->path;
  ++counted_.updates;
  counted_.bytes += add_to(*digest_, key, update);
  do {
    const std::string_view piece = update.substr(0, kUpdatePieceBytes);
    update.remove_prefix(piece.size());
    append_bytes(key, part_);
    append_varint(update.size(), part_);
    append_bytes(piece, part_);
    if (part_.size() >= kRowsBlockBytes) flush(to);
  } while (!update.empty());
}

void DumpWriter::entry(std::string_view entry, std::string& to) {
  begin_part(kEntries, to);
  ++counted_.entries;
  counted_.bytes += entry.size();
  add_entry(*digest_, entry);
  do {
    const std::string_view piece = entry.substr(0, kUpdatePieceBytes);
    entry.remove_prefix(piece.size());
    append_varint(entry.size(), part_);
    append_bytes(piece, part_);
    if (part_.size() >= kRowsBlockBytes) flush(to);
  } while (!entry.empty());
}

DumpedRows DumpWriter::end(std::string& to) {
  flush(to);
  counted_.digest = std::move(*digest_).finish();
  std::string raw(1, kEnd);
  append_varint(counted_.rows + counted_.entries, raw);
  append_varint(counted_.leaves, raw);
  append_varint(counted_.bytes, raw);
  raw += counted_.digest;
  append_varint(counted_.documents, raw);
  append_varint(counted_.updates, raw);
  blocks_.write(raw, to);
  return counted_;
}

void DumpWriter::last(std::string& to) { blocks_.write(std::string(1, kLast), to); }

Result<void> read_dump(const ByteSource& source, DumpVisitor& visitor) {
  ASSIGN_OR_RETURN(const uint32_t version, read_version(source));
  return DumpReading(source, version, visitor).run();
}

Result<DumpInfo> read_dump_info(const ByteSource& source) {
  ASSIGN_OR_RETURN(const uint32_t version, read_version(source));
  BlockReader blocks(source, "the dump");
  ASSIGN_OR_RETURN(const auto block, blocks.next());
  if (!block || block->empty() || block->front() != kFile) return damaged("its parts are out of order");
  return parse_info(ByteReader(block->substr(1)), version);
}

}  // namespace hearth::db
