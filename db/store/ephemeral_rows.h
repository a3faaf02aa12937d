// Rows of one namespace that are in memory alone: what lies at its ephemeral paths (db/model/path_plan.h). A persistent
// tree: a copy is a pointer and stays as it is, so a reader keeps the moment that it began with, and a write costs the
// depth of the tree.
//
//   rows ──▶ (k) ──┐            put(x): the nodes from the root to x are made anew, all others are shared
//            / \   │
//          (f) (p) │  copy ──▶ (k') ── (p') ── (x)
//          / \  \  │             └── (f), with all below it
//        (b) (h) (s)
//
// It is a treap: in order by key, and a heap by a random rank of each key, which makes it about balanced in whatever order
// keys come. The rank follows from the key and a secret of this process: no client can choose keys that make it deep.
//
// Each row has a holder: a number for whoever it goes with (db/shard/holders.h).
//
// A value. Thread: a copy belongs to one at a time; copies of the same tree may be anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::db {

inline constexpr size_t kEphemeralRowBytes = 192;  // about what a row holds in memory beside its key and leaf

class EphemeralRows {
 public:
  struct Row {
    std::string key;  // as in Table::Data
    std::string leaf;
    uint64_t holder = 0;
    uint64_t rank = 0;
  };

  bool empty() const { return root_ == nullptr; }
  size_t row_count() const;
  size_t byte_count() const;                    // about what they hold in memory
  const Row* find(std::string_view key) const;  // null: there is none

  void put(std::string_view key, std::string_view leaf, uint64_t holder);
  void erase(std::string_view from, std::string_view upto);  // [from, upto)
  void erase(std::string_view key);

  bool any(std::string_view from, std::string_view upto) const;         // in [from, upto)
  const Row* last(std::string_view from, std::string_view upto) const;  // null: none

 private:
  struct Node;
  using Link = std::shared_ptr<const Node>;

 public:
  // The rows of [from, upto) in ascending order. The rows that it was made of outlive it.
  class Cursor {
   public:
    Cursor(const EphemeralRows& rows, std::string_view from, std::string_view upto);
    const Row* row() const;  // null: at the end
    void next();
    void skip_to(std::string_view key);  // the first that is not below it; never back

   private:
    void descend(const Node* node, std::string_view from);
    const Node* root_;
    std::string upto_;
    std::vector<const Node*> above_;  // the last one is the next row; its left side is done
  };

 private:
  static Link make(std::shared_ptr<const Row> row, Link left, Link right);
  static void split(const Link& node, std::string_view key, Link& below, Link& from);
  static Link join(const Link& left, const Link& right);
  Link root_;
};

}  // namespace hearth::db
