// A dump in pieces. Each call of next() opens a scan where the last one ended, and writes about a megabyte of rows:
// between two pieces nothing is held but the cursor, so a slow client costs the frozen store's files and no memory.
//
//   targets_   shop            chat                   game
//              ├──────────────┤├────────▲────────────┤├────────────┤
//                               cursor_ ┘ the key where the next piece begins
//
// Documents lie in a table of their own, and come in one order with the rows of the tree: so a reader sees by the keys
// that pass by that none stands where data are (TreeCheck). Many rows of one table in a row are one scan.
#include "db/dump/dumper.h"

#include <fmt/format.h>

#include <algorithm>

#include "db/base/random.h"
#include "db/log/log_reader.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

const std::string kAll(1, kPastChildren);  // behind all keys of a tree

}  // namespace

Dumper::Dumper(Frozen from, DumpRequest request) : from_(std::move(from)), request_(std::move(request)) {}

Result<std::unique_ptr<Dumper>> Dumper::make(Frozen from, const DumpRequest& request, Timestamp now) {
  if (request.since != nullptr && (request.format == DumpFormat::Json || !request.path.is_root())) {
    return Error{ErrorCode::InvalidArgument, "an incremental dump is native, and of whole namespaces"};
  }
  if (!request.path.is_root() && !request.space) {
    return Error{ErrorCode::InvalidArgument, "a path is of one namespace; say which"};
  }
  std::unique_ptr<Dumper> dumper(new Dumper(std::move(from), request));
  for (const auto& [name, number] : dumper->from_.names) {
    if (!request.space || *request.space == name) dumper->targets_.push_back({name, number});
  }
  std::vector<Target>& targets = dumper->targets_;
  if (request.space && targets.empty()) {
    return Error{ErrorCode::NotFound, fmt::format("there is no namespace {}", *request.space)};
  }
  if (request.format == DumpFormat::Json && targets.size() != 1) {
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("JSON is of one namespace, and there are {}; say which", targets.size())};
  }
  if (targets.size() > kDumpSpacesMax) {
    return Error{ErrorCode::TooLarge,
                 fmt::format("a dump is of at most {} namespaces; dump them one by one", kDumpSpacesMax)};
  }
  DumpInfo& info = dumper->info_;
  info = {now, HEARTH_VERSION, dumper->from_.id};
  info.id = random_hex(kDumpIdBytes);
  if (request.since != nullptr) {
    info.is_incremental = true;
    info.base = request.since->id;
    info.base_made = request.since->made;
    info.lives = dumper->from_.lives;
  }
  for (Target& target : targets) {
    // The position of a whole namespace: what is below a path is continued by nothing.
    if (request.format == DumpFormat::Native && request.path.is_root()) {
      ASSIGN_OR_RETURN(target.standing, standing_of(dumper->from_, target.name, target.number, request.since.get()));
      dumper->read_ += target.standing.read_count;
    }
    info.spaces.push_back(target.name);
    info.positions.push_back(target.standing.position);
  }
  for (const Target& target : targets) {
    dumper->store_bytes_ += dumper->bytes_between(target, "", kAll);
    // Known before the first piece, so that whoever takes the dump can be told.
    if (request.format != DumpFormat::Json) continue;
    ASSIGN_OR_RETURN(const auto document, dumper->next_key(Table::Document, target, ""));
    dumper->leaves_out_ = document.has_value();
  }
  return dumper;
}

std::string Dumper::prefix(Table table, const Target& target) const {
  return row_key(table, target.number, encode_path(request_.path));
}

// Of both tables, from one key behind the prefix to another.
uint64_t Dumper::bytes_between(const Target& target, std::string_view from, std::string_view upto) const {
  uint64_t bytes = 0;
  // Of entries, all that are to come: where in them a key is, makes no sense.
  if (target.standing.has_entries) {
    return from_.snapshot->bytes_between(row_key(Table::Log, target.number, log_row(target.standing.since + 1)),
                                         row_key(Table::Log, target.number + 1));
  }
  for (const Table table : {Table::Data, Table::Document}) {
    const std::string base = prefix(table, target);
    bytes += from_.snapshot->bytes_between(base + std::string(from), base + std::string(upto));
  }
  return bytes;
}

Result<std::optional<std::string>> Dumper::next_key(Table table, const Target& target, std::string_view from) const {
  const std::string base = prefix(table, target);
  std::optional<std::string> found;
  RETURN_IF_ERROR(from_.snapshot->scan(base + std::string(from), base + kAll, [&](std::string_view key, auto) {
    found = key.substr(base.size());
    return false;
  }));
  return found;
}

// What RocksDB says of sizes is a guess, and another one each time.
// So part_ never goes back, and is 1 only at the end.
void Dumper::measure() {
  uint64_t bytes = done_bytes_;
  if (is_in_space_ && !targets_[at_].standing.has_entries) bytes += bytes_between(targets_[at_], "", cursor_);
  const double part = store_bytes_ == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(store_bytes_);
  part_ = at_ == targets_.size() ? 1 : std::clamp(part, part_, 1.0);
}

Result<void> Dumper::begin_space(const Target& target, std::string& to) {
  is_in_space_ = true;
  cursor_.clear();
  has_documents_ = request_.format == DumpFormat::Native;
  rows_ = 0;
  space_leaves_ = 0;
  if (request_.format == DumpFormat::Json) return {};
  const SnapshotSettings settings(from_.snapshot, target.number);
  ASSIGN_OR_RETURN(const Head head, settings.head());
  DumpedSpace space{.name = target.name,
                    .path = request_.path,
                    .sequence = head.sequence,
                    .time = head.time,
                    .has_priorities = head.has_priorities};
  space.has_entries = target.standing.has_entries;
  space.since = target.standing.since;
  space.base = target.standing.base;
  last_ = space.since;
  if (space.has_entries) {
    writer_.space(space, to);
    return {};
  }
  // A part of a tree is dumped without settings: rules of the whole would mean something else below a path.
  if (request_.path.is_root()) {
    const std::string from = row_key(Table::Setting, target.number);
    RETURN_IF_ERROR(from_.snapshot->scan(from, row_key(Table::Setting, target.number + 1), [&](auto key, auto text) {
      space.settings.push_back({std::string(key.substr(from.size())), std::string(text)});
      return true;
    }));
  }
  if (space.settings.size() > kDumpSettingsMax) {
    return Error{ErrorCode::TooLarge,
                 fmt::format("the namespace {} has more than {} settings", target.name, kDumpSettingsMax)};
  }
  writer_.space(space, to);
  return {};
}

void Dumper::row(std::string_view key, std::string_view leaf, std::string& to) {
  ++rows_;
  ++read_;
  if (!is_priority_key(key)) {
    ++leaves_;
    ++space_leaves_;
  }
  if (request_.format == DumpFormat::Json) {
    json_.row(key, leaf, to);
  } else {
    writer_.row(key, leaf, to);
  }
}

void Dumper::end_space(const Target& target, std::string& to) {
  DumpedRows counted{.rows = rows_, .leaves = space_leaves_};
  if (request_.format == DumpFormat::Json) {
    json_.finish(to);
  } else {
    counted = writer_.end(to);
  }
  done_.emplace_back(target.name, std::move(counted));
  done_bytes_ += bytes_between(target, "", kAll);
  is_in_space_ = false;
  ++at_;
}

Result<bool> Dumper::next(std::string& to) {
  if (finished_) return false;
  const bool is_native = request_.format == DumpFormat::Native;
  if (!begun_ && is_native) writer_.begin(info_, to);
  begun_ = true;
  if (at_ == targets_.size()) {
    finished_ = true;
    part_ = 1;
    if (is_native) writer_.last(to);
    return is_native;
  }
  const Target& target = targets_[at_];
  if (!is_in_space_) RETURN_IF_ERROR(begin_space(target, to));
  ASSIGN_OR_RETURN(const bool has_more, target.standing.has_entries ? next_entries(target, to) : next_rows(target, to));
  if (!has_more) end_space(target, to);
  measure();
  return true;
}

// False when none are left.
Result<bool> Dumper::next_entries(const Target& target, std::string& to) {
  size_t read = 0;
  bool is_full = false;
  const LogReader log(from_.snapshot, target.number);
  RETURN_IF_ERROR(log.read(last_, [&](LogEntry&& entry, uint64_t size) {
    is_full = read >= kDumpPieceBytes;
    if (is_full) return false;
    read += size;
    ++read_;
    last_ = entry.record.sequence;
    writer_.entry(entry.encode(), to);
    return true;
  }));
  return is_full;
}

// False when none are left. In turns: rows of the tree up to the next document, documents up to the next row.
Result<bool> Dumper::next_rows(const Target& target, std::string& to) {
  size_t read = 0;
  bool is_full = false;
  const auto scan = [&](Table table, const std::string& upto, const auto& take) {
    const std::string base = prefix(table, target);
    return from_.snapshot->scan(base + cursor_, base + upto, [&](std::string_view key, std::string_view value) {
      key.remove_prefix(base.size());
      // Asked before the row is written: the cursor is the first row that was not.
      is_full = read >= kDumpPieceBytes;
      if (is_full) cursor_ = key;
      if (is_full) return false;
      read += key.size() + value.size();
      return take(key, value);
    });
  };
  for (;;) {
    std::optional<std::string> next;
    if (has_documents_) {
      ASSIGN_OR_RETURN(next, next_key(Table::Document, target, cursor_));
    }
    has_documents_ = next.has_value();
    RETURN_IF_ERROR(scan(Table::Data, next.value_or(kAll), [&](std::string_view key, std::string_view leaf) {
      row(key, leaf, to);
      return true;
    }));
    if (is_full || !next) return is_full;
    cursor_ = *next;
    ASSIGN_OR_RETURN(next, next_key(Table::Data, target, cursor_));
    bool is_well = true;
    RETURN_IF_ERROR(scan(Table::Document, next.value_or(kAll), [&](std::string_view key, std::string_view update) {
      is_well = read_document_row(key).has_value();
      ++read_;
      if (is_well) writer_.document(key, update, to);
      return is_well;
    }));
    if (!is_well) {
      return Error{ErrorCode::Corruption,
                   fmt::format("{}: a row of documents whose key is none; see hearth fsck", target.name)};
    }
    if (is_full) return true;
    cursor_ = next.value_or(kAll);
  }
}

}  // namespace hearth::db
