#include "rules/explanation.h"

#include <fmt/format.h>

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
    const bool is_blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!is_blank) line += c;
    if (is_blank && !was_blank) line += ' ';
    was_blank = is_blank;
  }
  return line;
}

}  // namespace

std::string to_text(const Explanation& explanation) {
  std::string text = fmt::format("{}: {}", explanation.allowed ? "allowed" : "denied", explanation.reason);
  const auto to = std::back_inserter(text);
  for (const Explanation::Evaluated& rule : explanation.rules) {
    fmt::format_to(to, "\n  {} at {} (line {}, column {}) for {}: {}", name_of(rule.kind), rule.pattern, rule.line,
                   rule.column, rule.path, name_of_outcome(rule.outcome));
    if (!rule.why.empty()) fmt::format_to(to, ", {}", rule.why);
    fmt::format_to(to, "\n    {}", one_line(rule.source));
    for (const Explanation::Part& part : rule.parts) fmt::format_to(to, "\n      {} = {}", one_line(part.source), part.value);
  }
  return text;
}

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
    to += "]}";
  }
  return to + "]}";
}

}  // namespace hearth::rules
