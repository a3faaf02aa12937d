// How large a tree is and where, without reading all of it.
//
//   small: read_all()        every row, with half of the steps. Exact, and done
//   large: estimate()        the rows read so far say how many leaves and bytes a byte on disk stands for; RocksDB says
//                            how many bytes of its files a range takes. From the root down, the largest node first:
//
//        root ~1,000,000             look(): goes through the children. A small child is read to its end; of a larger
//        ├── chat ~800,000 ◀─ next   one 32 rows are read, the rest is guessed, and the walk leaps behind it
//        ├── users  4,100 exact
//        └── …                       only the ten largest children of a node are kept
//
// A guess is never below what was read, and a child never above its parent. What is told is what has at least 1 % of
// the whole, in order of size.
#include "db/read/stats.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

// A seek is charged like the rows that could be read in its time.
constexpr uint64_t kStepsPerSeek = 16;  // what one costs, in rows

struct Node {
  std::string row;                              // its path, encoded
  SizeAt size;                                  // without a path
  std::vector<std::unique_ptr<Node>> children;  // the largest of them
};

bool is_larger(const std::unique_ptr<Node>& a, const std::unique_ptr<Node>& b) {
  return a->size.bytes != b->size.bytes ? a->size.bytes > b->size.bytes : a->row < b->row;
}

// The list is short and sorted: what does not belong to the largest is not even inserted.
void keep(Node& parent, std::unique_ptr<Node> child) {
  auto& kept = parent.children;
  const auto place = std::upper_bound(kept.begin(), kept.end(), child, is_larger);
  if (place - kept.begin() >= static_cast<ptrdiff_t>(kStatsChildrenMax)) return;
  kept.insert(place, std::move(child));
  if (kept.size() > kStatsChildrenMax) kept.pop_back();
}

class Measuring {
 public:
  // Of the tree (Table::Data), or of documents (Table::Document), which then are what is counted in place of leaves.
  Measuring(const Snapshot& snapshot, Table table, uint32_t number, const Path& path, uint64_t steps_max)
      : snapshot_(snapshot), table_(table), prefix_(row_key(table, number)), steps_max_(steps_max) {
    root_.row = encode_path(path);
  }

  Result<std::vector<SizeAt>> run() {
    ASSIGN_OR_RETURN(const bool is_all, read_all());
    if (!is_all) RETURN_IF_ERROR(estimate());
    std::vector<SizeAt> sizes;
    RETURN_IF_ERROR(tell(sizes));
    return sizes;
  }
  uint64_t disk_bytes() const { return disk_bytes(root_.row, root_.row + kPastChildren); }
  uint64_t steps() const { return steps_; }

 private:
  uint64_t disk_bytes(std::string_view from, std::string_view upto) const {
    return snapshot_.bytes_between(prefix_ + std::string(from), prefix_ + std::string(upto));
  }
  Result<void> scan(std::string_view from, std::string_view upto, const TreeView::RowFunction& row) {
    steps_ += kStepsPerSeek;
    return snapshot_.scan(prefix_ + std::string(from), prefix_ + std::string(upto),
                          [&](std::string_view key, std::string_view leaf) {
                            steps_ += 1 + leaf.size() / kStatsBytesPerStep;
                            return row(key.substr(kTableAndNumber), leaf);
                          });
  }
  // A document is counted with the first of its updates.
  void add(Node& to, std::string_view rest, std::string_view key, std::string_view leaf) {
    to.size.bytes += key.size() + leaf.size();
    if (table_ == Table::Data) {
      if (rest.empty() || rest.front() != kPriorityMark) ++to.size.leaves;
      return;
    }
    const auto row = read_document_row(key);
    if (!row || row->path == document_) return;
    document_ = row->path;
    ++to.size.leaves;
  }

  // Reads everything, with at most half of the steps. When these are not enough, what was read says how many leaves
  // and bytes a byte on disk stands for.
  Result<bool> read_all() {
    // The path from the root to the row that is being read. A row that leaves a node closes it, and adds its sums to
    // its parent.
    std::vector<std::unique_ptr<Node>> open;  // below the root, each a child of the one before it
    const auto at = [&]() -> Node& { return open.empty() ? root_ : *open.back(); };
    const auto close = [&] {
      std::unique_ptr<Node> done = std::move(open.back());
      open.pop_back();
      Node& parent = at();
      parent.size.leaves += done->size.leaves;
      parent.size.bytes += done->size.bytes;
      keep(parent, std::move(done));
    };
    bool is_all = true;
    std::string last;
    RETURN_IF_ERROR(scan(root_.row, root_.row + kPastChildren, [&](std::string_view key, std::string_view leaf) {
      if (steps_ > steps_max_ / 2) {
        is_all = false;
        last = key;
        return false;
      }
      while (!open.empty() && !key.starts_with(open.back()->row)) close();
      std::string_view rest = key.substr(at().row.size());
      for (size_t length = segment_length(rest); length > 0; length = segment_length(rest)) {
        ++at().size.children;
        rest.remove_prefix(length);
        auto child = std::make_unique<Node>();
        child->row = key.substr(0, key.size() - rest.size());
        open.push_back(std::move(child));
      }
      add(at(), rest, key, leaf);
      return true;
    }));
    while (!open.empty()) close();
    if (is_all) return true;
    const double on_disk = std::max<double>(1, static_cast<double>(disk_bytes(root_.row, last)));
    leaves_per_byte_ = static_cast<double>(root_.size.leaves) / on_disk;
    bytes_per_byte_ = static_cast<double>(root_.size.bytes) / on_disk;
    root_.size = {};
    root_.children.clear();
    document_.clear();
    return false;
  }

  void guess(Node& node) const {
    const auto on_disk = static_cast<double>(disk_bytes(node.row, node.row + kPastChildren));
    node.size.leaves = std::max(node.size.leaves, static_cast<uint64_t>(on_disk * leaves_per_byte_));
    node.size.bytes = std::max(node.size.bytes, static_cast<uint64_t>(on_disk * bytes_per_byte_));
    node.size.is_exact = false;
  }

  // The largest first, as far as the steps go.
  Result<void> estimate() {
    guess(root_);
    const auto is_smaller = [](const Node* a, const Node* b) { return a->size.bytes < b->size.bytes; };
    std::priority_queue<Node*, std::vector<Node*>, decltype(is_smaller)> to_look_at(is_smaller);
    to_look_at.push(&root_);
    const auto least = static_cast<uint64_t>(static_cast<double>(root_.size.bytes) * kStatsShareMin);
    // Half of the steps that are left for each node: the largest gets most, and the next still has something.
    while (!to_look_at.empty() && steps_ < steps_max_) {
      Node& node = *to_look_at.top();
      to_look_at.pop();
      RETURN_IF_ERROR(look(node, steps_ + (steps_max_ - steps_) / 2));
      for (const auto& child : node.children) {
        if (!child->size.is_exact && child->size.bytes >= least) to_look_at.push(child.get());
      }
    }
    return {};
  }

  // Goes through its children: reads the small ones, and leaps over the rest of the others.
  Result<void> look(Node& node, uint64_t steps_max) {
    node.size.is_all_children = false;
    Node read;  // what of it was, when that is all
    bool is_exact = true;
    std::string from = node.row;
    for (bool has_more = true; has_more;) {
      std::unique_ptr<Node> child;
      uint64_t rows = 0;
      bool leaps = false;
      const auto finish = [&] {
        if (child == nullptr) return;
        ++node.size.children;
        read.size.leaves += child->size.leaves;
        read.size.bytes += child->size.bytes;
        keep(node, std::move(child));
      };
      bool is_cut = false;
      RETURN_IF_ERROR(scan(from, node.row + kPastChildren, [&](std::string_view key, std::string_view leaf) {
        std::string_view rest = key.substr(node.row.size());
        const size_t length = segment_length(rest);
        if (length == 0) {
          add(read, rest, key, leaf);
          return true;
        }
        if (child != nullptr && !key.starts_with(child->row)) finish();
        if (child == nullptr) {
          if (steps_ >= steps_max) {
            is_cut = true;
            return false;
          }
          child = std::make_unique<Node>();
          child->row = key.substr(0, node.row.size() + length);
          child->size.is_all_children = false;
          rows = 0;
        }
        add(*child, rest.substr(length), key, leaf);
        leaps = ++rows > kStatsRowsPerNode || child->size.bytes > kStatsBytesPerNode;
        return !leaps;
      }));
      // A node is at least as large as what was read of it.
      node.size.leaves = std::max(node.size.leaves, read.size.leaves);
      node.size.bytes = std::max(node.size.bytes, read.size.bytes);
      if (is_cut) return {};
      has_more = leaps;
      if (has_more) {
        from = child->row + kPastChildren;
        guess(*child);
        child->size.bytes = std::min(child->size.bytes, node.size.bytes);
        is_exact = false;
      }
      finish();
    }
    node.size.is_all_children = true;
    if (!is_exact) return {};
    node.size.leaves = read.size.leaves;
    node.size.bytes = read.size.bytes;
    node.size.is_exact = true;
    return {};
  }

  Result<void> tell(std::vector<SizeAt>& to) const {
    std::vector<const Node*> found = {&root_};
    const auto least = static_cast<uint64_t>(static_cast<double>(root_.size.bytes) * kStatsShareMin);
    for (size_t i = 0; i < found.size(); ++i) {
      for (const auto& child : found[i]->children) {
        if (child->size.bytes >= least) found.push_back(child.get());
      }
    }
    // Nothing is larger than what it is part of, so what is left out has nothing below it that is told.
    std::vector<uint64_t> sizes;
    for (const Node* node : found) sizes.push_back(node->size.bytes);
    std::sort(sizes.begin(), sizes.end(), std::greater<>());
    const uint64_t smallest = sizes[std::min(sizes.size(), kStatsNodesMax) - 1];
    return tell(root_, std::max(least, smallest), to);
  }
  static Result<void> tell(const Node& node, uint64_t smallest, std::vector<SizeAt>& to) {
    if (to.size() >= kStatsNodesMax) return {};
    to.push_back(node.size);
    ASSIGN_OR_RETURN(to.back().path, decode_path(node.row));
    for (const auto& child : node.children) {
      if (child->size.bytes >= smallest) RETURN_IF_ERROR(tell(*child, smallest, to));
    }
    return {};
  }

  const Snapshot& snapshot_;
  const Table table_;
  const std::string prefix_;
  const uint64_t steps_max_;
  uint64_t steps_ = 0;
  Node root_;
  std::string document_;                             // path of the last one
  double leaves_per_byte_ = 0, bytes_per_byte_ = 0;  // on disk
};

}  // namespace

Result<Stats> measure(const Snapshot& snapshot, uint32_t number, const Path& path, uint64_t steps_max) {
  Stats stats;
  Measuring tree(snapshot, Table::Data, number, path, steps_max);
  ASSIGN_OR_RETURN(stats.sizes, tree.run());
  stats.disk_bytes = tree.disk_bytes();
  stats.steps = tree.steps();
  stats.index_disk_bytes = snapshot.bytes_between(row_key(Table::Index, number), row_key(Table::Index, number + 1));
  stats.index_disk_bytes += snapshot.bytes_between(row_key(Table::Expiry, number), row_key(Table::Expiry, number + 1));
  for (const Table table : {Table::Log, Table::Version}) {
    stats.history_disk_bytes += snapshot.bytes_between(row_key(table, number), row_key(table, number + 1));
  }
  ASSIGN_OR_RETURN(const auto head, snapshot.get(row_key(Table::Head, number)));
  if (head) {
    ASSIGN_OR_RETURN(const Head known, Head::decode(*head));
    stats.sequence = known.sequence;
    if (known.has_documents) {
      Measuring documents(snapshot, Table::Document, number, path, steps_max);
      ASSIGN_OR_RETURN(stats.documents, documents.run());
      if (stats.documents.front().bytes == 0) stats.documents.clear();
      stats.document_disk_bytes = documents.disk_bytes();
      stats.steps += documents.steps();
    }
  }
  return stats;
}

Result<Stats> measure_folder(const std::string& folder, const std::string& name, const Path& path) {
  ASSIGN_OR_RETURN(const Frozen frozen, open_frozen(folder));
  const auto found = frozen.names.find(name);
  if (found == frozen.names.end()) return Error{ErrorCode::NotFound, "there is no namespace " + name};
  return measure(*frozen.snapshot, found->second, path);
}

static void append_sizes(std::string_view name, std::string_view counted, const std::vector<SizeAt>& sizes,
                         std::string& to) {
  to += fmt::format(R"("{}":[)", name);
  for (const SizeAt& one : sizes) {
    to += to.back() == '[' ? R"({"path":)" : R"(,{"path":)";
    append_json_string(one.path.slashed(), to);
    to += fmt::format(R"(,"{}":{},"bytes":{},"children":{},"exact":{},"allChildren":{}}})", counted, one.leaves,
                      one.bytes, one.children, one.is_exact, one.is_all_children);
  }
  to += "],";
}

std::string to_json(const Stats& stats) {
  std::string text = fmt::format(
      R"({{"sequence":{},"diskBytes":{},"documentDiskBytes":{},"indexDiskBytes":{},"historyDiskBytes":{},"connections":{},"listeners":{},)",
      stats.sequence, stats.disk_bytes, stats.document_disk_bytes, stats.index_disk_bytes, stats.history_disk_bytes,
      stats.sessions, stats.listeners);
  append_sizes("sizes", "leaves", stats.sizes, text);
  append_sizes("documents", "documents", stats.documents, text);
  text += R"("listened":[)";
  for (const ListenersAt& one : stats.listened) {
    text += text.back() == '[' ? R"({"path":)" : R"(,{"path":)";
    append_json_string(one.path.slashed(), text);
    text += fmt::format(R"(,"listeners":{}}})", one.listeners);
  }
  return text + "]}";
}

}  // namespace hearth::db
