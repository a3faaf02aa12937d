// Messages of the server (net/wire/protocol.md §3, §4), as JSON text.
//
//   control  := {"t":"c","d":{"t":command,"d":payload}}      a client drops one without payload
//   response := {"t":"d","d":{"r":number,"b":{"s":status,"d":data}}}
//   push     := {"t":"d","d":{"a":action,"b":body}}          paths without a leading slash
//
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/error.h"
#include "db/base/metrics.h"
#include "db/model/event.h"
#include "db/model/path.h"
#include "db/model/value.h"
#include "net/wire/compound_hash.h"
#include "net/wire/frame.h"

namespace hearth::net::wire {

std::string hello_text(db::Timestamp now, std::string_view host, std::string_view session);
std::string pong_text();
std::string complaint_text(std::string_view reason);  // control `e`: the client logs it and goes on
std::string shutdown_text(std::string_view reason);   // control `s`: the client prints it and never comes back
std::string redirect_text(std::string_view host);     // control `r`
std::string attached_text();                          // control `a`: this transport may carry the session (§10.4)
std::string end_of_transmission_text();               // control `n`: what follows comes by the other transport

std::string ok_text(int64_t number, std::string_view data_json);
std::string value_text(int64_t number, const db::Value& value);
std::string failure_text(int64_t number, const db::Error& error);

std::string push_text(const db::Body& body, std::optional<int64_t> tag = {});  // `d` or `m`
// A first value for a client that holds `known` of it: push `rm`, or `d` where ranges cannot say it.
std::string first_text(const db::Body& body, std::optional<int64_t> tag, const CompoundHash& known);
// `query_json`: of a filtered listen, the query as the client sent it; else "".
std::string revoked_text(const db::Path& path, std::string_view query_json = {});
// Push `ac`: the client forgets its token, and comes back with a fresh one (§9.4).
std::string expired_text();
std::string auth_revoked_text(const db::Error& why);

// push_text as WebSocket bytes: made once, and shared by all who are told. `made`: counts that; may be null.
db::SharedBytes push_frame(const db::Body& body, db::Counter* made = nullptr, Packed packed = Packed::No);

}  // namespace hearth::net::wire
