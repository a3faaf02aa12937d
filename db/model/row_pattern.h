// What like, ilike, match and imatch look for in a text (db/model/row_filter.h): an expression of RE2. Immutable; any
// thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "db/model/row_filter.h"

namespace re2 {
class RE2;
}

namespace hearth::db {

class RowPattern {
 public:
  // `op`: one of the four. Errors: InvalidArgument: too long, or no expression of RE2.
  static Result<std::shared_ptr<const RowPattern>> compile(RowCondition::Op op, std::string_view pattern);
  ~RowPattern();
  // Nothing: that would be more work than kPatternWorkMax.
  std::optional<bool> occurs_in(std::string_view text) const;

 private:
  RowPattern(std::unique_ptr<const re2::RE2> compiled, bool is_whole);
  const std::unique_ptr<const re2::RE2> compiled_;
  const size_t steps_;
  const bool is_whole_;  // like: from the first character to the last
};

}  // namespace hearth::db
