// The two ways to a dump: of a server, by its admin API, and of a folder that no server has open. Both give a dump of
// the same form in pieces, and neither holds more than one piece. A full dump is a GET; an incremental one is a POST,
// for the positions that it begins at are too many for an address.
#include "tools/take_dump.h"

#include "db/base/clock.h"
#include "db/dump/folder.h"
#include "tools/backup/index.h"
#include "tools/or_throw.h"

namespace hearth::tools {

RestRequest dump_request_of(const std::shared_ptr<const db::DumpBase>& since) {
  RestRequest request{.path = "/.settings/dump", .query = {{"format", "native"}}};
  if (since == nullptr) return request;
  request.method = "POST";
  request.body = base_json(*since);
  request.fields = {"Content-Type: application/json"};
  return request;
}

void take_dump_of_server(const Target& server, const std::shared_ptr<const db::DumpBase>& since,
                         const std::function<void(std::string_view)>& piece) {
  ask_ok(server, dump_request_of(since), [&](std::string_view bytes) {
    piece(bytes);
    return true;
  });
}

void take_dump_of_folder(const std::string& folder, const std::shared_ptr<const db::DumpBase>& since,
                         const std::function<void(std::string_view)>& piece) {
  db::DumpRequest request;
  request.since = since;
  const auto dumper = or_throw(db::dump_folder(folder, request, db::SystemClock().now()), "cannot dump");
  std::string bytes;
  for (bool has_more = true; has_more;) {
    has_more = or_throw(dumper->next(bytes), "cannot dump");
    piece(bytes);
    bytes.clear();
  }
}

}  // namespace hearth::tools
