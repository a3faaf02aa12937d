// Values out as JSON text: compact, in pieces or at once, and pretty. Formats: net/rest/http-api.md §5.
//
// JsonWriter walks the rows once and keeps a stack of the objects that are open. Each row says by its key what to
// close and what to open before it, so a tree of any size is written with the memory of its depth, and may stop
// between two rows:
//
//   row      open before it     written
//   a        nothing            {"a":1
//   b/c      {                  ,"b":{"c":2
//   b/d      { and b's {        ,"d":3
//   (end)    { and b's {        }}
//
// Each row is looked up once, and kept until the next one is (row_): a tree of small leaves is mostly keys, and what is
// done for each of them is what a large answer costs.
//
// Whether an object is an array must be known before its first child is written. is_array() looks ahead through the
// object's rows, and gives up at the first key that is no index, or when too few rows are left to make it dense enough.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"
#include "db/model/number_text.h"

namespace hearth::db {
namespace {

// The index an array element has for its key, or nothing: 0|[1-9][0-9]*.
// Segments are compared by their bytes: canonical integers, and nothing else, have six of them.
std::optional<uint32_t> array_index(std::string_view segment) {
  if (segment.size() != 6 || segment.front() != '\x01') return {};  // an integer in canonical form
  uint32_t biased = 0;
  for (size_t i = 1; i < 5; ++i) biased = biased << 8 | static_cast<unsigned char>(segment[i]);
  if (biased < 0x80000000u) return {};
  return biased ^ 0x80000000u;
}

// Whether an object is shown as an array: its keys are dense indexes (net/rest/http-api.md §5.6). Its rows are those
// from `row` on whose keys go on as that one's first `prefix` bytes do.
bool is_array(const Value& value, size_t row, size_t prefix) {
  const std::string_view own = value.row(row).key.substr(0, prefix);
  const size_t rows = value.row_count();
  uint64_t count = 0;
  uint64_t last = 0;
  std::string_view before;  // the child that the row before belongs to
  for (size_t i = row; i < rows; ++i) {
    const std::string_view key = value.row(i).key;
    if (!key.starts_with(own)) break;
    const std::string_view below = key.substr(prefix);
    if (below.size() == 1 || (count > 0 && below.starts_with(before))) continue;  // its priority; the same child
    before = below.substr(0, segment_length(below));
    const auto index = array_index(before);
    if (!index) return false;
    last = *index;
    ++count;
    if (last >= 2 * (count + (rows - i))) return false;  // too few rows are left to catch up
  }
  return count > 0 && last < 2 * count;
}

void append_leaf_of(const Value& value, std::string& to) { append_json_leaf(value.row(0).leaf, to); }

constexpr uint64_t kOfEach = 0x0101010101010101;  // times a byte: eight of it

bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

// The same of eight bytes at once. A byte is found where subtracting takes its high bit from the byte above; that may
// find others above it in vain, and never misses one.
bool are_plain(uint64_t bytes) {
  const auto below = [](uint64_t each, uint64_t limit) { return (each - kOfEach * limit) & ~each; };
  const uint64_t found = below(bytes, 0x20) | below(bytes ^ (kOfEach * '"'), 1) | below(bytes ^ (kOfEach * '\\'), 1);
  return (found & (kOfEach * 0x80)) == 0;
}

// How many bytes from `from` on are in JSON text what they are.
size_t plain_bytes(std::string_view utf8, size_t from) {
  size_t at = from;
  for (uint64_t bytes = 0; utf8.size() - at >= sizeof bytes; at += sizeof bytes) {
    std::memcpy(&bytes, utf8.data() + at, sizeof bytes);
    if (!are_plain(bytes)) break;
  }
  while (at < utf8.size() && is_plain(utf8[at])) ++at;
  return at - from;
}

// Whether a text segment's bytes are the key's, and in JSON text what they are.
bool is_plain_key(std::string_view text) {
  // Above ASCII some bytes stand for others (key_order.h).
  const bool is_ascii = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
  return is_ascii && plain_bytes(text, 0) == text.size();
}

}  // namespace

void append_json_string_of_any(std::string_view bytes, std::string& to) {
  if (is_utf8(bytes)) return append_json_string(bytes, to);
  std::string clean(bytes);
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }, '?');
  append_json_string(clean, to);
}

void append_json_string(std::string_view utf8, std::string& to) {
  static constexpr char kDigits[] = "0123456789abcdef";
  to += '"';
  for (size_t from = 0;;) {
    const size_t plain = plain_bytes(utf8, from);
    to.append(utf8.data() + from, plain);
    from += plain;
    if (from == utf8.size()) break;
    const auto byte = static_cast<unsigned char>(utf8[from++]);
    to += '\\';
    switch (byte) {
      case '"':
      case '\\':
        to += static_cast<char>(byte);
        break;
      case '\n':
        to += 'n';
        break;
      case '\r':
        to += 'r';
        break;
      case '\t':
        to += 't';
        break;
      case '\b':
        to += 'b';
        break;
      case '\f':
        to += 'f';
        break;
      default:
        to += "u00";
        to += kDigits[byte >> 4];
        to += kDigits[byte & 15];
    }
  }
  to += '"';
}

void append_json_leaf(std::string_view leaf, std::string& to) {
  switch (tag_of_leaf(leaf)) {
    case LeafTag::False:
      to += "false";
      return;
    case LeafTag::True:
      to += "true";
      return;
    case LeafTag::String:
      return append_json_string(leaf.substr(1), to);
    case LeafTag::Integer:
      return append_integer(integer_of_leaf(leaf), to);
    case LeafTag::Double:
      return append_json_number(double_of_leaf(leaf), to);
    case LeafTag::ServerTime:
      to += R"({".sv":"timestamp"})";
      return;
    case LeafTag::Increment:
      to += R"({".sv":{"increment":)";
      append_json_leaf(leaf.substr(1), to);
      to += "}}";
      return;
  }
  invariant(false, "a value holds only leaves");
}

struct JsonWriter::Open {
  size_t prefix;  // bytes of its rows' keys that lead to it
  bool is_array;
  uint32_t count = 0;  // members or elements written
};

JsonWriter::JsonWriter(Value value, JsonStyle style) : value_(std::move(value)), style_(style) {
  if (!value_.is_null()) row_ = value_.row(0);
}
JsonWriter::~JsonWriter() = default;

bool JsonWriter::next(std::string& chunk, size_t bytes) {
  if (done_) return false;
  if (value_.is_null()) chunk += "null";
  const size_t enough = bytes > SIZE_MAX - chunk.size() ? SIZE_MAX : chunk.size() + bytes;
  while (at_ < value_.row_count() && chunk.size() < enough) write_row(chunk);
  if (at_ == value_.row_count()) {
    while (!open_.empty()) close(chunk);
    done_ = true;
  }
  return true;
}

Value::Row JsonWriter::take_row() {
  const Value::Row taken = row_;
  before_ = taken.key;
  row_ = ++at_ < value_.row_count() ? value_.row(at_) : Value::Row{};
  return taken;
}

void JsonWriter::write_row(std::string& to) {
  const std::string_view key = row_.key;
  if (key.empty()) return write_leaf(to);  // the value is a leaf
  if (open_.empty()) {
    open(0, to);
  } else {
    // Objects stay open as long as the last two rows agree on the whole path to them.
    while (key.substr(0, open_.back().prefix) != before_.substr(0, open_.back().prefix)) close(to);
  }
  // From here on the innermost open object contains this row, and `prefix` bytes of its key are told.
  for (size_t prefix = open_.back().prefix;;) {
    const std::string_view below = key.substr(prefix);
    if (below.size() == 1) return write_priority(to);  // no segment is that short
    const size_t length = segment_length(below);
    name(below.substr(0, length), to);
    prefix += length;
    if (prefix == key.size()) return write_leaf(to);
    open(prefix, to);
  }
}

// Writes the row at at_ as the priority of the innermost open object: no child of that is written yet.
void JsonWriter::write_priority(std::string& to) {
  const Value::Row row = take_row();
  if (style_ == JsonStyle::Plain) return;
  to += R"(".priority":)";
  append_json_leaf(row.leaf, to);
  ++open_.back().count;
}

// Writes the leaf at at_, and its priority, if the next row is that.
void JsonWriter::write_leaf(std::string& to) {
  const Value::Row row = take_row();
  const Value::Row next = row_;  // an empty key: there is none
  const bool has_priority = next.key.size() == row.key.size() + 1 && next.key.starts_with(row.key);
  if (has_priority) take_row();
  if (!has_priority || style_ == JsonStyle::Plain) return append_json_leaf(row.leaf, to);
  to += R"({".value":)";
  append_json_leaf(row.leaf, to);
  to += R"(,".priority":)";
  append_json_leaf(next.leaf, to);
  to += '}';
}

void JsonWriter::open(size_t prefix, std::string& to) {
  // One whose first key is a text is told from an array at once.
  const bool array = style_ == JsonStyle::Plain && row_.key[prefix] != kTextSegment && is_array(value_, at_, prefix);
  open_.push_back({.prefix = prefix, .is_array = array});
  to += array ? '[' : '{';
}

void JsonWriter::close(std::string& to) {
  to += open_.back().is_array ? ']' : '}';
  open_.pop_back();
}

// What stands before a child's value: comma and name, or comma and the holes of an array.
void JsonWriter::name(std::string_view segment, std::string& to) {
  Open& top = open_.back();
  if (top.is_array) {
    for (const uint32_t index = *array_index(segment); top.count < index;) to += top.count++ > 0 ? ",null" : "null";
  }
  if (top.count++ > 0) to += ',';
  if (top.is_array) return;
  const std::string_view text = segment.substr(1, segment.size() - 2);
  if (segment.front() == kTextSegment && is_plain_key(text)) {
    to.append(1, '"').append(text).append("\":", 2);
    return;
  }
  name_.clear();
  append_key(segment, name_);
  append_json_string(name_, to);
  to += ':';
}

void append_json(const Value& value, JsonStyle style, std::string& to) {
  JsonWriter writer(value, style);
  while (writer.next(to, SIZE_MAX)) {
  }
}

std::string to_json(const Value& value, JsonStyle style) {
  std::string text;
  append_json(value, style, text);
  return text;
}

namespace {

// At most kDepthMax deep.
// Recursive and in one piece, unlike JsonWriter: print=pretty is for people, who do not read gigabytes.
void append_pretty(const Value& value, JsonStyle style, size_t indent, std::string& to) {
  const bool exporting = style == JsonStyle::Export;
  const Value priority = exporting ? value.priority() : Value();
  if (value.is_null() || (value.is_leaf() && priority.is_null())) {
    append_json(value.without_priority(), style, to);
    return;
  }
  if (!exporting && is_array(value, 0, 0)) {
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
