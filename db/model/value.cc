// A JSON tree as one block of bytes.
//
//   { "a": 1, "b": { "c": "x", "d": true } }
//
//   bytes   │a·i1│b·c·sx│b·d·t│        key and leaf of each row, one behind the other, and no lengths between them
//   table    ▲    ▲      ▲             for each row: its offset (48 bits) and the length of its key (16 bits)
//
//   the whole       rows [0, 3)  skip 0
//   child("b")      rows [1, 3)  skip 3 (b's segment)     shares bytes and table: a slice, and no copy
//   child "c" of it rows [1, 2)  skip 6                   keys are read without their first `skip` bytes
//
// Why: trees come from disk and go to disk as rows in key order. Kept as rows they are copied with memcpy; a million
// leaves are a few allocations instead of a million nodes; and a subtree for an event is three numbers.
//
// Invariants, kept by ValueBuilder's callers and checked wherever bytes come from outside (write.cc,
// db/dump/tree_rows.cc):
// - Keys ascend strictly. range_of() is a binary search, and would miss rows otherwise.
// - A leaf's row has the node's own path, and below it nothing but a priority. So kind() looks at the first row only.
// - Null has no rows. There is no empty object, as there is none in the database.
// - Rows never change once they are built: copies share them across threads without a lock.
//
// The price: with() copies everything, and a small slice keeps the whole block alive. Who keeps a part of a large
// value for long should build a new one.
#include "db/model/value.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "db/base/invariant.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"

namespace hearth::db {
namespace {

constexpr char kPriorityByte = '\0';
constexpr uint64_t kBlockBytesMax = uint64_t{1} << 48;

// Bytes that grow in place: realloc moves a large block by its pages, so that there are never two copies of it.
class Block {
 public:
  Block() = default;
  ~Block() { std::free(data_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  size_t size() const { return size_; }
  std::string_view view(size_t from, size_t upto) const { return {data_ + from, upto - from}; }
  void truncate(size_t size) { size_ = size; }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (size_ + bytes.size() > capacity_) grow(size_ + bytes.size());
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

 private:
  void grow(size_t least) {
    invariant(least < kBlockBytesMax, "a value's rows fit into 48 bits");
    const size_t capacity = std::max(least, capacity_ + capacity_ / 2);
    auto* data = static_cast<char*>(std::realloc(data_, capacity));
    invariant(data != nullptr, "there is memory for a value");
    data_ = data;
    capacity_ = capacity;
  }

  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

bool is_scalar_tag(LeafTag tag) { return tag != LeafTag::ServerTime && tag != LeafTag::Increment; }

// A priority as it is stored: numbers are doubles.
// 1 and 1.0 as priorities are one value to clients, which know only doubles; leaves keep their integers.
std::string priority_leaf(const Value& priority) {
  if (priority.kind() != Value::Kind::Integer) return encode_leaf(priority);
  std::string leaf;
  append_double_leaf(priority.as_double(), leaf);
  return leaf;
}

}  // namespace

bool is_priority_key(std::string_view key) {
  if (key.empty() || key.back() != kPriorityByte) return false;
  // Behind a text the last byte is the text's own end, and no key has a control character: nearly all rows end here.
  constexpr unsigned char kTextMin = 0x20;
  if (key.size() > 1 && static_cast<unsigned char>(key[key.size() - 2]) >= kTextMin) return false;
  // A segment may end in 0x00 too: what is no whole sequence of segments ends in a mark.
  while (!key.empty()) {
    if (key.front() == kPriorityByte) return true;
    const size_t length = segment_length(key);
    if (length == 0) return false;
    key.remove_prefix(length);
  }
  return false;
}

struct Value::Rows {
  // Eight bytes a row. Offsets of 48 bits are what kBlockBytesMax promises; keys are paths and end at some kilobytes.
  class Entry {  // 48 bits of offset, 16 of the key's length
   public:
    Entry(size_t offset, size_t key_bytes) : bits_(offset << 16 | key_bytes) {}
    size_t offset() const { return bits_ >> 16; }
    size_t key_bytes() const { return bits_ & UINT16_MAX; }

   private:
    uint64_t bits_;
  };
  Block bytes;
  std::vector<Entry> table;
  bool has_server_values = false;  // some row; that of a slice may be another one

  void begin_row(std::string_view key) {
    invariant(key.size() <= UINT16_MAX, "a row's key is a path, and those are short");
    invariant(table.size() < UINT32_MAX, "a value has less than 2^32 rows");
    table.emplace_back(bytes.size(), key.size());
    bytes.append(key);
  }
  std::string_view key(size_t i) const {
    const Entry entry = table[i];
    return bytes.view(entry.offset(), entry.offset() + entry.key_bytes());
  }
  std::string_view leaf(size_t i) const {
    // A leaf ends where the next row begins: its length is not kept.
    const size_t upto = i + 1 < table.size() ? table[i + 1].offset() : bytes.size();
    return bytes.view(table[i].offset() + table[i].key_bytes(), upto);
  }
};

ValueBuilder::ValueBuilder() : rows_(std::make_shared<Value::Rows>()) {}
ValueBuilder::~ValueBuilder() = default;
ValueBuilder::ValueBuilder(ValueBuilder&&) noexcept = default;

void ValueBuilder::add(std::string_view key, std::string_view leaf) {
  rows_->begin_row(key);
  rows_->bytes.append(leaf);
  if (!leaf.empty() && !is_scalar_tag(tag_of_leaf(leaf))) rows_->has_server_values = true;
}

void ValueBuilder::add_text(std::string_view key, std::string_view utf8) {
  constexpr char kTag = static_cast<char>(LeafTag::String);
  rows_->begin_row(key);
  rows_->bytes.append({&kTag, 1});
  rows_->bytes.append(utf8);
}

void ValueBuilder::add_all(std::string_view prefix, const Value& value) {
  std::string key(prefix);
  for (size_t i = 0; i < value.row_count(); ++i) {
    const Value::Row row = value.row(i);
    key.resize(prefix.size());
    key += row.key;
    add(key, row.leaf);
  }
}

void ValueBuilder::drop_last() {
  rows_->bytes.truncate(rows_->table.back().offset());
  rows_->table.pop_back();
}

size_t ValueBuilder::byte_count() const { return rows_->bytes.size(); }
size_t ValueBuilder::row_count() const { return rows_->table.size(); }

Value ValueBuilder::build() && {
  const auto count = static_cast<uint32_t>(rows_->table.size());
  if (count == 0) return {};
  return Value(std::move(rows_), 0, count, 0);
}

namespace {
Value of_leaf(std::string_view leaf) {
  ValueBuilder builder;
  builder.add("", leaf);
  return std::move(builder).build();
}
}  // namespace

Value Value::boolean(bool value) { return of_leaf(value ? "t" : "f"); }

Value Value::integer(int64_t value) {
  std::string leaf;
  append_integer_leaf(value, leaf);
  return of_leaf(leaf);
}

Value Value::real(double value) {
  std::string leaf;
  append_number_leaf(value, leaf);
  return of_leaf(leaf);
}

Value Value::string(std::string_view utf8) { return of_leaf(std::string("s").append(utf8)); }
Value Value::server_timestamp() { return of_leaf("T"); }
Value Value::increment(const Value& by) { return of_leaf(std::string("I").append(by.row(0).leaf)); }

Value Value::object(const std::vector<std::pair<std::string, Value>>& children) {
  std::map<std::string, const Value*> sorted;  // by encoded key
  for (const auto& [key, child] : children) {
    std::string segment;
    append_segment(key, segment);
    sorted[segment] = &child;
  }
  ValueBuilder builder;
  for (const auto& [segment, child] : sorted) builder.add_all(segment, *child);
  return std::move(builder).build();
}

Value::Row Value::row(size_t index) const {
  const size_t at = first_ + index;
  return {rows_->key(at).substr(skip_), rows_->leaf(at)};
}

// The mark 0x00 sorts behind the node's own leaf (an empty key) and before every child.
Value Value::with_priority(const Value& priority) const {
  if (is_null()) return {};
  ValueBuilder builder;
  size_t index = 0;
  if (row(0).key.empty()) {
    builder.add("", row(0).leaf);
    ++index;
  }
  if (!priority.is_null()) builder.add(std::string_view(&kPriorityByte, 1), priority_leaf(priority));
  for (; index < row_count(); ++index) {
    const Row at = row(index);
    if (at.key.size() == 1 && at.key.front() == kPriorityByte) continue;
    builder.add(at.key, at.leaf);
  }
  return std::move(builder).build();
}

Value::Kind Value::kind() const {
  if (is_null()) return Kind::Null;
  const Row first = row(0);
  if (!first.key.empty()) return Kind::Object;
  switch (tag_of_leaf(first.leaf)) {
    case LeafTag::False:
    case LeafTag::True:
      return Kind::Boolean;
    case LeafTag::Integer:
      return Kind::Integer;
    case LeafTag::Double:
      return Kind::Double;
    case LeafTag::String:
      return Kind::String;
    case LeafTag::ServerTime:
      return Kind::Timestamp;
    case LeafTag::Increment:
      return Kind::Increment;
  }
  invariant(false, "a row's leaf begins with a tag");
  return Kind::Null;
}

bool Value::is_object() const { return kind() == Kind::Object; }
bool Value::is_leaf() const { return !is_null() && row(0).key.empty(); }

bool Value::is_number() const {
  const Kind of = kind();
  return of == Kind::Integer || of == Kind::Double;
}

bool Value::has_server_values() const {
  if (is_null() || !rows_->has_server_values) return false;  // nearly always: most values are asked it
  for (size_t i = 0; i < row_count(); ++i) {
    if (!is_scalar_tag(tag_of_leaf(row(i).leaf))) return true;
  }
  return false;
}

bool Value::has_increments() const {
  if (is_null() || !rows_->has_server_values) return false;
  for (size_t i = 0; i < row_count(); ++i) {
    if (tag_of_leaf(row(i).leaf) == LeafTag::Increment) return true;
  }
  return false;
}

bool Value::as_boolean() const {
  invariant(kind() == Kind::Boolean, "only a boolean is asked for one");
  return tag_of_leaf(row(0).leaf) == LeafTag::True;
}

int64_t Value::as_integer() const {
  invariant(kind() == Kind::Integer, "only an integer is asked for one");
  return integer_of_leaf(row(0).leaf);
}

double Value::as_double() const {
  invariant(is_number(), "only a number is asked for one");
  const std::string_view leaf = row(0).leaf;
  return tag_of_leaf(leaf) == LeafTag::Integer ? static_cast<double>(integer_of_leaf(leaf)) : double_of_leaf(leaf);
}

std::string_view Value::as_string() const {
  invariant(kind() == Kind::String, "only a string is asked for one");
  return row(0).leaf.substr(1);
}

Value Value::increment_by() const {
  invariant(kind() == Kind::Increment, "only an increment has a step");
  return of_leaf(row(0).leaf.substr(1));
}

Value Value::priority() const {
  for (size_t i = 0; i < std::min<size_t>(row_count(), 2); ++i) {
    const Row at = row(i);
    // Behind a leaf it is the second row, else the first: more rows need not be looked at.
    if (at.key.size() == 1 && at.key.front() == kPriorityByte) return of_leaf(at.leaf);
  }
  return {};
}

Value Value::without_priority() const { return priority().is_null() ? *this : with_priority({}); }

bool Value::has_priorities() const {
  for (size_t i = 0; i < row_count(); ++i) {
    if (is_priority_key(row(i).key)) return true;
  }
  return false;
}

std::pair<uint32_t, uint32_t> Value::range_of(std::string_view encoded) const {
  const auto below = [&](uint32_t index, std::string_view bound) { return rows_->key(index).substr(skip_) < bound; };
  const auto bound_of = [&](std::string_view bound) {
    uint32_t low = first_;
    uint32_t high = last_;
    while (low < high) {
      const uint32_t middle = low + (high - low) / 2;
      if (below(middle, bound)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  return {bound_of(encoded), bound_of(std::string(encoded) + '\x03')};
}

Value Value::child(std::string_view key) const {
  std::string segment;
  append_segment(key, segment);
  const auto [from, upto] = range_of(segment);
  if (from == upto) return {};
  return Value(rows_, from, upto, static_cast<uint16_t>(skip_ + segment.size()));
}

Value Value::at(const Path& path) const {
  if (path.is_root()) return *this;
  const std::string encoded = encode_path(path);
  const auto [from, upto] = range_of(encoded);
  if (from == upto) return {};
  return Value(rows_, from, upto, static_cast<uint16_t>(skip_ + encoded.size()));
}

Value Value::with(const Path& path, const Value& value) const {
  if (path.is_root()) return value;
  const std::string encoded = encode_path(path);
  // By the rules of a set: a leaf on the way to `path` makes room, but only when something is set and not removed.
  std::vector<std::string> above;  // rows of leaves that make room
  for (size_t depth = 0; depth < path.depth(); ++depth) above.push_back(encode_path(path.prefix(depth)));
  const auto makes_room = [&](std::string_view key) {
    return std::find(above.begin(), above.end(), key) != above.end();
  };

  const auto [from, upto] = range_of(encoded);
  if (value.is_null() && from == upto) return *this;
  ValueBuilder builder;
  for (uint32_t i = first_; i < from; ++i) {
    const std::string_view key = rows_->key(i).substr(skip_);
    if (!value.is_null() && encoded.starts_with(key) && makes_room(key)) continue;
    builder.add(key, rows_->leaf(i));
  }
  // The three parts ascend: rows before the range, the new ones, rows behind it.
  builder.add_all(encoded, value);
  for (uint32_t i = upto; i < last_; ++i) builder.add(rows_->key(i).substr(skip_), rows_->leaf(i));
  Value result = std::move(builder).build();
  if (!value.is_null()) return result;
  // A node that lost its last child is gone, and its priority with it.
  for (size_t depth = path.depth(); depth-- > 0;) {
    const auto [low, high] = result.range_of(above[depth]);
    if (low == high) continue;  // it had no priority and is gone; the node above it may have lost its last child
    // Exactly one row is left at or below this node, and it is the priority: nobody is there to have it.
    if (high - low != 1 || result.rows_->key(low).substr(result.skip_) != above[depth] + kPriorityByte) break;
    ValueBuilder pruned;
    for (uint32_t i = result.first_; i < result.last_; ++i) {
      if (i != low) pruned.add(result.rows_->key(i).substr(result.skip_), result.rows_->leaf(i));
    }
    result = std::move(pruned).build();
    if (result.is_null()) break;
  }
  return result;
}

size_t Value::leaf_count() const {
  size_t count = 0;
  for (size_t i = 0; i < row_count(); ++i) {
    if (!is_priority_key(row(i).key)) ++count;
  }
  return count;
}

size_t Value::byte_count() const {
  if (is_null()) return 0;
  const size_t upto = last_ < rows_->table.size() ? rows_->table[last_].offset() : rows_->bytes.size();
  return upto - rows_->table[first_].offset();
}

size_t Value::child_count() const {
  size_t count = 0;
  for (auto at = children(); !at.done(); at.next()) ++count;
  return count;
}

Value::ChildIterator::ChildIterator(const Value& parent)
    : rows_(parent.rows_), at_(parent.first_), child_end_(parent.first_), end_(parent.last_), skip_(parent.skip_) {
  while (at_ < end_) {  // past the node's own leaf and priority
    const std::string_view key = key_at(at_);
    if (!key.empty() && key.front() != kPriorityByte) break;
    ++at_;
  }
  find_end();
}

std::string_view Value::ChildIterator::key_at(uint32_t index) const { return rows_->key(index).substr(skip_); }

// The rows of one child are a run that begins with its segment. Its end is found by steps that double, then by halving:
// one step for a leaf, log n for a subtree.
void Value::ChildIterator::find_end() {
  if (done()) return;
  const std::string_view key = key_at(at_);
  segment_length_ = static_cast<uint16_t>(segment_length(key));
  const std::string_view own = key.substr(0, segment_length_);
  const auto inside = [&](uint32_t i) { return key_at(i).starts_with(own); };
  // Gallop: most children are small. All before `low` is inside.
  uint32_t low = at_ + 1;
  uint32_t step = 1;
  while (low < end_ && inside(std::min(low + step - 1, end_ - 1))) {
    low = std::min(low + step, end_);
    step *= 2;
  }
  uint32_t high = std::min(low + step, end_);
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (inside(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  child_end_ = low;
}

std::string_view Value::ChildIterator::segment() const { return key_at(at_).substr(0, segment_length_); }

std::string Value::ChildIterator::key() const { return decode_segment(segment()); }

Value Value::ChildIterator::value() const {
  return Value(rows_, at_, child_end_, static_cast<uint16_t>(skip_ + segment_length_));
}

void Value::ChildIterator::next() {
  at_ = child_end_;
  find_end();
}

// Equal trees have equal rows, because leaves and keys have one spelling each.
bool operator==(const Value& a, const Value& b) {
  if (a.row_count() != b.row_count()) return false;
  if (a.rows_ == b.rows_ && a.first_ == b.first_ && a.skip_ == b.skip_) return true;
  for (size_t i = 0; i < a.row_count(); ++i) {
    const Value::Row left = a.row(i);
    const Value::Row right = b.row(i);
    if (left.key != right.key || left.leaf != right.leaf) return false;
  }
  return true;
}

std::string encode_leaf(const Value& scalar) {
  invariant(scalar.row_count() >= 1 && scalar.row(0).key.empty(), "only a leaf is encoded as one");
  return std::string(scalar.row(0).leaf);
}

Result<Value> decode_leaf(std::string_view leaf) {
  if (!is_well_formed_leaf(leaf)) return Error{ErrorCode::Corruption, "a stored leaf is damaged"};
  return of_leaf(leaf);
}

}  // namespace hearth::db
