// Which pages may use this server, as browsers tell where a request comes from. Pure.
//
//   Origin           fetch, EventSource, WebSocket, forms
//   Referer          scripts (JSONP, long polling), images, frames: begins with the page's origin, unless it asks for none
//   Sec-Fetch-Site   all of them, to servers that speak TLS or are this machine: whether the page is another's
//
// Programs that are no browser send none of them, and are not asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "net/http/request.h"

namespace hearth::net::http {

// The page's origin: "https://app.example.com", without a port that is the scheme's own; "null" of one that has none or
// hides it, as a file, a sandboxed frame or a page with `no-referrer`; "" when no page is behind the request.
std::string origin_of(const Request& request);

// Whether that is of a page of this machine: localhost or a loopback address; or no page at all.
bool is_local_origin(std::string_view origin);

class OriginList {
 public:
  // Each "SCHEME://HOST[:PORT]"; a HOST that begins with "*." stands for all below it. None: every origin is allowed.
  // Errors: InvalidArgument.
  static db::Result<OriginList> parse(const std::vector<std::string>& texts);

  // Whether its page is on the list, or is the server's own. A request that only a page makes (`/.lp`, `callback=`) and that
  // does not say which is not allowed either.
  bool allows(const Request& request) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace hearth::net::http
