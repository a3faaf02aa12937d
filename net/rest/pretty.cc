// Lays JSON out as the service does, from compact JSON in pieces. The input is ours, hence valid and without blanks;
// so the state is small: the brackets around, and whether we are in a string. A piece may end anywhere, also behind a
// backslash (escaped_).
//
// just_opened_ delays the decision behind a bracket: only the next character tells whether the object is empty ("{
// }").
#include "net/rest/pretty.h"

#include <algorithm>

namespace hearth::net::rest {

void PrettyPrinter::add(std::string_view compact, std::string& to) {
  while (!compact.empty()) {
    if (!in_string_) {
      structural(compact.front(), to);
      compact.remove_prefix(1);
      continue;
    }
    if (escaped_) {
      escaped_ = false;
      to += compact.front();
      compact.remove_prefix(1);
      continue;
    }
    const size_t end = std::min(compact.find_first_of("\"\\"), compact.size());
    to += compact.substr(0, end);
    compact.remove_prefix(end);
    if (compact.empty()) return;
    escaped_ = compact.front() == '\\';
    in_string_ = escaped_;
    to += compact.front();
    compact.remove_prefix(1);
  }
}

void PrettyPrinter::new_line(std::string& to) const {
  to += '\n';
  to.append(2 * objects_, ' ');
}

// Objects have a line for each member, arrays are on one line, whatever is in them (net/rest/http-api.md §5.2).
void PrettyPrinter::structural(char c, std::string& to) {
  const bool first = just_opened_;
  just_opened_ = false;
  if (c == '}' || c == ']') {
    open_.pop_back();
    if (c == '}') --objects_;
    if (c == '}' && !first) {
      new_line(to);
    } else {
      to += ' ';
    }
    to += c;
    return;
  }
  if (first && in_object()) new_line(to);
  if (first && !in_object()) to += ' ';
  if (c == ',') {
    to += ',';
    if (in_object()) {
      new_line(to);
    } else {
      to += ' ';
    }
    return;
  }
  if (c == ':') {
    to += " : ";
    return;
  }
  to += c;
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') {
    open_.push_back(c);
    if (c == '{') ++objects_;
    just_opened_ = true;
  }
}

}  // namespace hearth::net::rest
