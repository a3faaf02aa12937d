// A request as it came, and the answer to it. Values: nothing here knows a socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/io/bytes.h"
#include "net/io/field_value.h"

namespace hearth::net::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// The first header of that name, in any case.
std::optional<std::string_view> find_header(const Headers& headers, std::string_view name);

// Whether `token` is in a comma-separated list ("Connection: keep-alive, Upgrade"), in any case.
bool header_has_token(const Headers& headers, std::string_view name, std::string_view token);

// The token behind "Authorization: Bearer ", if there is one (RFC 6750 §2.1).
std::optional<std::string_view> bearer_token(const Headers& headers);

struct Request {
  std::string method;  // as sent: "GET"
  std::string target;  // as sent, not decoded: clients send raw quotes, braces, spaces and UTF-8. No control characters
  Headers headers;     // in the order sent; names as sent, values without the blanks around them
  std::string body;    // not compressed; its capacity is at least kBodyPaddingBytes above its size
  std::string peer;    // "127.0.0.1": the client; behind trusted proxies (forwarded.h) the one that they name
  bool peer_is_loopback = false;
  bool is_secure = false;           // the client speaks TLS, with us or with a trusted proxy
  bool is_forwarded = false;        // by a trusted proxy
  bool is_behind_stranger = false;  // by a proxy that is not trusted: X-Forwarded-For is there, `peer` is the proxy
  bool host_is_here = false;        // Host is a name of this machine (HostNames, origin.h)
  bool page_is_listed = false;      // it opens a WebSocket for a page of a name that HostNames lists
  bool is_http_1_0 = false;         // the client knows no chunks
  std::string
      relayed_by{};  // the node of the cluster that passed it on, which has proved to be one; "": a client's own
  std::string target_host{};  // the host of a target that was a whole URL, else ""
  uint64_t connection = 0;    // its number, unique in this process: for the log

  std::optional<std::string_view> header(std::string_view name) const { return find_header(headers, name); }
  // What the client calls this server, "chat.example.com:9000": Host, or a trusted proxy's X-Forwarded-Host. "": nothing.
  std::string_view host() const;
};

// Whether a response's body may be sent gzipped to those who accept it, when it is long enough to pay.
enum class Compression : unsigned char { IfAccepted, Never };

// How long a body that goes out in pieces may take: a time for all of it, as its source holds a snapshot; or as long as the
// client takes some of it now and then.
enum class Pace : unsigned char { WholeInTime, UntilStalled };

// The connection adds Content-Length or Transfer-Encoding, Connection and Content-Encoding; a HEAD is sent without the
// body. The body is `body` followed by `shared_body`.
struct Response {
  int status = 200;
  Headers headers{};
  std::string body{};
  std::vector<SharedBytes> shared_body{};
  Compression compression = Compression::IfAccepted;
  Pace pace = Pace::WholeInTime;
};

// `{ "error" : "<message>" }` in the service's layout (net/rest/http-api.md §9).
Response error_response(int status, std::string_view message);

// "Not Found"; "" for a status that has no name.
std::string_view reason_phrase(int status);

}  // namespace hearth::net::http
