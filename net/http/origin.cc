// Which pages and which names may reach this server. Two attacks, two checks.
//
//   a page of evil.example in a user's browser
//      ├─ fetch("http://localhost:9000/…")     its Origin is evil.example           ─▶ OriginList, whence_of: OtherPage
//      └─ fetch("http://evil.example:9000/…")  after its name was made to mean       ─▶ HostNames: OtherHost
//                                              127.0.0.1 (DNS rebinding); no other
//                                              origin, but the Host is evil.example
//
// A server on a developer's machine is open to whoever reaches it from there, and every page in that developer's
// browser does. Browsers say where a request comes from, by Origin, Referer or Sec-Fetch-Site; programs say nothing
// and are not asked. A page that hides its origin counts as "null", which no list holds.
//
// is_program_socket() is the one exception: an SDK in Java sends an Origin of its own making. Pages cannot set the
// User-Agent of a WebSocket, so "Firebase/…" there means a program.
//
// All comparisons are of lower case and without default ports; what does not parse is nobody's.
#include "net/http/origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "net/io/ip_address.h"

namespace hearth::net::http {

namespace {

constexpr std::string_view kHidden = "null";

// The origin of a URL, "https://host:port", in lower case and without a port that is the scheme's own. "" when `url`
// is no URL with a host, or names a user: "http://localhost@evil.example" is a page of evil.example.
std::string origin_in(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return {};
  const std::string_view rest = url.substr(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.empty() || authority.find('@') != std::string_view::npos) return {};
  std::string origin = std::string(url.substr(0, scheme + 3)) + std::string(authority);
  std::transform(origin.begin(), origin.end(), origin.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (origin.starts_with("http://") && origin.ends_with(":80")) origin.resize(origin.size() - 3);
  if (origin.starts_with("https://") && origin.ends_with(":443")) origin.resize(origin.size() - 4);
  return origin;
}

std::string_view host_in(std::string_view origin) {
  std::string_view host = origin.substr(std::min(origin.find("://") + 3, origin.size()));
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

// "*" stands for one or more labels: the origin must be longer than what stands around it.
bool matches(std::string_view pattern, std::string_view origin) {
  const size_t star = pattern.find("://*.");
  if (star == std::string_view::npos) return pattern == origin;
  const std::string_view scheme = pattern.substr(0, star + 3);
  const std::string_view below = pattern.substr(star + 4);  // ".example.com[:port]"
  if (!origin.starts_with(scheme) || !origin.ends_with(below)) return false;
  return origin.size() > scheme.size() + below.size();
}

bool opens_websocket(const Request& request) { return header_has_token(request.headers, "Upgrade", "websocket"); }

// Only browsers send these (script tags), and a script tag carries no Origin: the page may be anyone's.
bool is_for_pages_alone(std::string_view target) {
  return target.starts_with("/.lp?") || target.find("callback=") != std::string_view::npos;
}

}  // namespace

bool is_program_socket(const Request& request) {
  return opens_websocket(request) && request.header("User-Agent").value_or("").starts_with("Firebase/");
}

std::string origin_of(const Request& request) {
  if (is_program_socket(request)) return {};
  if (const auto field = request.header("Origin"); field && !field->empty()) {
    std::string origin = origin_in(*field);
    return origin.empty() ? std::string(kHidden) : origin;
  }
  if (const auto field = request.header("Referer"); field && !field->empty()) {
    std::string origin = origin_in(*field);
    return origin.empty() ? std::string(kHidden) : origin;
  }
  // "none": typed by a person, or from a bookmark.
  const auto site = request.header("Sec-Fetch-Site");
  return site && *site != "same-origin" && *site != "none" ? std::string(kHidden) : std::string();
}

bool is_local_origin(std::string_view origin) {
  if (origin.empty()) return true;
  const std::string_view host = host_in(origin);
  if (host == "[::1]" || host == "localhost" || host.ends_with(".localhost")) return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

namespace {

std::string lower(std::string_view text) {
  std::string to(text);
  std::transform(to.begin(), to.end(), to.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return to;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
         });
}

// "name" of "name:9000", "[::1]" of "[::1]:9000". Nothing when what stands behind the colon is no number.
std::optional<std::string_view> without_port(std::string_view host) {
  const size_t end = host.starts_with('[') ? host.find(']') + 1 : std::min(host.find(':'), host.size());
  if (end == 0) return std::nullopt;
  const std::string_view port = host.substr(end);
  if (!port.empty() && (port.front() != ':' || port.find_first_not_of("0123456789", 1) != std::string_view::npos))
    return std::nullopt;
  return host.substr(0, end);
}

}  // namespace

db::Result<HostNames> HostNames::parse(const std::vector<std::string>& names) {
  HostNames hosts;
  for (const std::string& text : names) {
    std::string name = lower(text);
    if (name.ends_with('.')) name.pop_back();
    const bool is_wide = name.starts_with("*.");
    if (is_wide) name.erase(0, 1);
    if (!is_name(std::string_view(name).substr(is_wide ? 1 : 0))) {
      return db::Error{
          db::ErrorCode::InvalidArgument,
          fmt::format("{} is no name of a host: write NAME, without a port, or *.NAME for all below it", text)};
    }
    hosts.names_.push_back(std::move(name));
  }
  return hosts;
}

bool HostNames::has(std::string_view host) const {
  const auto bare = without_port(host);
  if (!bare) return false;
  if (bare->starts_with('[')) {
    const std::string_view address = bare->substr(1, bare->size() - 2);
    return address.find(':') != std::string_view::npos &&
           IpAddress::parse(address.substr(0, address.find('%'))).has_value();
  }
  std::string name = lower(*bare);
  if (name.ends_with('.')) name.pop_back();
  if (!is_name(name)) return false;
  return name == "localhost" || name.ends_with(".localhost") || IpAddress::parse(name) || lists(name);
}

bool HostNames::lists(std::string_view name) const {
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& one) {
    return one.starts_with('.') ? name.ends_with(one) && name.size() > one.size() : name == one;
  });
}

bool HostNames::list_page_of(const Request& request) const {
  if (!opens_websocket(request)) return false;
  const std::string origin = origin_of(request);
  std::string_view host = host_in(origin);
  if (host.ends_with('.')) host.remove_suffix(1);
  return lists(host);
}

bool HostNames::are_of(const Request& request) const {
  const auto host = request.header("Host");
  if (!host || !has(*host)) return false;
  if (!request.target_host.empty() && !has(request.target_host)) return false;
  return request.host() == *host || has(request.host());
}

Whence whence_of(const Request& request) {
  if (is_program_socket(request)) return Whence::Here;  // a site's name means nothing to a program
  if (!is_local_origin(origin_of(request)) && !request.page_is_listed) return Whence::OtherPage;
  return request.host_is_here ? Whence::Here : Whence::OtherHost;
}

db::Result<OriginList> OriginList::parse(const std::vector<std::string>& texts) {
  OriginList list;
  for (const std::string& text : texts) {
    std::string origin = origin_in(text);
    const std::string_view host = host_in(origin);
    const bool stars = host.find('*', host.starts_with("*.") ? 1 : 0) != std::string_view::npos;
    if (origin.empty() || host.empty() || stars ||
        text.find_first_of("/?#", text.find("://") + 3) != std::string::npos) {
      return db::Error{
          db::ErrorCode::InvalidArgument,
          fmt::format(
              "{} is no origin: write SCHEME://HOST[:PORT], as https://app.example.com or https://*.example.com",
              text)};
    }
    list.origins_.push_back(std::move(origin));
  }
  return list;
}

// An empty list allows all. Else the page must be on it, or be served by this very server (its origin is our Host).
bool OriginList::allows(const Request& request, Own own) const {
  if (origins_.empty()) return true;
  const std::string origin = origin_of(request);
  if (origin.empty()) return !is_for_pages_alone(request.target) || request.header("Sec-Fetch-Site").has_value();
  if (std::any_of(origins_.begin(), origins_.end(), [&](const std::string& one) { return matches(one, origin); }))
    return true;
  if (own == Own::Here && !request.host_is_here) return false;
  const std::string host(request.host());
  return !host.empty() && (origin == origin_in("http://" + host) || origin == origin_in("https://" + host));
}

}  // namespace hearth::net::http
