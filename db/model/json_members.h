// Members of a JSON object, in the order in which they are added: for what programs are told of a process's own state. A value
// of the tree is written by db/model/json.h.
//
//   JsonMembers top(json);  top.text("node", "n1");  top.number("shards", 16);
//   JsonMembers inner(top.begin("engine"));  inner.truth("good", true);  inner.close();
//   top.close();                                  {"node":"n1","shards":16,"engine":{"good":true}}
//
// Thread: one.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "db/model/json.h"

namespace hearth::db {

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
  void truth(std::string_view name, bool value) { begin(name) += value ? "true" : "false"; }
  template <typename Number>
  void number(std::string_view name, Number value) {
    begin(name) += std::to_string(value);
  }
  void time(std::string_view name, std::chrono::milliseconds value) { number(name, value.count()); }
  void texts(std::string_view name, const std::vector<std::string>& values) {
    list(name, values, [](const std::string& one, std::string& json) { append_json_string(one, json); });
  }
  // `append(one, json)` writes one of them.
  template <typename List, typename Append>
  void list(std::string_view name, const List& values, Append append) {
    std::string& json = begin(name) += '[';
    bool is_first = true;
    for (const auto& one : values) {
      if (!is_first) json += ',';
      is_first = false;
      append(one, json);
    }
    json += ']';
  }

 private:
  std::string& json_;
  bool is_first_ = true;
};

}  // namespace hearth::db
