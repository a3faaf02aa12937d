// Where something is in the tree: `/users/ada`. A value; copies and compares freely.
//
//   text := key ("/" key)*          no leading slash; the root is ""
//
// Every Path obeys db/model/data-model.md §2.1, so whoever holds one need not check again.
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/result.h"

namespace hearth::db {

inline constexpr size_t kDepthMax = 32;       // segments of a path
inline constexpr size_t kKeyBytesMax = 768;   // UTF-8 bytes of one key
inline constexpr size_t kPathBytesMax = 768;  // UTF-8 bytes of a path's keys and the slashes between them

// Ok when `key` may name a child: not empty, none of `. $ # [ ] /`, no control character, valid UTF-8,
// at most kKeyBytesMax. Errors: InvalidPath.
Result<void> check_key(std::string_view key);

class Path {
 public:
  Path() = default;  // the root

  // From text split on "/", empty pieces ignored, nothing decoded. Errors: InvalidPath, with the service's texts
  // (net/rest/http-api.md §9: "Invalid path: Invalid token in path", "Invalid path: Path specified exceeds …").
  static Result<Path> parse(std::string_view text);

  bool is_root() const { return text_.empty(); }
  size_t depth() const { return depth_; }
  const std::string& text() const { return text_; }
  std::string slashed() const { return "/" + text_; }  // for people and for JSON

  std::vector<std::string_view> keys() const;  // views into this path
  std::string_view last() const;               // the last key; "" at the root
  Path parent() const;                         // of the root: the root

  // Errors: InvalidPath (bad key, too deep, too long).
  Result<Path> child(std::string_view key) const;
  Result<Path> join(const Path& below) const;

  bool contains(const Path& other) const;        // other is this path or lies below it
  Path relative_to(const Path& ancestor) const;  // precondition: ancestor.contains(*this)
  Path prefix(size_t depth) const;               // the first `depth` keys

  friend bool operator==(const Path&, const Path&) = default;
  friend auto operator<=>(const Path& a, const Path& b) { return a.text_ <=> b.text_; }  // not key order

 private:
  Result<void> append(std::string_view key);
  std::string text_;
  size_t depth_ = 0;
};

// A path that all who need it share, as a listener's path is needed by whoever has a part of the listener. A copy is a
// pointer; crosses threads freely.
class SharedPath {
 public:
  SharedPath() = default;  // the root
  SharedPath(Path path) : path_(path.is_root() ? nullptr : std::make_shared<const Path>(std::move(path))) {}

  const Path& operator*() const { return path_ != nullptr ? *path_ : root(); }
  const Path* operator->() const { return &**this; }
  operator const Path&() const { return **this; }

 private:
  static const Path& root() {
    static const Path root;
    return root;
  }
  std::shared_ptr<const Path> path_;  // null: the root
};

// The text without a last segment ".priority", which names the priority of the node before it and no child; as it is when
// it has none.
std::string_view node_of(std::string_view path_text);

}  // namespace hearth::db

template <>
struct std::hash<hearth::db::Path> {
  size_t operator()(const hearth::db::Path& path) const noexcept { return std::hash<std::string>()(path.text()); }
};
