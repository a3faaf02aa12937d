// Places that changed while nobody was to hear of it.
#include "db/shard/throttle.h"

namespace hearth::db {
namespace {

constexpr size_t kPlaceBytes = 160;  // about what one holds in memory beside its path and its value

}  // namespace

void Withheld::add_all() {
  is_all_ = true;
  places_.clear();
  bytes_ = 0;
}

// No place lies below another: a later one takes over from those below it, and becomes part of one above it.
void Withheld::add(const Path& path, Slot slot, Value value, bool keeps_values) {
  if (is_all_) return;
  const size_t upto = slot == Slot::Priority ? path.depth() + 1 : path.depth();
  for (size_t depth = 0; depth < upto; ++depth) {
    const auto above = places_.find({path.prefix(depth), Slot::Value});
    if (above == places_.end()) continue;
    if (!keeps_values) return;  // it is told as it is by then
    if (slot == Slot::Priority && depth < path.depth()) return add_all();
    Value& whole = above->second;
    bytes_ -= whole.byte_count();
    whole =
        slot == Slot::Priority ? whole.with_priority(value) : whole.with(path.relative_to(above->first.first), value);
    bytes_ += whole.byte_count();
    if (bytes_ > kWithheldBytesMax) add_all();
    return;
  }
  auto below = places_.lower_bound({path, Slot::Value});
  while (slot == Slot::Value && below != places_.end() && below->first.first.text().starts_with(path.text())) {
    if (!path.contains(below->first.first)) {
      ++below;
      continue;
    }
    bytes_ -= kPlaceBytes + below->first.first.text().size() + below->second.byte_count();
    below = places_.erase(below);
  }
  const auto [at, is_new] = places_.try_emplace({path, slot});
  bytes_ += value.byte_count() + (is_new ? kPlaceBytes + path.text().size() : 0);
  bytes_ -= at->second.byte_count();
  at->second = std::move(value);
  if (places_.size() > kWithheldPlacesMax || bytes_ > kWithheldBytesMax) add_all();
}

void Withheld::add(const Body& body, bool keeps_values) {
  if (body.kind() == Body::Kind::Put) {
    return add(body.path(), body.slot(), keeps_values ? body.value() : Value(), keeps_values);
  }
  for (const auto& [name, value] : body.entries()) {
    const std::string_view node = node_of(name);
    const Result<Path> below = Path::parse(node);
    const Result<Path> path = below.ok() ? body.path().join(below.value()) : below.error();
    if (!path.ok()) return add_all();
    const Slot slot = node.size() == name.size() ? Slot::Value : Slot::Priority;
    add(path.value(), slot, keeps_values ? value : Value(), keeps_values);
  }
}

}  // namespace hearth::db
