// Native dumps of all namespaces, of a running server or of a folder that no server has open, as backups take them.
// Throws std::runtime_error. Thread: one. Blocks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "db/model/dump_request.h"
#include "tools/rest_client.h"

namespace hearth::tools {

// `server.space` "": all namespaces. `since`: null: a full one.
void take_dump_of_server(const Target& server, const std::shared_ptr<const db::DumpBase>& since,
                         const std::function<void(std::string_view)>& piece);
void take_dump_of_folder(const std::string& folder, const std::shared_ptr<const db::DumpBase>& since,
                         const std::function<void(std::string_view)>& piece);

// The request of a dump: with a body, when it is an incremental one.
RestRequest dump_request_of(const std::shared_ptr<const db::DumpBase>& since);

}  // namespace hearth::tools
