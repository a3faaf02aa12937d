// The compiled rules of a namespace, and the verdict on an operation (rules/language.md §2, §3). Parsed and checked
// once; immutable. Thread: any.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/index.h"
#include "db/model/path.h"
#include "db/model/tree_view.h"
#include "db/model/write.h"
#include "rules/language/evaluator.h"
#include "rules/language/types.h"

namespace hearth::rules {

inline constexpr size_t kRulesBytesMax =
    256u << 10;  // of an installed document (docs, usage/limits); a dry run may be larger

// One location of a write: what was asked for, of which the structure counts; the leaves are read from the tree after.
struct Target {
  const db::Path* path;
  db::Slot slot;  // Priority: of its `.priority` alone
  const db::Value* value;
};

// An `.indexOn`: the orders of the children of all paths that the pattern matches.
struct IndexedPath {
  std::vector<std::string> pattern;  // keys; a `$name` matches any
  std::vector<std::string> orders;   // child paths as written, or ".value"
};

// One rule of the document.
struct Rule {
  RuleKind kind = RuleKind::Read;
  std::string pattern{};  // where it stands: /rooms/$room
  std::string source{};
  uint32_t line = 0, column = 0;
  std::unique_ptr<Expression> expression{};
  bool asks_after = false;  // `newData` is in it
};

class Ruleset {
 public:
  // Errors: InvalidData, one line "LINE:COLUMN: text\n" for each mistake, in the service's words where they are known.
  static db::Result<std::shared_ptr<const Ruleset>> compile(std::string text);
  ~Ruleset();

  const std::string& text() const { return text_; }  // as it came, byte for byte
  std::string strict_text() const;                   // without comments: JSON that any parser takes

  // Errors of both: Io, of the trees.
  db::Result<bool> may_read(const db::TreeView& tree, const db::Path& path, const Question& question) const;
  // Whether the write may be, as far as can be said without the tree after it: false where no `.write` rule grants a
  // target and none of them asks for that tree. Stops at the first such target. Says in Question::granted what it
  // found.
  db::Result<bool> may_begin(const db::TreeView& before, std::span<const Target> targets,
                             const Question& question) const;
  // All targets are one operation: each is judged on the tree after all of them.
  db::Result<bool> may_write(const db::TreeView& before, const db::TreeView& after, std::span<const Target> targets,
                             const Question& question) const;

  const std::vector<IndexedPath>& indexes() const { return indexes_; }  // in document order
  std::vector<db::IndexSpec> index_specs() const;                       // the same, each order that rows can have
  // Whether `.indexOn` of the path names that order of its children: a child path, or ".value".
  bool has_index(const db::Path& path, std::string_view order) const;

  // The rules in the order of the document, for coverage. Expressions have the ids 0 to expression_count().
  const std::vector<std::unique_ptr<Rule>>& rules() const { return rules_; }
  uint32_t expression_count() const { return expression_count_; }

 private:
  struct Node;
  class Compiler;
  class Decision;
  Ruleset() = default;

  std::string text_;
  std::unique_ptr<Node> root_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<IndexedPath> indexes_;
  uint32_t expression_count_ = 0;
};

}  // namespace hearth::rules
