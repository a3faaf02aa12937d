// What a document is made of: items in the order in which they are read, types that hold them, and for each client a
// line of its items by clock. The parts of document.h. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "db/documents/struct.h"

namespace hearth::db::documents {

// Bytes that several items may have parts of: cutting an item copies nothing.
class Slice {
 public:
  Slice() = default;
  explicit Slice(std::string_view bytes);
  Slice(const Slice& other);
  Slice& operator=(Slice other) noexcept;
  ~Slice();

  std::string_view view() const;
  Slice part(size_t start, size_t count) const;
  // Puts bytes behind it, in place where nobody else has them. False when that would copy more than a little.
  bool append(std::string_view bytes);
  size_t capacity() const;  // of the bytes, if nobody else has them

 private:
  struct Shared;
  Shared* shared_ = nullptr;
  uint32_t start_ = 0;
  uint32_t count_ = 0;
};

struct Type;
struct Entry;

struct Item {
  Id id;
  uint64_t length;
  Id origin;        // if has_origin
  Id right_origin;  // likewise
  Item* left = nullptr;
  Item* right = nullptr;
  Type* parent = nullptr;  // none: Gc
  Entry* entry = nullptr;  // of a map, else it is in the list
  Type* type = nullptr;    // what a Type holds
  Slice content;           // as Struct::content
  uint64_t seen = 0;       // when it was last passed by an insertion, counted in such passings
  Kind kind = Kind::Gc;
  bool has_origin = false;
  bool has_right_origin = false;
  bool is_deleted = false;

  uint64_t end() const { return id.clock + length; }
  Id last_id() const { return {id.client, end() - 1}; }
  bool is_visible() const { return !is_deleted && kind != Kind::Format && kind != Kind::Gc; }
};

// A key of a map: all that was ever set there. The last one is the value, unless it is deleted.
struct Entry {
  std::string_view key;  // as the map has it
  Item* first = nullptr;
  Item* last = nullptr;
};

struct Type {
  TypeKind kind = TypeKind::Array;  // of a root nobody knows
  Item* item = nullptr;             // that holds it; none: a root
  Type* root = nullptr;             // the root that it is in
  std::string_view name;            // of a root
  Item* start = nullptr;            // of the list
  std::map<std::string, Entry, std::less<>> entries;
};

// Items of a client by clock, from 0 on without holes. Finding and putting in cost a logarithm and a small copy: they lie in
// blocks of a few hundred.
class Line {
 public:
  uint64_t end() const { return end_; }
  Item& find(uint64_t clock) const;             // precondition: clock < end()
  void push_back(Item& item);                   // precondition: it begins at end()
  void insert(Item& item);                      // what was cut off from the one before it
  void grow(uint64_t count) { end_ += count; }  // the last item did

 private:
  std::vector<std::vector<Item*>> blocks_;
  uint64_t end_ = 0;
};

}  // namespace hearth::db::documents
