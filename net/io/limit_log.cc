// The flag of a limit is its name in the metrics with dashes, but for a few. Telling of it at once shows an operator
// what to set.
#include "net/io/limit_log.h"

#include <algorithm>

#include "net/io/log.h"

namespace hearth::net::http {

// The names are those of kLimitNames, and of limits that net/wire and net/auth have.
std::string flag_of_limit(std::string_view limit) {
  if (limit == "head_size" || limit == "greeting_time" || limit == "long_polls") return {};
  std::string flag = limit == "failed_logins" ? "--" : limit == "receive_pace" ? "--min-" : "--max-";
  flag += limit == "listener_backlog" ? "backlog_size" : limit;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

void tell_of_limit(std::string_view limit) {
  if (limit == "idle_time" || !logs(LogLevel::Warn)) return;
  const std::string flag = flag_of_limit(limit);
  log_seldom(LogLevel::Warn, limit, "limit reached", {{"limit", limit}, {"flag", flag}});
}

}  // namespace hearth::net::http
