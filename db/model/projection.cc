// What a projection leaves of a value, and of an event. An event may stand above a child, at a child, or anywhere
// below one; told() answers each of the three: cut every child, cut this child, or pass only what lies within a
// selected path.
#include "db/model/projection.h"

#include <algorithm>

#include "db/model/write.h"

namespace hearth::db {
namespace {

// The part of a value that the projection keeps, when the value stands at `below` in a child.
// A selected path at or above the place selects all of it; one below selects that part.
Value of_child(const Value& value, const Path& below, const Projection& projection) {
  Value kept;
  for (const Path& path : projection) {
    if (path.contains(below)) return value;
    if (!below.contains(path)) continue;
    const Path rest = path.relative_to(below);
    kept = kept.with(rest, value.at(rest));
  }
  return kept;
}

bool concerns(const Path& below, const Projection& projection) {
  return std::any_of(projection.begin(), projection.end(),
                     [&](const Path& path) { return path.contains(below) || below.contains(path); });
}

// The value that is told at `at`, a path below the listener's; nothing: it is not to be told.
std::optional<Value> told(const Path& at, Slot slot, const Value& value, const Projection& projection) {
  if (slot == Slot::Priority) {
    // Only a priority within a selected path is kept.
    const bool within = at.depth() > 1 && std::any_of(projection.begin(), projection.end(), [&](const Path& path) {
                          return path.contains(at.relative_to(at.prefix(1)));
                        });
    return within ? std::optional(value) : std::nullopt;
  }
  if (at.is_root()) return projected(value, projection);
  const Path below = at.relative_to(at.prefix(1));
  if (!concerns(below, projection)) return {};
  return of_child(value, below, projection);
}

}  // namespace

Result<Projection> parse_projection(std::string_view text) {
  const Error bad{ErrorCode::InvalidArgument, "select must be 1 to " + std::to_string(kProjectedPathsMax) +
                                                  " paths of children, as name,author/id"};
  Projection projection;
  for (;;) {
    const size_t end = text.find(',');
    Result<Path> path = Path::parse(text.substr(0, end));
    if (!path.ok() || path.value().is_root() || projection.size() == kProjectedPathsMax) return bad;
    projection.push_back(std::move(path).value());
    if (end == std::string_view::npos) return projection;
    text.remove_prefix(end + 1);
  }
}

Value projected(const Value& value, const Projection& projection) {
  if (!value.is_object() || projection.empty()) return value;
  std::vector<std::pair<std::string, Value>> children;
  for (auto child = value.children(); !child.done(); child.next()) {
    children.emplace_back(child.key(), of_child(child.value(), Path(), projection));
  }
  return Value::object(children);
}

std::shared_ptr<const Body> projected(const std::shared_ptr<const Body>& body, const Path& path,
                                      const Projection& projection) {
  if (projection.empty() || body == nullptr) return body;
  if (body->kind() == Body::Kind::Put) {
    if (!path.contains(body->path())) return body;
    const auto value = told(body->path().relative_to(path), body->slot(), body->value(), projection);
    return value ? Body::put(body->path(), body->slot(), *value) : nullptr;
  }
  std::vector<std::pair<std::string, Value>> entries;
  for (const auto& [name, entry] : body->entries()) {
    const Result<Overwrite> one = make_overwrite(body->path().text() + "/" + name, entry);
    invariant(one.ok(), "what was committed has a path");
    if (!path.contains(one.value().path)) continue;
    const auto value = told(one.value().path.relative_to(path), one.value().slot, entry, projection);
    if (value) entries.emplace_back(name, *value);
  }
  return entries.empty() ? nullptr : Body::merge(body->path(), std::move(entries));
}

}  // namespace hearth::db
