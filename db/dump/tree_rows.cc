// Whether rows are a tree, as they pass by. Only the last row's path is remembered (segments_), and of a new path
// only what differs from it is checked: a million rows in one deep collection do not check its path a million times.
#include "db/dump/tree_rows.h"

#include <openssl/evp.h>

#include <algorithm>

#include "db/base/invariant.h"
#include "db/documents/update.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"
#include "db/model/tree_view.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

void free_context(EVP_MD_CTX* context) { EVP_MD_CTX_free(context); }

// Unresolved server values may be in queues and in writes, and never in a tree.
bool is_settled(std::string_view leaf) {
  if (!is_well_formed_leaf(leaf)) return false;
  switch (tag_of_leaf(leaf)) {
    case LeafTag::False:
    case LeafTag::True:
    case LeafTag::Integer:
    case LeafTag::Double:
      return true;
    case LeafTag::String:
      return leaf.size() <= 1 + kStringBytesMax && is_utf8(leaf.substr(1));
    case LeafTag::ServerTime:
    case LeafTag::Increment:
      return false;
  }
  return false;
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), &free_context) {
  invariant(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "OpenSSL has SHA-256");
}
Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) { (void)EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

std::string Sha256::finish() && {
  std::string digest(kDigestBytes, '\0');
  (void)EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  return digest;
}

std::string path_for_people(std::string_view encoded) {
  std::string path;
  for (size_t length = segment_length(encoded); length > 0; length = segment_length(encoded)) {
    path += '/';
    append_key(encoded.substr(0, length), path);
    encoded.remove_prefix(length);
  }
  return path.empty() ? "/" : path;
}

Error TreeCheck::wrong(const std::string& what) const {
  return {ErrorCode::Corruption, "the rows are no tree: " + what + " at " + path_for_people(key_)};
}

// The part of the path that the last row had too has been looked at.
Result<void> TreeCheck::take_key(std::string_view key, std::string_view path) {
  if (row_count_ + update_count_ > 0 && key <= std::string_view(key_)) return wrong("keys that do not ascend");
  const size_t most = std::min(path.size(), key_.size());
  const size_t common = static_cast<size_t>(
      std::mismatch(path.begin(), path.begin() + static_cast<ptrdiff_t>(most), key_.begin()).first - path.begin());
  while (!segments_.empty() && segments_.back().end > common) segments_.pop_back();
  size_t end = segments_.empty() ? 0 : segments_.back().end;
  size_t path_bytes = segments_.empty() ? base_bytes_ : segments_.back().path_bytes;
  key_.assign(path);
  std::string canonical;
  std::string name;
  while (end < path.size()) {
    const std::string_view rest = path.substr(end);
    const size_t length = segment_length(rest);
    if (length == 0) return wrong("a key that is no path");
    name.clear();
    append_key(rest.substr(0, length), name);
    canonical.clear();
    append_segment(name, canonical);
    // The same key in other bytes would be a second node of the same name.
    if (canonical != rest.substr(0, length)) return wrong("a key of another form");
    if (const Result<void> fine = check_key(name); !fine.ok()) return wrong(fine.error().message);
    end += length;
    path_bytes += name.size() + (path_bytes > 0 ? 1 : 0);
    segments_.push_back({end, path_bytes});
  }
  if (base_depth_ + segments_.size() > kDepthMax)
    return wrong("more than " + std::to_string(kDepthMax) + " keys in a path");
  if (path_bytes > kPathBytesMax) return wrong("a path of more than " + std::to_string(kPathBytesMax) + " bytes");
  key_ += key.substr(path.size());
  return {};
}

Result<void> TreeCheck::add_document(std::string_view key, std::string_view update) {
  const auto row = read_document_row(key);
  if (!row) return wrong("an update of a document with a key that is none, behind what is");
  RETURN_IF_ERROR(take_key(key, row->path));
  if (row->sequence == 0) return wrong("an update of a document without a number");
  if (const auto parsed = documents::Update::parse(update); !parsed.ok()) {
    return wrong("a damaged update of a document (" + parsed.error().message + ")");
  }
  if (has_leaf_ && row->path.starts_with(leaf_)) return wrong("a document at or below a value");
  if (update_count_ == 0 || row->path != document_) ++document_count_;
  document_ = row->path;
  ++update_count_;
  last_sequence_ = std::max(last_sequence_, row->sequence);
  return {};
}

Result<void> TreeCheck::add(std::string_view key, std::string_view leaf) {
  const bool is_priority = is_priority_key(key);
  const std::string_view path = is_priority ? key.substr(0, key.size() - 1) : key;
  RETURN_IF_ERROR(take_key(key, path));
  if (!is_settled(leaf)) return wrong("a damaged or unsettled leaf");
  // Below one there is what it has as JSON (db/shard/shard_mirrors.cc).
  if (update_count_ > 0 && path == document_) return wrong("a value where there is a document");
  if (owes_ && !path.starts_with(owed_)) return wrong("a priority of nothing before what is");
  const bool is_below_leaf = has_leaf_ && path.starts_with(leaf_);
  if (is_below_leaf && !(is_priority && path.size() == leaf_.size())) return wrong("something below a leaf");
  if (is_priority) {
    if (tag_of_leaf(leaf) != LeafTag::Double && tag_of_leaf(leaf) != LeafTag::String)
      return wrong("a priority of another type");
    // A leaf's priority comes right behind the leaf. Any other is an object's, and owes it a child.
    owes_ = !is_below_leaf;
    if (owes_) owed_ = path;
  } else {
    owes_ = false;
    leaf_ = path;
    has_leaf_ = true;
    ++leaf_count_;
  }
  ++row_count_;
  return {};
}

Result<void> TreeCheck::finish() const {
  if (owes_) return wrong("a priority of nothing");
  return {};
}

}  // namespace hearth::db
