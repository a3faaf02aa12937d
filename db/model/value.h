// An immutable JSON value with priorities: null, a leaf, or a tree. A copy is a pointer; crosses threads freely.
//
// Inside, a value is its leaf rows in key order, in one block: the same rows the store holds (db/store/row_key.h), with
// the path to the value cut off. So a subtree is a slice, reading and writing a tree is copying rows, and a tree of a
// million leaves is one allocation, not a million.
//
//   row      := key leaf
//   key      := segment*  [0x00]            segments of db/model/key_order.h; a last 0x00 marks the node's priority
//   leaf     := 'f' | 't' | 'i' zigzag:varint | 'd' ieee754:8 BE | 's' utf8
//             | 'T' (server time) | 'I' leaf (increment by)      only before a write is resolved, and in queues
//
// A leaf's row has the leaf's own path and no rows below it but its priority. A priority is 'd' or 's' (or unresolved).
// On disk. Never renumber.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/model/path.h"

namespace hearth::db {

inline constexpr size_t kStringBytesMax = 10 * 1024 * 1024;  // UTF-8 bytes of one string leaf

class Value {
 private:
  struct Rows;

 public:
  enum class Kind : uint8_t { Null, Boolean, Integer, Double, String, Object, Timestamp, Increment };

  Value() = default;  // null
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value real(
      double value);  // integral doubles that fit int64 become integers (db/model/data-model.md §2.3). Not NaN or ∞
  static Value string(std::string_view utf8);
  static Value server_timestamp();          // {".sv":"timestamp"}
  static Value increment(const Value& by);  // {".sv":{"increment":by}}, by a number

  // Children in any order; of equal keys the last wins; null children vanish. Keys must be valid (check_key).
  static Value object(const std::vector<std::pair<std::string, Value>>& children);

  // The same value with another priority (null, number or string, or a server value). Of null: null.
  Value with_priority(const Value& priority) const;

  Kind kind() const;
  bool is_null() const { return first_ == last_; }
  bool is_leaf() const;
  bool is_object() const;
  bool is_number() const;
  bool has_server_values() const;
  bool has_increments() const;  // part of them: what they come to tells of the value before

  // Preconditions: the kind. `as_double` also takes an Integer.
  bool as_boolean() const;
  int64_t as_integer() const;
  double as_double() const;
  std::string_view as_string() const;  // valid while this value lives
  Value increment_by() const;

  Value priority() const;  // null, a number (always Double inside) or a string; or a server value
  Value without_priority() const;
  bool has_priorities() const;  // here or anywhere below
  Value child(std::string_view key) const;
  Value at(const Path& path) const;
  // A copy in which `value` stands at `path`, by the rules of a set (db/model/data-model.md §1): a leaf above makes
  // room, a node that lost its last child goes. O(rows).
  Value with(const Path& path, const Value& value) const;

  size_t leaf_count() const;  // leaves at and below; O(rows)
  size_t row_count() const { return last_ - first_; }
  size_t byte_count() const;  // of its rows

  // Children in key order; shares the value, so it may outlive it. `next` costs O(log rows).
  class ChildIterator {
   public:
    bool done() const { return at_ == end_; }
    std::string key() const;
    std::string_view segment() const;
    Value value() const;
    void next();

   private:
    friend class Value;
    ChildIterator(const Value& parent);
    void find_end();
    std::string_view key_at(uint32_t index) const;
    std::shared_ptr<const Rows> rows_;
    uint32_t at_, child_end_, end_;
    uint16_t skip_;
    uint16_t segment_length_ = 0;
  };
  ChildIterator children() const { return ChildIterator(*this); }
  size_t child_count() const;

  // The rows, for the store, hashes and encoders. `key` has the path to this value cut off.
  struct Row {
    std::string_view key;
    std::string_view leaf;
  };
  Row row(size_t index) const;  // index < row_count()

  friend bool operator==(const Value& a, const Value& b);  // the same tree, with the same priorities

 private:
  friend class ValueBuilder;
  Value(std::shared_ptr<const Rows> rows, uint32_t first, uint32_t last, uint16_t skip)
      : rows_(std::move(rows)), first_(first), last_(last), skip_(skip) {}
  std::pair<uint32_t, uint32_t> range_of(std::string_view encoded) const;

  std::shared_ptr<const Rows> rows_;
  uint32_t first_ = 0, last_ = 0;  // rows [first_, last_)
  uint16_t skip_ = 0;              // bytes of each key that lead to this value
};

// Makes a value from rows in ascending key order.
class ValueBuilder {
 public:
  ValueBuilder();
  ~ValueBuilder();
  ValueBuilder(ValueBuilder&&) noexcept;

  // Precondition: keys ascend, no row below a leaf but its priority, no priority without a leaf at or below.
  void add(std::string_view key, std::string_view leaf);
  void add_text(std::string_view key, std::string_view utf8);  // the same, of a leaf that is a string
  void add_all(std::string_view prefix, const Value& value);   // every row of `value` below `prefix`
  void drop_last();                                            // precondition: there is a row
  size_t byte_count() const;
  size_t row_count() const;
  Value build() &&;

 private:
  std::shared_ptr<Value::Rows> rows_;
};

// Whether a row's key is that of a priority: a last segment may end in 0x00 too.
bool is_priority_key(std::string_view key);

// One leaf's bytes (the grammar above) ⇄ a scalar Value. decode: Corruption.
std::string encode_leaf(const Value& scalar);
Result<Value> decode_leaf(std::string_view leaf);

}  // namespace hearth::db
