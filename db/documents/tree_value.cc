// The tree has a document's JSON as a mirror, and an edit is to write the places that it changed and no others: whoever
// listens elsewhere in the mirror hears nothing.
//
// Both values have their children in the order of keys. differ() walks the two lists side by side, as a merge of sorted
// lists does: the lower key stands on one side only, and equal keys are compared within. A child that has gone is a
// write of null. Where either side is no object, the value is written whole, unless the two are equal.
//
// More than kDifferencesMax writes are dearer than one large one. differ() stops there, and all that it has gathered
// for this place is replaced by one write of the whole value.
#include "db/documents/tree_value.h"

#include <array>
#include <utility>

#include "db/model/json.h"

namespace hearth::db::documents {
namespace {

// '%' may not stand there either, since it begins an escape: so two keys never become the same key of the tree.
bool may_stand_in_key(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte != 0x7f && std::string_view("%.#$[]/").find(c) == std::string_view::npos;
}

Result<Value> value_of(const JsonNode& node) {
  switch (node.kind()) {
    case JsonNode::Kind::Null:
      return Value();
    case JsonNode::Kind::Boolean:
      return Value::boolean(*node.boolean());
    case JsonNode::Kind::Integer:
      return Value::integer(*node.integer());
    case JsonNode::Kind::Double:
      return Value::real(*node.number());
    case JsonNode::Kind::String:
      return Value::string(*node.string());
    case JsonNode::Kind::Array:
    case JsonNode::Kind::Object:
      break;
  }
  std::vector<std::pair<std::string, Value>> children;
  size_t index = 0;
  for (const JsonNode& element : node.elements()) {
    ASSIGN_OR_RETURN(Value child, value_of(element));
    children.emplace_back(std::to_string(index++), std::move(child));
  }
  for (const auto& [name, field] : node.fields()) {
    std::string key = tree_key(name);
    RETURN_IF_ERROR(check_key(key));
    ASSIGN_OR_RETURN(Value child, value_of(field));
    children.emplace_back(std::move(key), std::move(child));
  }
  return Value::object(children);
}

// False when there are more than kDifferencesMax.
Result<bool> differ(const Value& from, const Value& to, const Path& at, std::vector<Overwrite>& writes, size_t most) {
  if (!from.is_object() || !to.is_object()) {
    if (!(from == to)) writes.push_back({at, Slot::Value, to});
    return writes.size() <= most;
  }
  auto old = from.children();
  auto now = to.children();
  while (!old.done() || !now.done()) {
    // In the order of keys, which is that of the segments' bytes.
    const int order = old.done() ? 1 : now.done() ? -1 : old.segment().compare(now.segment());
    ASSIGN_OR_RETURN(const Path below, at.child(order <= 0 ? old.key() : now.key()));
    ASSIGN_OR_RETURN(const bool fits, differ(order <= 0 ? old.value() : Value(), order >= 0 ? now.value() : Value(),
                                             below, writes, most));
    if (!fits) return false;
    if (order <= 0) old.next();
    if (order >= 0) now.next();
  }
  return true;
}

}  // namespace

std::string tree_key(std::string_view key) {
  if (key.empty()) return "%";
  std::string text;
  for (const char c : key) {
    if (may_stand_in_key(c)) {
      text += c;
      continue;
    }
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    text += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

Result<Value> tree_value(std::string_view json) {
  ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::parse(json));
  return value_of(document.root());
}

Result<void> append_differences(const Value& from, const Value& to, const Path& at, std::vector<Overwrite>& writes) {
  const size_t before = writes.size();
  ASSIGN_OR_RETURN(const bool fits, differ(from, to, at, writes, before + kDifferencesMax));
  if (fits) return {};
  writes.resize(before);
  writes.push_back({at, Slot::Value, to});
  return {};
}

}  // namespace hearth::db::documents
