// Where webhooks may be sent is asked twice, as a name says little about the address behind it:
//
//   check(url)      before a hook is added, and before each of its messages: are host and port on the operator's list?
//   may_connect(ip) for each address that the name resolves to, when it is connected to: private? else, https?
//
// The list is by names, because an administrator of a namespace names hosts. The address decides, because whoever owns
// a name can let it point at 127.0.0.1 or at a cloud's secrets, and change that between two look-ups.
//
// Names of the list and of URLs are both spelled by libcurl's parser (lower case, numbers as addresses, no dot at the
// end), so two ways to write the same host can't pass one another. A host without a port stands for the usual port of
// the scheme alone.
#include "net/webhooks/reach.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "net/outgoing/public_address.h"

namespace hearth::net::webhooks {
namespace {

using db::Error;
using db::ErrorCode;

constexpr uint16_t kHttp = 80, kHttps = 443;

Error no_host(std::string_view text) {
  return {ErrorCode::InvalidArgument,
          fmt::format("{}: a host is NAME or NAME:PORT, as hooks.example.com or [2001:db8::1]:8443", text)};
}

}  // namespace

db::Result<Reach> Reach::parse(const std::vector<std::string>& hosts, bool private_too) {
  Reach reach;
  reach.private_too_ = private_too;
  for (const std::string& text : hosts) {
    Host host;
    std::string_view rest = text;
    if (rest.starts_with('[')) {
      const size_t end = rest.find(']');
      if (end == rest.npos) return no_host(text);
      host.name = rest.substr(1, end - 1);
      rest.remove_prefix(end + 1);
    } else if (http::IpAddress::parse(rest)) {  // "::1", without brackets
      host.name = rest;
      rest = {};
    } else {
      const size_t end = std::min(rest.find(':'), rest.size());
      host.name = rest.substr(0, end);
      rest.remove_prefix(end);
    }
    if (!rest.empty()) {
      uint16_t port = 0;
      const char* end = rest.data() + rest.size();
      const auto [last, error] = std::from_chars(rest.data() + 1, end, port);
      if (rest.front() != ':' || error != std::errc() || last != end || port == 0) return no_host(text);
      host.port = port;
    }
    // As libcurl writes it, so that both are one.
    const bool is_six = host.name.find(':') != std::string::npos;
    const auto url = http::parse_url("https://" + (is_six ? "[" + host.name + "]" : host.name) + "/");
    if (!url.ok() || host.name.find_first_of("/@?#") != std::string::npos) return no_host(text);
    host.name = url.value().host;
    reach.hosts_.push_back(std::move(host));
  }
  return reach;
}

db::Result<void> Reach::check(const std::string& text) const {
  ASSIGN_OR_RETURN(const http::UrlParts url, http::parse_url(text));
  const bool is_six = url.host.find(':') != std::string::npos;
  const bool is_usual = url.port == (url.is_secure ? kHttps : kHttp);
  const bool is_listed = std::any_of(hosts_.begin(), hosts_.end(), [&](const Host& host) {
    return host.name == url.host && (host.port ? *host.port == url.port : is_usual);
  });
  if (!is_listed) {
    const std::string host = is_six ? "[" + url.host + "]" : url.host;
    return Error{ErrorCode::PermissionDenied,
                 fmt::format("This server sends no webhooks to {}{}: its operator allows it with "
                             "`hearth serve --webhook-host {}{}`.",
                             host, is_usual ? "" : fmt::format(":{}", url.port), host,
                             is_usual ? "" : fmt::format(":{}", url.port))};
  }
  if (!url.is_secure && !private_too_) {
    return Error{ErrorCode::PermissionDenied,
                 "A webhook needs https://. Only to private addresses http:// is enough, and those are allowed with "
                 "`hearth serve --webhook-private`."};
  }
  return {};
}

db::Result<void> Reach::may_connect(const http::IpAddress& address, bool is_secure) const {
  if (!http::is_public(address)) {
    if (private_too_) return {};
    return Error{ErrorCode::PermissionDenied,
                 fmt::format("{} is a private address; the operator allows those with `hearth serve --webhook-private`",
                             address.text())};
  }
  if (is_secure) return {};
  return Error{ErrorCode::PermissionDenied,
               fmt::format("{} is no private address, and is not sent to without https", address.text())};
}

}  // namespace hearth::net::webhooks
