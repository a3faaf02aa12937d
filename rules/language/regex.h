// A regular expression of rules (rules/language.md §12): the dialect, translated for RE2, which matches in linear time.
//
//   branch  := element*           element := atom [ "*" | "+" | "?" | "{" n [ "," [ m ] ] "}" ] [ "?" ]
//   pattern := [ "^" ] branch ( "|" branch )* [ "$" ]
//   atom    := character | "." | set | "\" character | "(" branch ( "|" branch )* ")"
//
// "^" and "$" belong to their branch. \d \w \s and their opposites are ASCII, "\" before anything else makes it
// literal. A "?" behind a repetition changes nothing: only yes or no is asked. Immutable. Thread: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace re2 {
class RE2;
}

namespace hearth::rules {

inline constexpr int kRegexRepeatMax = 1000;        // in {n,m}: RE2's own
inline constexpr size_t kRegexBytesMax = 4u << 20;  // of memory for one compiled pattern and its states

class Regex {
 public:
  // Errors: InvalidData, why it cannot be one.
  static db::Result<std::shared_ptr<const Regex>> compile(std::string_view pattern, std::string_view flags);
  ~Regex();

  bool occurs_in(std::string_view utf8) const;
  // How much a byte costs at worst, in steps of the automaton.
  size_t cost() const { return cost_; }

 private:
  explicit Regex(std::unique_ptr<re2::RE2> compiled);
  std::unique_ptr<re2::RE2> compiled_;
  size_t cost_;
};

}  // namespace hearth::rules
