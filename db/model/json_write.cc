// Values out as JSON text: compact, in pieces or at once, and pretty. Formats: rest-api.md §5.
#include <charconv>
#include <cmath>
#include <cstring>

#include "db/model/json.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

constexpr size_t kWholeChunk = SIZE_MAX;

// The index an array element has for its key, or nothing: 0|[1-9][0-9]*.
std::optional<uint32_t> array_index(std::string_view segment) {
  if (segment.size() != 6 || segment.front() != '\x01') return {};  // an integer in canonical form
  uint32_t biased = 0;
  for (size_t i = 1; i < 5; ++i) biased = biased << 8 | static_cast<unsigned char>(segment[i]);
  if (biased < 0x80000000u) return {};
  return biased ^ 0x80000000u;
}

// Whether an object is shown as an array: its keys are dense indexes (rest-api.md §5.6).
bool is_array(const Value& value) {
  const auto first = value.children();
  if (first.done() || !array_index(first.segment())) return false;
  if (value.row(value.row_count() - 1).key.front() != '\x01') return false;  // the last child's key is a text
  uint64_t count = 0;
  uint64_t last = 0;
  for (auto child = value.children(); !child.done(); child.next(), ++count) {
    const auto index = array_index(child.segment());
    if (!index) return false;
    last = *index;
  }
  return last < 2 * count;
}

void append_leaf_of(const Value& value, std::string& to) { append_json_leaf(value.row(0).leaf, to); }

}  // namespace

void append_json_string(std::string_view utf8, std::string& to) {
  static constexpr char kDigits[] = "0123456789abcdef";
  to += '"';
  size_t from = 0;
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    to += utf8.substr(from, i - from);
    from = i + 1;
    switch (byte) {
      case '"':
        to += "\\\"";
        break;
      case '\\':
        to += "\\\\";
        break;
      case '\n':
        to += "\\n";
        break;
      case '\r':
        to += "\\r";
        break;
      case '\t':
        to += "\\t";
        break;
      case '\b':
        to += "\\b";
        break;
      case '\f':
        to += "\\f";
        break;
      default:
        to += "\\u00";
        to += kDigits[byte >> 4];
        to += kDigits[byte & 15];
    }
  }
  to += utf8.substr(from);
  to += '"';
}

// ECMA-262, Number::toString: plain decimals for 1e-6 ≤ |x| < 1e21, else d.ddde±x.
void append_json_number(double value, std::string& to) {
  if (value == 0) {
    to += '0';
    return;
  }
  char buffer[32];
  const auto done = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(done.ptr - buffer));
  if (text.front() == '-') {
    to += '-';
    text.remove_prefix(1);
  }
  const size_t e = text.find('e');
  int exponent = 0;
  const char* digits_of_exponent = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits_of_exponent, text.data() + text.size(), exponent);
  std::string digits(1, text.front());
  if (e > 2) digits += text.substr(2, e - 2);
  const int count = static_cast<int>(digits.size());
  if (exponent >= 21 || exponent < -6) {
    to += digits.front();
    if (count > 1) to.append(".").append(digits, 1);
    to += exponent < 0 ? "e-" : "e+";
    to += std::to_string(std::abs(exponent));
  } else if (exponent < 0) {
    to += "0.";
    to.append(static_cast<size_t>(-exponent - 1), '0');
    to += digits;
  } else if (count <= exponent + 1) {
    to += digits;
    to.append(static_cast<size_t>(exponent + 1 - count), '0');
  } else {
    to.append(digits, 0, static_cast<size_t>(exponent + 1)).append(".").append(digits, static_cast<size_t>(exponent + 1));
  }
}

void append_json_leaf(std::string_view leaf, std::string& to) {
  const auto decoded = decode_leaf(leaf);
  invariant(decoded.ok(), "a value holds only leaves");
  switch (leaf.front()) {
    case 'f':
      to += "false";
      return;
    case 't':
      to += "true";
      return;
    case 's':
      return append_json_string(leaf.substr(1), to);
    case 'i': {
      char buffer[24];
      const auto done = std::to_chars(buffer, buffer + sizeof buffer, decoded.value().as_integer());
      to.append(buffer, done.ptr);
      return;
    }
    case 'd':
      return append_json_number(decoded.value().as_double(), to);
    case 'T':
      to += R"({".sv":"timestamp"})";
      return;
    default:
      to += R"({".sv":{"increment":)";
      append_json_leaf(leaf.substr(1), to);
      to += "}}";
  }
}

struct JsonWriter::Frame {
  Frame(Value of, bool array) : value(std::move(of)), at(value.children()), is_array(array) {}
  Value value;
  Value::ChildIterator at;
  bool is_array;
  bool first = true;
  uint32_t next_index = 0;
};

JsonWriter::JsonWriter(Value value, JsonStyle style) : value_(std::move(value)), style_(style) {}
JsonWriter::~JsonWriter() = default;

void JsonWriter::begin(const Value& value, std::string& to) {
  if (value.is_null()) {
    to += "null";
    return;
  }
  const bool exporting = style_ == JsonStyle::Export;
  const Value priority = exporting ? value.priority() : Value();
  if (value.is_leaf()) {
    if (priority.is_null()) return append_leaf_of(value, to);
    to += R"({".value":)";
    append_leaf_of(value, to);
    to += R"(,".priority":)";
    append_leaf_of(priority, to);
    to += '}';
    return;
  }
  const bool array = !exporting && is_array(value);
  to += array ? '[' : '{';
  frames_.push_back(std::make_unique<Frame>(value, array));
  if (!priority.is_null()) {
    to += R"(".priority":)";
    append_leaf_of(priority, to);
    frames_.back()->first = false;
  }
}

bool JsonWriter::next(std::string& chunk, size_t bytes) {
  if (!started_) {
    started_ = true;
    begin(value_, chunk);
    if (frames_.empty()) return true;
  } else if (frames_.empty()) {
    return false;
  }
  const size_t enough = bytes > SIZE_MAX - chunk.size() ? SIZE_MAX : chunk.size() + bytes;
  while (!frames_.empty() && chunk.size() < enough) {
    Frame& frame = *frames_.back();
    if (frame.at.done()) {
      chunk += frame.is_array ? ']' : '}';
      frames_.pop_back();
      continue;
    }
    if (frame.is_array) {
      for (const uint32_t index = *array_index(frame.at.segment()); frame.next_index < index; ++frame.next_index) {
        if (frame.next_index > 0) chunk += ',';
        chunk += "null";
      }
      if (frame.next_index++ > 0) chunk += ',';
    } else {
      if (!frame.first) chunk += ',';
      append_json_string(frame.at.key(), chunk);
      chunk += ':';
    }
    frame.first = false;
    const Value child = frame.at.value();
    frame.at.next();
    begin(child, chunk);
  }
  return true;
}

void append_json(const Value& value, JsonStyle style, std::string& to) {
  JsonWriter writer(value, style);
  while (writer.next(to, kWholeChunk)) {
  }
}

std::string to_json(const Value& value, JsonStyle style) {
  std::string text;
  append_json(value, style, text);
  return text;
}

namespace {

// At most kDepthMax deep.
void append_pretty(const Value& value, JsonStyle style, size_t indent, std::string& to) {
  const bool exporting = style == JsonStyle::Export;
  const Value priority = exporting ? value.priority() : Value();
  if (value.is_null() || (value.is_leaf() && priority.is_null())) {
    append_json(value.without_priority(), style, to);
    return;
  }
  if (!exporting && is_array(value)) {
    to += "[ ";
    uint32_t next = 0;
    for (auto child = value.children(); !child.done(); child.next()) {
      for (const uint32_t index = *array_index(child.segment()); next < index; ++next) to += "null, ";
      append_pretty(child.value(), style, indent, to);
      ++next;
      auto after = child;
      after.next();
      if (!after.done()) to += ", ";
    }
    to += " ]";
    return;
  }
  const std::string inner(2 * (indent + 1), ' ');
  to += "{\n";
  bool first = true;
  const auto begin = [&](std::string_view key) {
    if (!first) to += ",\n";
    first = false;
    to += inner;
    append_json_string(key, to);
    to += " : ";
  };
  if (value.is_leaf()) {
    begin(".value");
    append_leaf_of(value, to);
  }
  if (!priority.is_null()) {
    begin(".priority");
    append_leaf_of(priority, to);
  }
  for (auto child = value.children(); !child.done(); child.next()) {
    begin(child.key());
    append_pretty(child.value(), style, indent + 1, to);
  }
  to += '\n';
  to.append(2 * indent, ' ');
  to += '}';
}

}  // namespace

std::string to_pretty_json(const Value& value, JsonStyle style) {
  std::string text;
  append_pretty(value, style, 0, text);
  return text;
}

}  // namespace hearth::db
