// Server-sent events as text (net/rest/http-api.md §10). Some clients read lines and nothing else, so the form is
// strict:
//
//   event := "event: " name LF  "data: " json LF  [ "id: " id LF ]  LF
//   json  := {"path":"/…","data":…}          put, patch; on one line. "path" is relative to the stream's
//          | null                            keep-alive
//          | text without quotes             cancel, auth_revoked
//
// The id is the last line. Some clients count it as soon as its line has come, and then never ask for an event that broke off
// behind it (eventsource 2.0.2, fetch-event-source 2.0.1); so nothing of the event but one empty line comes later.
//
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "db/base/metrics.h"
#include "db/model/event.h"
#include "db/model/json.h"
#include "db/model/path.h"

namespace hearth::net::rest {

inline constexpr std::string_view kKeepAlive = "event: keep-alive\ndata: null\n\n";
inline constexpr std::string_view kAuthRevoked = "event: auth_revoked\ndata: credential is no longer valid\n\n";

// The `data` of an event, made once for all streams of that style. "" when it says nothing in that style: plain values
// have no priorities. `made`: counts the making; may be null.
db::SharedBytes event_data(const db::Body& body, db::JsonStyle style, db::Counter* made = nullptr);

// What stands around that data. `base`: the stream's path, at or above the event's. `id`: "" for none.
std::string event_head(const db::Body& body, const db::Path& base);
std::string event_tail(std::string_view id);

// The whole event, without an id, made once for all streams of that style whose path has the length of `base`. "" when it
// says nothing in that style. For small events: the text is a copy of the data.
db::SharedBytes event_text(const db::Body& body, db::JsonStyle style, const db::Path& base,
                           db::Counter* made = nullptr);

std::string cancel_text(const db::Error& reason);

}  // namespace hearth::net::rest
