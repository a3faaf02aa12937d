// Compact JSON laid out as `print=pretty` has it (net/rest/http-api.md §5.2), in pieces as it comes. Pure.
//
//   {            objects: two blanks for each level
//     "a" : 1,
//     "b" : [ 2, {     arrays: on one line
//       "c" : 3
//     } ],
//     "d" : { }
//   }
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::net::rest {

class PrettyPrinter {
 public:
  // The next piece of one document, which is valid JSON without white space.
  void add(std::string_view compact, std::string& to);

 private:
  void new_line(std::string& to) const;
  void structural(char c, std::string& to);
  bool in_object() const { return !open_.empty() && open_.back() == '{'; }

  std::vector<char> open_;  // brackets around, outermost first
  size_t objects_ = 0;      // of open_, how many are objects
  bool just_opened_ = false;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace hearth::net::rest
