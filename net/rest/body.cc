// The body of a write: what is written, and what its reply will say.
//
//   read_body ─▶ Change{write, value | entries} ─▶ Guard::write ─▶ settle(answer) ─▶ the reply shows what was written
//
// A reply repeats the value as it was written, with server values resolved. Timestamps can be resolved here from the
// answer's time. What an increment comes to only the tree knows, so such a write asks for the value afterwards
// (wants_value). A reply cannot show what a write did not ask for; then it repeats what was sent.
#include "net/rest/body.h"

#include <algorithm>
#include <utility>

#include "db/model/etag_is.h"
#include "db/model/hash.h"
#include "db/model/server_value.h"
#include "net/rest/multipart.h"

namespace hearth::net::rest {
namespace {

using db::Error;
using db::ErrorCode;
using db::Result;
using db::Value;

Result<void> read_update(Change& change, const RestRequest& request, std::string&& body) {
  ASSIGN_OR_RETURN(db::JsonDocument document, db::JsonDocument::parse(std::move(body)));
  document.give_back_text(db::JsonDocument::RootNames::Paths);
  change.write.merge = true;
  if (document.root().is_null()) {  // SDK tools: `database:remove` deletes so
    change.write.overwrites.push_back({request.path, db::Slot::Value, {}});
    return {};
  }
  ASSIGN_OR_RETURN(std::vector<db::JsonEntry> entries, document.root().to_entries(request.path));
  change.is_update = true;
  for (db::JsonEntry& entry : entries) {
    ASSIGN_OR_RETURN(db::Overwrite overwrite, db::make_overwrite(request.path.text() + "/" + entry.path, entry.value));
    change.write.overwrites.push_back(std::move(overwrite));
    change.entries.emplace_back(std::move(entry.path), std::move(entry.value));
  }
  return db::check_overlap(change.write.overwrites);
}

Result<void> read_value(Change& change, const RestRequest& request, std::string&& body) {
  if (request.method != Method::Delete) {
    ASSIGN_OR_RETURN(change.value, db::parse_value(std::move(body), change.write.base));
  }
  if (request.query) {
    change.write.merge = true;
    change.write.selection = request.query;
    return {};
  }
  const std::string tail = request.slot == db::Slot::Priority ? "/.priority" : "";
  ASSIGN_OR_RETURN(db::Overwrite overwrite, db::make_overwrite(change.write.base.text() + tail, change.value));
  change.write.overwrites.push_back(std::move(overwrite));
  return {};
}

// Returns `value` as `overwrite` has written it. What cannot be told stays as it was asked for.
Value settled(const Value& value, const db::Overwrite& overwrite, const db::Write& write, const db::Answer& answer) {
  if (!value.has_server_values()) return value;
  if (!answer.value.is_null()) {
    const Value node = answer.value.at(overwrite.path.relative_to(write.base));
    return overwrite.slot == db::Slot::Priority ? node.priority() : node;
  }
  if (value.has_increments()) return value;
  auto resolved = db::resolve_server_values(value, answer.time, {});
  return resolved.ok() ? std::move(resolved).value() : value;
}

}  // namespace

Result<Change> read_body(const RestRequest& request, std::string&& body, std::string_view content_type,
                         std::string_view push_id) {
  Change change;
  change.write.base = request.path;
  change.write.ttl = request.ttl;
  if (request.endpoint == Endpoint::Upload) {
    RETURN_IF_ERROR(take_first_part(body, content_type));
  } else if (request.method == Method::Post) {
    change.key = push_id;
    ASSIGN_OR_RETURN(change.write.base, request.path.child(push_id));
  }
  if (request.method != Method::Delete && body.empty()) {
    return Error{ErrorCode::InvalidData, "Error: No data supplied."};
  }
  if (request.method == Method::Patch) {
    RETURN_IF_ERROR(read_update(change, request, std::move(body)));
  } else {
    RETURN_IF_ERROR(read_value(change, request, std::move(body)));
  }
  size_t bytes = 0;
  for (const db::Overwrite& overwrite : change.write.overwrites) {
    bytes += overwrite.value.byte_count();
    // Only the tree knows what an increment comes to.
    change.write.wants_value |= overwrite.value.has_increments();
  }
  if (bytes > request.write_bytes_max) {
    return Error{ErrorCode::TooLarge,
                 "Data to write exceeds the maximum size that can be modified with a single request."};
  }
  if (request.if_match) {
    const db::Path& at = request.if_match_at ? *request.if_match_at : request.path;
    change.write.preconditions.push_back(std::make_shared<db::EtagIs>(at, *request.if_match));
    change.write.wants_value |= !request.if_match_at;  // 412 carries the current value
  }
  return change;
}

void settle(Change& change, const RestRequest& request, const db::Answer& answer) {
  const std::vector<db::Overwrite>& overwrites = change.write.overwrites;
  for (size_t i = 0; i < change.entries.size(); ++i) {
    change.entries[i].second = settled(change.entries[i].second, overwrites[i], change.write, answer);
  }
  if (!change.is_update && !overwrites.empty())
    change.value = settled(change.value, overwrites.front(), change.write, answer);
  if (request.wants_etag && !change.is_update) change.hash = db::exact_hash(change.value);
}

}  // namespace hearth::net::rest
