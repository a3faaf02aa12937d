// Says in the log that a limit was reached: which, and by which flag it is set. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace hearth::net::http {

// By its name in the metrics: "pending_size". Time that passes is none: "idle_time" is not told.
void tell_of_limit(std::string_view limit);

// "--max-pending-size"; "" for one that has none.
std::string flag_of_limit(std::string_view limit);

}  // namespace hearth::net::http
