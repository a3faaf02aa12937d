// Answers to polls are scripts. JSON within a script must not end it ("</") nor a line of it (U+2028 and U+2029,
// which are line ends in JavaScript of before 2019); script_text() escapes those, and they can only stand in strings.
// The start's functions run in a hidden frame and pass on to the window that made it. No answer may be kept by a
// cache.
#include "net/wire/poll_text.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace hearth::net::wire {

namespace {

http::Response reply(std::string_view type, std::string body) {
  http::Response response;
  response.headers = {{"Content-Type", std::string(type)},
                      {"Cache-Control", "no-store"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Access-Control-Allow-Origin", "*"}};
  response.body = std::move(body);
  return response;
}

}  // namespace

std::string script_text(std::string json) {
  static constexpr std::string_view kLineSeparators = "\xe2\x80";  // U+2028 and U+2029 begin so
  if (json.find("</") == std::string::npos && json.find(kLineSeparators) == std::string::npos) return json;
  std::string to;
  to.reserve(json.size() + 64);
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '<' && i + 1 < json.size() && json[i + 1] == '/') {
      to += "<\\";
    } else if (json.compare(i, 3, "\xe2\x80\xa8") == 0 || json.compare(i, 3, "\xe2\x80\xa9") == 0) {
      to += json[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      to += json[i];
    }
  }
  return to;
}

db::SharedBytes script_bytes(const Outgoing& message, db::Counter* made) {
  if (made != nullptr && std::holds_alternative<Push>(message)) made->add();
  return std::make_shared<const std::string>(script_text(text_of(message)));
}

std::string start_script(std::string_view callback, std::string_view id, std::string_view password) {
  std::string to;
  for (const std::string_view name : {"pLPCommand", "pRTLPCB"}) {
    to +=
        fmt::format("function {0}(){{var f=parent.window['{0}{1}'];if(f)f.apply(null,arguments);}}\n", name, callback);
  }
  to += fmt::format("pLPCommand('start','{}','{}');\n", id, password);
  return to;
}

std::string data_script_start(uint64_t number) { return fmt::format("pRTLPCB({},[", number); }
std::string close_script() { return "pLPCommand('close');"; }
std::string close_script(uint64_t last_number) { return fmt::format("pLPCommand('close',{});", last_number); }

std::string leaving_page(std::string_view id, std::string_view password) {
  return fmt::format(
      "<!doctype html><title>leaving</title><script>\n"
      "var left=false;\n"
      "function leave(){{if(left)return;left=true;\n"
      "var to='/.lp?disconn=t&id={}&pw={}';\n"
      "if(!navigator.sendBeacon||!navigator.sendBeacon(to))fetch(to,{{method:'POST',keepalive:true}});}}\n"
      "addEventListener('pagehide',leave);addEventListener('unload',leave);\n"
      "</script>\n",
      id, password);
}

http::Response script_reply(std::string script) {
  return reply("application/javascript; charset=utf-8", std::move(script));
}
http::Response page_reply(std::string page) { return reply("text/html; charset=utf-8", std::move(page)); }

}  // namespace hearth::net::wire
