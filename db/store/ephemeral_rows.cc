// A persistent treap. All that changes it is made of two steps: split() cuts it at a key, join() puts two together of
// which all keys of the first are below those of the second. Both go down one path, about 2 log n nodes deep.
//
//   put(x)            split at x  ─▶  below │ from          split at x + '\0'  ─▶  the old x │ above
//                     join(join(below, x), above)
//   erase(from, upto) split at both, and join what is outside: a range of any size costs two paths
//
// Nodes are never changed once they are made. split() and join() make the nodes of their path anew, and share all
// others; so whoever has copied the root keeps the tree as it was, and no lock is needed between a reader and the next
// write. A node is freed with the last tree that has it.
//
// `key + '\0'` is the first key behind `key`: with it a single row is a range.
//
// Each node counts the rows and the bytes below it, so both are known of any tree at once. Recursion is as deep as the
// tree, and the ranks keep that low for any order of keys.
#include "db/store/ephemeral_rows.h"

#include <functional>
#include <utility>

#include "db/base/random.h"

namespace hearth::db {
namespace {

uint64_t rank_of(std::string_view key) {
  static const uint64_t secret = random_u64();
  uint64_t mixed = std::hash<std::string_view>()(key) ^ secret;  // and mixed as splitmix64 does
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31);
}

}  // namespace

struct EphemeralRows::Node {
  std::shared_ptr<const Row> row;
  Link left, right;
  size_t rows, bytes;
};

EphemeralRows::Link EphemeralRows::make(std::shared_ptr<const Row> row, Link left, Link right) {
  size_t rows = 1, bytes = kEphemeralRowBytes + row->key.size() + row->leaf.size();
  for (const Link* side : {&left, &right}) {
    if (*side == nullptr) continue;
    rows += (*side)->rows;
    bytes += (*side)->bytes;
  }
  return std::make_shared<const Node>(
      Node{.row = std::move(row), .left = std::move(left), .right = std::move(right), .rows = rows, .bytes = bytes});
}

void EphemeralRows::split(const Link& node, std::string_view key, Link& below, Link& from) {
  if (node == nullptr) {
    below = from = nullptr;
    return;
  }
  Link part;
  if (node->row->key < key) {
    split(node->right, key, part, from);
    below = make(node->row, node->left, std::move(part));
  } else {
    split(node->left, key, below, part);
    from = make(node->row, std::move(part), node->right);
  }
}

EphemeralRows::Link EphemeralRows::join(const Link& left, const Link& right) {
  if (left == nullptr) return right;
  if (right == nullptr) return left;
  if (left->row->rank > right->row->rank) return make(left->row, left->left, join(left->right, right));
  return make(right->row, join(left, right->left), right->right);
}

size_t EphemeralRows::row_count() const { return root_ == nullptr ? 0 : root_->rows; }
size_t EphemeralRows::byte_count() const { return root_ == nullptr ? 0 : root_->bytes; }

const EphemeralRows::Row* EphemeralRows::find(std::string_view key) const {
  for (const Node* at = root_.get(); at != nullptr;) {
    if (at->row->key == key) return at->row.get();
    at = at->row->key < key ? at->right.get() : at->left.get();
  }
  return nullptr;
}

void EphemeralRows::put(std::string_view key, std::string_view leaf, uint64_t holder) {
  Link below, from, old, above;
  split(root_, key, below, from);
  split(from, std::string(key) + '\0', old, above);
  auto row = std::make_shared<const Row>(Row{std::string(key), std::string(leaf), holder, rank_of(key)});
  root_ = join(join(below, make(std::move(row), nullptr, nullptr)), above);
}

void EphemeralRows::erase(std::string_view from, std::string_view upto) {
  if (!any(from, upto)) return;
  Link below, rest, old, above;
  split(root_, from, below, rest);
  split(rest, upto, old, above);
  root_ = join(below, above);
}

void EphemeralRows::erase(std::string_view key) { erase(key, std::string(key) + '\0'); }

bool EphemeralRows::any(std::string_view from, std::string_view upto) const { return last(from, upto) != nullptr; }

const EphemeralRows::Row* EphemeralRows::last(std::string_view from, std::string_view upto) const {
  const Row* found = nullptr;
  for (const Node* at = root_.get(); at != nullptr;) {
    if (at->row->key < upto) {
      found = at->row.get();
      at = at->right.get();
    } else {
      at = at->left.get();
    }
  }
  return found != nullptr && found->key >= from ? found : nullptr;
}

EphemeralRows::Cursor::Cursor(const EphemeralRows& rows, std::string_view from, std::string_view upto)
    : root_(rows.root_.get()), upto_(upto) {
  descend(root_, from);
}

// What is below `from` is left out; each node on the stack comes after those above it.
void EphemeralRows::Cursor::descend(const Node* node, std::string_view from) {
  while (node != nullptr) {
    if (node->row->key < from) {
      node = node->right.get();
    } else {
      above_.push_back(node);
      node = node->left.get();
    }
  }
}

const EphemeralRows::Row* EphemeralRows::Cursor::row() const {
  if (above_.empty()) return nullptr;
  const Row* row = above_.back()->row.get();
  return row->key < upto_ ? row : nullptr;
}

void EphemeralRows::Cursor::next() {
  const Node* done = above_.back();
  above_.pop_back();
  descend(done->right.get(), "");
}

// Begins at the root again: the stack has the way to where the cursor is, and the key may lie in another part of the
// tree.
void EphemeralRows::Cursor::skip_to(std::string_view key) {
  const Row* at = row();
  if (at == nullptr || at->key >= key) return;
  above_.clear();
  descend(root_, key);
}

}  // namespace hearth::db
