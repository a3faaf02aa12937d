// One row for each method and address, and the only place that says which right an address asks for. net/rest asks the
// table which function serves an endpoint, Api::accept asks it which addresses are its own, and a test compares it with
// the chapter: so what is not here is not answered, and what is here is documented.
#include "net/admin/api/table.h"

#include <array>
#include <string>

#include "db/model/json_members.h"
#include "net/admin/api/api.h"
#include "net/admin/api/settings.h"

namespace hearth::net::admin {
namespace {

using rest::Endpoint;

constexpr auto kServer = Right::Server;
constexpr auto kSpace = Right::Namespace;

constexpr Row row(std::string_view method, std::string_view path, Right right, std::string_view about) {
  return {.method = method, .path = path, .right = right, .about = about};
}

// The order is that of the chapter.
const auto kTable = std::to_array<Row>({
    row("GET", "/.inspect/api.json", kServer, "This table.").answered(&Api::tell_table),
    // namespaces and what they hold
    row("GET", "/.inspect/databases.json", kServer, "The namespaces.").served(Endpoint::Databases, tell_databases),
    row("PUT", "/.settings/namespace.json", kServer, "Creates a namespace.")
        .served(Endpoint::Namespace, serve_namespace),
    row("DELETE", "/.settings/namespace.json", kServer, "Removes a namespace with all it has.")
        .served(Endpoint::Namespace, serve_namespace),
    row("GET", "/.inspect/stats.json", kSpace, "How large a tree is, and where.").served(Endpoint::Stats, serve_stats),
    row("POST", "/.settings/compact.json", kServer, "Gives back the disk's room that is not needed.")
        .served(Endpoint::Compact, serve_compact),
    row("GET", "/.settings/dump", kServer, "A dump of a namespace, a path or all.").served(Endpoint::Dump, serve_dump),
    row("POST", "/.settings/dump", kServer, "A dump of what came since another one.")
        .served(Endpoint::Dump, serve_dump),
    row("GET", "/.settings/dump.json", kServer, "How far a dump is.").served(Endpoint::DumpPart, tell_dump_part),
    row("POST", "/.settings/restore.json", kServer, "Begins an upload, or restores one.")
        .served(Endpoint::Restore, serve_restore),
    row("PUT", "/.settings/restore.json", kServer, "The next piece of an upload.")
        .served(Endpoint::Restore, serve_restore),
    row("GET", "/.settings/restore.json", kServer, "How far an upload or its restore is.")
        .served(Endpoint::Restore, serve_restore),
    row("DELETE", "/.settings/restore.json", kServer, "Gives an upload or its restore up.")
        .served(Endpoint::Restore, serve_restore),
    // rules and settings
    row("GET", "/.settings/rules.json", kSpace, "The rules in force.").served(Endpoint::Rules, serve_rules),
    row("PUT", "/.settings/rules.json", kSpace, "Sets the rules, or only checks them.")
        .served(Endpoint::Rules, serve_rules),
    row("POST", "/.inspect/explain.json", kSpace, "Whether somebody may do something, and why.")
        .served(Endpoint::Explain, explain),
    row("GET", "/.inspect/coverage", kSpace, "Which rules were evaluated, as a page.")
        .served(Endpoint::Coverage, tell_coverage),
    row("GET", "/.inspect/coverage.json", kSpace, "Which rules were evaluated.")
        .served(Endpoint::Coverage, tell_coverage),
    row("GET", "/.inspect/indexes.json", kSpace, "The indexes, and how far each is built.")
        .served(Endpoint::Indexes, tell_indexes),
    row("GET", "/.inspect/unindexed.json", kSpace, "Queries that found no index.").answered(&Api::tell_unindexed),
    row("GET", "/.settings/indexes.json", kSpace, "Orders by several children.")
        .served(Endpoint::OwnIndexes, serve_setting),
    row("PUT", "/.settings/indexes.json", kSpace, "Sets them.").served(Endpoint::OwnIndexes, serve_setting),
    row("GET", "/.settings/realtime.json", kSpace, "Which channels Supabase clients may join.")
        .served(Endpoint::Setting, serve_setting),
    row("PUT", "/.settings/realtime.json", kSpace, "Sets that.").served(Endpoint::Setting, serve_setting),
    row("GET", "/.settings/tables.json", kSpace, "Names for tables that lie deeper.")
        .served(Endpoint::Setting, serve_setting),
    row("PUT", "/.settings/tables.json", kSpace, "Sets them.").served(Endpoint::Setting, serve_setting),
    row("GET", "/.settings/documents.json", kSpace, "Where Yjs documents may be.")
        .served(Endpoint::Setting, serve_setting),
    row("PUT", "/.settings/documents.json", kSpace, "Sets that.").served(Endpoint::Setting, serve_setting),
    row("GET", "/.settings/paths.json", kSpace, "How long children stay, how often listeners hear.")
        .served(Endpoint::Setting, serve_setting),
    row("PUT", "/.settings/paths.json", kSpace, "Sets that.").served(Endpoint::Setting, serve_setting),
    row("GET", "/.settings/history.json", kSpace, "How much of what happened is kept.")
        .served(Endpoint::Setting, serve_setting),
    row("PUT", "/.settings/history.json", kSpace, "Sets that.").served(Endpoint::Setting, serve_setting),
    row("POST", "/.changes/undo.json", kSpace, "Takes a commit back.").served(Endpoint::Undo, undo),
    row("POST", "/.changes/purge.json", kSpace, "Removes the past of a path.").served(Endpoint::Purge, purge),
    // who is there
    row("GET", "/.inspect/connections.json", kSpace, "Who is connected.").answered(&Api::tell_connections),
    row("POST", "/.settings/cut.json", kServer, "Cuts a connection off.").answered(&Api::cut),
    row("POST", "/.settings/kick.json", kSpace, "Signs a user out.").served(Endpoint::Kick, kick),
    row("GET", "/.inspect/sessions.json", kSpace, "What sessions listen to, and what they leave.")
        .answered(&Api::tell_sessions),
    row("GET", "/.inspect/listeners.json", kSpace, "Which paths are listened to.").answered(&Api::tell_listeners),
    row("GET", "/.inspect/activity.json", kSpace, "What is asked just now, and what is denied.")
        .answered(&Api::tell_activity),
    row("GET", "/.inspect/topics.json", kSpace, "Channels and documents' rooms, and who is there.")
        .answered(&Api::tell_topics),
    row("GET", "/.inspect/documents.json", kSpace, "The Yjs documents.").answered(&Api::tell_documents),
    row("GET", "/.inspect/document.json", kSpace, "What a Yjs document says.").answered(&Api::tell_document),
    row("GET", "/.inspect/figures.json", kServer, "Figures of the last 15 minutes.").answered(&Api::tell_figures),
    row("GET", "/.inspect/cluster", kServer, "The nodes of the cluster, and who owns what.")
        .answered(&Api::tell_cluster),
    row("POST", "/.inspect/cluster", kServer, "Moves a shard; drains, forgets or reseeds a node.")
        .answered(&Api::ask_cluster),
});

}  // namespace

std::string_view name_of(Right right) { return right == Right::Server ? "server" : "namespace"; }

std::span<const Row> admin_table() { return kTable; }

std::string table_text() {
  std::string text;
  const auto append = [](const Row& row, std::string& to) {
    db::JsonMembers members(to);
    members.text("method", row.method);
    members.text("path", row.path);
    members.text("right", name_of(row.right));
    members.text("about", row.about);
    members.close();
  };
  db::append_json_list(kTable, append, text);
  return text;
}

}  // namespace hearth::net::admin
