// /.settings/paths.json: what is set for paths, in the shape of the rules. A key is a child, "$name" any child that has no
// name there, and what begins with a dot is set for the path itself:
//
//   { "rooms": { "$room": { "messages": { ".ttl": 86400, ".ttlBy": "sent" },
//                           "cursors":  { ".throttle": 50, ".ephemeral": true } } } }
//
// A second document beside the rules, for those have to stay what Firebase takes.
#include <fmt/format.h>

#include <charconv>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rules/space_settings.h"

namespace hearth::rules {
namespace {

constexpr std::string_view kKnownSettings = R"(".ttl", ".ttlBy", ".throttle" and ".ephemeral")";

// A whole number; nothing: it is none, or out of bounds.
std::optional<int64_t> whole_number(const TextNode& value, int64_t least, int64_t most) {
  if (value.kind != TextNode::Kind::Number) return {};
  int64_t number = 0;
  const auto [end, failed] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  if (failed != std::errc() || end != value.text.data() + value.text.size()) return {};
  return number >= least && number <= most ? std::optional(number) : std::nullopt;
}

class PathSettingsReader {
 public:
  explicit PathSettingsReader(const SettingText& from) : from_(from) {}
  db::Result<void> read(const TextNode& node);
  db::PathPlan take() && { return std::move(plan_); }

 private:
  db::Result<void> read_own(const TextNode& node);
  db::Result<void> read_ttl(const TextMember* ttl, const TextMember* by, db::PathSettings& to) const;
  db::Result<void> read_ephemeral(const TextMember* ephemeral, const TextMember* ttl, db::PathSettings& to) const;
  db::Result<void> read_child(const TextMember& member, std::set<std::string>& seen);

  const SettingText& from_;
  db::PathPlan plan_;
  size_t patterns_ = 0;
  std::vector<std::string> at_;     // keys; "$": any
  std::vector<std::string> names_;  // the same as they were written
  // The path above, as it was written, that has a ttl, a throttle, is ephemeral; "": none.
  std::string aged_, throttled_, ephemeral_;
};

db::Result<void> PathSettingsReader::read_ttl(const TextMember* ttl, const TextMember* by, db::PathSettings& to) const {
  if (ttl == nullptr && by == nullptr) return {};
  if (ttl == nullptr) return from_.wrong(by->at, R"(".ttlBy" goes with a ".ttl" beside it)");
  constexpr int64_t kMost = std::chrono::duration_cast<std::chrono::seconds>(db::kTtlMax).count();
  const int64_t least = by != nullptr ? 0 : 1;
  const auto seconds = whole_number(ttl->value, least, kMost);
  if (!seconds) {
    return from_.wrong(ttl->value.at,
                       fmt::format(R"(".ttl" must be a whole number of seconds, from {} to {})", least, kMost));
  }
  if (!aged_.empty()) {
    return from_.wrong(ttl->at,
                       fmt::format(R"(there is a ".ttl" at {:.200} already, and none may be below another)", aged_));
  }
  to.ttl = std::chrono::seconds(*seconds);
  if (by == nullptr) return {};
  if (by->value.kind != TextNode::Kind::String || by->value.text.empty() || by->value.text.starts_with('/'))
    return from_.wrong(by->value.at, R"(".ttlBy" must name a child of the children, as "sent")");
  auto path = db::Path::parse(by->value.text);
  if (!path.ok()) return from_.wrong(by->value.at, path.error().message);
  if (path.value().is_root())
    return from_.wrong(by->value.at, R"(".ttlBy" must name a child of the children, as "sent")");
  to.ttl_by = std::move(path).value();
  return {};
}

// `false` is as if it were not there.
db::Result<void> PathSettingsReader::read_ephemeral(const TextMember* ephemeral, const TextMember* ttl,
                                                    db::PathSettings& to) const {
  if (ttl != nullptr && !ephemeral_.empty()) {
    return from_.wrong(ttl->at, fmt::format(R"(what is at {:.200} is ephemeral, and has no ".ttl")", ephemeral_));
  }
  if (ephemeral == nullptr) return {};
  if (ephemeral->value.kind != TextNode::Kind::Boolean)
    return from_.wrong(ephemeral->value.at, R"(".ephemeral" must be true)");
  if (!ephemeral->value.boolean) return {};
  if (at_.empty()) return from_.wrong(ephemeral->at, "the root can't be ephemeral; name the paths below it that are");
  if (ttl != nullptr) return from_.wrong(ttl->at, R"(what is ephemeral has no ".ttl")");
  if (!ephemeral_.empty()) {
    return from_.wrong(ephemeral->at, fmt::format("all that is below {:.200} is ephemeral already", ephemeral_));
  }
  to.is_ephemeral = true;
  return {};
}

// What is set for the path itself.
db::Result<void> PathSettingsReader::read_own(const TextNode& node) {
  const TextMember *ttl = nullptr, *by = nullptr, *throttle = nullptr, *ephemeral = nullptr;
  bool has_children = false;
  for (const TextMember& member : node.members) {
    if (!member.key.starts_with('.')) {
      has_children = true;
    } else if (member.key == ".ttl") {
      ttl = &member;
    } else if (member.key == ".ttlBy") {
      by = &member;
    } else if (member.key == ".throttle") {
      throttle = &member;
    } else if (member.key == ".ephemeral") {
      ephemeral = &member;
    } else {
      return from_.unknown(member, kKnownSettings);
    }
  }
  const bool is_set = ttl != nullptr || by != nullptr || throttle != nullptr || ephemeral != nullptr;
  if (!is_set && (has_children || at_.empty())) return {};  // what is below says it all
  if (++patterns_ > db::kPathPatternsMax)
    return from_.wrong(node.at, fmt::format("there are more than {} paths", db::kPathPatternsMax));
  db::PathSettings& settings = plan_.add(at_);
  RETURN_IF_ERROR(read_ephemeral(ephemeral, ttl, settings));
  RETURN_IF_ERROR(read_ttl(ttl, by, settings));
  if (throttle == nullptr) return {};
  constexpr int64_t kMost = db::kThrottleMax.count();
  const auto milliseconds = whole_number(throttle->value, 1, kMost);
  if (!milliseconds) {
    return from_.wrong(throttle->value.at,
                       fmt::format(R"(".throttle" must be a whole number of milliseconds, from 1 to {})", kMost));
  }
  if (!throttled_.empty()) {
    return from_.wrong(
        throttle->at,
        fmt::format(R"(there is a ".throttle" at {:.200} already, and none may be below another)", throttled_));
  }
  settings.throttle = db::Timestamp(*milliseconds);
  return {};
}

db::Result<void> PathSettingsReader::read_child(const TextMember& member, std::set<std::string>& seen) {
  const bool is_any = member.key.starts_with('$');
  if (is_any && member.key.size() == 1) return from_.wrong(member.at, R"(a name is expected behind "$", as "$room")");
  if (!is_any && !db::check_key(member.key).ok()) return from_.wrong(member.at, "no child can have this name");
  if (at_.size() == db::kDepthMax)
    return from_.wrong(member.at, fmt::format("a path has at most {} keys", db::kDepthMax));
  if (!seen.insert(is_any ? "$" : member.key).second) {
    return from_.wrong(member.at, is_any ? std::string(R"(there is another "$" beside it, and one is for all children)")
                                         : fmt::format(R"("{:.64}" is here twice)", member.key));
  }
  at_.push_back(is_any ? "$" : member.key);
  names_.push_back(member.key);
  RETURN_IF_ERROR(read(member.value));
  at_.pop_back();
  names_.pop_back();
  return {};
}

db::Result<void> PathSettingsReader::read(const TextNode& node) {
  if (node.kind != TextNode::Kind::Object)
    return from_.wrong(node.at,
                       R"(an object is expected: what is set for the path, as {".ttl": 3600}, and its children)");
  std::set<std::string> seen;
  for (const TextMember& member : node.members) {
    if (member.key.starts_with('.') && !seen.insert(member.key).second)
      return from_.wrong(member.at, fmt::format(R"("{:.64}" is here twice)", member.key));
  }
  RETURN_IF_ERROR(read_own(node));
  const std::string aged = aged_, throttled = throttled_, ephemeral = ephemeral_;
  for (const TextMember& member : node.members) {
    if (member.key == ".ttl") aged_ = db::pattern_text(names_);
    if (member.key == ".throttle") throttled_ = db::pattern_text(names_);
    if (member.key == ".ephemeral" && member.value.boolean) ephemeral_ = db::pattern_text(names_);
  }
  for (const TextMember& member : node.members) {
    if (!member.key.starts_with('.')) RETURN_IF_ERROR(read_child(member, seen));
  }
  aged_ = aged;
  throttled_ = throttled;
  ephemeral_ = ephemeral;
  return {};
}

}  // namespace

db::Result<void> read_path_settings(const SettingText& from, SpaceSettings& to) {
  PathSettingsReader reader(from);
  RETURN_IF_ERROR(reader.read(from.root));
  db::PathPlan plan = std::move(reader).take();
  // By its text, as the database has it: so what it says here is what holds.
  const std::string text = plan.text();
  if (text.size() > db::kSettingBytesMax) return from.wrong(from.root.at, "this is too much; name fewer paths");
  to.paths.reset();
  if (text.empty()) return {};
  auto parsed = db::PathPlan::parse(text);
  if (!parsed.ok()) return from.wrong(from.root.at, parsed.error().message);
  to.paths = std::make_shared<const db::PathPlan>(std::move(parsed).value());
  return {};
}

}  // namespace hearth::rules
