// The head of an answer. Date comes first, then the handler's fields, then what the connection decides: coding,
// framing, whether it stays open. A handler can set none of the last three, so a body always ends where its head
// says.
#include "net/http/response_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace hearth::net::http {
namespace {

// Leaves out control characters. A value with a line break in it would become several fields.
void append_field_text(std::string& to, std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 || c == '\t') to += c;
  }
}

// IMF-fixdate (RFC 9110 §5.6.7), made once a second for each thread. Not by strftime(), whose names of days and
// months depend on the locale.
std::string_view date_now() {
  static thread_local std::time_t made_at = 0;
  static thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&now, &utc);
    text = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[utc.tm_wday], utc.tm_mday, kMonths[utc.tm_mon],
                       utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    made_at = now;
  }
  return text;
}

}  // namespace

std::string response_head(int status, const Headers& headers, const HeadOptions& options) {
  std::string head;
  head.reserve(256);
  head += "HTTP/1.1 ";
  head += std::to_string(status);
  head += ' ';
  head += reason_phrase(status);
  head += "\r\nDate: ";
  head += date_now();
  head += "\r\n";
  for (const auto& [name, value] : headers) {
    append_field_text(head, name);
    head += ": ";
    append_field_text(head, value);
    head += "\r\n";
  }
  if (options.is_gzipped) head += "Content-Encoding: gzip\r\n";
  switch (options.framing) {
    case Framing::Length:
      head += "Content-Length: ";
      head += std::to_string(options.content_length);
      head += "\r\n";
      break;
    case Framing::Chunked:
      head += "Transfer-Encoding: chunked\r\n";
      break;
    case Framing::UntilClose:
    case Framing::None:
      break;
  }
  head += options.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

std::string chunk_head(size_t bytes) { return fmt::format("{:x}\r\n", bytes); }
std::string small_chunk(std::string_view bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

}  // namespace hearth::net::http
