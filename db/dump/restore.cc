// A restore: everything slow first, seen by nobody; then one moment.
//
//   source ─▶ read_any ─▶ Staging (a DumpVisitor) ─▶ two Lanes ─▶ Staged: files beside the store    as long as it takes
//                          checked row by row,        │
//                          to the last digest         │   swap_in(): heads, names, settings (add_beside)
//                                                     └──────▶ one commit takes in all files       a moment
//   an error before the commit: the files go, the store is as it was
//
// What else a restore means:
// - Indexes are emptied (empty_indexes): their rows belong to the old data. The shard builds them anew.
// - A sequence only grows, so that event ids of before are not taken for later ones.
// - Whoever was signed out stays so, whatever the dump says.
// - Leaves above the place make room; priorities above it go, when the restore leaves nothing below them.
// - Yjs documents at the place and below it go, as data do, whatever the file has instead.
#include "db/dump/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "db/base/invariant.h"
#include "db/base/text.h"
#include "db/dump/json_rows.h"
#include "db/dump/lane.h"
#include "db/model/expiry.h"
#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/model/path_plan.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

Error in_the_way(std::string_view what, const Path& at, const std::string& space, std::string_view remedy) {
  return {ErrorCode::InvalidArgument,
          fmt::format("there is {} at {} of the namespace {}; {}", what, at.slashed(), space, remedy)};
}

// Whether a tree may come to stand there. Asked twice: early, to spare the work, and in the moment of the swap, when it
// counts. What is at the place or below it goes, if that was said. A document above it stays and has nothing below it,
// and documents have no value above them, as when a client opens one.
Result<void> check_place(const TreeStore& store, const RestoredSpace& space, Existing existing) {
  const auto snapshot = store.snapshot();
  const SnapshotView tree(snapshot, space.number);
  const SnapshotView documents(snapshot, space.number, Table::Document);
  for (size_t depth = 0; depth < space.at.depth(); ++depth) {
    const Path above = space.at.prefix(depth);
    const std::string base = encode_path(above);
    ASSIGN_OR_RETURN(const bool is_document, documents.any(document_row(base, 0), base + '\1'));
    if (is_document) return in_the_way("a Yjs document", above, space.name, "nothing is restored below one");
    if (space.rows.documents == 0) continue;
    ASSIGN_OR_RETURN(const auto leaf, tree.leaf(base));
    if (leaf) return in_the_way("a value", above, space.name, "no Yjs document is restored below one");
  }
  if (existing == Existing::Replace) return {};
  constexpr std::string_view kRemedy =
      "replace it (--replace, replace=true), or restore into another path or namespace";
  ASSIGN_OR_RETURN(const bool has_data, tree.exists(space.at));
  if (has_data) return in_the_way("data", space.at, space.name, kRemedy);
  ASSIGN_OR_RETURN(const bool has_documents, documents.exists(space.at));
  if (has_documents) return in_the_way("a Yjs document", space.at, space.name, kRemedy);
  return {};
}

}  // namespace

Error restore_given_up() {
  return {ErrorCode::NotFound, "the restore was given up while it was under way; nothing is changed"};
}

RestoredTree RestoredSpace::said() const {
  return {.space = name, .path = at, .leaves = rows.leaves, .digest = to_hex(rows.digest), .documents = rows.documents};
}

// Takes what is read, and stages what was asked for: rows of trees in one lane, those of documents in another.
class Restore::Staging final : public DumpVisitor {
 public:
  Staging(const RestoreRequest& request, TreeStore& store, const std::string& folder, const NumberOf& number_of,
          Incremental incremental, RestoreMeter* meter)
      : request_(request),
        store_(store),
        number_of_(number_of),
        incremental_(incremental),
        meter_(meter),
        tree_(store, folder),
        documents_(store, folder) {}

  Result<void> begin(const DumpInfo& info) override;
  void expect(uint64_t rows) override;
  Result<void> space(const DumpedSpace& space) override;
  Result<void> row(std::string_view key, std::string_view leaf) override;
  Result<void> document(std::string_view key, std::string_view update) override;
  Result<void> end(const DumpedRows& rows) override;
  Result<std::unique_ptr<Staged>> finish();  // what is staged is all

 private:
  Result<void> count_row();
  Result<void> read_paths(const RestoredSpace& target);
  Result<void> empty_indexes(Staged& staged);
  Result<void> empty_ages(Staged& staged);

  const RestoreRequest& request_;
  TreeStore& store_;
  const NumberOf& number_of_;
  const Incremental incremental_;
  RestoreMeter* const meter_;  // null: nobody asks
  bool is_only_one_ = false;   // in the file
  bool takes_ = false;         // the namespace being read
  std::string key_;
  std::string document_key_;
  size_t prefix_bytes_ = 0;         // of both
  bool has_documents_ = false;      // the namespace being read
  std::optional<PathPlan> paths_;   // of the namespace being read, where something of it is ephemeral
  std::optional<TreeCheck> below_;  // of a tree that comes to stand below another path
  Lane tree_, documents_;

 public:
  std::vector<RestoredSpace> spaces;
};

Result<void> Restore::Staging::begin(const DumpInfo& info) {
  // JSON says of no Hearth that it made it.
  if (meter_ != nullptr && !info.hearth.empty()) meter_->stage();
  if (info.is_incremental && incremental_ == Incremental::Refused) {
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("this is an incremental dump, which continues {}; give that one too, the full one first: "
                             "hearth restore FULL INCREMENTAL…",
                             info.base.empty() ? "another one" : "the dump " + info.base)};
  }
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
    if (number <= last) {
      tree_.expect_no_order();
      documents_.expect_no_order();
    }
    last = number;
  }
  return {};
}

void Restore::Staging::expect(uint64_t rows) {
  if (meter_ != nullptr) meter_->expect(rows);
}

// Counts, and asks whether it is still wanted.
Result<void> Restore::Staging::count_row() {
  if (meter_ == nullptr) return {};
  meter_->row();
  return meter_->is_given_up() ? Result<void>(restore_given_up()) : Result<void>();
}

Result<void> Restore::Staging::space(const DumpedSpace& space) {
  takes_ = (!request_.space || is_only_one_ || space.name == *request_.space) && !space.has_entries;
  if (!takes_) return {};
  RestoredSpace target;
  target.name = request_.space.value_or(space.name);
  target.at = request_.into.value_or(space.path);
  target.dumped = space;
  ASSIGN_OR_RETURN(target.number, number_of_(target.name));
  RETURN_IF_ERROR(check_place(store_, target, request_.existing));
  // The reader has checked the rows as a tree at the root; below another path they may be too deep or too long.
  below_.reset();
  if (!target.at.is_root()) below_.emplace(target.at.depth(), target.at.text().size());
  key_ = row_key(Table::Data, target.number, encode_path(target.at));
  document_key_ = row_key(Table::Document, target.number, encode_path(target.at));
  prefix_bytes_ = key_.size();
  has_documents_ = false;
  RETURN_IF_ERROR(read_paths(target));
  spaces.push_back(std::move(target));
  return tree_.begin(key_, key_ + kPastChildren);
}

// As it will be: a whole namespace brings its settings.
Result<void> Restore::Staging::read_paths(const RestoredSpace& target) {
  paths_.reset();
  std::optional<std::string> text;
  if (target.is_whole()) {
    for (const Setting& setting : target.dumped.settings) {
      if (setting.name == kPathPlanSetting) text = setting.text;
    }
  } else {
    ASSIGN_OR_RETURN(text, SnapshotSettings(store_.snapshot(), target.number).text(kPathPlanSetting));
  }
  if (!text) return {};
  ASSIGN_OR_RETURN(PathPlan plan, PathPlan::parse(*text));
  if (plan.has_ephemeral()) paths_ = std::move(plan);
  return {};
}

Result<void> Restore::Staging::row(std::string_view key, std::string_view leaf) {
  RETURN_IF_ERROR(count_row());
  if (!takes_) return {};
  if (below_) RETURN_IF_ERROR(below_->add(key, leaf));
  key_.resize(prefix_bytes_);
  key_ += key;
  if (paths_) {
    if (const auto place = paths_->ephemeral_place(std::string_view(key_).substr(kTableAndNumber))) {
      ASSIGN_OR_RETURN(const Path path, decode_path(*place));
      return Error{ErrorCode::InvalidData,
                   fmt::format("the file has data at {}, which is ephemeral here, and never on disk "
                               "(/.settings/paths.json)",
                               path.slashed())};
    }
  }
  return tree_.put(key_, leaf);
}

Result<void> Restore::Staging::document(std::string_view key, std::string_view update) {
  RETURN_IF_ERROR(count_row());
  if (!takes_) return {};
  RestoredSpace& target = spaces.back();
  if (below_) RETURN_IF_ERROR(below_->add_document(key, update));
  const auto row = read_document_row(key);
  invariant(row.has_value(), "the reader has checked the keys");
  if (target.at.is_root() && row->path.empty()) {
    return Error{ErrorCode::InvalidArgument,
                 "the file has one document, which has no place at the root; say where it "
                 "goes (--into, into=PATH)"};
  }
  target.last_update = std::max(target.last_update, row->sequence);
  document_key_.resize(prefix_bytes_);
  // Only now, for most namespaces have none.
  if (!std::exchange(has_documents_, true)) {
    RETURN_IF_ERROR(documents_.begin(document_key_, document_key_ + kPastChildren));
  }
  document_key_ += key;
  return documents_.put(document_key_, update);
}

Result<void> Restore::Staging::end(const DumpedRows& rows) {
  if (!takes_) return {};
  spaces.back().rows = rows;
  if (has_documents_) RETURN_IF_ERROR(documents_.end());
  return tree_.end();
}

Result<std::unique_ptr<Staged>> Restore::Staging::finish() {
  RETURN_IF_ERROR(tree_.finish());
  RETURN_IF_ERROR(documents_.finish());
  RETURN_IF_ERROR(empty_indexes(tree_.staged()));
  RETURN_IF_ERROR(empty_ages(tree_.staged()));
  RETURN_IF_ERROR(tree_.staged().take(documents_.staged()));
  return std::move(tree_).take();
}

Result<void> Restore::Staging::empty_indexes(Staged& staged) {
  std::vector<uint32_t> numbers;
  for (const RestoredSpace& space : spaces) numbers.push_back(space.number);
  std::sort(numbers.begin(), numbers.end());
  for (size_t i = 0; i < numbers.size();) {
    size_t upto = i + 1;
    // Neighbouring numbers are one range: a dump of 100,000 namespaces must not make as many tombstones.
    while (upto < numbers.size() && numbers[upto] == numbers[upto - 1] + 1) ++upto;
    RETURN_IF_ERROR(staged.begin(row_key(Table::Index, numbers[i]), row_key(Table::Index, numbers[upto - 1] + 1)));
    RETURN_IF_ERROR(staged.end());
    i = upto;
  }
  return staged.seal();
}

// Of whole namespaces: their settings are the dump's, and so is what has an age. What came with the restore is since then.
Result<void> Restore::Staging::empty_ages(Staged& staged) {
  std::set<uint32_t> numbers;
  for (const RestoredSpace& space : spaces) {
    if (space.is_whole()) numbers.insert(space.number);
  }
  for (auto at = numbers.begin(); at != numbers.end();) {
    const uint32_t from = *at;
    uint32_t upto = from;
    for (; at != numbers.end() && *at == upto; ++at) ++upto;
    RETURN_IF_ERROR(staged.begin(row_key(Table::Expiry, from), row_key(Table::Expiry, upto)));
    RETURN_IF_ERROR(staged.end());
  }
  return staged.seal();
}

Restore::Restore(TreeStore& store, Existing existing, std::unique_ptr<Staged> staged, std::vector<RestoredSpace> spaces)
    : store_(store), existing_(existing), staged_(std::move(staged)), spaces_(std::move(spaces)) {}
Restore::~Restore() = default;

const std::vector<RestoredSpace>& Restore::spaces() const { return spaces_; }
size_t Restore::file_count() const { return staged_->paths().size(); }

Result<std::unique_ptr<Restore>> Restore::stage(const ByteSource& source, const RestoreRequest& request,
                                                TreeStore& store, const std::string& folder, const NumberOf& number_of,
                                                Incremental incremental, RestoreMeter* meter) {
  Staging staging(request, store, folder, number_of, incremental, meter);
  RETURN_IF_ERROR(read_any(source, folder, staging));
  ASSIGN_OR_RETURN(std::unique_ptr<Staged> staged, staging.finish());
  return std::unique_ptr<Restore>(new Restore(store, request.existing, std::move(staged), std::move(staging.spaces)));
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
  // An update that comes later has a higher number than all that are there: its number is its key.
  head.sequence = std::max(head.sequence, space.last_update);
  head.has_documents = head.has_documents || space.rows.documents > 0;

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

// Documents that the file has none instead of. They are looked for now, for they may have come while rows were staged.
Result<void> Restore::empty_documents() {
  std::vector<std::pair<std::string, std::string>> ranges;
  const auto snapshot = store_.snapshot();
  for (const RestoredSpace& space : spaces_) {
    if (space.rows.documents > 0) continue;
    ASSIGN_OR_RETURN(const bool exists, SnapshotView(snapshot, space.number, Table::Document).exists(space.at));
    if (!exists) continue;
    const std::string base = row_key(Table::Document, space.number, encode_path(space.at));
    ranges.emplace_back(base, base + kPastChildren);
  }
  std::sort(ranges.begin(), ranges.end());
  for (const auto& [from, upto] : ranges) {
    RETURN_IF_ERROR(staged_->begin(from, upto));
    RETURN_IF_ERROR(staged_->end());
  }
  return staged_->seal();
}

// At a path of a namespace that goes on: what is known of the ages there goes, and is to be taken up anew.
Result<void> Restore::renew_ages(Batch& to) {
  std::vector<std::pair<std::string, std::string>> ranges;
  const auto snapshot = store_.snapshot();
  for (const RestoredSpace& space : spaces_) {
    if (space.is_whole()) continue;
    ASSIGN_OR_RETURN(const auto row, snapshot->get(row_key(Table::Expiry, space.number, kExpiryPlanRow)));
    if (!row) continue;
    ASSIGN_OR_RETURN(ExpiryPlan plan, ExpiryPlan::decode(*row));
    const std::string base = encode_path(space.at);
    for (ExpiryRule& rule : plan.rules) {
      const std::string from = row_key(Table::Expiry, space.number, since_row(rule.id, base));
      ranges.emplace_back(from, from + kPastChildren);
      rule.take_up_later({base, base + kPastChildren});
    }
    to.put(row_key(Table::Expiry, space.number, kExpiryPlanRow), plan.encode());
  }
  std::sort(ranges.begin(), ranges.end());
  for (const auto& [from, upto] : ranges) {
    RETURN_IF_ERROR(staged_->begin(from, upto, Staged::Sharing::No));  // plans lie between
    RETURN_IF_ERROR(staged_->end());
  }
  return staged_->seal();
}

Result<void> Restore::swap_in(Timestamp now) {
  Batch beside;
  for (const RestoredSpace& space : spaces_) {
    RETURN_IF_ERROR(check_place(store_, space, existing_));
    RETURN_IF_ERROR(add_beside(space, now, beside));
  }
  RETURN_IF_ERROR(empty_documents());
  RETURN_IF_ERROR(renew_ages(beside));
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
    Result<void> document(std::string_view, std::string_view) override { return {}; }
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
