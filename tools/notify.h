// What a service manager is told of this process, by the protocol of sd_notify(3): a datagram to $NOTIFY_SOCKET. Nothing
// happens where there is none. libsystemd would be a dependency for twenty lines.
#pragma once

#include <string_view>

namespace hearth::tools {

bool has_service_manager();
void notify(std::string_view state);  // "READY=1"
bool logs_to_journal();               // standard error is the journal's (sd-daemon(3), $JOURNAL_STREAM)

}  // namespace hearth::tools
