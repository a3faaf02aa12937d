// Members of a JSON object, in the order in which they are added: for what programs are told of a process's own state. A value
// of the tree is written by db/model/json.h.
//
//   JsonMembers top(json);  top.text("node", "n1");  top.number("shards", 16);
//   JsonMembers inner(top.begin("engine"));  inner.truth("good", true);  inner.close();
//   top.objects("nodes", names, [](const std::string& name, JsonMembers& node) { node.text("name", name); });
//   top.close();             {"node":"n1","shards":16,"engine":{"good":true},"nodes":[{"name":"n1"},{"name":"n2"}]}
//
// Thread: one.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "db/model/json.h"

namespace hearth::db {

// `append(one, json)` writes one of them.
template <typename List, typename Append>
void append_json_list(const List& values, Append append, std::string& json) {
  json += '[';
  bool is_first = true;
  for (const auto& one : values) {
    if (!is_first) json += ',';
    is_first = false;
    append(one, json);
  }
  json += ']';
}

class JsonMembers {
 public:
  explicit JsonMembers(std::string& json) : json_(json) { json_ += '{'; }
  void close() { json_ += '}'; }
  // Whatever is appended to what this returns is the member's value.
  std::string& begin(std::string_view name) {
    if (!is_first_) json_ += ',';
    is_first_ = false;
    append_json_string(name, json_);
    return json_ += ':';
  }
  void text(std::string_view name, std::string_view value) { append_json_string(value, begin(name)); }
  void text_or_null(std::string_view name, std::string_view value) {  // "" is null
    if (value.empty()) {
      begin(name) += "null";
    } else {
      text(name, value);
    }
  }
  void truth(std::string_view name, bool value) { begin(name) += value ? "true" : "false"; }
  template <typename Number>
  void number(std::string_view name, Number value) {
    begin(name) += std::to_string(value);
  }
  void time(std::string_view name, std::chrono::milliseconds value) { number(name, value.count()); }
  template <typename List>
  void texts(std::string_view name, const List& values) {
    append_json_list(
        values, [](std::string_view one, std::string& json) { append_json_string(one, json); }, begin(name));
  }
  // `add(one, members)` adds the members of one of them.
  template <typename List, typename Add>
  void objects(std::string_view name, const List& values, Add add) {
    const auto append = [&](const auto& one, std::string& json) {
      JsonMembers members(json);
      add(one, members);
      members.close();
    };
    append_json_list(values, append, begin(name));
  }

 private:
  std::string& json_;
  bool is_first_ = true;
};

}  // namespace hearth::db
