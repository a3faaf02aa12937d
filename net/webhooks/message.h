// What a receiver is sent: a body of JSON with the members that Standard Webhooks recommends.
//
//   body    := {"type":"change","timestamp":T,"namespace":N,"data":line}     line: of the change feed (net/rest/change_feed.h)
//            | {"type":"missed","timestamp":T,"namespace":N,"data":{"after":ID,"before":ID}}
//            | {"type":"test","timestamp":T,"namespace":N,"data":{"webhook":HOOK}}
//   id      := HOOK ":" ID of the change | HOOK ":missed:" ID ":" ID | HOOK ":test:" random
//
// Pure, but for what says the time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/model/change.h"

namespace hearth::net::webhooks {

struct WebhookMessage {
  std::string id;        // of the message
  std::string change{};  // after it the cursor is here; "": it stays
  db::Timestamp time{};  // of the change
  std::string body{};
};

// Of a change that would make a longer body the values are left out: {"path":…,"tooLarge":true}, of one with very many
// places all but the hook's own path.
WebhookMessage change_message(std::string_view hook, std::string_view space, const db::Path& path,
                              const db::Change& change, size_t body_bytes_max);
WebhookMessage missed_message(std::string_view hook, std::string_view space, std::string_view after,
                              std::string_view before, db::Timestamp now);
WebhookMessage test_message(std::string_view hook, std::string_view space, db::Timestamp now);

// Of a "change" body: without what was at, above and below the path, as {"path":…,"purged":true}. Nothing: it says nothing of
// that, or is of another type.
std::optional<std::string> purged_body(std::string_view body, const db::Path& path);

std::string rfc3339(db::Timestamp time);

}  // namespace hearth::net::webhooks
