// The claims of a token as a tree of our own: parsed once for each Asker, and then read by every rule without parsing.
#include "rules/language/auth_variable.h"

#include <algorithm>

#include "db/model/json.h"

namespace hearth::rules {
namespace {

constexpr size_t kClaimsDepthMax = 64;  // what is deeper is null to the rules

AuthVariable::Node node_of(const db::JsonNode& json, size_t depth) {
  AuthVariable::Node node;
  // Tokens come from outside; their depth must not become that of our stack.
  if (depth > kClaimsDepthMax) return node;
  switch (json.kind()) {
    case db::JsonNode::Kind::Null:
      break;
    case db::JsonNode::Kind::Boolean:
      node.kind = AuthVariable::Kind::Boolean;
      node.boolean = *json.boolean();
      break;
    case db::JsonNode::Kind::Integer:
    case db::JsonNode::Kind::Double:
      node.kind = AuthVariable::Kind::Number;
      node.number = *json.number();
      break;
    case db::JsonNode::Kind::String:
      node.kind = AuthVariable::Kind::String;
      node.string = *json.string();
      break;
    case db::JsonNode::Kind::Array:
      node.kind = AuthVariable::Kind::Array;
      for (const db::JsonNode& element : json.elements()) node.elements.push_back(node_of(element, depth + 1));
      break;
    case db::JsonNode::Kind::Object:
      node.kind = AuthVariable::Kind::Object;
      for (const auto& [key, value] : json.fields()) node.members.emplace_back(key, node_of(value, depth + 1));
      // Of equal keys the last wins.
      std::stable_sort(node.members.begin(), node.members.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      break;
  }
  return node;
}

}  // namespace

const AuthVariable::Node* AuthVariable::Node::member(std::string_view name) const {
  // The last of equal keys: the sort is stable, so it is the one that came last.
  const auto after = std::upper_bound(members.begin(), members.end(), name,
                                      [](std::string_view wanted, const auto& one) { return wanted < one.first; });
  if (after == members.begin() || std::prev(after)->first != name) return nullptr;
  return &std::prev(after)->second;
}

const AuthVariable::Node* AuthVariable::Node::element(double index) const {
  // Written so that NaN is refused too.
  if (!(index >= 0) || index >= static_cast<double>(elements.size())) return nullptr;
  const auto at = static_cast<size_t>(index);
  return static_cast<double>(at) == index ? &elements[at] : nullptr;
}

std::shared_ptr<const AuthVariable> AuthVariable::parse(std::string_view json) {
  const auto document = db::JsonDocument::parse(json);
  if (!document.ok() || !document.value().root().is_object()) return nullptr;
  auto variable = std::make_shared<AuthVariable>();
  variable->root_ = node_of(document.value().root(), 0);
  return variable;
}

}  // namespace hearth::rules
