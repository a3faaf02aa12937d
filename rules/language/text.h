// The text of a rules document: JSON with comments, one trailing comma, and raw line breaks and tabs in strings
// (rules/language.md §1). Parsed to nodes that know where they stand. Pure.
//
// Errors are InvalidData with the text "LINE:COLUMN: what\n", both counted from 1, columns in characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"

namespace hearth::rules {

inline constexpr size_t kTextDepthMax = 128;  // brackets; paths end at 32

// Where something stands in a text: bytes before it.
using Offset = uint32_t;

struct TextMember;

struct TextNode {
  enum class Kind : uint8_t { Null, Boolean, Number, String, Array, Object };
  Kind kind = Kind::Null;
  Offset at = 0;
  bool boolean = false;
  std::string text{};             // String: what it says; Number: as written
  std::vector<Offset> origins{};  // String: where each byte of `text` comes from, and the closing quote
  std::vector<TextNode> elements{};
  std::vector<TextMember> members;  // in order; keys may repeat (no {}: Clang 14 wants the type complete for it)
};

struct TextMember {
  std::string key;
  Offset at = 0;  // of the key's quote
  TextNode value{};
};

void append_utf8(uint32_t point, std::string& to);  // precondition: a code point

// "LINE:COLUMN" of a place in `text`.
std::string line_and_column(std::string_view text, Offset at);
// "LINE:COLUMN: what\n", the form of every error.
std::string error_line(std::string_view text, Offset at, std::string_view what);

db::Result<TextNode> parse_text(std::string_view text);

// The same document as JSON that any parser takes: compact, without comments and trailing commas, raw breaks escaped.
db::Result<std::string> strict_json(std::string_view text);

}  // namespace hearth::rules
