// Explanations, bounded while they are made and written as text and JSON. What is left out is counted, so that nobody
// takes a part for the whole.
#include "rules/language/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "db/model/json.h"

namespace hearth::rules {
namespace {

std::string_view name_of_outcome(Outcome outcome) {
  switch (outcome) {
    case Outcome::False:
      return "false";
    case Outcome::True:
      return "true";
    case Outcome::Failed:
      return "failed";
  }
  return "";
}

void append_field(std::string_view name, std::string_view text, std::string& to) {
  // The first field of an object needs no comma: what is written so far says whether it is the first.
  if (to.back() != '{') to += ',';
  db::append_json_string(name, to);
  to += ':';
  db::append_json_string(text, to);
}

// On one line: a rule may span several.
std::string one_line(std::string_view source) {
  std::string line;
  bool was_blank = false;
  for (const char c : source) {
    // Blanks within a string literal are joined too: this is for reading, the JSON has the source as it is.
    const bool is_blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!is_blank) line += c;
    if (is_blank && !was_blank) line += ' ';
    was_blank = is_blank;
  }
  return line;
}

// Not within a character.
std::string shortened(std::string_view text) {
  if (text.size() <= kExplainedSourceBytesMax) return std::string(text);
  size_t end = kExplainedSourceBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

size_t bytes_of(const Explanation::Part& part) { return sizeof(part) + part.source.size() + part.value.size(); }

size_t bytes_of(const Explanation::Evaluated& rule) {
  return sizeof(rule) + rule.pattern.size() + rule.path.size() + rule.source.size() + rule.part_bytes;
}

std::string left_out(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("({} {} more left out)", count, count == 1 ? one : many);
}

}  // namespace

// The newest part is the outermost: it always stays, and the oldest go.
void Explanation::Evaluated::add(std::string_view part, std::string value) {
  parts.push_back({shortened(part), std::move(value)});
  part_bytes += bytes_of(parts.back());
  const auto is_full = [&] {
    return parts.size() > kExplainedPartsMax || source.size() + part_bytes > kExplainedRuleBytesMax;
  };
  while (is_full() && parts.size() > 1) {
    part_bytes -= bytes_of(parts.front());
    parts.erase(parts.begin());
    ++parts_left_out;
  }
}

void Explanation::add(Evaluated rule, std::string_view source) {
  rule.source = shortened(source);
  // What held explains least: of a large write thousands of .validate rules do, and one did not.
  size_t bytes = bytes_of(rule) + kExplainedRuleBytesMax;  // room for the parts that come
  for (const Evaluated& before : rules) bytes += bytes_of(before);
  while (!rules.empty() && (rules.size() >= kExplainedRulesMax || bytes > kExplanationBytesMax)) {
    const auto held = [](const Evaluated& before) { return before.outcome == Outcome::True; };
    auto goes = std::find_if(rules.begin(), rules.end(), [&](const Evaluated& before) {
      return before.kind == RuleKind::Validate && held(before);
    });
    if (goes == rules.end()) goes = std::find_if(rules.begin(), rules.end(), held);
    if (goes == rules.end()) goes = rules.begin();
    bytes -= bytes_of(*goes);
    rules.erase(goes);
    ++rules_left_out;
  }
  rules.push_back(std::move(rule));
}

std::string to_text(const Explanation& explanation) {
  std::string text = fmt::format("{}: {}", explanation.allowed ? "allowed" : "denied", explanation.reason);
  const auto to = std::back_inserter(text);
  // First, for what was left out is older, or mattered less, than what follows.
  if (explanation.rules_left_out > 0) text += "\n  " + left_out(explanation.rules_left_out, "rule", "rules");
  for (const Explanation::Evaluated& rule : explanation.rules) {
    fmt::format_to(to, "\n  {} at {} (line {}, column {}) for {}: {}", name_of(rule.kind), rule.pattern, rule.line,
                   rule.column, rule.path, name_of_outcome(rule.outcome));
    if (!rule.why.empty()) fmt::format_to(to, ", {}", rule.why);
    fmt::format_to(to, "\n    {}", one_line(rule.source));
    if (rule.parts_left_out > 0) text += "\n      " + left_out(rule.parts_left_out, "part", "parts");
    for (const Explanation::Part& part : rule.parts)
      fmt::format_to(to, "\n      {} = {}", one_line(part.source), part.value);
  }
  return text;
}

// By hand and in one string: the order of the fields is part of the format, and a document tree would be built for
// nothing.
std::string to_json(const Explanation& explanation) {
  std::string to = explanation.allowed ? R"({"allowed":true)" : R"({"allowed":false)";
  append_field("reason", explanation.reason, to);
  to += R"(,"rules":[)";
  for (const Explanation::Evaluated& rule : explanation.rules) {
    to += to.back() == '[' ? "{" : ",{";
    append_field("rule", name_of(rule.kind), to);
    append_field("pattern", rule.pattern, to);
    append_field("path", rule.path, to);
    fmt::format_to(std::back_inserter(to), R"(,"line":{},"column":{})", rule.line, rule.column);
    append_field("source", rule.source, to);
    append_field("outcome", name_of_outcome(rule.outcome), to);
    if (!rule.why.empty()) append_field("why", rule.why, to);
    to += R"(,"parts":[)";
    for (const Explanation::Part& part : rule.parts) {
      to += to.back() == '[' ? "{" : ",{";
      append_field("source", part.source, to);
      append_field("value", part.value, to);
      to += '}';
    }
    to += ']';
    if (rule.parts_left_out > 0) fmt::format_to(std::back_inserter(to), R"(,"partsLeftOut":{})", rule.parts_left_out);
    to += '}';
  }
  to += ']';
  if (explanation.rules_left_out > 0)
    fmt::format_to(std::back_inserter(to), R"(,"rulesLeftOut":{})", explanation.rules_left_out);
  return to + '}';
}

}  // namespace hearth::rules
