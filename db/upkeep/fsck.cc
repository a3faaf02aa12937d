// Goes through a store and compares what is there with what can be.
//
//   for each name     head: can it be read?        data: paths, leaves, no value with children, no priority of nothing
//                     documents: paths, updates, their numbers; nothing of the tree at their paths, above or below
//                     ages: each row by path has its child and its row by time; each child that has an age, its row
//                     indexes: each row that the data ask for is looked up; more rows than that are for nothing
//   numbers           rows of data, documents and indexes of a number that no name has
//
// Indexes are never compared as lists. check_index() derives each expected row from the data and looks it up, and
// counts it; with as many rows there as were expected, and every expected one found, there is no other. So memory
// stays small however large the index is.
//
// Repair touches only what can be derived: the rows of indexes and ages of a wrong namespace are removed, with their plans,
// and the next start builds them anew (Engine::resume_indexes). Data that are wrong are told, never changed.
#include "db/upkeep/fsck.h"

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "db/documents/update.h"
#include "db/log/log_reader.h"
#include "db/log/versions.h"
#include "db/model/expiry.h"
#include "db/model/index.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"
#include "db/store/row_key.h"
#include "db/store/tree_store.h"

namespace hearth::db {
namespace {

constexpr uint64_t kRowsPerWord = 100'000;  // of progress
constexpr std::string_view kAfterAllRows = "\xff\xff\xff\xff\xff";

// Ranges to be emptied, and nothing else.
class Emptied final : public RowSource {
 public:
  void add(std::string from, std::string upto) { ranges_.emplace_back(std::move(from), std::move(upto)); }
  bool empty() const { return ranges_.empty(); }
  size_t row_count() const override { return ranges_.size(); }
  std::vector<std::pair<std::string, std::string>> ranges() const override { return ranges_; }
  void rows(const PutFunction&) const override {}

 private:
  std::vector<std::pair<std::string, std::string>> ranges_;
};

class Check {
 public:
  Check(const TreeStore& store, FsckReport& report, const std::function<void(uint64_t)>& progress)
      : store_(store), snapshot_(store.snapshot()), report_(report), progress_(progress) {}

  // The numbers of namespaces whose indexes are wrong.
  Result<std::set<uint32_t>> run() {
    std::map<uint32_t, std::string> names;
    for (const auto& [name, number] : store_.names_at_open()) {
      // Two names with one number would write into each other's rows.
      if (!names.emplace(number, name).second) problem(fmt::format("{}: has the number of {}", name, names.at(number)));
    }
    std::set<uint32_t> wrong;
    for (const auto& [number, name] : names) {
      ++report_.namespaces;
      name_ = name;
      ASSIGN_OR_RETURN(const auto head, check_head(number));
      RETURN_IF_ERROR(check_data(number));
      RETURN_IF_ERROR(check_documents(number, head));
      RETURN_IF_ERROR(check_history(number, head));
      const uint64_t before = report_.problems;
      RETURN_IF_ERROR(check_indexes(number));
      RETURN_IF_ERROR(check_ages(number));
      if (report_.problems > before) wrong.insert(number);
    }
    for (const Table table :
         {Table::Data, Table::Index, Table::Document, Table::History, Table::Log, Table::Version, Table::Expiry})
      RETURN_IF_ERROR(check_strays(table, names));
    return wrong;
  }

 private:
  void problem(std::string text) {
    ++report_.problems;
    if (report_.told.size() < kProblemsToldMax) report_.told.push_back(std::move(text));
  }
  std::string at(std::string_view encoded) const {
    const Result<Path> path = decode_path(encoded);
    return fmt::format("{}: {}", name_, path.ok() ? "/" + path.value().text() : "a path that is none");
  }
  void saw_row() {
    if (++seen_ % kRowsPerWord == 0 && progress_) progress_(seen_);
  }

  // Nothing: it cannot be read.
  Result<std::optional<Head>> check_head(uint32_t number) {
    const Result<Head> head = SnapshotSettings(snapshot_, number).head();
    if (head.ok()) return std::optional<Head>(head.value());
    if (head.error().code != ErrorCode::Corruption) return head.error();
    problem(fmt::format("{}: its head cannot be read: {}", name_, head.error().message));
    return std::optional<Head>();
  }

  // A value has no children, and a priority stands beside something.
  Result<void> check_data(uint32_t number) {
    std::string leaf_path;  // the last one
    bool has_leaf = false;
    std::optional<std::string> lonely;  // a priority of a node that has not shown itself
    const auto done =
        SnapshotView(snapshot_, number).scan("", kAfterAllRows, [&](std::string_view key, std::string_view leaf) {
          saw_row();
          ++report_.rows;
          std::string_view rest = key;
          while (const size_t bytes = segment_length(rest)) rest.remove_prefix(bytes);
          const bool is_priority = rest.size() == 1 && rest.front() == kPriorityMark;
          const std::string_view path = key.substr(0, key.size() - rest.size());
          if ((!rest.empty() && !is_priority) || !decode_path(path).ok()) {
            problem(fmt::format("{}: a row whose key is no path", name_));
            return true;
          }
          if (const Result<Value> value = decode_leaf(leaf); !value.ok()) {
            problem(fmt::format("{}: {}", at(path), value.error().message));
          }
          // An object's priority is its first row; the next row must lie below it.
          if (lonely && !path.starts_with(*lonely)) problem(at(*lonely) + ": a priority of nothing");
          lonely.reset();
          if (is_priority) {
            if (!has_leaf || leaf_path != path) lonely = path;
            return true;
          }
          if (has_leaf && path.starts_with(leaf_path)) problem(at(leaf_path) + ": has a value and children");
          has_leaf = true;
          leaf_path = path;
          return true;
        });
    if (lonely) problem(at(*lonely) + ": a priority of nothing");
    return done;
  }

  // Updates are well-formed, and where a document is, the tree has nothing, or what the document has as JSON.
  Result<void> check_documents(uint32_t number, const std::optional<Head>& head) {
    const SnapshotView tree(snapshot_, number);
    const uint64_t before = report_.updates;
    const auto plan = snapshot_->get(row_key(Table::Mirror, number));
    const bool has_json = plan.ok() && plan.value().has_value();
    std::string last;  // path of a document
    Result<void> looked;
    const auto done = SnapshotView(snapshot_, number, Table::Document)
                          .scan("", kAfterAllRows, [&](std::string_view key, std::string_view update) {
                            saw_row();
                            ++report_.updates;
                            const auto row = read_document_row(key);
                            if (!row || row->path.empty() || !decode_path(row->path).ok()) {
                              problem(fmt::format("{}: an update of a document whose key is none", name_));
                              return true;
                            }
                            if (row->path != last) {
                              last = row->path;
                              ++report_.documents;
                              looked = check_place(tree, last, has_json);
                            }
                            if (row->sequence == 0 || (head && row->sequence > head->sequence)) {
                              problem(fmt::format("{}: an update of number {}, in a namespace of {} commits", at(last),
                                                  row->sequence, head ? head->sequence : 0));
                            }
                            if (const auto parsed = documents::Update::parse(update); !parsed.ok()) {
                              problem(fmt::format("{}: an update of a document: {}", at(last), parsed.error().message));
                            }
                            return looked.ok();
                          });
    RETURN_IF_ERROR(done);
    RETURN_IF_ERROR(looked);
    if (report_.updates > before && head && !head->has_documents) {
      problem(fmt::format("{}: has documents, and its head knows of none", name_));
    }
    return {};
  }

  // Of a document: nothing of the tree is at its path or below, unless documents have their JSON there, and no value above
  // it.
  Result<void> check_place(const TreeView& tree, std::string_view path, bool has_json) {
    ASSIGN_OR_RETURN(const Path place, decode_path(path));
    ASSIGN_OR_RETURN(const bool exists, tree.exists(place));
    if (exists && !has_json) problem(at(path) + ": a document where there is data");
    for (size_t depth = 0; depth < place.depth(); ++depth) {
      const std::string above = encode_path(place.prefix(depth));
      ASSIGN_OR_RETURN(const auto leaf, tree.leaf(above));
      if (leaf) problem(fmt::format("{}: a document below the value at {}", at(path), place.prefix(depth).slashed()));
    }
    return {};
  }

  // Every commit behind the cut has its entry, and the past as of now is the present.
  Result<void> check_history(uint32_t number, const std::optional<Head>& head) {
    const LogReader log(snapshot_, number);
    const auto state = log.state();
    if (!state.ok() && state.error().code != ErrorCode::Corruption) return state.error();
    if (!state.ok() || !head) {
      if (!state.ok()) problem(fmt::format("{}: {} cannot be read", name_, state.error().message));
      return {};
    }
    if (!state.value()) return {};
    uint64_t last = state.value()->cut;
    const Result<void> read = log.read(last, [&](LogEntry&& entry, uint64_t) {
      saw_row();
      last = entry.record.sequence;
      return true;
    });
    if (!read.ok() && read.error().code == ErrorCode::Io) return read.error();
    if (!read.ok() || last != head->sequence) {
      problem(fmt::format("{}: its log ends at commit {}, and there are {}{}", name_, last, head->sequence,
                          read.ok() ? "" : ": " + read.error().message));
    }
    if (state.value()->versions != LogState::Versions::Known) return {};
    struct Sum {
      uint64_t rows = 0;
      size_t sum = 0;
    };
    const auto sum_of = [&](const TreeView& view) -> Result<Sum> {
      Sum all;
      RETURN_IF_ERROR(view.scan("", kAfterAllRows, [&](std::string_view key, std::string_view leaf) {
        saw_row();
        ++all.rows;
        all.sum = all.sum * 31 + std::hash<std::string_view>()(key) * 7 + std::hash<std::string_view>()(leaf);
        return true;
      }));
      return all;
    };
    ASSIGN_OR_RETURN(const Sum past, sum_of(PastView(snapshot_, number, head->sequence)));
    ASSIGN_OR_RETURN(const Sum present, sum_of(SnapshotView(snapshot_, number)));
    if (past.rows != present.rows || past.sum != present.sum) {
      problem(
          fmt::format("{}: the latest of its past, {} rows, is not what is there, {} rows; switch \"versions\" off and "
                      "on again",
                      name_, past.rows, present.rows));
    }
    return {};
  }

  // Checks each index against the rows that follow from the data, and that it has no others.
  Result<void> check_indexes(uint32_t number) {
    const SnapshotView tree(snapshot_, number);
    const SnapshotView rows(snapshot_, number, Table::Index);
    uint64_t there = 0;
    RETURN_IF_ERROR(rows.scan("", kAfterAllRows, [&](std::string_view key, std::string_view) {
      saw_row();
      if (key != kPlanRow) ++there;
      return true;
    }));
    report_.index_rows += there;
    ASSIGN_OR_RETURN(const auto stored, rows.leaf(kPlanRow));
    if (!stored) {
      if (there > 0) problem(fmt::format("{}: {} rows of indexes, and no plan of them", name_, there));
      return {};
    }
    const Result<IndexPlan> plan = IndexPlan::decode(*stored);
    if (!plan.ok()) {
      problem(fmt::format("{}: the plan of its indexes cannot be read: {}", name_, plan.error().message));
      return {};
    }
    uint64_t expected = 0;
    for (const Index& index : plan.value().indexes) {
      ASSIGN_OR_RETURN(const uint64_t count, check_index(tree, rows, index));
      expected += count;
    }
    if (there > expected)
      problem(fmt::format("{}: {} rows of indexes for nothing that is there", name_, there - expected));
    return {};
  }

  // How many rows it must have.
  Result<uint64_t> check_index(const TreeView& tree, const TreeView& rows, const Index& index) {
    const std::string what = fmt::format("the index of {} by {}", index.spec.pattern(), index.spec.by());
    uint64_t expected = 0;
    std::string collection;
    uint64_t children = 0;
    const auto end_collection = [&]() -> Result<void> {
      if (children == 0) return {};
      ++expected;
      ASSIGN_OR_RETURN(const auto row, rows.leaf(count_row(index.id, collection)));
      const Result<uint64_t> count = row ? decode_count(*row) : Result<uint64_t>(uint64_t{0});
      if (!count.ok() || count.value() != children) {
        problem(fmt::format("{}: {} counts {} children, and there are {}", at(collection), what,
                            count.ok() ? std::to_string(count.value()) : "no", children));
      }
      return {};
    };
    std::string from;
    // Of an index that is being built, what is ahead of `built` has no rows yet, and need not.
    const std::string upto = index.is_complete ? std::string(kAfterAllRows) : index.built;
    while (from < upto) {
      ASSIGN_OR_RETURN(const auto child, next_child(tree, index.spec, from, upto));
      if (!child) break;
      if (child->collection != collection) {
        RETURN_IF_ERROR(end_collection());
        collection = child->collection;
        children = 0;
      }
      ++children;
      ++expected;
      saw_row();
      ASSIGN_OR_RETURN(const auto place,
                       find_place(tree, child->path(), index.spec.order, index.spec.child, index.spec.then));
      std::string row = index_prefix(index.id, child->collection) + '\0';
      if (place) append_index_place(*place, row);
      row += child->segment;
      ASSIGN_OR_RETURN(const auto found, rows.leaf(row));
      if (!place || !found) problem(fmt::format("{}: is not in {}", at(child->path()), what));
      if (index.spec.covers && found) {
        ASSIGN_OR_RETURN(const std::string copy, copy_of_child(tree, child->path()));
        if (*found != copy) problem(fmt::format("{}: {} has another copy of it", at(child->path()), what));
      }
      // Behind everything of that child.
      from = child->path() + '\xff';
    }
    RETURN_IF_ERROR(end_collection());
    return expected;
  }

  // What is since when, against the tree. Rows by time that nothing agrees with are leftovers, and no mistake.
  Result<void> check_ages(uint32_t number) {
    ASSIGN_OR_RETURN(const auto setting, SnapshotSettings(snapshot_, number).text(kPathPlanSetting));
    const SnapshotView rows(snapshot_, number, Table::Expiry);
    ASSIGN_OR_RETURN(const auto stored, rows.leaf(kExpiryPlanRow));
    if (!setting || !stored) return {};  // a plan that is not there is made at the next start
    Result<PathPlan> paths = PathPlan::parse(*setting);
    Result<ExpiryPlan> plan = ExpiryPlan::decode(*stored);
    if (!paths.ok() || !plan.ok()) {
      problem(fmt::format("{}: {}", name_, paths.ok() ? plan.error().message : paths.error().message));
      return {};
    }
    if (!plan.value().attach(std::make_shared<const PathPlan>(std::move(paths).value()))) return {};  // the same
    const SnapshotView tree(snapshot_, number);
    for (const ExpiryRule& rule : plan.value().rules) {
      ASSIGN_OR_RETURN(const uint64_t expected, check_children(tree, rows, plan.value(), rule));
      uint64_t there = 0;
      Result<void> looked;
      RETURN_IF_ERROR(rows.scan(since_row(rule.id, ""), since_row(rule.id + 1, ""), [&](auto key, auto bytes) {
        saw_row();
        const auto row = read_since_row(key);
        const Result<Timestamp> since = decode_since(bytes);
        ++report_.expiry_rows;
        if (!row || !since.ok()) {
          problem(fmt::format("{}: a row of an age that is none", name_));
          return true;
        }
        there += is_untaken(rule, row->child) ? 0 : 1;
        const auto by_time =
            SnapshotView(snapshot_, number, Table::Expiry).leaf(due_row(rule.id, since.value(), row->child));
        if (!by_time.ok()) looked = by_time.error();
        if (by_time.ok() && !by_time.value()) problem(at(row->child) + ": its age has no row by time");
        return looked.ok();
      }));
      RETURN_IF_ERROR(looked);
      if (there > expected)
        problem(fmt::format("{}: {} rows of ages for nothing that is there", name_, there - expected));
    }
    return {};
  }
  static bool is_untaken(const ExpiryRule& rule, std::string_view child) {
    return std::any_of(rule.untaken.begin(), rule.untaken.end(),
                       [&](const auto& range) { return range.first <= child && child < range.second; });
  }

  // How many rows the rule must have, of children that were taken up.
  Result<uint64_t> check_children(const TreeView& tree, const TreeView& rows, const ExpiryPlan& plan,
                                  const ExpiryRule& rule) {
    uint64_t expected = 0;
    std::string from;
    for (;;) {
      ASSIGN_OR_RETURN(const auto child, next_child(tree, rule.spec, from, kAfterAllRows));
      if (!child) return expected;
      saw_row();
      const std::string path = child->path();
      from = path + kPastChildren;
      ASSIGN_OR_RETURN(const Path place, decode_path(path));
      if (is_untaken(rule, path) || plan.rule_of_child(place.keys()) != &rule) continue;
      ASSIGN_OR_RETURN(const auto since, rows.leaf(since_row(rule.id, path)));
      if (rule.is_by_write()) {
        ++expected;
        if (!since) problem(at(path) + ": has no row of its age");
        continue;
      }
      ASSIGN_OR_RETURN(const auto leaf, tree.leaf(path + encode_path(rule.spec.child)));
      const bool has_age = leaf && decode_leaf(*leaf).ok() && decode_leaf(*leaf).value().is_number();
      expected += has_age ? 1 : 0;
      if (has_age != since.has_value()) problem(at(path) + ": its age is not what it says");
    }
  }

  // Rows of numbers that no namespace has.
  Result<void> check_strays(Table table, const std::map<uint32_t, std::string>& names) {
    std::string from = row_key(table, "");
    const std::string upto = row_key(static_cast<Table>(static_cast<char>(table) + 1), "");
    while (from < upto) {
      std::optional<uint32_t> number;
      RETURN_IF_ERROR(snapshot_->scan(from, upto, [&](std::string_view key, std::string_view) {
        if (key.size() >= kTableAndNumber) number = read_number(key.substr(1));
        return false;
      }));
      if (!number) return {};
      if (!names.contains(*number)) problem(fmt::format("rows of number {}, which no namespace has", *number));
      // One row for each number is read, and the scan leaps to the next: millions of rows cost one seek.
      if (*number == UINT32_MAX) return {};
      from = row_key(table, *number + 1);
    }
    return {};
  }

  const TreeStore& store_;
  const std::shared_ptr<const Snapshot> snapshot_;
  FsckReport& report_;
  const std::function<void(uint64_t)>& progress_;
  std::string name_;
  uint64_t seen_ = 0;
};

}  // namespace

Result<FsckReport> fsck(const std::string& folder, Repair repair, const std::function<void(uint64_t)>& progress,
                        void* environment) {
  if (environment == nullptr) RETURN_IF_ERROR(check_there_is_a_store(folder));
  ASSIGN_OR_RETURN(const auto store, TreeStore::open({folder, 1, environment}));
  FsckReport report;
  ASSIGN_OR_RETURN(const std::set<uint32_t> wrong, Check(*store, report, progress).run());
  if (repair == Repair::No || wrong.empty()) return report;
  Emptied emptied;
  for (const auto& [name, number] : store->names_at_open()) {
    if (!wrong.contains(number)) continue;
    emptied.add(row_key(Table::Index, number), row_key(Table::Index, number + 1));
    emptied.add(row_key(Table::Expiry, number), row_key(Table::Expiry, number + 1));
    report.repaired.push_back(name);
  }
  RETURN_IF_ERROR(store->commit(emptied, TreeStore::Durability::Synced));
  return report;
}

Result<Compacted> compact_folder(const std::string& folder) {
  RETURN_IF_ERROR(check_there_is_a_store(folder));
  ASSIGN_OR_RETURN(const auto store, TreeStore::open({folder}));
  std::atomic<bool> is_stopping = false;
  return store->compact(is_stopping);
}

}  // namespace hearth::db
