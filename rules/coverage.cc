// Coverage in four shapes. Every expression of a ruleset has a number (Expression::id), and the counts are one array
// by these numbers; a report walks the rules in the order of the document and looks the numbers up.
#include "rules/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "db/model/json.h"

namespace hearth::rules {
namespace {

// Operators first, then operands: the order in which a reader meets them.
template <typename Visit>
void visit(const Expression& e, const Visit& to) {
  to(e);
  for (const auto& operand : e.operands) visit(*operand, to);  // at most kExpressionDepthMax deep
}

// Rules are text from outside, and the page shows them in a browser.
std::string html(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<') {
      safe += "&lt;";
    } else if (c == '&') {
      safe += "&amp;";
    } else if (c == '"') {
      safe += "&quot;";
    } else {
      safe += c;
    }
  }
  return safe;
}

void append_string(std::string_view text, std::string& to) { db::append_json_string(text, to); }

}  // namespace

Coverage::Coverage(std::shared_ptr<const Ruleset> ruleset)
    : PartCounts(ruleset->expression_count()), ruleset_(std::move(ruleset)) {}

// Of a whole rule there is no "other": it is a boolean, or it failed.
uint64_t Coverage::evaluations(const Rule& rule) const {
  const uint32_t id = rule.expression->id;
  return uint64_t{of(id, Seen::True)} + of(id, Seen::False) + of(id, Seen::Failed);
}

std::string Coverage::to_json() const {
  std::string to = R"({"rules":[)";
  const auto out = std::back_inserter(to);
  for (const auto& rule : ruleset_->rules()) {
    const uint32_t id = rule->expression->id;
    fmt::format_to(out, R"({}{{"rule":"{}","pattern":)", to.back() == '[' ? "" : ",", name_of(rule->kind));
    append_string(rule->pattern, to);
    fmt::format_to(out, R"(,"line":{},"column":{},"source":)", rule->line, rule->column);
    append_string(rule->source, to);
    fmt::format_to(out, R"(,"true":{},"false":{},"failed":{},"parts":[)", of(id, Seen::True), of(id, Seen::False),
                   of(id, Seen::Failed));
    visit(*rule->expression, [&](const Expression& e) {
      to += to.back() == '[' ? R"({"source":)" : R"(,{"source":)";
      append_string(std::string_view(rule->source).substr(e.begin, e.end - e.begin), to);
      fmt::format_to(out, R"(,"true":{},"false":{},"other":{},"failed":{}}})", of(e.id, Seen::True),
                     of(e.id, Seen::False), of(e.id, Seen::Other), of(e.id, Seen::Failed));
    });
    to += "]}";
  }
  return to + "]}";
}

// One file, without scripts and without anything from elsewhere: it can be kept and sent.
std::string Coverage::to_html() const {
  std::string to =
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Rule coverage</title>\n<style>"
      "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}table{border-collapse:collapse;width:100%}"
      "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid "
      "#ccc;vertical-align:top}code{white-space:pre-wrap}"
      ".never{background:#fde8e8}.half{background:#fff6d6}.both{background:#e5f6e5}td.n{text-align:right}"
      "@media(prefers-color-scheme:dark){body{background:#181a1b;color:#ddd}.never{background:#4a1f1f}"
      ".half{background:#453b14}.both{background:#1d3a1f}}</style>\n<h1>Rule coverage</h1>\n"
      "<p>Red: never evaluated. Yellow: only ever one way. Green: both ways.</p>\n"
      "<table><tr><th>line<th>where<th>rule<th>true<th>false<th>failed</tr>\n";
  for (const auto& rule : ruleset_->rules()) {
    const uint32_t id = rule->expression->id;
    const uint32_t yes = of(id, Seen::True), no = of(id, Seen::False), failed = of(id, Seen::Failed);
    // Half: it was only ever true, or never true. Tests that see one side of a rule do not test it.
    const std::string_view shade = yes + no + failed == 0 ? "never" : yes == 0 || no + failed == 0 ? "half" : "both";
    fmt::format_to(
        std::back_inserter(to),
        "<tr class=\"{}\"><td class=n>{}<td>{} {}<td><code>{}</code><td class=n>{}<td class=n>{}<td class=n>{}</tr>\n",
        shade, rule->line, html(rule->pattern), name_of(rule->kind), html(rule->source), yes, no, failed);
  }
  return to + "</table>\n</html>\n";
}

std::string Coverage::to_text() const {
  std::string to;
  size_t reached = 0;
  for (const auto& rule : ruleset_->rules()) {
    const uint32_t id = rule->expression->id;
    reached += evaluations(*rule) > 0;
    fmt::format_to(std::back_inserter(to), "{:>5}  {:>7} true {:>7} false {:>7} failed  {} {}\n", rule->line,
                   of(id, Seen::True), of(id, Seen::False), of(id, Seen::Failed), rule->pattern, name_of(rule->kind));
  }
  fmt::format_to(std::back_inserter(to), "{} of {} rules were evaluated\n", reached, ruleset_->rules().size());
  return to;
}

// A rule is a line with two branches, true and not true; rules on one line share its count.
std::string Coverage::to_lcov(std::string_view file) const {
  std::string to = fmt::format("TN:\nSF:{}\n", file);
  const auto out = std::back_inserter(to);
  std::map<uint32_t, uint64_t> lines;
  size_t branches = 0, taken = 0, block = 0;
  for (const auto& rule : ruleset_->rules()) {
    const uint32_t id = rule->expression->id;
    const uint64_t yes = of(id, Seen::True), no = uint64_t{of(id, Seen::False)} + of(id, Seen::Failed);
    lines[rule->line] += yes + no;
    fmt::format_to(out, "BRDA:{},{},0,{}\nBRDA:{},{},1,{}\n", rule->line, block, yes, rule->line, block, no);
    ++block;
    branches += 2;
    taken += (yes > 0) + (no > 0);
  }
  size_t hit = 0;
  for (const auto& [line, count] : lines) {
    fmt::format_to(out, "DA:{},{}\n", line, count);
    hit += count > 0;
  }
  fmt::format_to(out, "BRF:{}\nBRH:{}\nLF:{}\nLH:{}\nend_of_record\n", branches, taken, lines.size(), hit);
  return to;
}

}  // namespace hearth::rules
