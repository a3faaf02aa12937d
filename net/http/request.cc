// Words of a request and an answer that several files need: header look-ups, the bearer token, the error body, reason
// phrases.
//
// Headers are a list and no map: a request has some ten of them, and their order is the order in which they were sent,
// which X-Forwarded-For needs (forwarded.cc).
#include "net/http/request.h"

#include "db/model/json.h"

namespace hearth::net::http {

std::optional<std::string_view> find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return {};
}

bool header_has_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [key, value] : headers) {
    if (!equals_ignoring_case(key, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      if (equals_ignoring_case(take_item(rest, ','), token)) return true;
    }
  }
  return false;
}

std::optional<std::string_view> bearer_token(const Headers& headers) {
  constexpr std::string_view kScheme = "Bearer ";
  auto field = find_header(headers, "Authorization");
  if (!field || field->size() <= kScheme.size()) return {};
  if (!equals_ignoring_case(field->substr(0, kScheme.size()), kScheme)) return {};
  field->remove_prefix(kScheme.size());
  while (field->starts_with(' ')) field->remove_prefix(1);
  if (field->empty()) return {};
  return field;
}

// The layout is the service's (net/rest/http-api.md §9). A page of any origin may read why it was refused.
Response error_response(int status, std::string_view message) {
  Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  response.headers.emplace_back("Cache-Control", "no-cache");
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  response.body = "{\n  \"error\" : ";
  db::append_json_string_of_any(message, response.body);
  response.body += "\n}\n";
  return response;
}

// Clients read the number. The phrases are for people who read a trace.
std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

}  // namespace hearth::net::http
