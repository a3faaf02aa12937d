// Reading the past is one pass over the versions of a range. Marks come before what lies below them, so the pass knows
// every mark that concerns a row when it comes to the row; those above the range are looked up first, one seek for each
// key of the path.
//
//   at 10, over        /a  mark@9        marks: /a@9
//                      /a/b leaf@12      later than 10: passed over
//                      /a/b leaf@3       the newest up to 10, but older than the mark: gone
//                      /a/c leaf@9       not older than the mark, which its own commit made: there
//                      /d  leaf@2        no longer below /a, so its mark is dropped; there
//
// `marks` is a stack of the marks above the row that is being looked at. Each has the newest sequence of itself and of those
// below it on the stack, so one comparison says whether a row is gone.
//
// The sweep is the same pass with another question: whether a moment from the cut on can see a row. Of each place the
// newest row up to the cut stays, and all older ones go. A mark or a removal stays until the pass has left its place, since
// what it hides is erased in the pass; then it says nothing any more, and goes too. The pass stops after some rows and goes
// on at from_, with what it knew in at_, has_settled_, removal_ and marks_.
#include "db/log/versions.h"

#include <algorithm>
#include <set>

#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr size_t kSuffix = 10;          // bytes behind the path
constexpr char kPastVersions = '\x03';  // behind `path 0x00`: above every kind

std::string_view node_of_key(std::string_view data_key) {
  if (is_priority_key(data_key)) data_key.remove_suffix(1);
  return data_key;
}

}  // namespace

std::optional<VersionKey> VersionKey::parse(std::string_view row) {
  if (row.size() < kSuffix) return {};
  const std::string_view suffix = row.substr(row.size() - kSuffix);
  if (suffix[0] != '\0' || suffix[1] < 0 || suffix[1] > static_cast<char>(VersionKind::Priority)) return {};
  return VersionKey{row.substr(0, row.size() - kSuffix), static_cast<VersionKind>(suffix[1]),
                    ~read_sequence(suffix.substr(2))};
}

std::string version_row(std::string_view encoded_path, VersionKind kind, uint64_t sequence) {
  std::string row(encoded_path);
  row += '\0';
  row += static_cast<char>(kind);
  append_sequence(~sequence, row);
  return row;
}

std::string version_row_of(std::string_view data_key, uint64_t sequence) {
  const bool is_priority = is_priority_key(data_key);
  return version_row(node_of_key(data_key), is_priority ? VersionKind::Priority : VersionKind::Leaf, sequence);
}

// The marks of the paths above `path`, up to the moment, each below the one before.
Result<std::vector<PastView::Mark>> PastView::marks_over(std::string_view path) const {
  std::vector<Mark> marks;
  size_t length = 0;
  while (length < path.size()) {
    const std::string_view above = path.substr(0, length);
    const std::string prefix = row_key(Table::Version, number_);
    const std::string from = prefix + version_row(above, VersionKind::Mark, sequence_);
    const std::string upto = prefix + version_row(above, VersionKind::Leaf, UINT64_MAX);
    RETURN_IF_ERROR(snapshot_->scan(from, upto, [&](std::string_view key, std::string_view) {
      const auto found = VersionKey::parse(key.substr(prefix.size()));
      const uint64_t over = marks.empty() ? 0 : marks.back().sequence;
      if (found && found->sequence > over) marks.push_back({std::string(above), found->sequence});
      return false;
    }));
    const size_t segment = segment_length(path.substr(length));
    if (segment == 0) break;
    length += segment;
  }
  return marks;
}

Result<void> PastView::scan(std::string_view from, std::string_view upto, const RowFunction& row) const {
  const std::string prefix = row_key(Table::Version, number_);
  // All rows of the node that `from` names, though its leaf may come before `from`; what does not belong is left out.
  const std::string begin = prefix + std::string(node_of_key(from));
  std::string end = prefix + std::string(upto);
  if (is_priority_key(upto)) end += kPastVersions;
  ASSIGN_OR_RETURN(std::vector<Mark> marks, marks_over(node_of_key(from)));
  std::string settled;  // path and kind whose version was found
  return snapshot_->scan(begin, end, [&](std::string_view whole, std::string_view value) {
    const std::string_view key = whole.substr(prefix.size());
    const auto version = VersionKey::parse(key);
    if (!version || version->sequence > sequence_) return true;
    const std::string_view place = key.substr(0, key.size() - 8);
    if (place == settled) return true;
    settled = place;
    while (!marks.empty() && !version->path.starts_with(marks.back().path)) marks.pop_back();
    const uint64_t gone = marks.empty() ? 0 : marks.back().sequence;
    if (version->kind == VersionKind::Mark) {
      marks.push_back({std::string(version->path), std::max(gone, version->sequence)});
      return true;
    }
    if (value.empty() || version->sequence < gone) return true;
    std::string data_key(version->path);
    if (version->kind == VersionKind::Priority) data_key += kPriorityMark;
    if (data_key < from || data_key >= upto) return true;
    return row(data_key, value);
  });
}

Result<std::optional<std::string>> PastView::leaf(std::string_view key) const {
  std::optional<std::string> found;
  std::string upto(key);
  upto += '\0';
  RETURN_IF_ERROR(scan(key, upto, [&](std::string_view, std::string_view leaf) {
    found = std::string(leaf);
    return false;
  }));
  return found;
}

// Marks lie before what they concern, so the range is read forward and told backward.
Result<void> PastView::scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const {
  std::vector<std::pair<std::string, std::string>> rows;
  size_t bytes = 0;
  RETURN_IF_ERROR(scan(from, upto, [&](std::string_view key, std::string_view leaf) {
    bytes += key.size() + leaf.size();
    rows.emplace_back(key, leaf);
    return bytes <= kReadBytesMax;
  }));
  if (bytes > kReadBytesMax) return Error{ErrorCode::TooLarge, "What was there then is too large for this query."};
  for (auto at = rows.rbegin(); at != rows.rend() && row(at->first, at->second); ++at) {
  }
  return {};
}

Result<std::vector<uint64_t>> versions_of(const Snapshot& snapshot, uint32_t number, const Path& path, uint64_t after,
                                          size_t most, const std::function<bool(size_t bytes)>& spend) {
  const std::string prefix = row_key(Table::Version, number);
  const std::string encoded = encode_path(path);
  std::set<uint64_t> found;
  const auto look = [&](std::string_view key, std::string_view value) {
    if (!spend(key.size() + value.size())) return false;
    const auto version = VersionKey::parse(key.substr(prefix.size()));
    if (version && version->sequence > after) {
      found.insert(version->sequence);
      if (found.size() > most) found.erase(found.begin());
    }
    return true;
  };
  // A leaf above goes when something below it is written, and what is below goes when a leaf is: so both concern it.
  for (size_t depth = 0; depth < path.depth(); ++depth) {
    const std::string above = prefix + encode_path(path.prefix(depth));
    RETURN_IF_ERROR(snapshot.scan(above + '\0', above + '\0' + kPastVersions, look));
  }
  RETURN_IF_ERROR(snapshot.scan(prefix + encoded + '\0', prefix + encoded + kPastChildren, look));
  return std::vector<uint64_t>(found.begin(), found.end());
}

// The pass has left the subtrees of marks that are not above `path`: what they hid is erased, so they may go.
void VersionSweep::leave(std::string_view path, const std::function<void(std::string row)>& erase) {
  while (!marks_.empty() && !path.starts_with(marks_.back().path)) {
    erase(version_row(marks_.back().path, VersionKind::Mark, marks_.back().sequence));
    marks_.pop_back();
  }
}

Result<void> VersionSweep::step(const Snapshot& snapshot, uint32_t number, size_t rows,
                                const std::function<void(std::string row)>& erase) {
  const std::string prefix = row_key(Table::Version, number);
  size_t seen = 0;
  std::string next;
  // A removal goes when the pass has come past its place: everything older there is erased by then.
  const auto end_place = [&] {
    if (!removal_.empty()) erase(std::exchange(removal_, {}));
    has_settled_ = false;
  };
  RETURN_IF_ERROR(snapshot.scan(prefix + from_, row_key(Table::Version, number + 1),
                                [&](std::string_view whole, std::string_view value) {
                                  const std::string_view key = whole.substr(prefix.size());
                                  if (seen++ == rows) {
                                    next = key;
                                    return false;
                                  }
                                  const auto version = VersionKey::parse(key);
                                  if (!version) return true;
                                  const std::string_view place = key.substr(0, key.size() - 8);
                                  if (place != at_) {
                                    end_place();
                                    at_ = place;
                                    leave(version->path, erase);
                                  }
                                  if (version->sequence > cut_) return true;
                                  const uint64_t gone = marks_.empty() ? 0 : marks_.back().sequence;
                                  if (has_settled_ || version->sequence < gone) {
                                    erase(std::string(key));
                                    return true;
                                  }
                                  has_settled_ = true;
                                  if (version->kind == VersionKind::Mark) {
                                    marks_.push_back({std::string(version->path), version->sequence});
                                  } else if (value.empty()) {
                                    removal_ = key;
                                  }
                                  return true;
                                }));
  is_done_ = next.empty();
  from_ = std::move(next);
  if (!is_done_) return {};
  end_place();
  for (; !marks_.empty(); marks_.pop_back()) {
    erase(version_row(marks_.back().path, VersionKind::Mark, marks_.back().sequence));
  }
  return {};
}

}  // namespace hearth::db
