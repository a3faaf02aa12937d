// The headers are as strict as the page can bear: scripts and styles of this server's files alone, nothing inline, no
// frames around it, and nobody hears where it was.
//
// Who may see it. The console's files hold nothing secret, so anybody gets them; what they show they ask of the admin
// API. In development that API asks this machine for no credential. Then a web site could point its own name at
// 127.0.0.1 and have its page read everything as "this server" (DNS rebinding). So with --dev the console is shown
// under IP addresses and localhost, and under names that --dev-host gives, and under no others.
//
// index.html is asked for again each time, by its tag; all other files may be kept by browsers for a year, since a
// build that changes one gives it another name. Files are held compressed, as nearly every client takes gzip; a worker
// inflates them for one that does not.
#include "net/admin/console.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "db/model/json.h"
#include "db/model/namespace_name.h"
#include "net/http/gzip.h"
#include "net/http/target.h"

namespace hearth::net::admin {
namespace {

constexpr std::string_view kFolder = "/.console";
constexpr std::string_view kSpaceStart = "/ns/";
constexpr std::string_view kIndex = "index.html";
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "text/html; charset=utf-8";
}

http::Headers strict_headers(std::string_view type, std::string_view keep) {
  return {{"Content-Type", std::string(type)},
          {"Cache-Control", std::string(keep)},
          {"Content-Security-Policy", std::string(kPolicy)},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Referrer-Policy", "no-referrer"},
          {"X-Content-Type-Options", "nosniff"},
          {"X-Frame-Options", "DENY"}};
}

// `shown`: the namespace that the page is of; "": the default one.
std::string about(const rules::Guard& guard, const std::string& shown) {
  const auto space = shown.empty() ? guard.resolve("") : db::Result<std::string>(shown);
  std::string text = R"({"version":)";
  db::append_json_string(HEARTH_VERSION, text);
  text += guard.dev() ? R"(,"dev":true,"namespace":)" : R"(,"dev":false,"namespace":)";
  db::append_json_string(space.ok() ? space.value() : "", text);
  return text + "}";
}

}  // namespace

bool Console::accept(const std::shared_ptr<http::Exchange>& exchange) const {
  const http::Request& request = exchange->request();
  std::string_view name(request.target);
  name = name.substr(0, name.find('?'));
  if (!is_there()) return false;
  std::optional<std::string_view> space;  // as it stands in the target
  if (name.starts_with(kSpaceStart)) {
    const size_t end = name.find('/', kSpaceStart.size());
    if (end == std::string_view::npos) return false;
    space = name.substr(kSpaceStart.size(), end - kSpaceStart.size());
    name.remove_prefix(end);
  }
  if (!name.starts_with(kFolder)) return false;
  name.remove_prefix(kFolder.size());
  if (!name.empty() && name.front() != '/') return false;
  if (!name.empty()) name.remove_prefix(1);
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response reply = http::error_response(405, "Method not allowed here.");
    reply.headers.emplace_back("Allow", "GET, HEAD");
    exchange->respond(std::move(reply));
    return true;
  }
  if (guard_.dev() && !request.host_is_here) {
    exchange->respond(http::error_response(
        403,
        "With --dev the console is shown under an IP address or localhost alone, as any other name may be a web "
        "site's: if it is this server's, start it with --dev-host NAME (or HEARTH_DEV_HOST)."));
    return true;
  }
  // The page reads from its address which namespace that is; its other files stand where they always do.
  if (space && !name.empty() && name != "about.json") {
    exchange->respond(http::error_response(404, "There is no such file of the console."));
    return true;
  }
  if (name == "about.json") {
    std::string shown(space.value_or(""));
    if (space) {
      const auto target = http::parse_target(request.target);
      const bool is_read = target.ok() && target.value().segments.size() > 1;
      const auto known = db::check_namespace_name(is_read ? target.value().segments[1] : shown);
      if (!known.ok()) {
        exchange->respond(
            http::error_response(404, "There can be no namespace of this name: " + known.error().message));
        return true;
      }
      shown = known.value();
    }
    http::Response reply;
    reply.headers = strict_headers("application/json; charset=utf-8", "no-store");
    reply.body = about(guard_, shown);
    exchange->respond(std::move(reply));
    return true;
  }
  if (name.empty()) name = kIndex;
  const auto file = std::find_if(files_->begin(), files_->end(), [&](const auto& one) { return one.name == name; });
  if (file == files_->end()) {
    exchange->respond(http::error_response(404, "There is no such file of the console."));
    return true;
  }
  send(exchange, *file);
  return true;
}

void Console::send(const std::shared_ptr<http::Exchange>& exchange, const ConsoleFile& file) const {
  const http::Request& request = exchange->request();
  const bool is_index = file.name == kIndex;
  const std::string tag = '"' + std::string(file.tag) + '"';
  http::Response reply;
  reply.headers = strict_headers(type_of(file.name), is_index ? "no-cache" : "public, max-age=31536000, immutable");
  reply.headers.emplace_back("ETag", tag);
  reply.headers.emplace_back("Vary", "Accept-Encoding");
  reply.compression = http::Compression::Never;
  if (request.header("If-None-Match").value_or("").find(tag) != std::string_view::npos) {
    reply.status = 304;
    return exchange->respond(std::move(reply));
  }
  if (http::accepts_gzip(request.header("Accept-Encoding").value_or(""))) {
    reply.headers.emplace_back("Content-Encoding", "gzip");
    reply.body = file.gzipped;
    return exchange->respond(std::move(reply));
  }
  workers_.run([exchange, file, reply = std::move(reply)]() mutable {  // no browser
    auto body = http::inflate_body(file.gzipped, "gzip", file.bytes);
    if (!body.ok()) return exchange->respond(http::error_response(500, body.error().message));
    reply.body = std::move(body).value();
    exchange->respond(std::move(reply));
  });
}

}  // namespace hearth::net::admin
