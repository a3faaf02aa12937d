// Bodies: what listeners are told, made once and shared by all of them.
#include "db/model/event.h"

#include <span>

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

// Several io threads may serve listeners of one body at once. The first of them serialises; the others wait for it
// instead of doing the same work again. What is there already is found without the mutex.
SharedBytes Body::bytes(const Form& form, const std::function<std::string(const Body&)>& make) const {
  const std::span<Made> places = std::span(made_).subspan(form.is_one_of_many ? kFormsMax : 0, kFormsMax);
  for (const Made& made : places) {
    if (made.form.load(std::memory_order_acquire) == &form) return made.bytes;
  }
  const std::lock_guard lock(mutex_);
  for (Made& made : places) {
    const Form* of = made.form.load(std::memory_order_relaxed);
    if (of == &form) return made.bytes;
    if (of != nullptr) continue;
    made.bytes = std::make_shared<const std::string>(make(*this));
    made.form.store(&form, std::memory_order_release);
    return made.bytes;
  }
  return std::make_shared<const std::string>(make(*this));
}

}  // namespace hearth::db
