// What a browser sees at "/": what this is, and three commands that work here. Anybody may see it, so it says nothing
// that must be hidden; namespaces are listed for admins, or in development for this machine. Only requests that
// accept HTML get it: to clients of the REST API "/" is no endpoint.
//
// The Host header becomes part of commands that people copy into a shell. host_in_commands() lets through only
// characters that mean nothing to shells and HTML. The page has no scripts, and its headers forbid any.
#include "net/admin/front_page.h"

#include <algorithm>
#include <string_view>

#include "net/admin/metrics_page.h"

namespace hearth::net::admin {

namespace {

http::Response reply_of(std::string body) {
  http::Response reply;
  reply.headers = {
      {"Content-Type", "text/html; charset=utf-8"},
      {"Cache-Control", "no-store"},
      {"Vary", "Accept"},
      {"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Referrer-Policy", "no-referrer"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"}};
  reply.body = std::move(body);
  return reply;
}

}  // namespace

std::string host_in_commands(const http::Request& request) {
  const std::string_view host = request.host();
  const bool is_plain = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == ':' || c == '[' || c == ']';
  });
  return is_plain ? std::string(host) : "127.0.0.1:9000";
}

std::string FrontPage::html(const http::Request& request, bool shows_names) const {
  const std::string url = (request.is_secure ? "https://" : "http://") + host_in_commands(request);
  const bool is_dev = guard_.dev();
  const bool needs_name = !guard_.resolve("").ok();
  const std::string credential = is_dev ? "" : "-H \"Authorization: Bearer $TOKEN\" ";
  const std::string space = needs_name ? "?ns=NAMESPACE" : "";
  std::string to =
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n"
      "<title>Hearth</title>\n<h1>Hearth</h1>\n"
      "<p>This is a realtime JSON database. It speaks the protocols of the Firebase Realtime Database: its SDKs, and "
      "anything that "
      "can do HTTP, are its clients. In a terminal:</p>\n<pre>\n";
  const auto command = [&](std::string_view options, std::string_view path, std::string_view parameters) {
    std::string query = space;
    if (!parameters.empty()) query.append(query.empty() ? "?" : "&amp;").append(parameters);
    to.append("curl ")
        .append(options)
        .append(credential)
        .append("'")
        .append(url)
        .append(path)
        .append(query)
        .append("'\n");
  };
  command("-X PUT -d '{\"name\":\"Ada\"}' ", "/people/ada.json", "");
  command("", "/people.json", "print=pretty");
  command("-N -H 'Accept: text/event-stream' ", "/people.json", "");
  to += "</pre>\n";
  if (has_console_) to += "<p>Or look at it in the <a href=\"/.console\">console</a>.</p>\n";
  if (!is_dev) {
    to +=
        "<p><code>TOKEN</code> is a user's token, or the admin secret, which is in the file <code>admin-secret</code> "
        "of the data "
        "folder. What users may read and write the rules say; without rules, nothing.</p>\n";
  }
  to +=
      "<p>An app for Firebase finds it by <code>connectDatabaseEmulator(database, host, port)</code> or by its "
      "<code>databaseURL</code>. <code>hearth help</code> lists the chapters of the manual.</p>\n";
  if (shows_names) {
    const auto names = guard_.namespaces(rules::Auth::admin());
    const size_t count = names.ok() ? names.value().size() : 0;
    to += count == 0 ? "<p>There are no namespaces yet.</p>\n" : "<h2>Namespaces</h2>\n<ul>\n";
    for (size_t i = 0; i < std::min(count, kNamesShownMax); ++i) {  // names need no escaping: letters, digits, - and _
      to.append("<li>").append(names.value()[i]).append("\n");
    }
    if (count > 0) to += "</ul>\n";
    if (count > kNamesShownMax) to += "<p>And " + std::to_string(count - kNamesShownMax) + " more.</p>\n";
  }
  return to + "</html>\n";
}

bool FrontPage::accept(const std::shared_ptr<http::Exchange>& exchange) const {
  const http::Request& request = exchange->request();
  if (!is_for(request, "/") || (request.method != "GET" && request.method != "HEAD")) return false;
  if (request.header("Accept").value_or("").find("text/html") == std::string_view::npos) return false;
  const bool shows_names = is_for_admin(request, guard_, verifier_);
  workers_.run([this, exchange, shows_names] { exchange->respond(reply_of(html(exchange->request(), shows_names))); });
  return true;
}

}  // namespace hearth::net::admin
