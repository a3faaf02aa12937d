// A dump in pieces. Each call of next() opens a scan where the last one ended, and writes about a megabyte of rows:
// between two pieces nothing is held but the cursor, so a slow client costs the frozen store's files and no memory.
//
//   targets_   shop            chat                   game
//              ├──────────────┤├────────▲────────────┤├────────────┤
//                               cursor_ ┘ the key where the next piece begins; "": the namespace is not begun
#include "db/dump/dumper.h"

#include <fmt/format.h>

#include <algorithm>

#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {

Dumper::Dumper(Frozen from, DumpRequest request, Timestamp now)
    : from_(std::move(from)), request_(std::move(request)), now_(now) {}

Result<std::unique_ptr<Dumper>> Dumper::make(Frozen from, const DumpRequest& request, Timestamp now) {
  if (!request.path.is_root() && !request.space) {
    return Error{ErrorCode::InvalidArgument, "a path is of one namespace; say which"};
  }
  std::unique_ptr<Dumper> dumper(new Dumper(std::move(from), request, now));
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
  for (const Target& target : targets) {
    const std::string prefix = dumper->prefix(target);
    dumper->store_bytes_ += dumper->from_.snapshot->bytes_between(prefix, prefix + kPastChildren);
  }
  return dumper;
}

std::string Dumper::prefix(const Target& target) const {
  return row_key(Table::Data, target.number, encode_path(request_.path));
}

// What RocksDB says of sizes is a guess, and another one each time.
// So part_ never goes back, and is 1 only at the end.
void Dumper::measure() {
  uint64_t bytes = done_bytes_;
  if (!cursor_.empty()) bytes += from_.snapshot->bytes_between(prefix(targets_[at_]), cursor_);
  const double part = store_bytes_ == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(store_bytes_);
  part_ = at_ == targets_.size() ? 1 : std::clamp(part, part_, 1.0);
}

Result<void> Dumper::begin_space(const Target& target, std::string& to) {
  cursor_ = prefix(target);
  rows_ = 0;
  space_leaves_ = 0;
  if (request_.format == DumpFormat::Json) return {};
  const SnapshotSettings settings(from_.snapshot, target.number);
  ASSIGN_OR_RETURN(const Head head, settings.head());
  DumpedSpace space{target.name, request_.path, head.sequence, head.time, head.has_priorities, {}};
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
  DumpedRows counted{rows_, space_leaves_, 0, ""};
  if (request_.format == DumpFormat::Json) {
    json_.finish(to);
  } else {
    counted = writer_.end(to);
  }
  done_.emplace_back(target.name, std::move(counted));
  done_bytes_ += from_.snapshot->bytes_between(prefix(target), prefix(target) + kPastChildren);
  cursor_.clear();
  ++at_;
}

Result<bool> Dumper::next(std::string& to) {
  if (finished_) return false;
  const bool is_native = request_.format == DumpFormat::Native;
  if (!begun_ && is_native) {
    DumpInfo info{now_, HEARTH_VERSION, from_.id};
    for (const Target& target : targets_) info.spaces.push_back(target.name);
    writer_.begin(info, to);
  }
  begun_ = true;
  if (at_ == targets_.size()) {
    finished_ = true;
    part_ = 1;
    if (is_native) writer_.last(to);
    return is_native;
  }
  const Target& target = targets_[at_];
  if (cursor_.empty()) RETURN_IF_ERROR(begin_space(target, to));
  const std::string base = prefix(target);
  size_t read = 0;
  bool more = false;
  RETURN_IF_ERROR(from_.snapshot->scan(cursor_, base + kPastChildren, [&](std::string_view key, std::string_view leaf) {
    // Asked before the row is written: the cursor is the first row that was not.
    if (read >= kDumpPieceBytes) {
      cursor_ = key;
      more = true;
      return false;
    }
    read += key.size() + leaf.size();
    row(key.substr(base.size()), leaf, to);
    return true;
  }));
  if (!more) end_space(target, to);
  measure();
  return true;
}

}  // namespace hearth::db
