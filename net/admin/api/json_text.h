// Writes JSON objects and lists, a field after the other, into a text. Strings are made safe for JSON. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "db/model/json.h"

namespace hearth::net::admin {

// Before each element of a list, and each field: a comma, unless it is the first.
inline void next_json(std::string& to) {
  if (!to.empty() && to.back() != '{' && to.back() != '[') to += ',';
}
inline void json_name(std::string& to, std::string_view name) {
  next_json(to);
  to += '"';
  to += name;
  to += "\":";
}
inline void json_text(std::string& to, std::string_view name, std::string_view text) {
  json_name(to, name);
  db::append_json_string(text, to);
}
// "" is null.
inline void json_text_or_null(std::string& to, std::string_view name, std::string_view text) {
  json_name(to, name);
  if (text.empty()) {
    to += "null";
  } else {
    db::append_json_string(text, to);
  }
}
inline void json_number(std::string& to, std::string_view name, uint64_t number) {
  json_name(to, name);
  to += std::to_string(number);
}
inline void json_flag(std::string& to, std::string_view name, bool flag) {
  json_name(to, name);
  to += flag ? "true" : "false";
}

}  // namespace hearth::net::admin
