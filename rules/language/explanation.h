// Why something was allowed or denied: every rule that was evaluated, with the value of each part. For the eyes of
// those who run the server; clients hear "Permission denied".
//
//   json := {"allowed":bool, "reason":text, "rules":[rule…]}                       field names are stable
//   rule := {"rule":".write", "pattern":"/rooms/$room", "path":"/rooms/tea", "line":3, "column":5, "source":text,
//            "outcome":"true"|"false"|"failed", "why":text,                          "why" of a failed one only
//            "parts":[{"source":text, "value":text}…], "partsLeftOut":count}         in the order of evaluation
//   "rulesLeftOut" and "partsLeftOut": how many more there were; not there when none
//
// Bounded while it is made: one write may have a hundred thousand rules evaluated, and a rule may have as many parts.
// What decided stays: of rules the newest and those that did not hold, of a rule's parts the newest, for the whole
// comes last.
//
// A value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rules/language/types.h"

namespace hearth::rules {

enum class Outcome : uint8_t { False, True, Failed };  // a rule that failed counts as not true, and cannot be negated

inline constexpr size_t kShownCharactersMax = 200;  // of a value
// More than stand on the way to a path of kDepthMax: each place of it has a .write and a .validate at most.
inline constexpr size_t kExplainedRulesMax = 100;
inline constexpr size_t kExplainedPartsMax = 100;             // of one rule
inline constexpr size_t kExplainedRuleBytesMax = 8u << 10;    // of one rule: its source, and its parts
inline constexpr size_t kExplainedSourceBytesMax = 4u << 10;  // of a rule's source, and of a part's; more is cut
inline constexpr size_t kExplanationBytesMax = 128u << 10;    // of all rules, with where they stand

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
    uint64_t parts_left_out = 0;
    size_t part_bytes = 0;  // of what add() has put into parts

    void add(std::string_view part, std::string value);  // the oldest parts make room
  };
  bool allowed = false;
  std::string reason = "no rules are set";
  std::vector<Evaluated> rules{};
  uint64_t rules_left_out = 0;

  // Begins a rule, whose text is `source`; it is rules.back() until the next call. The oldest .validate that held makes
  // room, then the oldest rule that held, then the oldest.
  void add(Evaluated rule, std::string_view source);
};

std::string to_text(const Explanation& explanation);  // lines, without one at the end
std::string to_json(const Explanation& explanation);

}  // namespace hearth::rules
