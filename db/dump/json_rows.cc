// JSON of any size, as rows in key order.
//
//   text ─▶ HalfSurrogates ─▶ Boost's parser ─▶ Tokens: a row for each leaf ─▶ RowSorter (disk) ─▶ JsonTree ─▶ DumpVisitor
//           as it streams by      token by token      in the order of the text      in key order
//
// simdjson needs the whole text in memory, and four times as much; exports may be larger than the machine. Boost.JSON's
// parser takes pieces and calls back, and is used here only.
//
// What is known only when the rows are in order is decided there (JsonTree):
// - A key that stands twice. Equal keys are neighbours after the sort. An object or array, and a null in an object, leaves
//   a mark at its place (kTakenMark, which no path can be), so that two of them at one place, or one beside a leaf, are
//   noticed too. An object with a .value leaves that leaf alone.
// - A priority of nothing. It waits (waiting_) until a row below its node comes, and goes when none does. In the text
//   it may stand before its children, or behind them.
#include "db/dump/json_rows.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "db/dump/row_sorter.h"
#include "db/model/half_surrogates.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"
#include "db/model/path.h"
#include "db/model/text_encoding.h"
#include "db/model/tree_view.h"

namespace hearth::db {
namespace {

using boost::json::error_code;
using Text = boost::json::string_view;

constexpr size_t kReadBytes = 256u << 10;
constexpr size_t kBracketsMax =
    kDepthMax + 8;  // around a leaf; what is deeper in the tree than kDepthMax is refused by path

// Stands at a place that has something without a leaf: two at one place are a key that stands twice.
const std::string kTakenMark = std::string(1, kPriorityMark) + kPriorityMark;

Error invalid(const std::string& why) { return {ErrorCode::InvalidData, "this JSON cannot be stored: " + why}; }

// What Boost.JSON's parser calls, token by token.
// Callbacks answer false to stop the parser; status_ has the reason, which its own error codes could not say.
class Tokens {
 public:
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;

  explicit Tokens(RowSorter& rows) : rows_(rows) {}
  const Result<void>& status() const { return status_; }
  uint64_t leaf_count() const { return leaf_count_; }  // and of priorities

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_comment_part(Text, error_code&) { return true; }
  bool on_comment(Text, error_code&) { return true; }

  bool on_object_begin(error_code& ec) { return pass(open(Kind::Object), ec); }
  bool on_array_begin(error_code& ec) { return pass(open(Kind::Array), ec); }
  bool on_object_end(size_t, error_code& ec) { return pass(close(), ec); }
  bool on_array_end(size_t, error_code& ec) { return pass(close(), ec); }

  // Keys and strings come in parts, as the pieces of the text cut them. The limits are asked at each part, or a
  // string without end would fill the memory.
  bool on_key_part(Text part, size_t size, error_code& ec) {
    text_.append(part.data(), part.size());
    return size <= kKeyBytesMax || pass(key_is_long(), ec);
  }
  bool on_key(Text part, size_t, error_code& ec) {
    text_.append(part.data(), part.size());
    const Result<void> done = key();
    text_.clear();
    return pass(done, ec);
  }
  bool on_string_part(Text part, size_t size, error_code& ec) {
    text_.append(part.data(), part.size());
    return size <= kStringBytesMax || pass(string_is_long(), ec);
  }
  bool on_string(Text part, size_t size, error_code& ec) {
    if (size > kStringBytesMax) return pass(string_is_long(), ec);
    leaf_.assign("s").append(text_).append(part.data(), part.size());
    text_.clear();
    return pass(leaf(), ec);
  }
  bool on_number_part(Text part, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(int64_t number, Text, error_code& ec) {
    text_.clear();
    leaf_.clear();
    append_integer_leaf(number, leaf_);
    return pass(leaf(), ec);
  }
  bool on_uint64(uint64_t number, Text, error_code& ec) {
    text_.clear();
    leaf_.clear();
    append_number_leaf(static_cast<double>(number), leaf_);
    return pass(leaf(), ec);
  }
  // From the text: Boost 1.81 may be one bit off.
  bool on_double(double, Text part, error_code& ec) {
    text_.append(part.data(), part.size());
    double number = 0;
    const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (read.ec == std::errc::result_out_of_range) number = std::strtod(text_.c_str(), nullptr);
    if (!std::isfinite(number)) return pass(wrong("a number out of range"), ec);
    text_.clear();
    leaf_.clear();
    append_number_leaf(number, leaf_);
    return pass(leaf(), ec);
  }
  bool on_bool(bool value, error_code& ec) {
    leaf_.assign(value ? "t" : "f");
    return pass(leaf(), ec);
  }
  bool on_null(error_code& ec) {
    // Nothing is stored, but in an array the index counts on.
    const bool is_child = enter() == Member::Child;
    Result<void> done;
    if (is_child && !open_.empty() && open_.back().kind == Kind::Object) done = rows_.add(path_ + kTakenMark, "");
    leave();
    return pass(done, ec);
  }

 private:
  enum class Kind : uint8_t { Object, Array };
  enum class Member : uint8_t { Child, Value, Priority };
  struct Open {
    Kind kind;
    size_t path;                    // bytes of path_ that lead to it
    Member member = Member::Child;  // that comes next, in an object
    size_t index = 0;               // the same, in an array
    bool has_value = false;         // .value is a member
  };

  bool pass(const Result<void>& done, error_code& ec) {
    if (done.ok()) return true;
    status_ = done;
    ec = boost::json::error::syntax;  // any will do: status() says it better
    return false;
  }
  Error wrong(const std::string& what) const { return invalid(what + " at " + path_for_people(path_)); }
  Error key_is_long() const { return wrong("a key of more than " + std::to_string(kKeyBytesMax) + " bytes"); }
  Error string_is_long() const { return wrong("a string of more than " + std::to_string(kStringBytesMax) + " bytes"); }

  Result<void> key();
  Member enter();  // path_ is now where the value that begins belongs
  void leave();
  Result<void> open(Kind kind);
  Result<void> close();
  Result<void> leaf();  // of leaf_

  RowSorter& rows_;
  Result<void> status_;
  std::vector<Open> open_;
  std::string path_;
  std::string text_;  // of the token so far
  std::string leaf_;
  uint64_t leaf_count_ = 0;
};

// The key of a child becomes part of path_ here; leave() takes it off when the child's value has ended.
Result<void> Tokens::key() {
  Open& in = open_.back();
  in.member = Member::Child;
  if (text_ == ".value") {
    in.member = Member::Value;
  } else if (text_ == ".priority") {
    in.member = Member::Priority;
  } else if (text_ == ".sv") {
    return wrong("a server value, which a write would replace,");
  } else {
    if (text_.size() > kKeyBytesMax) return key_is_long();
    if (!check_key(text_).ok())
      return wrong("the key \"" + text_ + "\", which is empty or has one of . $ # [ ] / or a control character,");
    append_segment(text_, path_);
  }
  return {};
}

Tokens::Member Tokens::enter() {
  if (open_.empty()) return Member::Child;
  Open& in = open_.back();
  if (in.kind == Kind::Object) return in.member;
  append_segment(std::to_string(in.index++), path_);
  return Member::Child;
}

void Tokens::leave() { path_.resize(open_.empty() ? 0 : open_.back().path); }

Result<void> Tokens::open(Kind kind) {
  if (enter() != Member::Child) return wrong("an object or array as .value or .priority");
  open_.push_back({kind, path_.size()});
  return {};
}

Result<void> Tokens::close() {
  const bool has_value = open_.back().has_value;
  open_.pop_back();
  // The root needs no mark: there is one of it.
  Result<void> marked;
  if (!open_.empty() && !has_value) marked = rows_.add(path_ + kTakenMark, "");
  leave();
  return marked;
}

Result<void> Tokens::leaf() {
  const Member member = enter();
  if (member == Member::Value) open_.back().has_value = true;
  if (member == Member::Priority) {
    const LeafTag tag = tag_of_leaf(leaf_);
    if (tag == LeafTag::False || tag == LeafTag::True) return wrong("a priority that is no string or number");
    if (tag == LeafTag::Integer) {
      const auto number = static_cast<double>(integer_of_leaf(leaf_));
      leaf_.clear();
      append_double_leaf(number, leaf_);
    }
    path_ += kPriorityMark;
  }
  const Result<void> added = rows_.add(path_, leaf_);
  ++leaf_count_;
  leave();
  return added;
}

// Sorted rows → the rows of a tree: marks go, and so do priorities of nothing.
class JsonTree {
 public:
  explicit JsonTree(DumpVisitor& visitor) : visitor_(visitor) {}
  Result<void> row(std::string_view key, std::string_view leaf);
  Result<void> finish();

 private:
  Result<void> pass(std::string_view key, std::string_view leaf);

  DumpVisitor& visitor_;
  TreeCheck check_;
  uint64_t bytes_ = 0;
  std::string last_;  // key of the row before
  std::string last_leaf_;
  bool begun_ = false;
  bool has_leaf_ = false;
  std::vector<std::pair<std::string, std::string>> waiting_;  // priorities, each below the one before: path and leaf
};

Result<void> JsonTree::pass(std::string_view key, std::string_view leaf) {
  if (const Result<void> fine = check_.add(key, leaf); !fine.ok())
    return Error{ErrorCode::InvalidData, fine.error().message};
  bytes_ += key.size() + leaf.size();
  return visitor_.row(key, leaf);
}

Result<void> JsonTree::row(std::string_view key, std::string_view leaf) {
  if (begun_ && key == last_) return invalid("a key stands twice at " + path_for_people(key));
  begun_ = true;
  last_ = key;
  if (key.ends_with(kTakenMark) && leaf.empty()) {
    const std::string_view taken = key.substr(0, key.size() - kTakenMark.size());
    if (has_leaf_ && taken == last_leaf_) return invalid("a key stands twice at " + path_for_people(taken));
    return {};
  }
  const bool is_priority = is_priority_key(key);
  const std::string_view path = is_priority ? key.substr(0, key.size() - 1) : key;
  // The walk has left these nodes, and no child of them came.
  while (!waiting_.empty() && !path.starts_with(waiting_.back().first)) waiting_.pop_back();
  if (is_priority && !(has_leaf_ && path == last_leaf_)) {
    waiting_.emplace_back(path, leaf);
    return {};
  }
  // All of them: a row below the innermost is a row below each, and they are in key order.
  for (const auto& [above, priority] : waiting_) RETURN_IF_ERROR(pass(above + kPriorityMark, priority));
  waiting_.clear();
  if (!is_priority) {
    has_leaf_ = true;
    last_leaf_ = path;
  }
  return pass(key, leaf);
}

Result<void> JsonTree::finish() {
  DumpedRows counted;
  counted.rows = check_.row_count();
  counted.leaves = check_.leaf_count();
  counted.bytes = bytes_;
  return visitor_.end(counted);
}

}  // namespace

Result<void> read_json(const ByteSource& source, const std::string& folder, DumpVisitor& visitor) {
  RETURN_IF_ERROR(visitor.begin({{}, "", "", {""}}));
  RETURN_IF_ERROR(visitor.space({}));
  RowSorter rows(folder);
  boost::json::parse_options options;
  options.max_depth = kBracketsMax;
  boost::json::basic_parser<Tokens> parser(options, rows);
  std::string buffer(kReadBytes, '\0');
  std::string text;
  HalfSurrogates halves;
  uint64_t read = 0;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const size_t got, source(buffer.data(), buffer.size()));
    more = got > 0;
    text.clear();
    halves.pass(std::string_view(buffer).substr(0, got), text);
    if (!more) halves.finish(text);
    error_code ec;
    // With `more` the parser keeps what may go on; the last call tells it that nothing does.
    const size_t used = text.empty() && more ? 0 : parser.write_some(more, text.data(), text.size(), ec);
    if (!parser.handler().status().ok()) return parser.handler().status().error();
    if (!ec && std::string_view(text).substr(used).find_first_not_of(" \t\r\n") != std::string_view::npos) {
      ec = boost::json::error::extra_data;
    }
    if (ec) {
      return Error{ErrorCode::InvalidData,
                   "the JSON is damaged or cut short at byte " + std::to_string(read + used) + ": " + ec.message()};
    }
    read += text.size();
  }
  visitor.expect(parser.handler().leaf_count());
  JsonTree tree(visitor);
  RETURN_IF_ERROR(rows.drain([&](std::string_view key, std::string_view leaf) { return tree.row(key, leaf); }));
  return tree.finish();
}

Result<void> read_any(const ByteSource& source, const std::string& folder, DumpVisitor& visitor) {
  auto head = std::make_shared<std::string>(64, '\0');
  ASSIGN_OR_RETURN(const size_t got, read_fully(source, head->data(), head->size()));
  head->resize(got);
  // The first bytes were read to look at them: they are given out again before the rest.
  const ByteSource whole = [&source, head, at = size_t{0}](char* to, size_t bytes) mutable -> Result<size_t> {
    if (at == head->size()) return source(to, bytes);
    const size_t count = std::min(bytes, head->size() - at);
    std::memcpy(to, head->data() + at, count);
    at += count;
    return count;
  };
  if (got > 0 && head->front() == kDumpMagic.front()) return read_dump(whole, visitor);
  if (is_utf16(*head)) return Error{ErrorCode::InvalidData, "this is UTF-16, or no text; JSON is UTF-8"};
  head->erase(0, head->size() - without_bom(*head).size());
  const size_t first = head->find_first_not_of(" \t\r\n");
  if (first == std::string::npos || std::strchr("{[\"-0123456789tfn", (*head)[first]) == nullptr) {
    return Error{ErrorCode::InvalidData, "this is neither a dump of Hearth nor JSON"};
  }
  return read_json(whole, folder, visitor);
}

}  // namespace hearth::db
