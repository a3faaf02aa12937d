// The native dump, written and read as a sequence of parts, one in each block (the grammar stands in dump_file.h).
//
//   magic version  [F names …] [S space] [R rows] [D updates] … [E digest]  [S …] [R …] [E …]  [L]   nothing behind it
//                       │          └─ check_, digest_ begin      └─ they are compared, and end
//                       └─ says which namespaces come, in order; `last` says that none was lost
//
// The reader trusts nothing. Each part must be one that may come here (`fits`), its bytes must make sense to the end,
// rows must be a tree (TreeCheck), and numbers and digest must be those that the writer counted. A visitor that was
// told end() of a namespace knows that it was whole.
#include "db/dump/dump_file.h"

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
constexpr char kEnd = 'E';
constexpr char kLast = 'L';

Error damaged(const std::string& how) { return {ErrorCode::Corruption, "the dump is damaged: " + how}; }

// Adds an update as one row, and says how many bytes that is.
uint64_t add_to(Sha256& digest, std::string_view key, std::string_view update) {
  std::string head;
  append_bytes(key, head);
  append_varint(update.size(), head);
  digest.add(head);
  digest.add(update);
  return head.size() + update.size();
}

class Reading {
 public:
  Reading(const ByteSource& source, uint32_t version, DumpVisitor& visitor)
      : blocks_(source, "the dump"), has_documents_(version > 1), visitor_(visitor) {}
  Result<void> run();

 private:
  Result<void> space(ByteReader in);
  Result<void> rows(std::string_view bytes);
  Result<void> documents(ByteReader in);
  Result<void> document(std::string_view key, std::string_view update);
  Result<void> end(ByteReader in);

  BlockReader blocks_;
  const bool has_documents_;  // the version
  DumpVisitor& visitor_;
  bool begun_ = false;
  bool finished_ = false;
  std::vector<std::string> names_;  // that should come
  size_t spaces_ = 0;               // that came
  std::optional<TreeCheck> check_;  // while a namespace is open
  std::optional<Sha256> digest_;
  uint64_t bytes_ = 0;
  uint64_t sequence_ = 0;   // of the namespace
  std::string cut_key_;     // of an update that goes on in the next part
  std::string cut_update_;  // what has come of it
  uint64_t left_ = 0;       // and what has not
};

Result<void> Reading::run() {
  for (;;) {
    ASSIGN_OR_RETURN(const auto block, blocks_.next());
    if (!block) break;
    if (block->empty() || finished_) return damaged("there is more behind its end");
    const char kind = block->front();
    const std::string_view rest = block->substr(1);
    // The order of parts as one line: the head once and first, rows and end within a namespace, the others between
    // namespaces.
    const bool is_within = kind == kRows || kind == kDocuments || kind == kEnd;
    const bool fits = kind == kFile ? !begun_ : is_within ? check_.has_value() : begun_ && !check_;
    if (!fits || (left_ > 0 && kind != kDocuments)) return damaged("its parts are out of order");
    if (kind == kDocuments && !has_documents_) return damaged("it has a part of an unknown kind");
    switch (kind) {
      case kFile: {
        begun_ = true;
        ByteReader in(rest);
        DumpInfo info;
        info.made = Timestamp(static_cast<int64_t>(in.varint()));
        info.hearth = in.bytes();
        info.store = in.bytes();
        const uint64_t spaces = in.varint();
        for (uint64_t i = 0; i < spaces && in.ok(); ++i) info.spaces.emplace_back(in.bytes());
        if (!in.ok() || !in.done()) return damaged("its first part makes no sense");
        names_ = info.spaces;
        RETURN_IF_ERROR(visitor_.begin(info));
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
      case kEnd:
        RETURN_IF_ERROR(end(ByteReader(rest)));
        break;
      case kLast:
        if (!rest.empty() || spaces_ != names_.size()) return damaged("it has other namespaces than it says");
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

Result<void> Reading::space(ByteReader in) {
  DumpedSpace space;
  space.name = in.bytes();
  const std::string_view path = in.bytes();
  space.sequence = in.varint();
  space.time = Timestamp(static_cast<int64_t>(in.varint()));
  const std::string_view flags = in.fixed(1);
  space.has_priorities = !flags.empty() && (flags.front() & 1) != 0;
  const uint64_t settings = in.varint();
  // Limits before loops: the number may be anything.
  if (settings > kDumpSettingsMax) return damaged("a namespace has too many settings");
  for (uint64_t i = 0; i < settings && in.ok(); ++i) {
    const std::string_view name = in.bytes();
    const std::string_view text = in.bytes();
    if (text.size() > kSettingBytesMax) return damaged("a setting is too long");
    space.settings.push_back({std::string(name), std::string(text)});
  }
  if (!in.ok() || !in.done()) return damaged("the head of a namespace makes no sense");
  // Namespaces come in the order in which the head names them, and none comes that it does not name.
  if (spaces_ == names_.size() || names_[spaces_] != space.name) return damaged("it has other namespaces than it says");
  const Result<Path> at = Path::parse(path);
  if (!at.ok()) return damaged(at.error().message);
  space.path = at.value();
  check_.emplace();
  digest_.emplace();
  bytes_ = 0;
  sequence_ = space.sequence;
  ++spaces_;
  return visitor_.space(space);
}

Result<void> Reading::rows(std::string_view bytes) {
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

Result<void> Reading::documents(ByteReader in) {
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

Result<void> Reading::document(std::string_view key, std::string_view update) {
  // As a row, whole: independent of how the update was cut into pieces.
  bytes_ += add_to(*digest_, key, update);
  RETURN_IF_ERROR(check_->add_document(key, update));
  if (check_->last_sequence() > sequence_) return damaged("an update of a document is later than its namespace");
  return visitor_.document(key, update);
}

Result<void> Reading::end(ByteReader in) {
  RETURN_IF_ERROR(check_->finish());
  DumpedRows said;
  said.rows = in.varint();
  said.leaves = in.varint();
  said.bytes = in.varint();
  said.digest = in.fixed(kDigestBytes);
  if (has_documents_) {
    said.documents = in.varint();
    said.updates = in.varint();
  }
  if (!in.ok() || !in.done()) return damaged("the end of a namespace makes no sense");
  if (said.digest != std::move(*digest_).finish()) return damaged("the rows of a namespace have another digest");
  if (said.rows != check_->row_count() || said.leaves != check_->leaf_count() || said.bytes != bytes_) {
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
  for (const std::string& name : info.spaces) append_bytes(name, raw);
  blocks_.write(raw, to);
}

void DumpWriter::space(const DumpedSpace& space, std::string& to) {
  std::string raw(1, kSpace);
  append_bytes(space.name, raw);
  append_bytes(space.path.text(), raw);
  append_varint(space.sequence, raw);
  append_varint(static_cast<uint64_t>(space.time.count()), raw);
  raw += static_cast<char>(space.has_priorities ? 1 : 0);
  append_varint(space.settings.size(), raw);
  for (const Setting& setting : space.settings) {
    append_bytes(setting.name, raw);
    append_bytes(setting.text.value_or(""), raw);
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

DumpedRows DumpWriter::end(std::string& to) {
  flush(to);
  counted_.digest = std::move(*digest_).finish();
  std::string raw(1, kEnd);
  append_varint(counted_.rows, raw);
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
  return Reading(source, version, visitor).run();
}

}  // namespace hearth::db
