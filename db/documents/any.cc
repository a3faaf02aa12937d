// One value, read once from left to right, in three ways: over it (skip), as JSON, and as the text that JavaScript makes of
// it. All three walk the same grammar; what differs is what JavaScript says where JSON has no word:
//
//                     JSON.stringify              String(value)
//   undefined         left out of an object,      "undefined"; nothing in an array
//                     null in an array
//   NaN, ±Infinity    null                        "NaN", "Infinity", "-Infinity"
//   bigint            its digits as a text        its digits           (stringify itself would throw)
//   bytes             {"0":1,"1":2}               "1,2"
//   object            {…}                         "[object Object]"
//   array             […]                         its elements, with commas between and no brackets
//
// Only skip_any() reads what a stranger wrote: it fails at the first mistake, and limits the nesting. The other two are
// given what it has passed, so they trust the bytes (Reader::trust), and recurse no deeper than it allowed.
//
// JsonScan is for texts that clients claim to be JSON (formats, embeds, awareness). It builds nothing, for the text is kept
// as it came.
#include "db/documents/any.h"

#include <bit>
#include <cmath>

#include "db/model/json.h"
#include "db/model/number_text.h"

namespace hearth::db::documents {
namespace {

constexpr auto kTag = [](uint8_t byte) { return static_cast<AnyTag>(byte); };

uint64_t big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

void skip_within(Reader& from, size_t depth) {
  const uint8_t tag = from.byte();
  if (!from.ok()) return;
  switch (kTag(tag)) {
    case AnyTag::Undefined:
    case AnyTag::Null:
    case AnyTag::True:
    case AnyTag::False:
      return;
    case AnyTag::Integer:
      from.var_int();
      return;
    case AnyTag::Float:
      from.bytes(4);
      return;
    case AnyTag::Double:
    case AnyTag::BigInt:
      from.bytes(8);
      return;
    case AnyTag::Text:
      from.var_string();
      return;
    case AnyTag::Bytes:
      from.var_buf();
      return;
    case AnyTag::Object:
    case AnyTag::Array: {
      if (depth == kNestingMax) return from.fail("A value is nested too deeply");
      for (uint64_t count = from.var_uint(); count > 0 && from.ok(); --count) {
        if (kTag(tag) == AnyTag::Object) from.var_string();
        skip_within(from, depth + 1);
      }
      return;
    }
  }
  from.fail("A value is of no known kind");
}

double number_of(AnyTag tag, Reader& from) {
  if (tag == AnyTag::Float) return std::bit_cast<float>(static_cast<uint32_t>(big_endian(from.bytes(4))));
  if (tag == AnyTag::Double) return std::bit_cast<double>(big_endian(from.bytes(8)));
  const Reader::Integer integer = from.var_int();
  const auto magnitude = static_cast<double>(integer.magnitude);
  return integer.is_negative ? -magnitude : magnitude;
}

std::string bigint_of(Reader& from) { return std::to_string(std::bit_cast<int64_t>(big_endian(from.bytes(8)))); }

void append_number(double value, std::string& to, const char* otherwise) {
  if (std::isfinite(value)) {
    append_javascript_number(value == 0 ? 0 : value, to);  // −0 is "0"
  } else if (otherwise != nullptr) {
    to += otherwise;
  } else {
    to += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
  }
}

void append_json_of(Reader& from, std::string& to) {
  const AnyTag tag = kTag(from.byte());
  switch (tag) {
    case AnyTag::Undefined:  // in an array
    case AnyTag::Null:
      to += "null";
      return;
    case AnyTag::True:
      to += "true";
      return;
    case AnyTag::False:
      to += "false";
      return;
    case AnyTag::Integer:
    case AnyTag::Float:
    case AnyTag::Double:
      append_number(number_of(tag, from), to, "null");
      return;
    case AnyTag::BigInt:
      to.append("\"").append(bigint_of(from)).append("\"");
      return;
    case AnyTag::Text:
      append_json_string(from.var_string(), to);
      return;
    case AnyTag::Bytes: {  // as an Uint8Array: {"0":1,"1":2}
      to += '{';
      size_t index = 0;
      for (const char c : from.var_buf()) {
        if (index > 0) to += ',';
        to.append("\"").append(std::to_string(index++)).append("\":");
        to += std::to_string(static_cast<unsigned char>(c));
      }
      to += '}';
      return;
    }
    case AnyTag::Object: {
      to += '{';
      bool is_first = true;
      for (uint64_t count = from.var_uint(); count > 0 && from.ok(); --count) {
        const std::string_view key = from.var_string();
        Reader ahead = from;
        if (kTag(ahead.byte()) == AnyTag::Undefined) {
          from = ahead;
          continue;
        }
        if (!is_first) to += ',';
        is_first = false;
        append_json_string(key, to);
        to += ':';
        append_json_of(from, to);
      }
      to += '}';
      return;
    }
    case AnyTag::Array: {
      to += '[';
      bool is_first = true;
      for (uint64_t count = from.var_uint(); count > 0 && from.ok(); --count) {
        if (!is_first) to += ',';
        is_first = false;
        append_json_of(from, to);
      }
      to += ']';
      return;
    }
  }
}

void append_text_of(Reader& from, std::string& to, bool is_in_array) {
  const AnyTag tag = kTag(from.byte());
  switch (tag) {
    case AnyTag::Undefined:
      to += is_in_array ? "" : "undefined";
      return;
    case AnyTag::Null:
      to += is_in_array ? "" : "null";
      return;
    case AnyTag::True:
      to += "true";
      return;
    case AnyTag::False:
      to += "false";
      return;
    case AnyTag::Integer:
    case AnyTag::Float:
    case AnyTag::Double:
      append_number(number_of(tag, from), to, nullptr);
      return;
    case AnyTag::BigInt:
      to += bigint_of(from);
      return;
    case AnyTag::Text:
      to += from.var_string();
      return;
    case AnyTag::Bytes: {
      bool is_first = true;
      for (const char c : from.var_buf()) {
        if (!is_first) to += ',';
        is_first = false;
        to += std::to_string(static_cast<unsigned char>(c));
      }
      return;
    }
    case AnyTag::Object:
      for (uint64_t count = from.var_uint(); count > 0 && from.ok(); --count) {
        from.var_string();
        skip_any(from);
      }
      to += "[object Object]";
      return;
    case AnyTag::Array: {
      bool is_first = true;
      for (uint64_t count = from.var_uint(); count > 0 && from.ok(); --count) {
        if (!is_first) to += ',';
        is_first = false;
        append_text_of(from, to, true);
      }
      return;
    }
  }
}

// The grammar of RFC 8259, read once from left to right. at_ is the next character.
class JsonScan {
 public:
  explicit JsonScan(std::string_view text) : text_(text) {}

  bool document() {
    if (!value(0)) return false;
    blanks();
    return at_ == text_.size();
  }

 private:
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  void blanks() {
    while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') ++at_;
  }

  bool digits() {
    const size_t start = at_;
    while (next() >= '0' && next() <= '9') ++at_;
    return at_ > start;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) take('-');
    return digits();
  }

  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_++]);
      if (c == '"') return true;
      if (c < 0x20) return false;
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }

  bool escape() {
    const char c = next();
    ++at_;
    if (c != 'u') return c != '\0' && std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char digit = next();
      const char lower = static_cast<char>(digit | 0x20);
      if ((digit < '0' || digit > '9') && (lower < 'a' || lower > 'f')) return false;
    }
    return true;
  }

  bool list(char end, size_t depth) {
    if (depth == kNestingMax) return false;
    ++at_;
    blanks();
    if (take(end)) return true;
    do {
      if (end == '}') {
        blanks();
        if (!string()) return false;
        blanks();
        if (!take(':')) return false;
      }
      if (!value(depth + 1)) return false;
      blanks();
    } while (take(','));
    return take(end);
  }

  bool value(size_t depth) {
    blanks();
    switch (next()) {
      case '{':
        return list('}', depth);
      case '[':
        return list(']', depth);
      case '"':
        return string();
      case 't':
        return take("true");
      case 'f':
        return take("false");
      case 'n':
        return take("null");
      default:
        return number();
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

void skip_any(Reader& from) { skip_within(from, 0); }

bool is_undefined(std::string_view any) {
  return !any.empty() && kTag(static_cast<uint8_t>(any.front())) == AnyTag::Undefined;
}

bool is_object_like(std::string_view any) {
  return !any.empty() && !is_undefined(any) && kTag(static_cast<uint8_t>(any.front())) != AnyTag::Null;
}

void append_any_json(std::string_view any, std::string& to) {
  Reader from(any);
  from.trust();
  append_json_of(from, to);
}

void append_any_text(std::string_view any, std::string& to) {
  Reader from(any);
  from.trust();
  append_text_of(from, to, false);
}

bool is_json(std::string_view text) { return JsonScan(text).document(); }

}  // namespace hearth::db::documents
