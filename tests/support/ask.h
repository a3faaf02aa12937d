// A REST request as a test writes it. A value.
#pragma once

#include <string>
#include <string_view>

namespace hearth::test {

struct Ask {
  std::string method = "GET";
  std::string target = "/.json";
  std::string headers = "";  // each with its CRLF
  std::string body = "";
};

inline std::string text_of(const Ask& ask, std::string_view host = "localhost") {
  std::string text = ask.method + " " + ask.target + " HTTP/1.1\r\nHost: ";
  text.append(host).append("\r\n").append(ask.headers);
  if (ask.method != "GET" && ask.method != "HEAD" && ask.method != "OPTIONS") {
    text += "Content-Length: " + std::to_string(ask.body.size()) + "\r\n";
  }
  return text.append("\r\n").append(ask.body);
}

}  // namespace hearth::test
