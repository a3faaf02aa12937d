// Paths: checked once, when they are made. A Path is one text with slashes and its depth, and no list of keys: most
// paths are compared, stored in maps or encoded, and few are taken apart.
#include "db/model/path.h"

#include <algorithm>

namespace hearth::db {
namespace {

Error invalid_token() { return {ErrorCode::InvalidPath, "Invalid path: Invalid token in path"}; }

Error too_long() {
  return {ErrorCode::InvalidPath,
          "Invalid path: Path specified exceeds the maximum length that can be written (768 bytes)."};
}

Error too_deep() {
  return {ErrorCode::InvalidPath, "Invalid path: Path specified exceeds the maximum depth that can be written (32)."};
}

// Well-formed UTF-8 without overlong forms and surrogates.
bool well_formed(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return false;
    if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return false;
    i += length;
  }
  return true;
}

}  // namespace

// Characters before length: a key that is both too long and malformed is told of the character.
Result<void> check_key(std::string_view key) {
  if (key.empty()) return invalid_token();
  unsigned char bits = 0;  // of all bytes
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    bits |= byte;
    if (byte < 0x20 || byte == 0x7F || c == '.' || c == '$' || c == '#' || c == '[' || c == ']' || c == '/') {
      return invalid_token();
    }
  }
  if (bits >= 0x80 && !well_formed(key)) return invalid_token();
  if (key.size() > kKeyBytesMax) return too_long();
  return {};
}

Result<Path> Path::parse(std::string_view text) {
  Path path;
  path.text_.reserve(std::min(text.size(), kPathBytesMax + 1));
  while (!text.empty()) {
    const size_t slash = text.find('/');
    const std::string_view key = text.substr(0, slash);
    text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
    if (!key.empty()) RETURN_IF_ERROR(path.append(key));
  }
  return path;
}

std::vector<std::string_view> Path::keys() const {
  std::vector<std::string_view> keys;
  keys.reserve(depth_);
  std::string_view rest = text_;
  while (!rest.empty()) {
    const size_t slash = rest.find('/');
    keys.push_back(rest.substr(0, slash));
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  }
  return keys;
}

std::string_view Path::last() const {
  const size_t slash = text_.rfind('/');
  return slash == std::string::npos ? std::string_view(text_) : std::string_view(text_).substr(slash + 1);
}

Path Path::parent() const { return depth_ == 0 ? Path() : prefix(depth_ - 1); }

Result<Path> Path::child(std::string_view key) const {
  Path path = *this;
  RETURN_IF_ERROR(path.append(key));
  return path;
}

// When this fails the path is nobody's any more.
Result<void> Path::append(std::string_view key) {
  RETURN_IF_ERROR(check_key(key));
  if (depth_ == kDepthMax) return too_deep();
  if (depth_ > 0) text_ += '/';
  text_ += key;
  if (text_.size() > kPathBytesMax) return too_long();
  ++depth_;
  return {};
}

// Both sides are valid already, so only depth and length can be wrong.
Result<Path> Path::join(const Path& below) const {
  if (below.is_root()) return *this;
  Path path = *this;
  if (depth_ > 0) path.text_ += '/';
  path.text_ += below.text_;
  path.depth_ += below.depth_;
  if (path.depth_ > kDepthMax) return too_deep();
  if (path.text_.size() > kPathBytesMax) return too_long();
  return path;
}

// The slash matters: "ab" does not lie below "a".
bool Path::contains(const Path& other) const {
  if (is_root()) return true;
  if (!other.text_.starts_with(text_)) return false;
  return other.text_.size() == text_.size() || other.text_[text_.size()] == '/';
}

Path Path::relative_to(const Path& ancestor) const {
  invariant(ancestor.contains(*this), "a path is relative only to what contains it");
  if (ancestor.is_root()) return *this;
  Path path;
  if (text_.size() > ancestor.text_.size()) path.text_ = text_.substr(ancestor.text_.size() + 1);
  path.depth_ = depth_ - ancestor.depth_;
  return path;
}

Path Path::prefix(size_t depth) const {
  if (depth >= depth_) return *this;
  Path path;
  path.depth_ = depth;
  if (depth == 0) return path;
  size_t end = 0;
  for (size_t i = 0; i < depth; ++i) end = text_.find('/', end + 1);
  path.text_ = text_.substr(0, end);
  return path;
}

std::string_view node_of(std::string_view path_text) {
  static constexpr std::string_view kPriority = ".priority";
  if (!path_text.ends_with(kPriority)) return path_text;
  const std::string_view node = path_text.substr(0, path_text.size() - kPriority.size());
  return node.empty() || node.ends_with('/') ? node : path_text;
}

}  // namespace hearth::db
