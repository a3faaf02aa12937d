#include "db/model/value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "db/base/invariant.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

constexpr char kPriorityByte = '\0';

// What may stand at the head of a leaf. On disk. Never renumber.
constexpr char kFalse = 'f', kTrue = 't', kInteger = 'i', kDouble = 'd', kString = 's', kServerTime = 'T', kIncrement = 'I';

void append_varint(uint64_t value, std::string& to) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

std::string integer_leaf(int64_t value) {
  std::string leaf(1, kInteger);
  append_varint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63), leaf);
  return leaf;
}

int64_t read_integer(std::string_view leaf) {
  uint64_t raw = 0;
  for (size_t i = 1, shift = 0; i < leaf.size(); ++i, shift += 7) raw |= static_cast<uint64_t>(leaf[i] & 0x7f) << shift;
  return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
}

std::string double_leaf(double value) {
  std::string leaf(1, kDouble);
  const auto bits = std::bit_cast<uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) leaf += static_cast<char>(bits >> shift);
  return leaf;
}

double read_double(std::string_view leaf) {
  uint64_t bits = 0;
  for (size_t i = 1; i < 9; ++i) bits = bits << 8 | static_cast<unsigned char>(leaf[i]);
  return std::bit_cast<double>(bits);
}

bool is_scalar_tag(char tag) {
  return tag == kFalse || tag == kTrue || tag == kInteger || tag == kDouble || tag == kString;
}

// A priority as it is stored: numbers are doubles.
std::string priority_leaf(const Value& priority) {
  if (priority.kind() == Value::Kind::Integer) return double_leaf(priority.as_double());
  return encode_leaf(priority);
}

}  // namespace

bool is_priority_key(std::string_view key) {
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
  struct Entry {
    uint32_t offset;
    uint16_t key_bytes;
  };
  std::string bytes;
  std::vector<Entry> table;

  std::string_view key(size_t i) const { return std::string_view(bytes).substr(table[i].offset, table[i].key_bytes); }
  std::string_view leaf(size_t i) const {
    const size_t from = table[i].offset + table[i].key_bytes;
    const size_t upto = i + 1 < table.size() ? table[i + 1].offset : bytes.size();
    return std::string_view(bytes).substr(from, upto - from);
  }
};

ValueBuilder::ValueBuilder() : rows_(std::make_shared<Value::Rows>()) {}
ValueBuilder::~ValueBuilder() = default;
ValueBuilder::ValueBuilder(ValueBuilder&&) noexcept = default;

void ValueBuilder::add(std::string_view key, std::string_view leaf) {
  std::string& bytes = rows_->bytes;
  invariant(bytes.size() + key.size() + leaf.size() <= std::numeric_limits<uint32_t>::max(), "a value has less than 4 GiB");
  rows_->table.push_back({static_cast<uint32_t>(bytes.size()), static_cast<uint16_t>(key.size())});
  bytes += key;
  bytes += leaf;
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
  rows_->bytes.resize(rows_->table.back().offset);
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

Value Value::boolean(bool value) { return of_leaf(std::string_view(value ? &kTrue : &kFalse, 1)); }
Value Value::integer(int64_t value) { return of_leaf(integer_leaf(value)); }

Value Value::real(double value) {
  constexpr double kTwo63 = 9223372036854775808.0;
  if (value == std::trunc(value) && value >= -kTwo63 && value < kTwo63) return integer(static_cast<int64_t>(value));
  return of_leaf(double_leaf(value));
}

Value Value::string(std::string_view utf8) { return of_leaf(std::string(1, kString).append(utf8)); }
Value Value::server_timestamp() { return of_leaf(std::string_view(&kServerTime, 1)); }
Value Value::increment(const Value& by) { return of_leaf(std::string(1, kIncrement) + encode_leaf(by)); }

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
  switch (first.leaf.front()) {
    case kFalse:
    case kTrue:
      return Kind::Boolean;
    case kInteger:
      return Kind::Integer;
    case kDouble:
      return Kind::Double;
    case kString:
      return Kind::String;
    case kServerTime:
      return Kind::Timestamp;
    default:
      return Kind::Increment;
  }
}

bool Value::is_object() const { return kind() == Kind::Object; }
bool Value::is_leaf() const { return !is_null() && row(0).key.empty(); }

bool Value::is_number() const {
  const Kind of = kind();
  return of == Kind::Integer || of == Kind::Double;
}

bool Value::has_server_values() const {
  for (size_t i = 0; i < row_count(); ++i) {
    if (!is_scalar_tag(row(i).leaf.front())) return true;
  }
  return false;
}

bool Value::as_boolean() const {
  invariant(kind() == Kind::Boolean, "only a boolean is asked for one");
  return row(0).leaf.front() == kTrue;
}

int64_t Value::as_integer() const {
  invariant(kind() == Kind::Integer, "only an integer is asked for one");
  return read_integer(row(0).leaf);
}

double Value::as_double() const {
  invariant(is_number(), "only a number is asked for one");
  const std::string_view leaf = row(0).leaf;
  return leaf.front() == kInteger ? static_cast<double>(read_integer(leaf)) : read_double(leaf);
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
    if (at.key.size() == 1 && at.key.front() == kPriorityByte) return of_leaf(at.leaf);
  }
  return {};
}

Value Value::without_priority() const { return priority().is_null() ? *this : with_priority({}); }

bool Value::has_priorities() const {
  for (size_t i = 0; i < row_count(); ++i) {
    const std::string_view key = row(i).key;
    if (!key.empty() && key.back() == kPriorityByte && is_priority_key(key)) return true;
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
  std::vector<std::string> above;  // rows of leaves that make room
  for (size_t depth = 0; depth < path.depth(); ++depth) above.push_back(encode_path(path.prefix(depth)));
  const auto makes_room = [&](std::string_view key) { return std::find(above.begin(), above.end(), key) != above.end(); };

  const auto [from, upto] = range_of(encoded);
  if (value.is_null() && from == upto) return *this;
  ValueBuilder builder;
  for (uint32_t i = first_; i < from; ++i) {
    const std::string_view key = rows_->key(i).substr(skip_);
    if (!value.is_null() && encoded.starts_with(key) && makes_room(key)) continue;
    builder.add(key, rows_->leaf(i));
  }
  builder.add_all(encoded, value);
  for (uint32_t i = upto; i < last_; ++i) builder.add(rows_->key(i).substr(skip_), rows_->leaf(i));
  Value result = std::move(builder).build();
  if (!value.is_null()) return result;
  // Whoever lost its last child is gone, and its priority with it.
  for (size_t depth = path.depth(); depth-- > 0;) {
    const auto [low, high] = result.range_of(above[depth]);
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
    const std::string_view key = row(i).key;
    if (key.empty() || key.back() != kPriorityByte || !is_priority_key(key)) ++count;
  }
  return count;
}

size_t Value::byte_count() const {
  if (is_null()) return 0;
  const size_t upto = last_ < rows_->table.size() ? rows_->table[last_].offset : rows_->bytes.size();
  return upto - rows_->table[first_].offset;
}

size_t Value::child_count() const {
  size_t count = 0;
  for (auto at = children(); !at.done(); at.next()) ++count;
  return count;
}

Value::ChildIterator::ChildIterator(const Value& parent)
    : parent_(&parent), at_(parent.first_), child_end_(parent.first_), end_(parent.last_) {
  while (at_ < end_) {  // past the node's own leaf and priority
    const std::string_view key = parent.rows_->key(at_).substr(parent.skip_);
    if (!key.empty() && key.front() != kPriorityByte) break;
    ++at_;
  }
  find_end();
}

void Value::ChildIterator::find_end() {
  if (done()) return;
  const std::string_view key = parent_->rows_->key(at_).substr(parent_->skip_);
  segment_length_ = static_cast<uint16_t>(segment_length(key));
  const std::string_view own = key.substr(0, segment_length_);
  // Gallop: most children are small.
  uint32_t low = at_ + 1;
  uint32_t step = 1;
  const auto inside = [&](uint32_t i) { return parent_->rows_->key(i).substr(parent_->skip_).starts_with(own); };
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

std::string_view Value::ChildIterator::segment() const {
  return parent_->rows_->key(at_).substr(parent_->skip_, segment_length_);
}

std::string Value::ChildIterator::key() const { return decode_segment(segment()); }

Value Value::ChildIterator::value() const {
  return Value(parent_->rows_, at_, child_end_, static_cast<uint16_t>(parent_->skip_ + segment_length_));
}

void Value::ChildIterator::next() {
  at_ = child_end_;
  find_end();
}

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
  const Error damaged{ErrorCode::Corruption, "a stored leaf is damaged"};
  if (leaf.empty()) return damaged;
  switch (leaf.front()) {
    case kFalse:
    case kTrue:
    case kServerTime:
      if (leaf.size() != 1) return damaged;
      break;
    case kInteger:
      if (leaf.size() < 2 || leaf.size() > 11 || (leaf.back() & 0x80) != 0) return damaged;
      break;
    case kDouble:
      if (leaf.size() != 9) return damaged;
      break;
    case kString:
      break;
    case kIncrement:
      if (leaf.size() < 3 || (leaf[1] != kInteger && leaf[1] != kDouble)) return damaged;
      break;
    default:
      return damaged;
  }
  return of_leaf(leaf);
}

}  // namespace hearth::db
