// A restore: everything slow first, seen by nobody; then one moment.
//
//   source ─▶ read_any ─▶ Staging (a DumpVisitor) ─▶ Staged: files beside the store      as long as it takes
//                          checked row by row,        │
//                          to the last digest         │   swap_in(): heads, names, settings (add_beside)
//                                                     └──────▶ one commit takes in all files       a moment
//   an error before the commit: the files go, the store is as it was
//
// Files. The store is fastest when its files do not overlap, and each file costs something. So namespaces share files:
//
//   in the order of their numbers (is_sorted_)      rows go to the shared file as they come
//   in another order:  small, ≤ 1 MB                held, then sorted; staged at the end into shared files
//                      larger                       files of its own, at once (stage_held)
//   Between two small ones that would share a file there may be a large one: the file is sealed there (stage_sorted).
//
// What else a restore means:
// - Indexes are emptied (empty_indexes): their rows belong to the old data. The shard builds them anew.
// - A sequence only grows, so that event ids of before are not taken for later ones.
// - Whoever was signed out stays so, whatever the dump says.
// - Leaves above the place make room; priorities above it go, when the restore leaves nothing below them.
#include "db/dump/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "db/base/text.h"
#include "db/dump/json_rows.h"
#include "db/dump/row_sorter.h"
#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

// Asked twice: early, to spare the work, and in the moment of the swap, when it counts.
Result<void> check_is_empty(const TreeStore& store, const RestoredSpace& space) {
  const SnapshotView view(store.snapshot(), space.number);
  ASSIGN_OR_RETURN(const bool exists, view.exists(space.at));
  if (!exists) return {};
  return Error{ErrorCode::InvalidArgument, fmt::format("there is data at {} of the namespace {}; replace it "
                                                       "(--replace, replace=true), or restore into another path or "
                                                       "namespace",
                                                       space.at.slashed(), space.name)};
}

}  // namespace

RestoredTree RestoredSpace::said() const { return {name, at, rows.leaves, to_hex(rows.digest)}; }

// Takes what is read, and stages what was asked for, in files that namespaces share: how many there are follows the
// bytes. Where the namespaces come in the order of their numbers, as they do to a new store, their rows go there at
// once. Else those of small ones are sorted first, and each larger one has files of its own.
class Restore::Staging final : public DumpVisitor {
 public:
  Staging(const RestoreRequest& request, TreeStore& store, const std::string& folder, const NumberOf& number_of)
      : request_(request), store_(store), number_of_(number_of), sorter_(folder), staged(store.stage()) {}

  Result<void> begin(const DumpInfo& info) override;
  Result<void> space(const DumpedSpace& space) override;
  Result<void> row(std::string_view key, std::string_view leaf) override;
  Result<void> end(const DumpedRows& rows) override;
  Result<void> finish();  // what is staged is all

 private:
  struct Range {
    std::string from, upto;
  };
  Result<void> stage_held();
  Result<void> stage_sorted();
  Result<void> empty_indexes();

  const RestoreRequest& request_;
  TreeStore& store_;
  const NumberOf& number_of_;
  bool is_only_one_ = false;  // in the file
  bool takes_ = false;        // the namespace being read
  std::string key_;
  size_t prefix_bytes_ = 0;         // of key_
  std::optional<TreeCheck> below_;  // of a tree that comes to stand below another path

  bool is_sorted_ = true;  // namespaces come in the order of their numbers
  Range range_;            // that the namespace being read fills
  bool is_held_ = false;   // its rows so far are in held_, for they are few
  std::vector<std::pair<std::string, std::string>> held_;
  size_t held_bytes_ = 0;
  RowSorter sorter_;                // of the rows of small namespaces
  std::vector<Range> small_;        // that they fill
  std::vector<std::string> large_;  // where those begin that have files of their own

 public:
  std::unique_ptr<Staged> staged;
  std::vector<RestoredSpace> spaces;
};

Result<void> Restore::Staging::begin(const DumpInfo& info) {
  const std::set<std::string> names(info.spaces.begin(), info.spaces.end());
  if (names.size() != info.spaces.size()) return Error{ErrorCode::InvalidData, "the dump has a namespace twice"};
  // With one namespace in the file `space` is its new name; with several it says which of them is taken.
  is_only_one_ = names.size() == 1;
  if (is_only_one_ && names.contains("") && !request_.space) {
    return Error{ErrorCode::InvalidArgument, "JSON has no name for its namespace; say which it is to be"};
  }
  if (request_.space && !is_only_one_ && !names.contains(*request_.space)) {
    std::string known;
    for (const std::string& name : info.spaces) known += (known.empty() ? "" : ", ") + name;
    return Error{ErrorCode::NotFound, fmt::format("the dump has no namespace {}; it has {}", *request_.space,
                                                  known.empty() ? "none" : known)};
  }
  if (request_.into && !is_only_one_ && !request_.space) {
    return Error{ErrorCode::InvalidArgument, "a path is of one namespace, and the dump has several; say which"};
  }
  if (is_only_one_ || request_.space) return {};
  uint32_t last = 0;
  for (const std::string& name : info.spaces) {
    ASSIGN_OR_RETURN(const uint32_t number, number_of_(name));
    is_sorted_ = is_sorted_ && number > last;
    last = number;
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
  // The reader has checked the rows as a tree at the root; below another path they may be too deep or too long.
  below_.reset();
  if (!target.at.is_root()) below_.emplace(target.at.depth(), target.at.text().size());
  key_ = row_key(Table::Data, target.number, encode_path(target.at));
  prefix_bytes_ = key_.size();
  range_ = {key_, key_ + kPastChildren};
  spaces.push_back(std::move(target));
  is_held_ = !is_sorted_;
  held_.clear();
  held_bytes_ = 0;
  return is_held_ ? Result<void>() : staged->begin(range_.from, range_.upto);
}

Result<void> Restore::Staging::row(std::string_view key, std::string_view leaf) {
  if (!takes_) return {};
  if (below_) RETURN_IF_ERROR(below_->add(key, leaf));
  key_.resize(prefix_bytes_);
  key_ += key;
  if (!is_held_) return staged->put(key_, leaf);
  held_.emplace_back(key_, leaf);
  held_bytes_ += key_.size() + leaf.size();
  return held_bytes_ > kSharedSpaceBytesMax ? stage_held() : Result<void>();
}

Result<void> Restore::Staging::stage_held() {
  is_held_ = false;
  large_.push_back(range_.from);
  RETURN_IF_ERROR(staged->begin(range_.from, range_.upto, Staged::Sharing::No));
  for (const auto& [key, leaf] : held_) RETURN_IF_ERROR(staged->put(key, leaf));
  held_.clear();
  return {};
}

Result<void> Restore::Staging::end(const DumpedRows& rows) {
  if (!takes_) return {};
  spaces.back().rows = rows;
  // Small ones end here in the sorter, whose rows are staged by finish().
  if (!is_held_) return staged->end();
  for (const auto& [key, leaf] : held_) RETURN_IF_ERROR(sorter_.add(key, leaf));
  small_.push_back(range_);
  return {};
}

Result<void> Restore::Staging::finish() {
  RETURN_IF_ERROR(stage_sorted());
  return empty_indexes();
}

// No file reaches over another's rows: RocksDB could not put those where they are read fastest.
Result<void> Restore::Staging::stage_sorted() {
  std::sort(small_.begin(), small_.end(), [](const Range& a, const Range& b) { return a.from < b.from; });
  std::sort(large_.begin(), large_.end());
  size_t begun = 0, passed = 0;
  const auto begin_next = [&]() -> Result<void> {
    if (begun > 0) RETURN_IF_ERROR(staged->end());
    const Range& range = small_[begun++];
    const size_t before = passed;
    while (passed < large_.size() && large_[passed] < range.from) ++passed;
    if (passed > before) RETURN_IF_ERROR(staged->seal());
    return staged->begin(range.from, range.upto);
  };
  RETURN_IF_ERROR(sorter_.drain([&](std::string_view key, std::string_view leaf) -> Result<void> {
    // An empty namespace has a range and no row: it is begun and ended, so that its old rows go.
    while (begun == 0 || key >= small_[begun - 1].upto) RETURN_IF_ERROR(begin_next());
    return staged->put(key, leaf);
  }));
  while (begun < small_.size()) RETURN_IF_ERROR(begin_next());
  return begun > 0 ? staged->end() : Result<void>();
}

Result<void> Restore::Staging::empty_indexes() {
  std::vector<uint32_t> numbers;
  for (const RestoredSpace& space : spaces) numbers.push_back(space.number);
  std::sort(numbers.begin(), numbers.end());
  RETURN_IF_ERROR(staged->seal());
  for (size_t i = 0; i < numbers.size();) {
    size_t upto = i + 1;
    // Neighbouring numbers are one range: a dump of 100,000 namespaces must not make as many tombstones.
    while (upto < numbers.size() && numbers[upto] == numbers[upto - 1] + 1) ++upto;
    RETURN_IF_ERROR(staged->begin(row_key(Table::Index, numbers[i]), row_key(Table::Index, numbers[upto - 1] + 1)));
    RETURN_IF_ERROR(staged->end());
    i = upto;
  }
  return staged->seal();
}

Restore::Restore(TreeStore& store, Existing existing, std::unique_ptr<Staged> staged, std::vector<RestoredSpace> spaces)
    : store_(store), existing_(existing), staged_(std::move(staged)), spaces_(std::move(spaces)) {}
Restore::~Restore() = default;

const std::vector<RestoredSpace>& Restore::spaces() const { return spaces_; }
size_t Restore::file_count() const { return staged_->paths().size(); }

Result<std::unique_ptr<Restore>> Restore::stage(const ByteSource& source, const RestoreRequest& request,
                                                TreeStore& store, const std::string& folder,
                                                const NumberOf& number_of) {
  Staging staging(request, store, folder, number_of);
  RETURN_IF_ERROR(read_any(source, folder, staging));
  RETURN_IF_ERROR(staging.finish());
  return std::unique_ptr<Restore>(
      new Restore(store, request.existing, std::move(staging.staged), std::move(staging.spaces)));
}

// The rows beside the tree, and those above it that give way (db/model/data-model.md §1).
Result<void> Restore::add_beside(const RestoredSpace& space, Timestamp now, Batch& to) const {
  const auto snapshot = store_.snapshot();
  const SnapshotSettings settings(snapshot, space.number);
  ASSIGN_OR_RETURN(Head head, settings.head());
  // Counted on unless this is a whole namespace that was never written here: then it has the dump's own sequence.
  const bool was_written = head.sequence > 0;
  head.sequence += was_written || !space.is_whole() ? 1 : 0;
  // At least that of the dump, so that a restored store goes on where the dumped one was.
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
    // Anything beside priorities of the emptied nodes themselves keeps the node above alive.
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
