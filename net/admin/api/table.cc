#include "net/admin/api/table.h"

#include <array>
#include <string>

#include "net/admin/api/api.h"
#include "net/admin/api/json_text.h"
#include "net/admin/api/settings.h"

namespace hearth::net::admin {
namespace {

using rest::Endpoint;

constexpr auto kServer = Right::Server;
constexpr auto kSpace = Right::Namespace;

// The order is that of the chapter.
const auto kTable = std::to_array<Row>({
    {"GET", "/.inspect/api.json", kServer, "This table.", {}, nullptr, &Api::tell_table},
    // namespaces and what they hold
    {"GET", "/.inspect/databases.json", kServer, "The namespaces.", Endpoint::Databases, tell_databases},
    {"PUT", "/.settings/namespace.json", kServer, "Creates a namespace.", Endpoint::Namespace, serve_namespace},
    {"DELETE", "/.settings/namespace.json", kServer, "Removes a namespace with all it has.", Endpoint::Namespace,
     serve_namespace},
    {"GET", "/.inspect/stats.json", kSpace, "How large a tree is, and where.", Endpoint::Stats, serve_stats},
    {"POST", "/.settings/compact.json", kServer, "Gives back the disk's room that is not needed.", Endpoint::Compact,
     serve_compact},
    {"GET", "/.settings/dump", kServer, "A dump of a namespace, a path or all.", Endpoint::Dump, serve_dump},
    {"POST", "/.settings/dump", kServer, "A dump of what came since another one.", Endpoint::Dump, serve_dump},
    {"GET", "/.settings/dump.json", kServer, "How far a dump is.", Endpoint::DumpPart, tell_dump_part},
    {"POST", "/.settings/restore.json", kServer, "Begins an upload, or restores one.", Endpoint::Restore,
     serve_restore},
    {"PUT", "/.settings/restore.json", kServer, "The next piece of an upload.", Endpoint::Restore, serve_restore},
    {"GET", "/.settings/restore.json", kServer, "How far an upload or its restore is.", Endpoint::Restore,
     serve_restore},
    {"DELETE", "/.settings/restore.json", kServer, "Gives an upload or its restore up.", Endpoint::Restore,
     serve_restore},
    // rules and settings
    {"GET", "/.settings/rules.json", kSpace, "The rules in force.", Endpoint::Rules, serve_rules},
    {"PUT", "/.settings/rules.json", kSpace, "Sets the rules, or only checks them.", Endpoint::Rules, serve_rules},
    {"POST", "/.inspect/explain.json", kSpace, "Whether somebody may do something, and why.", Endpoint::Explain,
     explain},
    {"GET", "/.inspect/coverage", kSpace, "Which rules were evaluated, as a page.", Endpoint::Coverage, tell_coverage},
    {"GET", "/.inspect/coverage.json", kSpace, "Which rules were evaluated.", Endpoint::Coverage, tell_coverage},
    {"GET", "/.inspect/indexes.json", kSpace, "The indexes, and how far each is built.", Endpoint::Indexes,
     tell_indexes},
    {"GET", "/.inspect/unindexed.json", kSpace, "Queries that found no index.", {}, nullptr, &Api::tell_unindexed},
    {"GET", "/.settings/indexes.json", kSpace, "Orders by several children.", Endpoint::OwnIndexes, serve_setting},
    {"PUT", "/.settings/indexes.json", kSpace, "Sets them.", Endpoint::OwnIndexes, serve_setting},
    {"GET", "/.settings/realtime.json", kSpace, "Which channels Supabase clients may join.", Endpoint::Setting,
     serve_setting},
    {"PUT", "/.settings/realtime.json", kSpace, "Sets that.", Endpoint::Setting, serve_setting},
    {"GET", "/.settings/tables.json", kSpace, "Names for tables that lie deeper.", Endpoint::Setting, serve_setting},
    {"PUT", "/.settings/tables.json", kSpace, "Sets them.", Endpoint::Setting, serve_setting},
    {"GET", "/.settings/documents.json", kSpace, "Where Yjs documents may be.", Endpoint::Setting, serve_setting},
    {"PUT", "/.settings/documents.json", kSpace, "Sets that.", Endpoint::Setting, serve_setting},
    {"GET", "/.settings/paths.json", kSpace, "How long children stay, how often listeners hear.", Endpoint::Setting,
     serve_setting},
    {"PUT", "/.settings/paths.json", kSpace, "Sets that.", Endpoint::Setting, serve_setting},
    {"GET", "/.settings/history.json", kSpace, "How much of what happened is kept.", Endpoint::Setting, serve_setting},
    {"PUT", "/.settings/history.json", kSpace, "Sets that.", Endpoint::Setting, serve_setting},
    {"POST", "/.changes/undo.json", kSpace, "Takes a commit back.", Endpoint::Undo, undo},
    {"POST", "/.changes/purge.json", kSpace, "Removes the past of a path.", Endpoint::Purge, purge},
    // who is there
    {"GET", "/.inspect/connections.json", kSpace, "Who is connected.", {}, nullptr, &Api::tell_connections},
    {"POST", "/.settings/cut.json", kServer, "Cuts a connection off.", {}, nullptr, &Api::cut},
    {"POST", "/.settings/kick.json", kSpace, "Signs a user out.", Endpoint::Kick, kick},
    {"GET",
     "/.inspect/sessions.json",
     kSpace,
     "What sessions listen to, and what they leave.",
     {},
     nullptr,
     &Api::tell_sessions},
    {"GET", "/.inspect/listeners.json", kSpace, "Which paths are listened to.", {}, nullptr, &Api::tell_listeners},
    {"GET",
     "/.inspect/activity.json",
     kSpace,
     "What is asked just now, and what is denied.",
     {},
     nullptr,
     &Api::tell_activity},
    {"GET",
     "/.inspect/topics.json",
     kSpace,
     "Channels and documents' rooms, and who is there.",
     {},
     nullptr,
     &Api::tell_topics},
    {"GET", "/.inspect/documents.json", kSpace, "The Yjs documents.", {}, nullptr, &Api::tell_documents},
    {"GET", "/.inspect/document.json", kSpace, "What a Yjs document says.", {}, nullptr, &Api::tell_document},
    {"GET", "/.inspect/figures.json", kServer, "Figures of the last 15 minutes.", {}, nullptr, &Api::tell_figures},
});

}  // namespace

std::string_view name_of(Right right) { return right == Right::Server ? "server" : "namespace"; }

std::span<const Row> admin_table() { return kTable; }

std::string table_text() {
  std::string text = "[";
  for (const Row& row : kTable) {
    next_json(text);
    text += '{';
    json_text(text, "method", row.method);
    json_text(text, "path", row.path);
    json_text(text, "right", name_of(row.right));
    json_text(text, "about", row.about);
    text += '}';
  }
  return text + "]";
}

}  // namespace hearth::net::admin
