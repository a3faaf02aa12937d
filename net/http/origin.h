// Which pages may use this server, as browsers tell where a request comes from. Pure.
//
//   Origin           fetch, EventSource, WebSocket, forms
//   Referer          scripts (JSONP, long polling), images, frames: begins with the page's origin, unless it asks for none
//   Sec-Fetch-Site   all of them, to servers that speak TLS or are this machine: whether the page is another's
//
// Programs that are no browser send none of them, and are not asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "net/http/request.h"

namespace hearth::net::http {

// Whether `request` opens a WebSocket for a program and not for a page. An SDK's User-Agent says so, as
// "Firebase/5/9.10.0/17.0.15/AdminJava": no page can set the User-Agent of a WebSocket. Such a program may send an
// Origin all the same; the one of firebase-admin-java sends the server's own.
bool is_program_socket(const Request& request);

// The page's origin: "https://app.example.com", without a port that is the scheme's own; "null" of one that has none or
// hides it, as a file, a sandboxed frame or a page with `no-referrer`; "" when no page is behind the request.
std::string origin_of(const Request& request);

// Whether `origin` is that of a page of this machine (localhost or a loopback address), or there is no page at all.
bool is_local_origin(std::string_view origin);

// The names of this machine, by which a request's Host may call it. A site can make its own name mean this machine
// (DNS rebinding). Its page then asks its own origin, but under that name. IP addresses are allowed, since no site
// can own one as a name; so are `localhost` and names below it, which browsers do not look up.
class HostNames {
 public:
  HostNames() = default;
  // More names of this machine: "hearth", "db.test", or "*.test" for all below it. Errors: InvalidArgument.
  static db::Result<HostNames> parse(const std::vector<std::string>& names);

  // Whether the Host names this machine, and the request's target too if it is a whole URL, and a trusted proxy's
  // X-Forwarded-Host if there is one. No Host names nothing.
  bool are_of(const Request& request) const;
  // "localhost:9000", "[::1]", "Hearth.": with a port, in any case, with a dot at its end, or without.
  bool has(std::string_view host) const;
  // Whether a page of one of the given names opens a WebSocket. A page of an IP address does not count: it may be of
  // any machine.
  bool list_page_of(const Request& request) const;

 private:
  bool lists(std::string_view name) const;

  std::vector<std::string> names_;  // in lower case; "*.test" as ".test"
};

// Whether this machine asks itself, as far as browsers tell. Features that are for this machine only ask that first.
enum class Whence : uint8_t {
  Here,
  OtherPage,  // a page of another machine
  OtherHost,  // by a name that is not known to be this machine's (Request::host_is_here)
};
Whence whence_of(const Request& request);

class OriginList {
 public:
  // Each "SCHEME://HOST[:PORT]"; a HOST that begins with "*." stands for all below it. None: every origin is allowed.
  // Errors: InvalidArgument.
  static db::Result<OriginList> parse(const std::vector<std::string>& texts);

  // Whether the request's page is on the list, or is served by this server (with `own` Here: under a name of this
  // machine). A request that only pages make (`/.lp`, `callback=`) and that does not tell its page is not allowed.
  enum class Own : uint8_t { Anywhere, Here };
  bool allows(const Request& request, Own own = Own::Anywhere) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace hearth::net::http
