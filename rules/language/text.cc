// The document as a tree of nodes that remember where they stand. By hand, because simdjson takes no comments, raw
// line breaks or trailing commas, and does not say where each byte of a string comes from (`origins`): a mistake in a
// rule's expression is told by its line and column in the document, whatever escapes stand before it.
//
//   document   "say \"hi\" "            offsets  0 1 2 3 4 5 6 7 8 …        5 and 9 are backslashes
//   text        say "hi"                origins    1 2 3 4 5 7 8 9 …        an escaped byte has its backslash's
//
// With `strict` the same pass writes the document down as plain JSON.
#include "rules/language/text.h"

#include <algorithm>

#include "db/model/json.h"
#include "db/model/text_encoding.h"

namespace hearth::rules {
namespace {

using db::Error;
using db::ErrorCode;

class TextParser {
 public:
  // `strict`: takes down the document as plain JSON; may be null.
  TextParser(std::string_view text, std::string* strict) : text_(text), strict_(strict) {}

  db::Result<TextNode> document() {
    at_ = text_.size() - db::without_bom(text_).size();
    RETURN_IF_ERROR(skip());
    // The emulator's words for what is no JSON at all: the SDK's own tests ask for them.
    if (at_ < text_.size() && !begins_value()) return fail(at_, "Parse error.");
    ASSIGN_OR_RETURN(TextNode node, value(0));
    RETURN_IF_ERROR(skip());
    if (at_ < text_.size()) return unexpected();
    return node;
  }

 private:
  Error fail(size_t at, std::string_view what) const {
    return {ErrorCode::InvalidData, error_line(text_, static_cast<Offset>(at), what)};
  }
  Error unexpected() const {
    if (at_ >= text_.size()) return fail(at_, "Unexpected end of the document.");
    size_t end = at_ + 1;
    while (end < text_.size() && (text_[end] & 0xc0) == 0x80) ++end;
    return fail(at_, "Unexpected '" + std::string(text_.substr(at_, end - at_)) + "'.");
  }
  // Only the first character of a document is asked this way: everything later has a message of its own.
  bool begins_value() const {
    constexpr std::string_view kBegins = "{[\"-0123456789";
    if (kBegins.find(text_[at_]) != std::string_view::npos) return true;
    const std::string_view rest = text_.substr(at_);
    return rest.starts_with("true") || rest.starts_with("false") || rest.starts_with("null");
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void take_down(std::string_view json) {
    if (strict_ != nullptr) strict_->append(json);
  }

  // White space and comments.
  // Comments are no part of the plain JSON: nothing is taken down here.
  db::Result<void> skip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.substr(at_, 2) == "/*") {
        const size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return fail(at_, "Unterminated comment.");
        at_ = end + 2;
      } else {
        break;
      }
    }
    return {};
  }

  db::Result<TextNode> value(size_t depth) {
    RETURN_IF_ERROR(skip());
    TextNode node;
    node.at = static_cast<Offset>(at_);
    const char c = peek();
    if (c == '{' || c == '[') {
      // The parser is recursive, and the document comes from outside.
      if (depth == kTextDepthMax) return fail(at_, "The document is nested too deeply.");
      if (c == '{') {
        RETURN_IF_ERROR(object(node, depth));
      } else {
        RETURN_IF_ERROR(array(node, depth));
      }
      return node;
    }
    if (c == '"') {
      node.kind = TextNode::Kind::String;
      RETURN_IF_ERROR(string(node.text, &node.origins));
      return node;
    }
    if (c == '-' || (c >= '0' && c <= '9')) return number();
    // A word is recognised by its beginning: what follows it is judged by whoever expects the next thing.
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      take_down(word);
      node.kind = word == "null" ? TextNode::Kind::Null : TextNode::Kind::Boolean;
      node.boolean = word == "true";
      return node;
    }
    return unexpected();
  }

  db::Result<TextNode> number() {
    TextNode node;
    node.kind = TextNode::Kind::Number;
    node.at = static_cast<Offset>(at_);
    const size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
    node.text = text_.substr(at_, end - at_);
    // JSON's grammar of numbers is left to the JSON parser.
    if (!db::JsonDocument::parse(std::string_view(node.text)).ok()) return unexpected();
    at_ = end;
    take_down(node.text);
    return node;
  }

  // One trailing comma is allowed. Whether a comma is written down is decided only when another element follows it.
  db::Result<void> array(TextNode& node, size_t depth) {
    node.kind = TextNode::Kind::Array;
    take_down("[");
    ++at_;
    for (bool first = true;; first = false) {
      RETURN_IF_ERROR(skip());
      if (peek() == ']') break;
      if (!first) take_down(",");
      ASSIGN_OR_RETURN(TextNode element, value(depth + 1));
      node.elements.push_back(std::move(element));
      RETURN_IF_ERROR(skip());
      if (peek() == ']') break;
      if (peek() != ',') return unexpected();
      ++at_;
    }
    ++at_;
    take_down("]");
    return {};
  }

  db::Result<void> object(TextNode& node, size_t depth) {
    node.kind = TextNode::Kind::Object;
    take_down("{");
    ++at_;
    for (bool first = true;; first = false) {
      RETURN_IF_ERROR(skip());
      if (peek() == '}') break;
      if (peek() != '"') return first ? unexpected() : fail(at_, "Expected '\"'.");
      if (!first) take_down(",");
      TextMember member;
      member.at = static_cast<Offset>(at_);
      RETURN_IF_ERROR(string(member.key, nullptr));
      RETURN_IF_ERROR(skip());
      if (peek() != ':') return fail(at_, "Expected ':'.");
      ++at_;
      take_down(":");
      ASSIGN_OR_RETURN(member.value, value(depth + 1));
      node.members.push_back(std::move(member));
      RETURN_IF_ERROR(skip());
      if (peek() == '}') break;
      if (peek() != ',') return unexpected();
      ++at_;
    }
    ++at_;
    take_down("}");
    return {};
  }

  db::Result<void> string(std::string& to, std::vector<Offset>* origins) {
    const size_t begin = at_++;
    for (;;) {
      if (at_ >= text_.size()) return fail(begin, "Unterminated string.");
      const size_t from = at_;
      const char c = text_[at_];
      if (c == '"') break;
      if (c == '\\') {
        RETURN_IF_ERROR(escape(to));
      } else {
        const bool is_raw_break = c == '\n' || c == '\r' || c == '\t';
        if (static_cast<unsigned char>(c) < 0x20 && !is_raw_break) return fail(at_, "A control character in a string.");
        to += c;
        ++at_;
      }
      // Every byte of an escaped character comes from its backslash.
      if (origins != nullptr) origins->resize(to.size(), static_cast<Offset>(from));
    }
    if (origins != nullptr) origins->push_back(static_cast<Offset>(at_));
    ++at_;
    if (strict_ != nullptr) db::append_json_string(to, *strict_);
    return {};
  }

  db::Result<void> escape(std::string& to) {
    const size_t begin = at_++;
    const char c = peek();
    if (at_ >= text_.size()) return fail(begin, "Unterminated string.");
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (const size_t index = kNames.find(c); index != std::string_view::npos) {
      to += kMeanings[index];
      ++at_;
      return {};
    }
    if (c != 'u') return fail(begin, "Invalid escape: '\\" + std::string(1, c) + "'");
    ASSIGN_OR_RETURN(uint32_t point, hex(begin));
    if (point >= 0xd800 && point < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      ++at_;
      ASSIGN_OR_RETURN(const uint32_t low, hex(begin));
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      } else {
        // A high half without its low half: the second escape stands for itself.
        append_utf8(0xfffd, to);
        point = low;
      }
    }
    append_utf8(point >= 0xd800 && point < 0xe000 ? 0xfffd : point, to);
    return {};
  }

  // at_ is at the 'u'.
  db::Result<uint32_t> hex(size_t begin) {
    uint32_t value = 0;
    for (int i = 1; i <= 4; ++i) {
      const char c = at_ + i < text_.size() ? text_[at_ + i] : '\0';
      const bool is_digit = c >= '0' && c <= '9';
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit && (lower < 'a' || lower > 'f'))
        return fail(begin, "Invalid escape: four hex digits follow '\\u'.");
      value = value << 4 | static_cast<uint32_t>(is_digit ? c - '0' : lower - 'a' + 10);
    }
    at_ += 5;
    return value;
  }

  const std::string_view text_;
  std::string* const strict_;
  size_t at_ = 0;
};

}  // namespace

void append_utf8(uint32_t point, std::string& to) {
  if (point < 0x80) {
    to += static_cast<char>(point);
  } else if (point < 0x800) {
    to += static_cast<char>(0xc0 | point >> 6);
    to += static_cast<char>(0x80 | (point & 63));
  } else if (point < 0x10000) {
    to += static_cast<char>(0xe0 | point >> 12);
    to += static_cast<char>(0x80 | (point >> 6 & 63));
    to += static_cast<char>(0x80 | (point & 63));
  } else {
    to += static_cast<char>(0xf0 | point >> 18);
    to += static_cast<char>(0x80 | (point >> 12 & 63));
    to += static_cast<char>(0x80 | (point >> 6 & 63));
    to += static_cast<char>(0x80 | (point & 63));
  }
}

std::string line_and_column(std::string_view text, Offset at) {
  const std::string_view before = db::without_bom(text.substr(0, std::min<size_t>(at, text.size())));
  const size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  // Characters, and not bytes: bytes that go on with a character are not counted.
  const auto column = std::count_if(before.begin() + static_cast<ptrdiff_t>(start), before.end(),
                                    [](char c) { return (c & 0xc0) != 0x80; });
  return std::to_string(line) + ":" + std::to_string(column + 1);
}

std::string error_line(std::string_view text, Offset at, std::string_view what) {
  return line_and_column(text, at).append(": ").append(what).append("\n");
}

namespace {

// Before anything is parsed: offsets and columns mean something in UTF-8 only.
db::Result<void> check_encoding(std::string_view text) {
  if (db::is_utf16(text)) return Error{ErrorCode::InvalidData, "1:1: The document is UTF-16; save it as UTF-8.\n"};
  if (!db::is_utf8(text)) return Error{ErrorCode::InvalidData, "1:1: The document is not UTF-8.\n"};
  return {};
}

}  // namespace

db::Result<TextNode> parse_text(std::string_view text) {
  RETURN_IF_ERROR(check_encoding(text));
  return TextParser(text, nullptr).document();
}

db::Result<std::string> strict_json(std::string_view text) {
  RETURN_IF_ERROR(check_encoding(text));
  std::string strict;
  ASSIGN_OR_RETURN(const TextNode node, TextParser(text, &strict).document());
  return strict;
}

}  // namespace hearth::rules
