// Bodies: what listeners are told, made once and shared by all of them.
#include "db/model/event.h"

namespace hearth::db {

std::shared_ptr<const Body> Body::put(Path path, Slot slot, Value value) {
  const std::shared_ptr<Body> body(new Body);
  body->kind_ = Kind::Put;
  body->slot_ = slot;
  body->path_ = std::move(path);
  body->value_ = std::move(value);
  return body;
}

std::shared_ptr<const Body> Body::merge(Path path, std::vector<std::pair<std::string, Value>> entries) {
  const std::shared_ptr<Body> body(new Body);
  body->kind_ = Kind::Merge;
  body->path_ = std::move(path);
  body->entries_ = std::move(entries);
  return body;
}

// A priority is told at a path of its own, as SDKs write it: ".priority" is the last segment of the path.
std::string Body::told_path() const {
  if (slot_ == Slot::Value) return path_.text();
  return path_.is_root() ? ".priority" : path_.text() + "/.priority";
}

// Without the serialised forms: these are made later, if at all.
size_t Body::byte_count() const {
  size_t bytes = sizeof *this + value_.byte_count();
  for (const auto& [path, value] : entries_) bytes += path.size() + value.byte_count();
  return bytes;
}

}  // namespace hearth::db
