// The part of the evaluator that looks at the trees (rules/language.md §10).
//
// A Snapshot is lazy: child() and parent() only change its path, and cost no look at the tree. A path may leave what
// a tree can hold (child('a.b')): it then counts the keys that are lost. Nothing stands there, and as many parent()
// lead back.
//
//   data                 {tree, "rooms/tea", lost 0}
//   .child('no.key/x')   {tree, "rooms/tea", lost 2}       exists(): false, without a look
//   .parent().parent()   {tree, "rooms/tea", lost 0}
#include "db/model/key_order.h"
#include "db/model/leaf.h"
#include "db/model/path.h"
#include "rules/language/evaluator.h"

namespace hearth::rules {

Datum Evaluator::snapshot_method(const Expression& e, const Datum& receiver) {
  const Snapshot& of = receiver.snapshot;
  const Method method = e.operands.front()->method;
  const auto argument = [&]() -> Datum {
    const Datum path = eval(*e.operands[1]);
    if (path.failed() || path.kind == Datum::Kind::String) return path;
    return fail("a path that is no string");
  };
  switch (method) {
    case Method::Val:
      return value(of);
    case Method::GetPriority:
      return priority(of);
    case Method::Parent:
      return parent(of);
    case Method::Exists:
      return Datum::of(exists(of));
    case Method::IsString:
    case Method::IsNumber:
    case Method::IsBoolean: {
      const auto found = leaf(of);
      if (!found) return Datum::of(false);
      const db::LeafTag tag = db::tag_of_leaf(*found);
      if (method == Method::IsString) return Datum::of(tag == db::LeafTag::String);
      if (method == Method::IsNumber) return Datum::of(tag == db::LeafTag::Integer || tag == db::LeafTag::Double);
      return Datum::of(tag == db::LeafTag::True || tag == db::LeafTag::False);
    }
    case Method::Child:
    case Method::HasChild: {
      const Datum path = argument();
      if (path.failed()) return path;
      const Datum found = child(of, path.string);
      if (found.failed() || method == Method::Child) return found;
      return Datum::of(exists(found.snapshot));
    }
    case Method::HasChildren:
      return has_children(e, of);
    case Method::Contains:
    case Method::BeginsWith:
    case Method::EndsWith:
    case Method::Replace:
    case Method::ToLowerCase:
    case Method::ToUpperCase:
    case Method::Matches:
      break;
  }
  return fail("a string's method of a snapshot");
}

Datum Evaluator::has_children(const Expression& e, const Snapshot& snapshot) {
  if (e.operands.size() == 1) return Datum::of(has_any_child(snapshot));
  // Up to the first that is missing: the others are not evaluated, and can't fail.
  for (const auto& name : e.operands[1]->operands) {
    const Datum path = eval(*name);
    if (path.failed()) return path;
    if (path.kind != Datum::Kind::String) return fail("a child's name that is no string");
    const Datum found = child(snapshot, path.string);
    if (found.failed()) return found;
    if (!exists(found.snapshot)) return Datum::of(false);
  }
  return Datum::of(true);
}

Datum Evaluator::snapshot(const db::TreeView& tree, std::string_view path) {
  return Datum::of(Snapshot{&tree, path, 0});
}

// A path with an illegal key matches nothing, and does not fail (§10).
Datum Evaluator::child(const Snapshot& of, std::string_view path) {
  if (!scan(path.size())) return fail("the operation's rules scanned too many bytes");
  Snapshot below = of;
  // Taken from the scratch only when there is a key: child('') is the node itself.
  std::string* encoded = nullptr;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view key = path.substr(at, end - at);
    at = end + 1;
    if (key.empty()) continue;
    if (!spend(1)) return fail("the operation's rules took too many steps");
    if (below.lost > 0 || !db::check_key(key).ok()) {
      ++below.lost;
      continue;
    }
    if (encoded == nullptr) {
      encoded = &scratch_.next();
      *encoded = of.path;
    }
    db::append_segment(key, *encoded);
    below.path = *encoded;
  }
  return Datum::of(below);
}

Datum Evaluator::parent(const Snapshot& of) {
  Snapshot above = of;
  if (above.lost > 0) {
    --above.lost;
    return Datum::of(above);
  }
  if (above.path.empty()) return fail("parent() of the root");
  // Segments have no fixed length and can be read from the front only.
  size_t last = 0;
  for (size_t at = 0; at < above.path.size();) {
    last = at;
    at += db::segment_length(above.path.substr(at));
  }
  above.path = above.path.substr(0, last);
  return Datum::of(above);
}

std::optional<std::string_view> Evaluator::leaf(const Snapshot& snapshot) {
  if (snapshot.lost > 0 || error_) return {};
  if (!spend(kReadSteps)) return {};
  auto found = snapshot.tree->leaf(snapshot.path);
  if (!found.ok()) {
    error_ = found.error();
    return {};
  }
  if (!found.value()) return {};
  if (!scan(found.value()->size())) return {};
  // In the scratch: the view must live until the rule is evaluated.
  return keep(*std::move(found).value());
}

// The leaf first: one row by its key is cheaper than a scan.
bool Evaluator::exists(const Snapshot& snapshot) { return leaf(snapshot).has_value() || has_any_child(snapshot); }

bool Evaluator::has_any_child(const Snapshot& snapshot) {
  if (snapshot.lost > 0 || error_ || !spend(kReadSteps)) return false;
  std::string& upto = scratch_.next();
  upto = snapshot.path;
  upto += db::kPastChildren;
  bool found = false;
  const db::Result<void> scanned =
      snapshot.tree->scan(snapshot.path, upto, [&](std::string_view key, std::string_view) {
        // Neither the leaf itself nor a priority is a child.
        const bool is_priority = key.size() == snapshot.path.size() + 1 && key.back() == db::kPriorityMark;
        found = key.size() > snapshot.path.size() && !is_priority;
        return !found;
      });
  if (!scanned.ok()) error_ = scanned.error();
  return found;
}

Datum Evaluator::value(const Snapshot& snapshot) {
  const auto found = leaf(snapshot);
  if (!found) {
    if (has_any_child(snapshot)) return {.kind = Datum::Kind::Node};
    // Neither leaf nor child was found, perhaps because the looking was refused: that is no null.
    if (is_spent_) return fail("the operation's rules took too many steps");
    return {};
  }
  switch (db::tag_of_leaf(*found)) {
    case db::LeafTag::False:
      return Datum::of(false);
    case db::LeafTag::True:
      return Datum::of(true);
    case db::LeafTag::Integer:
      return Datum::of(static_cast<double>(db::integer_of_leaf(*found)));
    case db::LeafTag::Double:
      return Datum::of(db::double_of_leaf(*found));
    case db::LeafTag::String:
      return Datum::of(found->substr(1));
    case db::LeafTag::ServerTime:
    case db::LeafTag::Increment:
      break;  // never stored
  }
  return {};
}

Datum Evaluator::priority(const Snapshot& snapshot) {
  std::string& key = scratch_.next();
  key = snapshot.path;
  key += db::kPriorityMark;
  // The priority's row is read as if it were a leaf below a path that ends in the mark.
  const auto found = leaf({snapshot.tree, key, snapshot.lost});
  if (!found) return {};
  if (db::tag_of_leaf(*found) == db::LeafTag::String) return Datum::of(found->substr(1));
  return Datum::of(db::double_of_leaf(*found));
}

}  // namespace hearth::rules
