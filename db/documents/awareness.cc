// Awareness is no part of a document: what a client says with a newer clock replaces what it said before (db/topics).
// So nothing is merged here, and an entry is judged by itself: its state is JSON, within a limit.
#include "db/documents/awareness.h"

#include "db/documents/any.h"
#include "db/documents/coding.h"

namespace hearth::db::documents {

Result<std::vector<AwarenessEntry>> parse_awareness(std::string_view bytes, const AwarenessLimits& limits) {
  std::vector<AwarenessEntry> entries;
  Reader from(bytes);
  const uint64_t count = from.var_uint();
  if (count > limits.entries_max) return Error{ErrorCode::TooLarge, "Too many clients in one awareness update."};
  for (uint64_t left = count; left > 0 && from.ok(); --left) {
    AwarenessEntry entry{from.var_uint(), from.var_uint(), from.var_string()};
    if (entry.state.size() > limits.state_bytes_max) {
      return Error{ErrorCode::TooLarge, "The awareness of a client is too large."};
    }
    if (from.ok() && !is_json(entry.state)) from.fail("A text is not JSON");
    entries.push_back(entry);
  }
  if (from.ok() && !from.is_at_end()) from.fail("There are bytes behind the end");
  if (!from.ok()) return from.error();
  return entries;
}

std::string encode_awareness(std::span<const AwarenessEntry> entries) {
  std::string bytes;
  append_var_uint(entries.size(), bytes);
  for (const AwarenessEntry& entry : entries) {
    append_var_uint(entry.client, bytes);
    append_var_uint(entry.clock, bytes);
    append_var_buf(entry.state, bytes);
  }
  return bytes;
}

}  // namespace hearth::db::documents
