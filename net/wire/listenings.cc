#include "net/wire/listenings.h"

#include <utility>

namespace hearth::net::wire {

const Listenings::Listening* Listenings::find(uint64_t listener) const {
  const auto at = all_.find(listener);
  return at == all_.end() ? nullptr : &at->value;
}

uint64_t Listenings::named(const db::Path& path, std::optional<int64_t> tag) const {
  if (index_ != nullptr) {
    if (tag) {
      const auto at = index_->by_tag.find(*tag);
      return at == index_->by_tag.end() ? 0 : at->second;
    }
    const auto at = index_->by_path.find(path.text());
    return at == index_->by_path.end() ? 0 : at->second;
  }
  for (const auto& [id, one] : all_) {
    if (one.tag() == tag && (tag || *one.path == path)) return id;
  }
  return 0;
}

void Listenings::put(Index& index, uint64_t listener, const Listening& one) {
  if (const auto tag = one.tag()) {
    index.by_tag.emplace(*tag, listener);
  } else {
    index.by_path.emplace(one.path->text(), listener);
  }
}

void Listenings::add(uint64_t listener, db::SharedPath path, std::optional<int64_t> tag, std::string query_json) {
  Listening& one = all_[listener];
  one.path = std::move(path);
  if (tag || !query_json.empty()) {
    one.filtered = std::make_unique<const Listening::Filtered>(Listening::Filtered{tag, std::move(query_json)});
  }
  if (index_ != nullptr) return put(*index_, listener, one);
  if (all_.size() <= kFewMax) return;
  index_ = std::make_unique<Index>();
  for (const auto& [id, each] : all_) put(*index_, id, each);
}

void Listenings::erase(uint64_t listener) {
  const auto at = all_.find(listener);
  if (at == all_.end()) return;
  if (index_ != nullptr) {
    if (const auto tag = at->value.tag()) {
      index_->by_tag.erase(*tag);
    } else {
      index_->by_path.erase(at->value.path->text());
    }
  }
  all_.erase(at);
  if (all_.empty()) index_.reset();
}

}  // namespace hearth::net::wire
