// Who asks, behind proxies.
//
//   X-Forwarded-For: 1.2.3.4, 203.0.113.9, 10.0.0.7        the connection comes from 10.0.0.1, a trusted proxy
//                    ▲        ▲            ▲
//                    │        │            └ named by 10.0.0.1: trusted too, so it is believed
//                    │        └ named by 10.0.0.7: not trusted: this is the client
//                    └ named by the client itself: anything may stand here
//
// Hence from right to left, and no further than the first hop that is not trusted. Several fields of that name are
// one list, the last field being the rightmost part.
//
// peer_is_loopback opens doors (`--dev`, the front page), so every doubt closes them: a proxy that names nobody, a
// hop that is no address, headers of a proxy that nobody told us of. A tunnel to localhost looks local in every other
// way.
#include "net/http/forwarded.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "net/io/field_value.h"

namespace hearth::net::http {
namespace {

std::string_view first_of_list(std::string_view list) { return trimmed(list.substr(0, list.find(','))); }

// "203.0.113.9", and with a port: "203.0.113.9:1234", "[2001:db8::1]:1234".
std::optional<IpAddress> parse_hop(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    return end == text.npos ? std::nullopt : IpAddress::parse(text.substr(1, end - 1));
  }
  const size_t colon = text.find(':');
  if (colon != text.npos && text.find(':', colon + 1) == text.npos) text = text.substr(0, colon);
  return IpAddress::parse(text);
}

// A reverse proxy on this machine that was not declared as trusted: its clients come from 127.0.0.1, and are
// strangers.
bool says_proxy(const Headers& headers) {
  return std::any_of(headers.begin(), headers.end(), [](const auto& header) {
    const std::string_view name = header.first;
    return equals_ignoring_case(name.substr(0, 12), "X-Forwarded-") || equals_ignoring_case(name, "Forwarded") ||
           equals_ignoring_case(name, "X-Real-IP") || equals_ignoring_case(name, "Via");
  });
}

}  // namespace

void set_origin(Request& request, const Peer& peer, const IpNetworks& trusted) {
  request.peer = peer.text();
  request.peer_is_loopback = peer.is_loopback;
  request.is_forwarded = peer.is_trusted;
  if (!peer.is_trusted) {
    request.is_behind_stranger = request.header("X-Forwarded-For").has_value();
    if (peer.is_loopback && says_proxy(request.headers)) request.peer_is_loopback = false;
    return;
  }
  bool is_named = false;
  bool is_proxy = true;  // the hop that we have come to
  for (size_t i = request.headers.size(); i-- > 0 && is_proxy;) {
    if (!equals_ignoring_case(request.headers[i].first, "X-Forwarded-For")) continue;
    std::string_view list = request.headers[i].second;
    while (is_proxy && !list.empty()) {
      const size_t comma = list.rfind(',');
      const std::string_view text = trimmed(comma == list.npos ? list : list.substr(comma + 1));
      list = comma == list.npos ? std::string_view() : list.substr(0, comma);
      if (text.empty()) continue;
      const auto hop = parse_hop(text);
      if (!hop) {  // "unknown", or what someone made up: nobody we know
        request.peer_is_loopback = false;
        return;
      }
      is_named = true;
      is_proxy = contains(trusted, *hop);
      request.peer = hop->text();
      request.peer_is_loopback = request.peer_is_loopback && hop->is_loopback();
    }
  }
  if (!is_named) request.peer_is_loopback = false;
  const auto scheme = request.header("X-Forwarded-Proto");
  if (scheme) request.is_secure = equals_ignoring_case(first_of_list(*scheme), "https");
}

std::string relayed_text(const Request& request, std::string_view node) {
  std::string text(node);
  if (!request.peer_is_loopback) text += ";far";
  if (request.is_behind_stranger) text += ";stranger";
  return text;
}

void set_relayed(Request& request) {
  std::string_view rest = request.header(kRelayedField).value_or("");
  request.relayed_by = take_item(rest, ';');
  while (!rest.empty()) {
    const std::string_view word = take_item(rest, ';');
    if (word == "far") request.peer_is_loopback = false;
    if (word == "stranger") request.is_behind_stranger = true;
  }
}

std::string_view Request::host() const {
  if (is_forwarded) {
    const std::string_view forwarded = first_of_list(header("X-Forwarded-Host").value_or(""));
    if (!forwarded.empty()) return forwarded;
  }
  return header("Host").value_or("");
}

}  // namespace hearth::net::http
