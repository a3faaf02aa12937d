// The rows of one tree, and of the Yjs documents in it, as they pass by in key order: whether they are one, how many, and
// what their digest is. The digest is SHA-256 over the rows as a dump has them, so it does not depend on blocks or on
// the store. Thread: one.
//
//   row := key:bytes leaf:bytes        (db/dump/bytes.h; key and leaf as in db/model/value.h)
//        | key:bytes update:bytes      of a document: key as in db/store/row_key.h; update: db/documents/update.h
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"

struct evp_md_ctx_st;

namespace hearth::db {

inline constexpr size_t kDigestBytes = 32;

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void add(std::string_view bytes);
  std::string finish() &&;

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

// Checks rows that come from outside, so that what is taken in is what a write could have made: keys are paths and
// ascend, leaves are settled, nothing lies below a leaf but its priority, no priority is without a leaf at or below. Updates
// are well-formed, and where a document is, at its path and below it, the tree has nothing.
class TreeCheck {
 public:
  // `base_depth`, `base_bytes`: of the path they will stand at (Path::depth, the size of its text).
  explicit TreeCheck(size_t base_depth = 0, size_t base_bytes = 0) : base_depth_(base_depth), base_bytes_(base_bytes) {}

  Result<void> add(std::string_view key, std::string_view leaf);             // Errors: Corruption, naming the place
  Result<void> add_document(std::string_view key, std::string_view update);  // an update of one; the same
  Result<void> finish() const;                                               // the same
  uint64_t row_count() const { return row_count_; }
  uint64_t leaf_count() const { return leaf_count_; }
  bool has_priorities() const { return row_count_ > leaf_count_; }
  uint64_t document_count() const { return document_count_; }
  uint64_t update_count() const { return update_count_; }
  uint64_t last_sequence() const { return last_sequence_; }  // the highest of an update

 private:
  struct Segment {
    size_t end;         // in key_
    size_t path_bytes;  // of the path that ends here
  };
  Result<void> take_key(std::string_view key, std::string_view path);
  Error wrong(const std::string& what) const;

  const size_t base_depth_;
  const size_t base_bytes_;
  std::string key_;                // of the last row
  std::vector<Segment> segments_;  // of its path
  std::string leaf_;               // key of the last leaf
  bool has_leaf_ = false;
  std::string owed_;  // path of a priority that still needs a leaf below it
  bool owes_ = false;
  std::string document_;  // path of the last one
  uint64_t document_count_ = 0;
  uint64_t update_count_ = 0;
  uint64_t last_sequence_ = 0;
  uint64_t row_count_ = 0;
  uint64_t leaf_count_ = 0;
};

// A path for people, of an encoded one that may be damaged.
std::string path_for_people(std::string_view encoded);

}  // namespace hearth::db
