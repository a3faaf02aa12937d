// The kinds of documents, and how each is read. read_setting() does what all kinds have in common: the limit, the
// syntax, the object, and members that are there twice.
//
//   PUT /.settings/NAME.json ─▶ read_setting: is it one? ─▶ a setting of the namespace, in a commit as all settings
//   whoever needs them:  find(name) ─ known ─▶ SpaceSettings
//                                   └ not ───▶ Guard::space_settings reads the texts ─▶ add(), unless somebody has set one since
//   a shard, at a commit: in_force(Settings) ─▶ the texts of that very moment; found by their texts, else read
//
// There are two ways because there are two questions. A client that comes wants what holds about now, at once, from memory.
// A commit wants what holds at its place in the order, and may not be a commit off: so it asks by the texts themselves, which
// costs a row for each kind, and reads none of them twice. `epoch` keeps a slow reader from putting back what was set anew
// meanwhile: forget() raises it, and what was read under an older one is not kept.
#include "rules/space_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "db/base/step.h"

namespace hearth::rules {
namespace {

using db::Error;
using db::ErrorCode;

constexpr size_t kKnownOverhead = 256;  // of an entry of KnownSettings, in bytes, about

// `expected`: what to say of something else.
db::Result<db::Path> read_path(const SettingText& from, const TextNode& value, std::string_view expected) {
  if (value.kind != TextNode::Kind::String || !value.text.starts_with('/')) return from.wrong(value.at, expected);
  auto path = db::Path::parse(value.text);
  if (!path.ok()) return from.wrong(value.at, path.error().message);
  return path;
}

db::Result<void> read_realtime(const SettingText& from, SpaceSettings& to) {
  RealtimeSettings realtime;
  for (const TextMember& member : from.root.members) {
    const TextNode& value = member.value;
    if (member.key == "public") {
      if (value.kind != TextNode::Kind::Boolean) return from.wrong(value.at, R"("public" must be true or false)");
      realtime.public_channels = value.boolean;
    } else if (member.key == "channels") {
      ASSIGN_OR_RETURN(realtime.channels, read_path(from, value, R"("channels" must be a path, as "/channels")"));
    } else {
      return from.unknown(member, R"("public" and "channels")");
    }
  }
  to.realtime = std::move(realtime);
  return {};
}

db::Result<std::vector<db::Path>> read_paths(const SettingText& from, const TextNode& list) {
  std::vector<db::Path> paths;
  if (list.kind != TextNode::Kind::Array) return from.wrong(list.at, R"(a list of paths is expected, as ["/notes"])");
  for (const TextNode& one : list.elements) {
    ASSIGN_OR_RETURN(db::Path path, read_path(from, one, R"(a path is expected, as "/notes")"));
    paths.push_back(std::move(path));
  }
  return paths;
}

db::Result<db::MirrorRoots> read_roots(const SettingText& from, const TextNode& value) {
  db::MirrorRoots roots;
  if (value.kind != TextNode::Kind::Object)
    return from.wrong(value.at, R"(roots and their kinds are expected, as {"title": "text"}, or {} for none)");
  for (const TextMember& root : value.members) {
    if (root.value.kind != TextNode::Kind::String || !db::is_mirror_kind(root.value.text))
      return from.wrong(root.value.at, R"(a kind is expected: "text", "delta", "map", "array" or "xml")");
    if (!roots.emplace(root.key, root.value.text).second) return from.wrong(root.at, "this root is here twice");
    if (roots.size() > db::kMirrorRootsMax)
      return from.wrong(root.at, fmt::format("there are more than {} roots", db::kMirrorRootsMax));
  }
  return roots;
}

db::Result<db::DocumentPlan> read_document_plan(const SettingText& from, const TextNode& value) {
  db::DocumentPlan plan;
  if (value.kind != TextNode::Kind::Object)
    return from.wrong(
        value.at,
        R"(paths and what of the documents there is kept as JSON is expected, as {"/notes": {"title": "text"}})");
  for (const TextMember& member : value.members) {
    if (!member.key.starts_with('/')) return from.wrong(member.at, R"(a path is expected, as "/notes")");
    auto path = db::Path::parse(member.key);
    if (!path.ok()) return from.wrong(member.at, path.error().message);
    for (const auto& [other, roots] : plan.places) {
      if (other == path.value()) return from.wrong(member.at, "this path is here twice");
    }
    ASSIGN_OR_RETURN(db::MirrorRoots roots, read_roots(from, member.value));
    plan.places.emplace_back(std::move(path).value(), std::move(roots));
  }
  return plan;
}

db::Result<void> read_documents(const SettingText& from, SpaceSettings& to) {
  DocumentSettings documents;
  for (const TextMember& member : from.root.members) {
    if (member.key == "json") {
      ASSIGN_OR_RETURN(documents.plan, read_document_plan(from, member.value));
    } else if (member.key == "paths") {
      ASSIGN_OR_RETURN(documents.paths, read_paths(from, member.value));
    } else {
      return from.unknown(member, R"("paths" and "json")");
    }
  }
  to.documents = std::move(documents);
  return {};
}

db::Result<void> read_history(const SettingText& from, SpaceSettings& to) {
  db::HistoryPlan plan;
  std::vector<db::Path> open;
  bool is_off = false;
  for (const TextMember& member : from.root.members) {
    const TextNode& value = member.value;
    if (member.key == "off" || member.key == "versions") {
      if (value.kind != TextNode::Kind::Boolean) return from.wrong(value.at, "true or false is expected");
      (member.key == "off" ? is_off : plan.versions) = value.boolean;
    } else if (member.key == "age" || member.key == "size") {
      if (value.kind != TextNode::Kind::String) return from.wrong(value.at, R"(a text is expected, as "24h" or "1GB")");
      const auto age = member.key == "age" ? db::parse_age(value.text) : db::Timestamp();
      if (!age.ok()) return from.wrong(value.at, age.error().message);
      const auto size = member.key == "size" ? db::parse_history_size(value.text) : uint64_t{0};
      if (!size.ok()) return from.wrong(value.at, size.error().message);
      (member.key == "age") ? void(plan.age = age.value()) : void(plan.bytes = size.value());
    } else if (member.key == "open") {
      ASSIGN_OR_RETURN(open, read_paths(from, value));
    } else {
      return from.unknown(member, R"("age", "size", "versions", "open" and "off")");
    }
  }
  to.past_open = std::move(open);
  to.history.reset();
  if (from.root.members.empty()) return {};
  if (is_off) {
    if (from.root.members.size() > 1) return from.wrong(from.root.at, R"("off" goes with nothing else)");
    to.history = db::HistoryPlan();
    return {};
  }
  if (plan.age.count() == 0 || plan.bytes == 0)
    return from.wrong(from.root.at, R"(history has an "age" and a "size", as "24h" and "1GB"; or {"off": true})");
  to.history = plan;
  return {};
}

db::Result<void> read_tables(const SettingText& from, SpaceSettings& to) {
  TableSettings tables;
  for (const TextMember& member : from.root.members) {
    const TextNode& value = member.value;
    if (!db::check_key(member.key).ok()) return from.wrong(member.at, "no table can have this name");
    ASSIGN_OR_RETURN(db::Path path, read_path(from, value, R"(a table must be a path, as "/shop/orders")"));
    if (path.is_root()) return from.wrong(value.at, "the root can be no table");
    if (tables.aliases.size() >= kTableAliasesMax)
      return from.wrong(member.at, fmt::format("there are more than {} tables", kTableAliasesMax));
    tables.aliases.emplace(member.key, std::move(path));
  }
  to.tables = std::move(tables);
  return {};
}

}  // namespace

bool DocumentSettings::allows(const db::Path& path) const {
  return std::any_of(paths.begin(), paths.end(), [&](const db::Path& one) { return one.contains(path); });
}

db::Result<db::Path> TableSettings::path_of(std::string_view table) const {
  if (const auto alias = aliases.find(table); alias != aliases.end()) return alias->second;
  return db::Path().child(table);
}

db::Error SettingText::wrong(Offset at, std::string_view what) const {
  return {ErrorCode::InvalidData, error_line(text, at, what)};
}

db::Error SettingText::unknown(const TextMember& member, std::string_view known) const {
  return wrong(member.at, fmt::format(R"(unknown member "{:.64}"; there are {})", member.key, known));
}

const std::vector<SettingKind>& setting_kinds() {
  static const std::vector<SettingKind> kinds = {
      {"realtime", R"({"public": false})", R"({"public": true})", read_realtime},
      {kDocumentsKind, R"({"paths": []})", R"({"paths": ["/"]})", read_documents},
      {"tables", "{}", "{}", read_tables},
      {kHistoryKind, "{}", "{}", read_history},
      {kPathsKind, "{}", "{}", read_path_settings},
  };
  return kinds;
}

const SettingKind* find_setting_kind(std::string_view name) {
  const auto& kinds = setting_kinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const SettingKind& one) { return one.name == name; });
  return found != kinds.end() ? &*found : nullptr;
}

db::Result<void> read_setting(const SettingKind& kind, std::string_view text, SpaceSettings& to) {
  if (text.size() > kSpaceSettingBytesMax) {
    return Error{ErrorCode::TooLarge,
                 fmt::format("/.settings/{}.json has at most {} bytes.", kind.name, kSpaceSettingBytesMax)};
  }
  ASSIGN_OR_RETURN(const TextNode root, parse_text(text));
  const SettingText from{text, root};
  if (root.kind != TextNode::Kind::Object) return from.wrong(root.at, "an object is expected");
  std::set<std::string_view> seen;
  for (const TextMember& member : root.members) {
    if (!seen.insert(member.key).second)
      return from.wrong(member.at, fmt::format(R"("{:.64}" is here twice)", member.key));
  }
  return kind.read(from, to);
}

void KnownSettings::Kept::add(const std::string& name, std::shared_ptr<const SpaceSettings> one, size_t bytes_of_it) {
  if (bytes + bytes_of_it > kBytesMax) {
    settings.clear();
    bytes = 0;
  }
  if (settings.emplace(name, std::move(one)).second) bytes += bytes_of_it;
}

db::Result<std::shared_ptr<const SpaceSettings>> KnownSettings::in_force(const db::Settings& settings) {
  std::string texts;
  std::vector<std::string> each;
  for (const SettingKind& kind : setting_kinds()) {
    ASSIGN_OR_RETURN(auto text, settings.text(kind.name));
    each.push_back(text ? std::move(*text) : std::string(unset(kind)));
    texts += each.back();
    texts += '\0';
  }
  db::Step::here().count({each.size(), texts.size(), 0});
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = read_.settings.find(texts); found != read_.settings.end()) return found->second;
  }
  const auto made = std::make_shared<SpaceSettings>();
  for (size_t i = 0; i < each.size(); ++i) {
    const SettingKind& kind = setting_kinds()[i];
    if (const auto read = read_setting(kind, each[i], *made); !read.ok()) {
      return Error{ErrorCode::Corruption, fmt::format("The setting {}: {}", kind.name, read.error().message)};
    }
  }
  const std::unique_lock lock(mutex_);
  read_.add(texts, made, texts.size() + kKnownOverhead);
  return std::shared_ptr<const SpaceSettings>(made);
}

std::shared_ptr<const SpaceSettings> KnownSettings::find(std::string_view space) const {
  const std::shared_lock lock(mutex_);
  const auto found = spaces_.settings.find(space);
  return found != spaces_.settings.end() ? found->second : nullptr;
}

uint64_t KnownSettings::epoch() const {
  const std::shared_lock lock(mutex_);
  return epoch_;
}

void KnownSettings::add(const std::string& space, std::shared_ptr<const SpaceSettings> settings, size_t text_bytes,
                        uint64_t epoch) {
  const std::unique_lock lock(mutex_);
  if (epoch == epoch_) spaces_.add(space, std::move(settings), space.size() + text_bytes + kKnownOverhead);
}

// What it weighed is not counted off: being full comes earlier then, and is harmless.
void KnownSettings::forget(std::string_view space) {
  const std::unique_lock lock(mutex_);
  ++epoch_;
  if (const auto found = spaces_.settings.find(space); found != spaces_.settings.end()) spaces_.settings.erase(found);
}

}  // namespace hearth::rules
