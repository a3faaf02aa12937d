// Says in the log that a limit was reached: which, and by which flag it is set. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace hearth::net::http {

// `limit`: its name in the metrics, "pending_size". "idle_time" is not told: connections that time out are nothing to
// act on.
void tell_of_limit(std::string_view limit);

// The flag that sets a limit, "--max-pending-size"; "" for a limit without a flag.
std::string flag_of_limit(std::string_view limit);

}  // namespace hearth::net::http
