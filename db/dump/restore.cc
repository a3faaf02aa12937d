#include "db/dump/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "db/dump/json_rows.h"
#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

Result<void> check_is_empty(const TreeStore& store, const RestoredSpace& space) {
  const SnapshotView view(store.snapshot(), space.number);
  ASSIGN_OR_RETURN(const bool exists, view.exists(space.at));
  if (!exists) return {};
  return Error{ErrorCode::InvalidArgument,
               fmt::format("there is data at {} of the namespace {}; replace it (--replace, replace=true), or restore into another path or "
                           "namespace",
                           space.at.slashed(), space.name)};
}

}  // namespace

RestoredTree RestoredSpace::said() const { return {name, at, rows.leaves, to_hex(rows.digest)}; }

// Takes what is read, and stages what was asked for.
class Restore::Staging final : public DumpVisitor {
 public:
  Staging(const RestoreRequest& request, TreeStore& store, const NumberOf& number_of)
      : request_(request), store_(store), number_of_(number_of), staged(store.stage()) {}

  Result<void> begin(const DumpInfo& info) override;
  Result<void> space(const DumpedSpace& space) override;
  Result<void> row(std::string_view key, std::string_view leaf) override;
  Result<void> end(const DumpedRows& rows) override;

 private:
  const RestoreRequest& request_;
  TreeStore& store_;
  const NumberOf& number_of_;
  bool is_only_one_ = false;  // in the file
  bool takes_ = false;        // the namespace being read
  std::string key_;
  size_t prefix_bytes_ = 0;  // of key_
  std::optional<TreeCheck> below_;  // of a tree that comes to stand below another path

 public:
  std::unique_ptr<Staged> staged;
  std::vector<RestoredSpace> spaces;
};

Result<void> Restore::Staging::begin(const DumpInfo& info) {
  const std::set<std::string> names(info.spaces.begin(), info.spaces.end());
  if (names.size() != info.spaces.size()) return Error{ErrorCode::InvalidData, "the dump has a namespace twice"};
  is_only_one_ = names.size() == 1;
  if (is_only_one_ && names.contains("") && !request_.space) {
    return Error{ErrorCode::InvalidArgument, "JSON has no name for its namespace; say which it is to be"};
  }
  if (request_.space && !is_only_one_ && !names.contains(*request_.space)) {
    std::string known;
    for (const std::string& name : info.spaces) known += (known.empty() ? "" : ", ") + name;
    return Error{ErrorCode::NotFound, fmt::format("the dump has no namespace {}; it has {}", *request_.space, known.empty() ? "none" : known)};
  }
  if (request_.into && !is_only_one_ && !request_.space) {
    return Error{ErrorCode::InvalidArgument, "a path is of one namespace, and the dump has several; say which"};
  }
  return {};
}

Result<void> Restore::Staging::space(const DumpedSpace& space) {
  takes_ = !request_.space || is_only_one_ || space.name == *request_.space;
  if (!takes_) return {};
  RestoredSpace target;
  target.name = request_.space.value_or(space.name);
  target.at = request_.into.value_or(space.path);
  target.dumped = space;
  ASSIGN_OR_RETURN(target.number, number_of_(target.name));
  if (request_.existing == Existing::Refuse) RETURN_IF_ERROR(check_is_empty(store_, target));
  below_.reset();
  if (!target.at.is_root()) below_.emplace(target.at.depth(), target.at.text().size());
  key_ = row_key(Table::Data, target.number, encode_path(target.at));
  prefix_bytes_ = key_.size();
  RETURN_IF_ERROR(staged->begin(row_key(Table::Index, target.number), row_key(Table::Index, target.number + 1)));
  RETURN_IF_ERROR(staged->end());
  RETURN_IF_ERROR(staged->begin(key_, key_ + kPastChildren));
  spaces.push_back(std::move(target));
  return {};
}

Result<void> Restore::Staging::row(std::string_view key, std::string_view leaf) {
  if (!takes_) return {};
  if (below_) RETURN_IF_ERROR(below_->add(key, leaf));
  key_.resize(prefix_bytes_);
  key_ += key;
  return staged->put(key_, leaf);
}

Result<void> Restore::Staging::end(const DumpedRows& rows) {
  if (!takes_) return {};
  spaces.back().rows = rows;
  return staged->end();
}

Restore::Restore(TreeStore& store, Existing existing, std::unique_ptr<Staged> staged, std::vector<RestoredSpace> spaces)
    : store_(store), existing_(existing), staged_(std::move(staged)), spaces_(std::move(spaces)) {}
Restore::~Restore() = default;

const std::vector<RestoredSpace>& Restore::spaces() const { return spaces_; }

Result<std::unique_ptr<Restore>> Restore::stage(const ByteSource& source, const RestoreRequest& request, TreeStore& store,
                                                const std::string& folder, const NumberOf& number_of) {
  Staging staging(request, store, number_of);
  RETURN_IF_ERROR(read_any(source, folder, staging));
  return std::unique_ptr<Restore>(
      new Restore(store, request.existing, std::move(staging.staged), std::move(staging.spaces)));
}

// The rows beside the tree, and those above it that give way (data-model.md §1).
Result<void> Restore::add_beside(const RestoredSpace& space, Timestamp now, Batch& to) const {
  const auto snapshot = store_.snapshot();
  const SnapshotSettings settings(snapshot, space.number);
  ASSIGN_OR_RETURN(Head head, settings.head());
  const bool was_written = head.sequence > 0;
  head.sequence += was_written || !space.is_whole() ? 1 : 0;
  if (space.is_whole()) head.sequence = std::max(head.sequence, space.dumped.sequence);
  // A time ahead of the clock came from one that was wrong: it is not carried on.
  head.time = std::max(time_after(head.time, now), space.is_whole() ? time_after(space.dumped.time, now) : now);
  head.has_priorities = head.has_priorities || space.rows.rows > space.rows.leaves;

  if (space.is_whole()) {
    // Whoever was signed out here stays so: a dump does not bring old tokens back.
    ASSIGN_OR_RETURN(const auto revoked, settings.text(kRevokedSetting));
    const std::string from = row_key(Table::Setting, space.number);
    RETURN_IF_ERROR(snapshot->scan(from, row_key(Table::Setting, space.number + 1), [&](auto key, auto) {
      to.erase(std::string(key));
      return true;
    }));
    head.rules.clear();
    for (const Setting& setting : space.dumped.settings) {
      to.put(from + setting.name, *setting.text);
      if (setting.name == kRulesSetting) head.rules = text_digest(*setting.text);
    }
    if (revoked) to.put(from + std::string(kRevokedSetting), *revoked);
  }
  std::string number;
  append_number(space.number, number);
  to.put(row_key(Table::Name, space.name), number);
  to.put(row_key(Table::Head, space.number), head.encode());

  // A leaf above makes room for what comes. What was emptied for good takes the priorities above it along.
  const SnapshotView view(snapshot, space.number);
  const std::string emptied = encode_path(space.at);
  for (size_t depth = space.at.depth(); depth-- > 0;) {
    const std::string above = encode_path(space.at.prefix(depth));
    if (space.rows.rows > 0) {
      to.erase(row_key(Table::Data, space.number, above));
      continue;
    }
    bool has_more = false;
    const TreeView::RowFunction look = [&](std::string_view key, std::string_view) {
      has_more = !(is_priority_key(key) && emptied.starts_with(key.substr(0, key.size() - 1)));
      return !has_more;
    };
    RETURN_IF_ERROR(view.scan(above, emptied, look));
    if (!has_more) RETURN_IF_ERROR(view.scan(emptied + kPastChildren, above + kPastChildren, look));
    if (has_more) break;
    to.erase(row_key(Table::Data, space.number, above + kPriorityMark));
  }
  return {};
}

Result<void> Restore::swap_in(Timestamp now) {
  Batch beside;
  for (const RestoredSpace& space : spaces_) {
    if (existing_ == Existing::Refuse) RETURN_IF_ERROR(check_is_empty(store_, space));
    RETURN_IF_ERROR(add_beside(space, now, beside));
  }
  RETURN_IF_ERROR(staged_->add(beside));
  return store_.commit(*staged_);
}

Result<DumpContents> verify_dump(const ByteSource& source, const std::string& folder) {
  class Contents final : public DumpVisitor {
   public:
    explicit Contents(DumpContents& contents) : contents_(contents) {}
    Result<void> begin(const DumpInfo& info) override {
      contents_.info = info;
      return {};
    }
    Result<void> space(const DumpedSpace& space) override {
      contents_.spaces.emplace_back(space, DumpedRows());
      return {};
    }
    Result<void> row(std::string_view, std::string_view) override { return {}; }
    Result<void> end(const DumpedRows& rows) override {
      contents_.spaces.back().second = rows;
      return {};
    }

   private:
    DumpContents& contents_;
  };
  DumpContents contents;
  Contents visitor(contents);
  RETURN_IF_ERROR(read_any(source, folder, visitor));
  contents.is_native = !contents.info.hearth.empty();
  return contents;
}

}  // namespace hearth::db
