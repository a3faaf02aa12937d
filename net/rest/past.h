// The past of a namespace over HTTP (tools/manual/history.md).
//
//   GET  /path.json?history=true&values=N     → {"before":…,"complete":true|false,"values":[{"id":ID,"time":ms[,"by":uid],"value":…}]}
//   POST /.changes/undo.json {"id": ID}       → {"id":ID}, of the commit that took it back; 412: something has changed since
//   POST /.changes/purge.json {"path": PATH}  → {"commits":N}, when it is gone from the disk too
//
// For admins, and `history` where a setting opens the path; the guard sees to it. Thread: any.
#pragma once

#include <memory>
#include <string>

#include "db/model/past.h"
#include "net/http/exchange.h"
#include "net/rest/event_stream.h"
#include "net/rest/request.h"
#include "rules/auth.h"

namespace hearth::net::rest {

std::string history_text(const db::PathHistory& history, db::JsonStyle style);  // pure

// `space`: a name as the guard resolved it.
void serve_history(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange,
                   const RestRequest& request, const std::string& space, const rules::Auth& auth);
void serve_undo(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange, const std::string& space,
                const rules::Auth& auth);
void serve_purge(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange, const std::string& space,
                 const rules::Auth& auth);

}  // namespace hearth::net::rest
