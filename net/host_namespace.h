// Which namespace a Host header names, for clients that say it so (net/rest/http-api.md §1, net/wire/protocol.md §1).
#pragma once

#include <algorithm>
#include <string_view>

namespace hearth::net {

// A server's name of three labels or more begins with the namespace's; "" for others. An address names a machine.
inline std::string_view namespace_of_host(std::string_view host) {
  if (host.starts_with('[')) return {};
  host = host.substr(0, host.find(':'));
  if (host.find_first_not_of("0123456789.") == std::string_view::npos) return {};
  if (std::count(host.begin(), host.end(), '.') < 2) return {};
  return host.substr(0, host.find('.'));
}

}  // namespace hearth::net
