// How often each part of a ruleset was true, false, something else, or failed. Counts are relaxed: they lose nothing,
// and order nothing.
//
//   json := {"rules":[rule…]}
//   rule := {"rule":".read", "pattern":"/rooms/$room", "line":3, "column":5, "source":text, "true":n, "false":n,
//            "failed":n, "parts":[{"source":text, "true":n, "false":n, "other":n, "failed":n}…]}
//
// Thread: any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "rules/language/part_counts.h"
#include "rules/ruleset.h"

namespace hearth::rules {

class Coverage : public PartCounts {
 public:
  explicit Coverage(std::shared_ptr<const Ruleset> ruleset);

  uint64_t evaluations(const Rule& rule) const;

  std::string to_json() const;
  std::string to_html() const;                       // a page: the document, with counts beside its rules
  std::string to_text() const;                       // a line for each rule
  std::string to_lcov(std::string_view file) const;  // lines and branches (true, false) of `file`

 private:
  const std::shared_ptr<const Ruleset> ruleset_;
};

}  // namespace hearth::rules
