// A target taken apart. It is cut at "/", "&" and "=" first and decoded afterwards, so that an escaped slash stays
// part of a key. "+" is a blank in the query and itself in the path. Of equal names the first counts, and all are
// kept.
#include "net/http/target.h"

#include <algorithm>

namespace hearth::net::http {
namespace {

enum class Plus : unsigned char { Plus, Blank };

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::Blank) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return {};
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

// Returns what stands before `separator`, and cuts it off `rest` together with the separator.
std::string_view cut(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return piece;
}

// RFC 9112 §3.2.2: a server must take the absolute form too.
std::string_view without_origin(std::string_view text) {
  if (text.starts_with('/')) return text;
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || text.find_first_of("/?") != scheme + 1) return text;
  text.remove_prefix(scheme + 3);
  text.remove_prefix(std::min(text.find_first_of("/?"), text.size()));
  return text;
}

}  // namespace

std::optional<std::string_view> Target::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

db::Result<Target> parse_target(std::string_view text) {
  std::string_view query = without_origin(text);
  std::string_view path = cut(query, '?');
  Target target;
  while (!path.empty()) {
    const std::string_view segment = cut(path, '/');
    if (segment.empty()) continue;
    auto plain = decoded(segment, Plus::Plus);
    if (!plain) return db::Error{db::ErrorCode::InvalidPath, "Invalid path: Invalid token in path"};
    target.segments.push_back(std::move(*plain));
  }
  while (!query.empty()) {
    std::string_view value = cut(query, '&');
    if (value.empty()) continue;
    const std::string_view name = cut(value, '=');
    auto plain_name = decoded(name, Plus::Blank);
    auto plain_value = decoded(value, Plus::Blank);
    if (!plain_name || !plain_value) {
      return db::Error{db::ErrorCode::InvalidArgument, "The query string contains an invalid percent escape."};
    }
    target.parameters.emplace_back(std::move(*plain_name), std::move(*plain_value));
  }
  return target;
}

}  // namespace hearth::net::http
