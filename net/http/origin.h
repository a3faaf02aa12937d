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

// Whether it opens a WebSocket for a program and no page: its User-Agent is an SDK's, "Firebase/5/9.10.0/17.0.15/AdminJava", and
// no page can set that of a WebSocket. Such a program may send an Origin all the same, as the stack of firebase-admin-java does:
// it is the server's own.
bool is_program_socket(const Request& request);

// The page's origin: "https://app.example.com", without a port that is the scheme's own; "null" of one that has none or
// hides it, as a file, a sandboxed frame or a page with `no-referrer`; "" when no page is behind the request.
std::string origin_of(const Request& request);

// Whether that is of a page of this machine: localhost or a loopback address; or no page at all.
bool is_local_origin(std::string_view origin);

// Which names are this machine's, when a request says by Host whom it asks. A page of any site can have its own name made to
// mean this machine (DNS rebinding), and what it then asks comes from no other origin; but it comes by that name. An IP
// address is nobody's name, and `localhost` and all below it browsers look up nowhere.
class HostNames {
 public:
  HostNames() = default;
  // And those: "hearth", "db.test", or "*.test" for all below it. Errors: InvalidArgument.
  static db::Result<HostNames> parse(const std::vector<std::string>& names);

  // Whether the Host names this machine, and the request's target too if it is a whole URL, and a trusted proxy's
  // X-Forwarded-Host if there is one. No Host names nothing.
  bool are_of(const Request& request) const;
  // "localhost:9000", "[::1]", "Hearth.": with a port, in any case, with a dot at its end, or without.
  bool has(std::string_view host) const;
  // Whether a WebSocket is opened by a page of one of the given names. An address does not do: a page may be of any machine.
  bool list_page_of(const Request& request) const;

 private:
  bool lists(std::string_view name) const;

  std::vector<std::string> names_;  // in lower case; "*.test" as ".test"
};

// Whether it is this machine that asks itself, as far as browsers tell: what is for this machine only asks that first.
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

  // Whether its page is on the list, or is the server's own; with `own` Here, by a name that is this machine's. A request that only a page makes (`/.lp`, `callback=`) and that
  // does not say which is not allowed either.
  enum class Own : uint8_t { Anywhere, Here };
  bool allows(const Request& request, Own own = Own::Anywhere) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace hearth::net::http
