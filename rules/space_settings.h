// Documents of JSON by which an operator sets how a namespace is served, one for each subject: /.settings/NAME.json.
// Each kind has a row in the table of space_settings.cc: its name, what holds while nobody has set it, and a function
// that reads the document into SpaceSettings. A further kind is one more row and one more member.
//
//   name        document                                     while it is unset
//   tables      {"TABLE": "/path", …}                        {}
//   realtime    {"public": true|false, "channels": "/path"}  {"public": true} in development, else {"public": false}
//   history     {"age": "24h", "size": "1GB",                {}: as the server was started; {"off": true}: none
//                "versions": true|false, "open": ["/path"]}
//   paths       {"rooms": {"$room": {".ttl": 86400}}}        {}; db/model/path_plan.h
//   documents   {"paths": ["/path", …],                      {"paths": ["/"]} in development, else {"paths": []}
//                "json": {"/path": {"ROOT": "KIND", …}, …}}
//
// Comments are allowed. A member that nobody knows is an error, as is a second one of the same name. The text is kept
// as it was set, in the namespace's settings (db/model/settings.h) under the same name.
//
// Values; pure, but for KnownSettings. Thread: any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/document_plan.h"
#include "db/model/history.h"
#include "db/model/path.h"
#include "db/model/path_plan.h"
#include "db/model/settings.h"
#include "rules/language/text.h"

namespace hearth::rules {

inline constexpr size_t kSpaceSettingBytesMax = 64u << 10;  // of one document
inline constexpr size_t kTableAliasesMax = 500;

// Which realtime channels there are. A client names a channel by a topic.
struct RealtimeSettings {
  bool public_channels = false;        // those that everybody may join, by any topic
  std::optional<db::Path> channels{};  // private ones: the rules at this path and the topic say who may; nothing: none
};

// Where Yjs documents may be: at and below these paths. The root: everywhere.
struct DocumentSettings {
  std::vector<db::Path> paths{};
  db::DocumentPlan plan{};  // of those that stand in the tree as JSON too
  bool allows(const db::Path& path) const;
};

// The tables that Supabase clients name. Every child of the root is one, unless an alias has its name.
struct TableSettings {
  std::map<std::string, db::Path, std::less<>> aliases{};

  // Where the rows of a table lie. Errors: InvalidPath: no table can have that name.
  db::Result<db::Path> path_of(std::string_view table) const;
};

inline constexpr std::string_view kHistoryKind = "history";
inline constexpr std::string_view kDocumentsKind = "documents";
inline constexpr std::string_view kPathsKind = "paths";

struct SpaceSettings {
  std::optional<db::HistoryPlan> history{};  // nothing: as the server was started
  std::vector<db::Path> past_open{};  // below these the past is for whoever may read the present; else for admins
  std::shared_ptr<const db::PathPlan> paths{};  // null: nothing is set
  RealtimeSettings realtime{};
  DocumentSettings documents{};
  TableSettings tables{};
};

// A document that is being read. `root` is an object, and no member of it is there twice.
struct SettingText {
  std::string_view text;
  const TextNode& root;

  // InvalidData "LINE:COLUMN: what\n".
  db::Error wrong(Offset at, std::string_view what) const;
  // The mistake of a member that the kind does not have. `known`: the names of those that it has, for the reader.
  db::Error unknown(const TextMember& member, std::string_view known) const;
};

struct SettingKind {
  std::string_view name;
  std::string_view unset;         // the document that holds until one is set
  std::string_view unset_in_dev;  // the same, in development
  db::Result<void> (*read)(const SettingText& from, SpaceSettings& to);
};

// The kind "paths" (path_settings.cc).
db::Result<void> read_path_settings(const SettingText& from, SpaceSettings& to);

const std::vector<SettingKind>& setting_kinds();
const SettingKind* find_setting_kind(std::string_view name);  // null: there is none of that name

// Reads a document of that kind into its member of `to`. Errors: InvalidData "LINE:COLUMN: what\n"; TooLarge.
db::Result<void> read_setting(const SettingKind& kind, std::string_view text, SpaceSettings& to);

// Which path's rules judge a topic, as the settings of the moment say it; nothing: everybody may be there and speak.
// Errors: there is no such topic. Thread: any.
using JudgedBy = std::function<db::Result<std::optional<db::Path>>(const SpaceSettings&)>;

// The settings of namespaces that were asked for lately, as read. They are forgotten when somebody sets one of them;
// what was begun to be read before that is not kept. Documents that were read once are known by their texts, too.
// Bounded; when it is full, it begins anew.
class KnownSettings {
 public:
  static constexpr size_t kBytesMax = 16u << 20;  // of texts and names, about; of each of the two

  explicit KnownSettings(bool dev) : dev_(dev) {}

  // What holds at a moment: the texts decide, whatever was asked for before. Looks at one row for each kind. Errors: Io;
  // Corruption: a stored text is no such document, as after a downgrade.
  db::Result<std::shared_ptr<const SpaceSettings>> in_force(const db::Settings& settings);
  std::string_view unset(const SettingKind& kind) const { return dev_ ? kind.unset_in_dev : kind.unset; }

  std::shared_ptr<const SpaceSettings> find(std::string_view space) const;  // null: not known
  uint64_t epoch() const;                                                   // to be taken before reading begins
  void add(const std::string& space, std::shared_ptr<const SpaceSettings> settings, size_t text_bytes, uint64_t epoch);
  void forget(std::string_view space);

 private:
  struct Kept {
    std::map<std::string, std::shared_ptr<const SpaceSettings>, std::less<>> settings;
    size_t bytes = 0;
    void add(const std::string& name, std::shared_ptr<const SpaceSettings> one, size_t bytes_of_it);
  };
  const bool dev_;
  mutable std::shared_mutex mutex_;  // Guards all below.
  Kept spaces_;                      // by name
  Kept read_;                        // by the texts of all kinds
  uint64_t epoch_ = 0;
};

}  // namespace hearth::rules
