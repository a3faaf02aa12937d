// How often each part of a ruleset was what. Counts are relaxed: they lose nothing, and order nothing.
//
//   json := {"rules":[rule…]}
//   rule := {"rule":".read", "pattern":"/rooms/$room", "line":3, "column":5, "source":text, "true":n, "false":n,
//            "failed":n, "parts":[{"source":text, "true":n, "false":n, "other":n, "failed":n}…]}
//
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rules/ruleset.h"

namespace hearth::rules {

class Coverage {
 public:
  enum class Seen : uint8_t { True, False, Other, Failed };  // Other: a value that is no boolean

  explicit Coverage(std::shared_ptr<const Ruleset> ruleset);

  void count(uint32_t expression, Seen seen) {
    counts_[expression * kKinds + static_cast<size_t>(seen)].fetch_add(1, std::memory_order_relaxed);
  }
  uint32_t of(uint32_t expression, Seen seen) const {
    return counts_[expression * kKinds + static_cast<size_t>(seen)].load(std::memory_order_relaxed);
  }
  uint64_t evaluations(const Rule& rule) const;

  std::string to_json() const;
  std::string to_html() const;                        // a page: the document, with counts beside its rules
  std::string to_text() const;                        // a line for each rule
  std::string to_lcov(std::string_view file) const;   // lines and branches (true, false) of `file`

 private:
  static constexpr size_t kKinds = 4;
  const std::shared_ptr<const Ruleset> ruleset_;
  std::vector<std::atomic<uint32_t>> counts_;
};

}  // namespace hearth::rules
