// Why something was allowed or denied: every rule that was evaluated, with the value of each part. For the eyes of those who
// run the server (rules-language.md §9's counterpart of ours); clients hear "Permission denied".
//
//   json := {"allowed":bool, "reason":text, "rules":[rule…]}                       field names are stable
//   rule := {"rule":".write", "pattern":"/rooms/$room", "path":"/rooms/tea", "line":3, "column":5, "source":text,
//            "outcome":"true"|"false"|"failed", "why":text,                          "why" of a failed one only
//            "parts":[{"source":text, "value":text}…]}                               in the order of evaluation
//
// A value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rules/types.h"

namespace hearth::rules {

enum class Outcome : uint8_t { False, True, Failed };  // a rule that failed counts as not true, and cannot be negated

inline constexpr size_t kShownCharactersMax = 200;  // of a value

struct Explanation {
  struct Part {
    std::string source;
    std::string value;
  };
  struct Evaluated {
    RuleKind kind = RuleKind::Read;
    std::string pattern{};  // where the rule stands: /rooms/$room
    std::string path{};     // of what it was asked: /rooms/tea
    uint32_t line = 0, column = 0;
    std::string source{};
    Outcome outcome = Outcome::False;
    std::string why{};
    std::vector<Part> parts{};
  };
  bool allowed = false;
  std::string reason = "no rules are set";
  std::vector<Evaluated> rules{};
};

std::string to_text(const Explanation& explanation);  // lines, without one at the end
std::string to_json(const Explanation& explanation);

}  // namespace hearth::rules
