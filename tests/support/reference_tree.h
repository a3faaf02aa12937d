// A hundred-line tree to compare with: nested maps, nothing clever, none of the code under test but Value as a currency.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/model/path.h"
#include "db/model/value.h"
#include "db/model/write.h"

namespace hearth::test {

class ReferenceTree {
 public:
  void set(const db::Path& path, const db::Value& value) {
    if (value.is_null()) return remove(path);
    Node* at = &root_;
    for (const auto key : path.keys()) {
      at->leaf.reset();  // a leaf above makes room; its priority stays
      at = &at->children[std::string(key)];
    }
    *at = node_of(value);
  }

  void set_priority(const db::Path& path, const db::Value& priority) {
    Node* at = find(path);
    if (at != nullptr) at->priority = priority.is_null() ? std::nullopt : std::optional(priority);
  }

  void apply(const std::vector<db::Overwrite>& overwrites) {
    // All or nothing, so what is empty only in between keeps its priority: prune once, at the end.
    for (const auto& overwrite : overwrites) {
      if (overwrite.slot == db::Slot::Value) set_without_pruning(overwrite.path, overwrite.value);
    }
    for (const auto& overwrite : overwrites) {
      if (overwrite.slot == db::Slot::Priority && !empty(find(overwrite.path)))
        set_priority(overwrite.path, overwrite.value);
    }
    prune(root_);
  }

  db::Value value(const db::Path& path = {}) const {
    const Node* at = const_cast<ReferenceTree*>(this)->find(path);
    return at == nullptr ? db::Value() : value_of(*at);
  }

 private:
  struct Node {
    std::optional<db::Value> leaf;
    std::optional<db::Value> priority;
    std::map<std::string, Node> children;
  };

  void set_without_pruning(const db::Path& path, const db::Value& value) {
    if (!value.is_null()) return set(path, value);
    Node* at = find(path);
    if (at != nullptr) *at = Node();
  }

  void remove(const db::Path& path) {
    set_without_pruning(path, {});
    prune(root_);
  }

  static bool empty(const Node* node) {
    if (node == nullptr || node->leaf) return node == nullptr;
    for (const auto& [key, child] : node->children) {
      if (!empty(&child)) return false;
    }
    return true;
  }

  static void prune(Node& node) {
    for (auto at = node.children.begin(); at != node.children.end();) {
      prune(at->second);
      at = empty(&at->second) ? node.children.erase(at) : std::next(at);
    }
    if (empty(&node)) node = Node();
  }

  Node* find(const db::Path& path) {
    Node* at = &root_;
    for (const auto key : path.keys()) {
      const auto child = at->children.find(std::string(key));
      if (child == at->children.end()) return nullptr;
      at = &child->second;
    }
    return at;
  }

  static Node node_of(const db::Value& value) {
    Node node;
    if (!value.priority().is_null()) node.priority = value.priority();
    if (value.is_leaf()) node.leaf = value.without_priority();
    for (auto child = value.children(); !child.done(); child.next())
      node.children[child.key()] = node_of(child.value());
    return node;
  }

  static db::Value value_of(const Node& node) {
    db::Value value;
    if (node.leaf) {
      value = *node.leaf;
    } else {
      std::vector<std::pair<std::string, db::Value>> children;
      for (const auto& [key, child] : node.children) children.emplace_back(key, value_of(child));
      value = db::Value::object(children);
    }
    return node.priority ? value.with_priority(*node.priority) : value;
  }

  Node root_;
};

}  // namespace hearth::test
