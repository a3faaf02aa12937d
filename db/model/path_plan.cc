// Plans of paths: a trie of patterns, and the same as lines.
//
//   /rooms/$/messages   ttl          root ─ rooms ─┬─ $ ─ messages (named, ttl)
//   /rooms/lobby                                   └─ lobby (named, nothing set)
//
// A key of a pattern that stands there comes before `$`, at each step for itself and for good: child("lobby") leads to
// `lobby`, and never tries `$` when it finds nothing below. So /rooms/lobby/messages has no ttl here, and a line
// without settings is how a plan makes an exception. It is also why a look-up is one walk along the path, as long as
// the path is deep, whatever the number of patterns.
//
// `is_named` tells nodes that are lines from nodes that only lie above one.
//
// A plan may have at most one ttl and one throttle on a path (whoever derives the plan sees to that), so the first one
// that is met from the root is the one. Namespaces without throttles or ephemeral places pay one flag for the question.
//
// The text is what is kept, with tabs between and one line for each named node, in the order of the trie. parse(text())
// gives the same plan, and what can't be a line is refused as a whole, because half a plan would remove what should
// stay.
#include "db/model/path_plan.h"

#include <algorithm>
#include <charconv>

#include "db/model/key_order.h"

namespace hearth::db {
namespace {

constexpr std::string_view kAny = "$";

Error not_a_plan(std::string_view line) {
  return {ErrorCode::InvalidArgument, "no line of a plan of paths: " + std::string(line.substr(0, 64))};
}

// Up to the separator, which is taken off too; all of it, where there is none.
std::string_view take_until(char separator, std::string_view& rest) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return taken;
}

}  // namespace

struct PathPlan::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  PathSettings settings;
  bool is_named = false;  // it was added, and is not only above one that was

  const Node* child(std::string_view key) const {
    if (children.empty()) return nullptr;
    if (const auto found = children.find(key); found != children.end()) return found->second.get();
    const auto any = children.find(kAny);
    return any != children.end() ? any->second.get() : nullptr;
  }
};

PathPlan::PathPlan() : root_(std::make_unique<Node>()) {}
PathPlan::PathPlan(PathPlan&&) noexcept = default;
PathPlan& PathPlan::operator=(PathPlan&&) noexcept = default;
PathPlan::~PathPlan() = default;

PathSettings& PathPlan::add(std::span<const std::string> pattern) {
  Node* at = root_.get();
  for (const std::string& key : pattern) {
    auto& child = at->children[key];
    if (child == nullptr) child = std::make_unique<Node>();
    at = child.get();
  }
  at->is_named = true;
  return at->settings;
}

std::optional<PathPlan::Found> PathPlan::aged_above(std::span<const std::string_view> keys) const {
  const Node* at = root_.get();
  for (size_t depth = 0; at != nullptr && depth < keys.size(); ++depth) {
    if (at->settings.ttl) return Found{&at->settings, depth};
    at = at->child(keys[depth]);
  }
  return {};
}

const PathSettings* PathPlan::find(std::span<const std::string_view> keys) const {
  const Node* at = root_.get();
  for (size_t depth = 0; at != nullptr && depth < keys.size(); ++depth) at = at->child(keys[depth]);
  return at != nullptr && at->is_named ? &at->settings : nullptr;
}

std::optional<Timestamp> PathPlan::throttle_of(std::span<const std::string_view> keys) const {
  if (!has_throttle_) return {};
  const Node* at = root_.get();
  for (size_t depth = 0; at != nullptr; ++depth) {
    if (at->settings.throttle) return at->settings.throttle;
    if (depth == keys.size()) break;
    at = at->child(keys[depth]);
  }
  return {};
}

std::optional<std::string_view> PathPlan::ephemeral_place(std::string_view key) const {
  if (!has_ephemeral_) return {};
  const Node* at = root_.get();
  size_t length = 0;
  std::string name;
  for (size_t next = segment_length(key); next > 0; next = segment_length(key.substr(length))) {
    name.clear();
    append_key(key.substr(length, next), name);
    at = at->child(name);
    if (at == nullptr) return {};
    length += next;
    if (at->settings.is_ephemeral) return key.substr(0, length);
  }
  return {};
}

bool PathPlan::has_ephemeral_below(const Node& node) {
  return node.settings.is_ephemeral || std::any_of(node.children.begin(), node.children.end(), [](const auto& child) {
           return has_ephemeral_below(*child.second);
         });
}

bool PathPlan::touches_ephemeral(const Path& path) const {
  if (!has_ephemeral_) return false;
  const Node* at = root_.get();
  for (const std::string_view key : path.keys()) {
    if (at->settings.is_ephemeral) return true;
    at = at->child(key);
    if (at == nullptr) return false;
  }
  return has_ephemeral_below(*at);
}

Result<std::optional<std::string>> PathPlan::first_ephemeral(const TreeView& tree) const {
  if (!has_ephemeral_) return std::optional<std::string>();
  return first_ephemeral(*root_, "", tree);
}

// At most kDepthMax deep. One seek for each child that a "$" stands for, and for each name.
Result<std::optional<std::string>> PathPlan::first_ephemeral(const Node& node, const std::string& at,
                                                             const TreeView& tree) {
  if (node.settings.is_ephemeral) {
    ASSIGN_OR_RETURN(const bool has_any, tree.any(at, at + kPastChildren));
    return has_any ? std::optional(at) : std::nullopt;
  }
  for (const auto& [key, child] : node.children) {
    if (key == kAny || !has_ephemeral_below(*child)) continue;
    std::string below = at;
    append_segment(key, below);
    ASSIGN_OR_RETURN(auto found, first_ephemeral(*child, below, tree));
    if (found) return found;
  }
  const auto any = node.children.find(kAny);
  if (any == node.children.end() || !has_ephemeral_below(*any->second)) return std::optional<std::string>();
  std::string from = at;
  for (bool is_more = true; is_more;) {
    is_more = false;
    std::string below;
    RETURN_IF_ERROR(tree.scan(from, at + kPastChildren, [&](std::string_view key, std::string_view) {
      const size_t length = segment_length(key.substr(at.size()));
      if (length == 0) return true;  // a leaf, or a priority, of the path itself
      below.assign(key.substr(0, at.size() + length));
      is_more = true;
      return false;
    }));
    if (!is_more) break;
    from = below + kPastChildren;
    if (node.child(decode_segment(std::string_view(below).substr(at.size()))) != any->second.get()) continue;
    ASSIGN_OR_RETURN(auto found, first_ephemeral(*any->second, below, tree));
    if (found) return found;
  }
  return std::optional<std::string>();
}

void PathPlan::collect(const Node& node, Pattern& at, std::vector<Entry>& to) {
  if (node.is_named) to.push_back({at, &node.settings});
  for (const auto& [key, child] : node.children) {  // at most kDepthMax deep
    at.push_back(key);
    collect(*child, at, to);
    at.pop_back();
  }
}

std::vector<PathPlan::Entry> PathPlan::all() const {
  std::vector<Entry> entries;
  Pattern at;
  collect(*root_, at, entries);
  return entries;
}

std::string pattern_text(std::span<const std::string> pattern) {
  std::string text;
  for (const std::string& key : pattern) text.append("/").append(key);
  return text.empty() ? "/" : text;
}

std::string PathPlan::text() const {
  std::string text;
  for (const Entry& entry : all()) {
    text += pattern_text(entry.at);
    const PathSettings& settings = *entry.settings;
    if (settings.ttl) text += "\tttl\t" + std::to_string(settings.ttl->count());
    if (settings.throttle) text += "\tthrottle\t" + std::to_string(settings.throttle->count());
    if (settings.is_ephemeral) text += "\tephemeral\t1";
    if (!settings.ttl_by.is_root()) text += "\tby\t" + settings.ttl_by.text();
    text += '\n';
  }
  return text;
}

Result<PathPlan> PathPlan::parse(std::string_view text) {
  PathPlan plan;
  while (!text.empty()) {
    const std::string_view line = take_until('\n', text);
    std::string_view rest = line;
    std::string_view path = take_until('\t', rest);
    if (!path.starts_with('/')) return not_a_plan(line);
    path.remove_prefix(1);
    Pattern pattern;
    while (!path.empty()) {
      pattern.emplace_back(take_until('/', path));
      if (pattern.back() != kAny && !check_key(pattern.back()).ok()) return not_a_plan(line);
    }
    if (pattern.size() > kDepthMax) return not_a_plan(line);
    PathSettings& settings = plan.add(pattern);
    while (!rest.empty()) {
      const std::string_view name = take_until('\t', rest);
      const std::string_view value = take_until('\t', rest);
      if (name == "by") {
        Result<Path> by = Path::parse(value);
        if (!by.ok()) return not_a_plan(line);
        settings.ttl_by = std::move(by).value();
        continue;
      }
      int64_t number = -1;
      const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
      const bool is_number = failed == std::errc() && end == value.data() + value.size() && number >= 0;
      if (name == "ttl" && is_number && Timestamp(number) <= kTtlMax) {
        settings.ttl = Timestamp(number);
      } else if (name == "throttle" && is_number && Timestamp(number) <= kThrottleMax) {
        settings.throttle = Timestamp(number);
      } else if (name == "ephemeral" && is_number && number == 1 && !pattern.empty()) {
        settings.is_ephemeral = true;
      } else {
        return not_a_plan(line);
      }
    }
    plan.has_throttle_ = plan.has_throttle_ || settings.throttle.has_value();
    plan.has_ephemeral_ = plan.has_ephemeral_ || settings.is_ephemeral;
  }
  return plan;
}

}  // namespace hearth::db
