// Which namespace a Host header names, or a path that begins with /ns/NAME, for clients that say it so
// (net/rest/http-api.md §1, net/wire/protocol.md §1). Pure.
#pragma once

#include <algorithm>
#include <optional>
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

// "/ns/NAME" and what follows it, of an undecoded path. No NAME: none is named there, and `path` is all of it.
struct NamedPath {
  std::optional<std::string_view> name;
  std::string_view path;
};
constexpr NamedPath split_namespace(std::string_view path) {
  constexpr std::string_view kStart = "/ns/";
  if (!path.starts_with(kStart)) return {std::nullopt, path};
  const size_t end = path.find('/', kStart.size());
  if (end == std::string_view::npos || end == kStart.size()) return {std::nullopt, path};
  return {path.substr(kStart.size(), end - kStart.size()), path.substr(end)};
}

}  // namespace hearth::net
