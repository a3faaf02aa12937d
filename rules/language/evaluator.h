// Evaluates one operation's rules over the trees before and after it (rules/language.md §6, §7, §10, §11). A rule that
// fails at run time aborts whole: failure is a third outcome beside true and false, which no operator turns into
// either.
//
// Reads only what an expression asks for, through the TreeViews. What one operation may spend has limits with names.
// Over a limit the evaluation fails, and so does every later one of that operation: the operation is refused as too
// large, which is not the same as denied by a rule. evaluator.cc has the essay.
//
// Thread: one at a time. The trees outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/tree_view.h"
#include "db/model/value.h"
#include "rules/language/ast.h"
#include "rules/language/auth_variable.h"
#include "rules/language/datum.h"
#include "rules/language/explanation.h"
#include "rules/language/part_counts.h"

namespace hearth::rules {

// One operation's budget. A step is a part of an expression; a look at the disk is as dear as kReadSteps.
inline constexpr uint64_t kStepsMax = 1'000'000;
inline constexpr uint64_t kStepsPerRow = 1'000;  // more, for each row that is written: large writes are validated too
inline constexpr uint64_t kReadSteps = 50;
// Bytes that string methods go through; of a regular expression each costs as much as its automaton is large.
inline constexpr uint64_t kScanBytesMax = 128u << 20;
inline constexpr uint64_t kScanBytesPerByte = 100;  // more, for each byte that is written

// A query as rules see it (§9). Default: a plain read.
struct QueryFacts {
  bool by_key = false, by_priority = false, by_value = false;
  std::optional<std::string> by_child{};
  std::optional<db::Value> start_at{}, end_at{}, equal_to{};
  std::optional<int64_t> limit_to_first{}, limit_to_last{};
};

// Who asks and when, and who looks on.
struct Question {
  const AuthVariable* auth = nullptr;  // null: signed out
  db::Timestamp now{};
  const QueryFacts* query = nullptr;  // null: as a plain read
  PartCounts* coverage = nullptr;
  Explanation* explanation = nullptr;
  bool only_rights = false;    // of a write: .write alone is asked, and no .validate
  bool* is_invalid = nullptr;  // set when a .validate rule is why the answer is no
  std::vector<bool>* granted =
      nullptr;  // of each target, whether may_begin() has found its grant; null: nobody notes it
};

// Where a rule is asked: the location's encoded path, and its keys, which `$names` are bound to.
struct Place {
  std::string_view encoded;
  std::span<const std::string_view> keys;
};

// How much the operation writes.
struct Written {
  uint64_t rows = 0;
  uint64_t bytes = 0;
};

class Evaluator {
 public:
  // `after`: null for reads.
  Evaluator(const Question& question, const db::TreeView& before, const db::TreeView* after, const Written& written);
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // Errors: Io, of the trees; never for what a rule does. `source`: the rule's text, for explanations.
  db::Result<Outcome> evaluate(const Expression& rule, std::string_view source, const Place& place);

  // TooLarge, with the budget's name, once the operation is over one: then no outcome says anything. Nothing: it is
  // not.
  std::optional<db::Error> spent() const;
  uint64_t steps_left() const { return steps_left_; }
  uint64_t scan_bytes_left() const { return scan_bytes_left_; }

 private:
  Datum eval(const Expression& e);
  Datum eval_parts(const Expression& e);
  Datum fail(const char* why);
  bool spend(uint64_t steps);
  bool scan(uint64_t bytes);
  Datum logic(const Expression& e, bool stops_at);
  Datum compare(const Expression& e);
  Datum arithmetic(const Expression& e);
  Datum add(const Datum& left, const Datum& right);
  Datum claim(const Datum& of, std::string_view name);
  Datum index(const Expression& e);
  Datum length(const Datum& of);
  Datum query_field(const Expression& e);
  Datum call(const Expression& e);
  Datum snapshot_method(const Expression& e, const Datum& receiver);
  Datum string_method(const Expression& e, const Datum& receiver);
  Datum replace(std::string_view text, std::string_view from, std::string_view to);
  Datum has_children(const Expression& e, const Snapshot& snapshot);
  Datum snapshot(const db::TreeView& tree, std::string_view path);
  Datum child(const Snapshot& of, std::string_view path);
  Datum parent(const Snapshot& of);
  Datum value(const Snapshot& snapshot);
  Datum priority(const Snapshot& snapshot);
  std::optional<std::string_view> leaf(const Snapshot& snapshot);
  bool exists(const Snapshot& snapshot);
  bool has_any_child(const Snapshot& snapshot);
  Datum datum_of(const db::Value& value);
  std::string_view keep(std::string&& text);
  void note(const Expression& e, const Datum& value);
  std::string shown(const Datum& value) const;

  const Question& question_;
  const db::TreeView& before_;
  const db::TreeView* const after_;
  const uint64_t steps_max_;
  const uint64_t scan_bytes_max_;
  uint64_t steps_left_;
  uint64_t scan_bytes_left_;
  bool is_spent_ = false;
  bool scanned_out_ = false;        // by bytes, not by steps
  std::optional<db::Error> error_;  // of a tree
  const char* why_ = nullptr;       // the first failure in this rule
  Place place_{};
  std::string_view source_;
  Explanation::Evaluated* told_ = nullptr;
  Scratch& scratch_;
};

}  // namespace hearth::rules
