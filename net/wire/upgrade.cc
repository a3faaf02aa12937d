#include "net/wire/upgrade.h"

#include <algorithm>

#include "net/host_namespace.h"

namespace hearth::net::wire {

namespace {

// JavaScript encodes nothing; names that can be need no decoding.
std::string parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=') {
      return std::string(one.substr(name.size() + 1));
    }
  }
  return {};
}

}  // namespace

std::optional<Upgrade> parse_upgrade(std::string_view target, std::string_view host) {
  const size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  if (path != "/.ws" && path != "/.ws/") return std::nullopt;
  const std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
  Upgrade upgrade{parameter(query, "ns"), parameter(query, "ls"), parameter(query, "s"), std::string(host)};
  if (upgrade.space.empty()) upgrade.space = namespace_of_host(host);
  return upgrade;
}

}  // namespace hearth::net::wire
