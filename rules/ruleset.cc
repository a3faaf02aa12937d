// A rules document compiled to a tree of nodes, and how a decision walks it.
//
//   rules ─ .read                      Node: one for each key of the document; `any` stands for "$room"
//     └ rooms ─ .write
//         └ $room ─ .validate          a key takes the child of its name, else `any`, else the rules end here
//             └ topic ─ .validate
//
//   read  /rooms/tea/topic    rules ─▶ rooms ─▶ $room ─▶ topic            the first .read that holds grants it
//   write /rooms/tea = v      rules ─▶ rooms ─▶ $room                     the first .write that holds grants it; each
//                                              └─▶ topic, where v has it  .validate on the way and below must hold
//
// What must hold:
// - A grant can't be taken back below, and a .write that is not reached grants nothing. So one walk from the root
//   decides.
// - .validate is asked of what is there afterwards, and never of what was removed (valid()). Below the written place
//   only what was written is visited, and of the rules only branches that have a .validate (validates_below): a large
//   write under rules without .validate costs nothing here.
// - Only Outcome::True counts. A rule that failed is not false: `!` has no second chance to make it true.
// - All locations of one write are one operation: one Evaluator with one budget, on the tree after all of them.
// - begin() may say no only where no rule asks for newData, for the tree after does not exist yet. What it granted is
//   not asked again (Question::granted).
//
// Compiling collects all mistakes and sorts them by place: who wrote the document sees them all at once.
#include "rules/ruleset.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "db/model/key_order.h"
#include "rules/language/parser.h"
#include "rules/language/text.h"

namespace hearth::rules {

// A node of the rules, for a path or a pattern of paths.
// Plain pointers to rules: Ruleset::rules_ owns them, in the order of the document, for coverage.
struct Ruleset::Node {
  const Rule* read = nullptr;
  const Rule* write = nullptr;
  const Rule* validate = nullptr;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  std::vector<std::string> orders;  // `.indexOn`
  std::unique_ptr<Node> any;        // `$name`: of children without a name here
  bool validates_below = false;     // somewhere below
  // A name goes before `$name`, also when the named node has no rule of its own.
  const Node* child(std::string_view key) const {
    const auto found = children.find(key);
    return found != children.end() ? found->second.get() : any.get();
  }
};

Ruleset::~Ruleset() = default;

std::string Ruleset::strict_text() const { return strict_json(text_).value(); }

// --- compiling ---

class Ruleset::Compiler {
 public:
  explicit Compiler(Ruleset& to) : to_(to) {}

  db::Result<void> run() {
    ASSIGN_OR_RETURN(const TextNode document, parse_text(to_.text_));
    if (document.kind != TextNode::Kind::Object) {
      mistake(document.at, "Expected '{'.");
    } else {
      read_document(document);
    }
    if (mistakes_.empty()) return {};
    // Some are found late: a reader goes through them from the top.
    std::stable_sort(mistakes_.begin(), mistakes_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string lines;
    for (const auto& [at, what] : mistakes_) lines += error_line(to_.text_, at, what);
    return db::Error{db::ErrorCode::InvalidData, lines};
  }

 private:
  static constexpr std::string_view kBadKey = "String can't contain \".\", \"#\", \"$\", \"/\", \"[\", or \"]\"";

  void mistake(Offset at, std::string what) { mistakes_.emplace_back(at, std::move(what)); }

  void read_document(const TextNode& document) {
    const TextMember* rules = nullptr;
    for (const TextMember& member : document.members) {
      if (member.key == "rules" && rules == nullptr) {
        rules = &member;
      } else {
        mistake(member.at, member.key == "rules" ? "Duplicate key 'rules'." : "Expected 'rules' property.");
      }
    }
    // A missing "rules" is said once: another property in its place was told already.
    if (rules == nullptr) {
      if (mistakes_.empty()) mistake(document.at, "Expected 'rules' property.");
      return;
    }
    if (rules->value.kind != TextNode::Kind::Object) return mistake(rules->value.at, "Expected '{'.");
    to_.root_ = read_node(rules->value);
  }

  std::string pattern() const {
    std::string text;
    for (const std::string& key : keys_) text.append("/").append(key);
    return text.empty() ? "/" : text;
  }

  std::unique_ptr<Node> read_node(const TextNode& text) {
    auto node = std::make_unique<Node>();
    std::set<std::string_view> seen;
    std::string any_name;
    for (const TextMember& member : text.members) {
      if (!seen.insert(member.key).second) {
        mistake(member.at, "Duplicate key '" + member.key + "'.");
      } else if (member.key == ".read") {
        node->read = read_rule(RuleKind::Read, member.value);
      } else if (member.key == ".write") {
        node->write = read_rule(RuleKind::Write, member.value);
      } else if (member.key == ".validate") {
        node->validate = read_rule(RuleKind::Validate, member.value);
      } else if (member.key == ".indexOn") {
        read_indexes(member.value, *node);
      } else {
        read_child(member, *node, any_name);
      }
    }
    return node;
  }

  void read_child(const TextMember& member, Node& to, std::string& any_name) {
    if (member.value.kind != TextNode::Kind::Object) return mistake(member.value.at, "Expected '{'.");
    const bool is_any = member.key.starts_with('$');
    const std::string_view name = std::string_view(member.key).substr(is_any ? 1 : 0);
    if (!db::check_key(name).ok()) return mistake(member.at, std::string(kBadKey));
    if (is_any && to.any != nullptr) {
      return mistake(member.at, "Cannot have multiple default rules ('" + any_name + "' and '" + member.key + "').");
    }
    // keys_ and captures_ are the way to the node that is read: a rule's `$names` are bound by depth.
    keys_.push_back(member.key);
    if (is_any) captures_.push_back({member.key, static_cast<uint32_t>(keys_.size() - 1)});
    std::unique_ptr<Node> child = read_node(member.value);
    if (is_any) captures_.pop_back();
    keys_.pop_back();
    to.validates_below = to.validates_below || child->validate != nullptr || child->validates_below;
    if (is_any) {
      any_name = member.key;
      to.any = std::move(child);
    } else {
      to.children.emplace(member.key, std::move(child));
    }
  }

  const Rule* read_rule(RuleKind kind, const TextNode& value) {
    auto rule = std::make_unique<Rule>();
    rule->kind = kind;
    rule->pattern = pattern();
    place(value.at, rule->line, rule->column);
    if (value.kind == TextNode::Kind::Boolean) {
      rule->source = value.boolean ? "true" : "false";
    } else if (value.kind == TextNode::Kind::String) {
      rule->source = value.text;
    } else {
      mistake(value.at, "Invalid rule expression.  Expected 'true', 'false', or an expression string.");
      return nullptr;
    }
    Parsed parsed = parse_expression(rule->source);
    if (parsed.expression != nullptr) {
      parsed.mistakes = check_rule(*parsed.expression, kind, captures_, to_.expression_count_);
    }
    for (Mistake& found : parsed.mistakes) {
      // Where the part stands in the document; a literal true or false has nowhere to go wrong.
      // Mistakes know a byte of the expression; `origins` says which byte of the document it came from, escapes
      // counted.
      const size_t at = std::min(found.at, value.origins.empty() ? 0 : value.origins.size() - 1);
      mistake(value.origins.empty() ? value.at : value.origins[at], std::move(found.what));
    }
    if (!parsed.mistakes.empty()) return nullptr;
    rule->expression = std::move(parsed.expression);
    rule->asks_after = asks_after(*rule->expression);
    to_.rules_.push_back(std::move(rule));
    return to_.rules_.back().get();
  }

  static bool asks_after(const Expression& expression) {  // at most kExpressionDepthMax deep
    return expression.op == Operator::NewData ||
           std::any_of(expression.operands.begin(), expression.operands.end(),
                       [](const auto& operand) { return operand != nullptr && asks_after(*operand); });
  }

  void place(Offset at, uint32_t& line, uint32_t& column) const {
    const std::string text = line_and_column(to_.text_, at);
    const size_t colon = text.find(':');
    std::from_chars(text.data(), text.data() + colon, line);
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), column);
  }

  void read_indexes(const TextNode& value, Node& node) {
    IndexedPath indexed;
    indexed.pattern = keys_;
    const auto add = [&](const TextNode& one) {
      if (one.kind != TextNode::Kind::String) {
        mistake(one.at, "Invalid indexOn expression. Must be either a string or an array of strings");
        return;
      }
      const auto path = db::Path::parse(one.text);
      if (one.text != ".value" && (!path.ok() || path.value().is_root())) return mistake(one.at, std::string(kBadKey));
      indexed.orders.push_back(one.text == ".value" ? one.text : path.value().text());
    };
    if (value.kind == TextNode::Kind::Array) {
      for (const TextNode& element : value.elements) add(element);
    } else {
      add(value);
    }
    node.orders = indexed.orders;
    if (!indexed.orders.empty()) to_.indexes_.push_back(std::move(indexed));
  }

  Ruleset& to_;
  std::vector<std::string> keys_;
  std::vector<CaptureName> captures_;
  std::vector<std::pair<Offset, std::string>> mistakes_;
};

std::vector<db::IndexSpec> Ruleset::index_specs() const {
  std::vector<db::IndexSpec> specs;
  for (const IndexedPath& indexed : indexes_) {
    for (const std::string& order : indexed.orders) {
      auto spec = db::make_index(indexed.pattern, order);
      if (spec && std::find(specs.begin(), specs.end(), *spec) == specs.end()) specs.push_back(std::move(*spec));
    }
  }
  return specs;
}

bool Ruleset::has_index(const db::Path& path, std::string_view order) const {
  const Node* node = root_.get();
  for (const std::string_view key : path.keys()) {
    if (node != nullptr) node = node->child(key);
  }
  return node != nullptr && std::find(node->orders.begin(), node->orders.end(), order) != node->orders.end();
}

db::Result<std::shared_ptr<const Ruleset>> Ruleset::compile(std::string text) {
  std::shared_ptr<Ruleset> ruleset(new Ruleset());
  ruleset->text_ = std::move(text);
  RETURN_IF_ERROR(Compiler(*ruleset).run());
  return std::shared_ptr<const Ruleset>(std::move(ruleset));
}

// --- deciding ---

// One path with its keys, and the encoded length of each of its prefixes: so a Place at any depth is a view, and no
// copy.
namespace {

struct Way {
  explicit Way(const db::Path& path) : keys(path.keys()) {
    ends.reserve(keys.size() + 1);
    ends.push_back(0);
    for (const std::string_view key : keys) {
      db::append_segment(key, encoded);
      ends.push_back(encoded.size());
    }
  }
  Place at(size_t depth) const {
    return {std::string_view(encoded).substr(0, ends[depth]), std::span(keys).first(depth)};
  }
  std::vector<std::string_view> keys;
  std::string encoded;
  std::vector<size_t> ends;
};

std::string slashed(std::span<const std::string_view> keys) {
  std::string text;
  for (const std::string_view key : keys) text.append("/").append(key);
  return text.empty() ? "/" : text;
}

}  // namespace

class Ruleset::Decision {
 public:
  Decision(const Ruleset& rules, const Question& question, const db::TreeView& before, const db::TreeView* after,
           const Written& written)
      : rules_(rules), question_(question), after_(after), evaluator_(question, before, after, written) {}

  db::Result<bool> read(const db::Path& path) {
    const Way way(path);
    const Node* node = rules_.root_.get();
    for (size_t depth = 0; node != nullptr; ++depth) {
      if (node->read != nullptr) {
        ASSIGN_OR_RETURN(const bool granted, holds(*node->read, way.at(depth)));
        if (granted) return because(true, "the .read rule at {} grants it", node->read->pattern);
      }
      if (depth == way.keys.size()) break;
      node = node->child(way.keys[depth]);
    }
    return because(false, "no .read rule from the root to {} grants it", path.slashed());
  }

  // False: no rule grants it, whatever is written. `granted`: one does, whatever is written.
  db::Result<bool> begin(const Target& target, bool& granted) {
    const Way way(*target.path);
    const std::vector<const Rule*> rules = write_rules(way);
    const auto asks_after = [](const Rule* rule) { return rule != nullptr && rule->asks_after; };
    // Perhaps, then: a rule further down may still grant it by looking at newData.
    if (std::any_of(rules.begin(), rules.end(), asks_after)) return true;
    for (size_t depth = 0; depth < rules.size(); ++depth) {
      if (rules[depth] == nullptr) continue;
      ASSIGN_OR_RETURN(granted, holds(*rules[depth], way.at(depth)));
      if (granted) return true;
    }
    return no_grant(target);
  }

  // `granted`: begin() has found that.
  db::Result<bool> write(const Target& target, bool granted_before) {
    const Way way(*target.path);
    const Node* node = rules_.root_.get();
    bool is_granted = granted_before;
    const Rule* grant = nullptr;
    size_t depth = 0;
    for (; node != nullptr; ++depth) {
      if (!is_granted && node->write != nullptr) {
        ASSIGN_OR_RETURN(is_granted, holds(*node->write, way.at(depth)));
        if (is_granted) grant = node->write;
      }
      // Also above the written place: a write below may break what a .validate above asks for.
      if (node->validate != nullptr && !question_.only_rights) {
        ASSIGN_OR_RETURN(const bool is_valid, valid(*node, way.at(depth)));
        if (!is_valid) return false;
      }
      if (depth == way.keys.size()) break;
      node = node->child(way.keys[depth]);
    }
    if (!is_granted) return no_grant(target);
    // A written priority has nothing below it.
    if (!question_.only_rights && node != nullptr && node->validates_below && target.slot == db::Slot::Value) {
      keys_ = way.keys;
      encoded_ = way.encoded;
      ASSIGN_OR_RETURN(const bool is_valid, descend(*node, *target.value));
      if (!is_valid) return false;
    }
    return because(true, "the .write rule at {} grants it, and every .validate rule holds",
                   grant != nullptr ? grant->pattern : "");
  }

 private:
  // The .write rules on the way, by depth from the root; null where a place has none.
  std::vector<const Rule*> write_rules(const Way& way) const {
    std::vector<const Rule*> rules;
    const Node* node = rules_.root_.get();
    for (size_t depth = 0; node != nullptr; ++depth) {
      rules.push_back(node->write);
      if (depth == way.keys.size()) break;
      node = node->child(way.keys[depth]);
    }
    return rules;
  }

  bool no_grant(const Target& target) const {
    return because(false, "no .write rule from the root to {} grants it", target.path->slashed());
  }

  db::Result<bool> holds(const Rule& rule, const Place& place) {
    if (question_.explanation != nullptr) {
      Explanation::Evaluated told;
      told.kind = rule.kind;
      told.pattern = rule.pattern;
      told.path = slashed(place.keys);
      told.line = rule.line;
      told.column = rule.column;
      question_.explanation->add(std::move(told), rule.source);
    }
    ASSIGN_OR_RETURN(const Outcome outcome, evaluator_.evaluate(*rule.expression, rule.source, place));
    // Over the budget every outcome means nothing: the operation is refused as too large, and not as denied.
    if (auto spent = evaluator_.spent()) return *std::move(spent);
    return outcome == Outcome::True;
  }

  template <typename... Arguments>
  bool because(bool verdict, fmt::format_string<Arguments...> text, Arguments&&... arguments) const {
    if (question_.explanation != nullptr) {
      question_.explanation->reason = fmt::format(text, std::forward<Arguments>(arguments)...);
    }
    return verdict;
  }

  bool invalid(const Node& node, std::span<const std::string_view> keys) const {
    if (question_.is_invalid != nullptr) *question_.is_invalid = true;
    return because(false, "the .validate rule at {} does not hold for {}", node.validate->pattern, slashed(keys));
  }

  // Whether a place's own `.validate` holds; of what is not there afterwards, it is not asked.
  db::Result<bool> valid(const Node& node, const Place& place) {
    bool exists = false;
    std::string upto(place.encoded);
    upto += db::kPastChildren;
    RETURN_IF_ERROR(after_->scan(place.encoded, upto, [&](std::string_view, std::string_view) {
      exists = true;
      return false;
    }));
    if (!exists) return true;
    ASSIGN_OR_RETURN(const bool is_valid, holds(*node.validate, place));
    return is_valid || invalid(node, place.keys);
  }

  // Validates what was written below keys_: the written value and the rules, as far as they go together.
  db::Result<bool> descend(const Node& node, const db::Value& value) {
    // Without `$name` only the named children can have rules: they are fewer than the written ones, mostly.
    if (node.any == nullptr) {
      for (const auto& [key, child] : node.children) {
        if (child->validate == nullptr && !child->validates_below) continue;
        const db::Value below = value.child(key);
        if (below.is_null()) continue;
        ASSIGN_OR_RETURN(const bool is_valid, enter(*child, key, below));
        if (!is_valid) return false;
      }
      return true;
    }
    if (!value.is_object()) return true;
    for (auto below = value.children(); !below.done(); below.next()) {
      const std::string key = below.key();
      const Node* child = node.child(key);
      if (child->validate == nullptr && !child->validates_below) continue;
      ASSIGN_OR_RETURN(const bool is_valid, enter(*child, key, below.value()));
      if (!is_valid) return false;
    }
    return true;
  }

  db::Result<bool> enter(const Node& node, std::string_view key, const db::Value& value) {
    const size_t end = encoded_.size();
    db::append_segment(key, encoded_);
    keys_.push_back(key);
    bool is_valid = true;
    if (node.validate != nullptr) {
      const Place place{encoded_, keys_};
      ASSIGN_OR_RETURN(is_valid, holds(*node.validate, place));
      if (!is_valid) invalid(node, keys_);
    }
    if (is_valid && node.validates_below) {
      ASSIGN_OR_RETURN(is_valid, descend(node, value));
    }
    keys_.pop_back();
    encoded_.resize(end);
    return is_valid;
  }

  const Ruleset& rules_;
  const Question& question_;
  const db::TreeView* const after_;
  Evaluator evaluator_;
  std::vector<std::string_view> keys_;
  std::string encoded_;
};

db::Result<bool> Ruleset::may_read(const db::TreeView& tree, const db::Path& path, const Question& question) const {
  return Decision(*this, question, tree, nullptr, {}).read(path);
}

namespace {

Written written_by(std::span<const Target> targets) {
  Written written;
  for (const Target& target : targets) {
    written.rows += target.value->row_count();
    written.bytes += target.value->byte_count();
  }
  return written;
}

}  // namespace

db::Result<bool> Ruleset::may_begin(const db::TreeView& before, std::span<const Target> targets,
                                    const Question& question) const {
  Decision decision(*this, question, before, nullptr, written_by(targets));
  for (size_t i = 0; i < targets.size(); ++i) {
    bool granted = false;
    ASSIGN_OR_RETURN(const bool may_be, decision.begin(targets[i], granted));
    if (!may_be) return false;
    if (question.granted != nullptr) (*question.granted)[i] = granted;
  }
  return true;
}

db::Result<bool> Ruleset::may_write(const db::TreeView& before, const db::TreeView& after,
                                    std::span<const Target> targets, const Question& question) const {
  Decision decision(*this, question, before, &after, written_by(targets));
  if (targets.empty() && question.explanation != nullptr)
    question.explanation->reason = "an update of nothing changes nothing";
  // An explanation shows all rules, so it skips nothing that begin() has found.
  const std::vector<bool>* granted = question.explanation == nullptr ? question.granted : nullptr;
  for (size_t i = 0; i < targets.size(); ++i) {
    ASSIGN_OR_RETURN(const bool is_allowed, decision.write(targets[i], granted != nullptr && (*granted)[i]));
    if (!is_allowed) return false;
  }
  return true;
}

}  // namespace hearth::rules
