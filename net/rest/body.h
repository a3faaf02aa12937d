// The body of a write → what is written and what is said of it (net/rest/http-api.md §3, §7). Pure; may take long:
// large ones are for worker threads.
#pragma once

#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/event.h"
#include "db/model/write.h"
#include "net/rest/body_text.h"
#include "net/rest/request.h"

namespace hearth::net::rest {

// A write with what its reply needs.
struct Change {
  db::Write write;
  std::string key;         // POST: the new child's
  bool is_update = false;  // PATCH of an object: the reply is one too
  db::Value value;         // else: what is written
  Entries entries;         // updates: the same, by the paths as they were asked
  std::string hash;        // of `value`, once it is settled and when its ETag is wanted
};

// `push_id`: the key of a POST's child. Errors: InvalidPath, InvalidData, InvalidArgument, TooLarge.
db::Result<Change> read_body(const RestRequest& request, std::string&& body, std::string_view content_type,
                             std::string_view push_id);

// Puts what was written into `change`: the value with server values resolved, as far as the answer tells.
void settle(Change& change, const RestRequest& request, const db::Answer& answer);

}  // namespace hearth::net::rest
