// Rows as JSON for export, while they pass by: what to close and what to open follows from the path of each row. A
// leaf is held until the next row says whether it has a priority, because the priority decides how the leaf is
// written.
#include "db/dump/json_text.h"

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/value.h"

namespace hearth::db {

void JsonText::open(size_t prefix, std::string& to) {
  open_.push_back({prefix, false});
  to += '{';
}

void JsonText::name(std::string_view segment, std::string& to) {
  if (open_.back().has_members) to += ',';
  open_.back().has_members = true;
  name_.clear();
  append_key(segment, name_);
  append_json_string(name_, to);
  to += ':';
}

void JsonText::write_held(std::string& to) {
  if (holds_) append_json_leaf(held_, to);
  holds_ = false;
}

// Closes what `path` does not lie in.
void JsonText::leave_for(std::string_view path, std::string& to) {
  while (!open_.empty() && !path.starts_with(std::string_view(path_).substr(0, open_.back().prefix))) {
    to += '}';
    open_.pop_back();
  }
}

void JsonText::row(std::string_view key, std::string_view leaf, std::string& to) {
  const bool is_priority = is_priority_key(key);
  const std::string_view path = is_priority ? key.substr(0, key.size() - 1) : key;
  // The priority's row comes right behind its leaf's.
  if (holds_ && is_priority && path == path_) {
    to += R"({".value":)";
    write_held(to);
    to += R"(,".priority":)";
    append_json_leaf(leaf, to);
    to += '}';
    return;
  }
  write_held(to);
  leave_for(path, to);
  // The first row is a leaf at the root itself, or lies within the root's object.
  if (!begun_ && (is_priority || !path.empty())) open(0, to);
  begun_ = true;
  size_t prefix = open_.empty() ? 0 : open_.back().prefix;
  while (prefix < path.size()) {
    const std::string_view segment = path.substr(prefix, segment_length(path.substr(prefix)));
    name(segment, to);
    prefix += segment.size();
    if (prefix < path.size() || is_priority) open(prefix, to);
  }
  path_ = path;
  // From here on the text stands where the row's value belongs.
  if (!is_priority) {
    held_ = leaf;
    holds_ = true;
    return;
  }
  to += R"(".priority":)";
  append_json_leaf(leaf, to);
  open_.back().has_members = true;
}

void JsonText::finish(std::string& to) {
  if (!begun_) to += "null";
  write_held(to);
  for (; !open_.empty(); open_.pop_back()) to += '}';
  to += '\n';
}

}  // namespace hearth::db
