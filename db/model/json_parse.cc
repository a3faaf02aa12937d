// JSON text in: simdjson's DOM behind JsonDocument, and the walk from it to a Value.
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/tree_view.h"

namespace hearth::db {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

Error not_json() { return {ErrorCode::InvalidData, "Invalid data; couldn't parse JSON object, array, or value."}; }

Error too_deep() {
  return {ErrorCode::InvalidData, "Invalid path: Path specified exceeds the maximum depth that can be written (32)."};
}

Error invalid(const std::string& why) { return {ErrorCode::InvalidData, "Invalid data; " + why}; }

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// The number of a \uXXXX escape at `at`, or nothing.
std::optional<unsigned> escape_at(std::string_view text, size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return {};
  unsigned value = 0;
  for (size_t i = at + 2; i < at + 6; ++i) {
    if (!is_hex(text[i])) return {};
    value = value * 16 + static_cast<unsigned>(text[i] <= '9' ? text[i] - '0' : (text[i] | 0x20) - 'a' + 10);
  }
  return value;
}

// What JavaScript accepts and simdjson refuses: lone surrogate escapes become U+FFFD, integers beyond 64 bits doubles.
std::string repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 64);
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        const auto unit = escape_at(text, i);
        if (unit && *unit >= 0xD800 && *unit < 0xDC00) {
          const auto low = escape_at(text, i + 6);
          if (low && *low >= 0xDC00 && *low < 0xE000) {
            out += text.substr(i, 12);
            i += 12;
          } else {
            out += "\\ufffd";
            i += 6;
          }
          continue;
        }
        if (unit && *unit >= 0xDC00 && *unit < 0xE000) {
          out += "\\ufffd";
          i += 6;
          continue;
        }
        out += text.substr(i, 2);
        i += 2;
        continue;
      }
      in_string = c != '"';
      out += c;
      ++i;
      continue;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
      size_t end = i + 1;
      while (end < text.size() && std::strchr("0123456789+-.eE", text[end]) != nullptr && text[end] != '\0') ++end;
      const std::string_view token = text.substr(i, end - i);
      out += token;
      if (token.size() > 18 && token.find_first_of(".eE") == std::string_view::npos) out += "e0";
      i = end;
      continue;
    }
    in_string = c == '"';
    out += c;
    ++i;
  }
  return out;
}

size_t padded_capacity(const std::string& text) { return text.size() + simdjson::SIMDJSON_PADDING; }

}  // namespace

struct JsonDocument::State {
  std::string text;
  simdjson::dom::parser parser{SIZE_MAX >> 32};
  element root;
};

JsonDocument::JsonDocument(std::unique_ptr<State> state) : state_(std::move(state)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  std::string copy;
  copy.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  copy = text;
  return parse(std::move(copy));
}

Result<JsonDocument> JsonDocument::parse(std::string&& text) {
  auto state = std::make_unique<State>();
  state->text = std::move(text);
  const auto attempt = [&] {
    state->text.reserve(padded_capacity(state->text));
    simdjson::error_code failed = state->parser.allocate(std::max<size_t>(state->text.size(), 64), kJsonDepthMax);
    if (failed == simdjson::SUCCESS) {
      failed = state->parser.parse(state->text.data(), state->text.size(), false).get(state->root);
    }
    return failed;
  };
  simdjson::error_code failed = attempt();
  if (failed == simdjson::STRING_ERROR || failed == simdjson::NUMBER_ERROR || failed == simdjson::TAPE_ERROR) {
    state->text = repaired(state->text);
    failed = attempt();
  }
  if (failed == simdjson::DEPTH_ERROR) return too_deep();
  if (failed != simdjson::SUCCESS) return not_json();
  return JsonDocument(std::move(state));
}

namespace {

static_assert(sizeof(element) == 2 * sizeof(void*) && std::is_trivially_copyable_v<element>);

template <typename Bits>
element as_element(const Bits& bits) {
  return std::bit_cast<element>(bits);
}

}  // namespace

JsonNode JsonDocument::root() const { return {&state_->text, std::bit_cast<JsonNode::Element>(state_->root)}; }

JsonNode::Kind JsonNode::kind() const {
  switch (as_element(element_).type()) {
    case element_type::ARRAY:
      return Kind::Array;
    case element_type::OBJECT:
      return Kind::Object;
    case element_type::INT64:
      return Kind::Integer;
    case element_type::UINT64:
    case element_type::DOUBLE:
      return Kind::Double;
    case element_type::STRING:
      return Kind::String;
    case element_type::BOOL:
      return Kind::Boolean;
    case element_type::NULL_VALUE:
      return Kind::Null;
  }
  return Kind::Null;
}

std::optional<bool> JsonNode::boolean() const {
  bool value = false;
  if (as_element(element_).get(value) != simdjson::SUCCESS) return {};
  return value;
}

std::optional<double> JsonNode::number() const {
  double value = 0;
  if (as_element(element_).get(value) != simdjson::SUCCESS) return {};
  return value;
}

std::optional<int64_t> JsonNode::integer() const {
  int64_t value = 0;
  if (as_element(element_).get(value) == simdjson::SUCCESS) return value;
  const auto real = number();
  if (!real) return {};
  const Value normal = Value::real(*real);
  if (normal.kind() != Value::Kind::Integer) return {};
  return normal.as_integer();
}

std::optional<std::string_view> JsonNode::string() const {
  std::string_view value;
  if (as_element(element_).get(value) != simdjson::SUCCESS) return {};
  return value;
}

std::vector<std::pair<std::string_view, JsonNode>> JsonNode::fields() const {
  std::vector<std::pair<std::string_view, JsonNode>> fields;
  simdjson::dom::object object;
  if (as_element(element_).get(object) != simdjson::SUCCESS) return fields;
  for (const auto field : object) fields.emplace_back(field.key, JsonNode(text_, std::bit_cast<Element>(field.value)));
  return fields;
}

std::optional<JsonNode> JsonNode::field(std::string_view name) const {
  std::optional<JsonNode> found;
  simdjson::dom::object object;
  if (as_element(element_).get(object) != simdjson::SUCCESS) return found;
  for (const auto field : object) {
    if (field.key == name) found = JsonNode(text_, std::bit_cast<Element>(field.value));
  }
  return found;
}

std::vector<JsonNode> JsonNode::elements() const {
  std::vector<JsonNode> elements;
  simdjson::dom::array array;
  if (as_element(element_).get(array) != simdjson::SUCCESS) return elements;
  for (const element item : array) elements.push_back(JsonNode(text_, std::bit_cast<Element>(item)));
  return elements;
}

std::string JsonNode::to_text() const { return simdjson::minify(as_element(element_)); }

namespace {

// Where the first key stands that cannot be one: "line:column" from 1.
std::string position_of_bad_key(const std::string& text) {
  size_t line = 1;
  size_t line_start = 0;
  simdjson::dom::parser parser;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      line_start = i + 1;
    }
    if (text[i] != '"') continue;
    const size_t start = i;
    for (++i; i < text.size() && text[i] != '"'; ++i) {
      if (text[i] == '\\') ++i;
    }
    size_t after = i + 1;
    while (after < text.size() && std::strchr(" \t\r\n", text[after]) != nullptr) ++after;
    if (after >= text.size() || text[after] != ':') continue;
    std::string_view key;
    const std::string quoted = text.substr(start, i + 1 - start);
    element parsed;
    if (parser.parse(quoted).get(parsed) != simdjson::SUCCESS || parsed.get(key) != simdjson::SUCCESS) continue;
    if (key == ".value" || key == ".priority" || key == ".sv" || check_key(key).ok()) continue;
    return std::to_string(line) + ":" + std::to_string(start - line_start + 1);
  }
  return "1:1";
}

// From simdjson's tape to rows, each object's keys sorted. Recursion ends at kJsonDepthMax.
class Conversion {
 public:
  Conversion(const std::string& text, const Path& at)
      : text_(text), depth_(at.depth()), path_bytes_(at.text().size()) {}

  Result<void> convert(const element& node);
  Value build() && { return std::move(builder_).build(); }

 private:
  struct Field {
    size_t segment;  // offset in segments_
    size_t length;
    size_t key_bytes;
    element value;
  };

  Result<void> object(const simdjson::dom::object& object);
  Result<void> array(const simdjson::dom::array& array);
  Result<void> server_value(const element& node);
  Result<void> leaf(std::string_view bytes);
  Result<void> priority(const element& node);
  Result<void> child(std::string_view segment, size_t key_bytes, const element& value);
  Result<std::string> increment(const element& step);

  const std::string& text_;
  size_t depth_;       // of the place where the next leaf would stand
  size_t path_bytes_;  // of its path
  std::string key_;    // encoded path below the place written
  std::string leaf_;
  std::string segments_;       // of the objects being converted, innermost last
  std::vector<Field> fields_;  // the same
  ValueBuilder builder_;
};

Result<void> Conversion::leaf(std::string_view bytes) {
  if (depth_ > kDepthMax) return too_deep();
  if (path_bytes_ > kPathBytesMax) {
    return Error{ErrorCode::InvalidData, "Invalid path: Path specified exceeds the maximum length that can be written (768 bytes)."};
  }
  builder_.add(key_, bytes);
  return {};
}

Result<std::string> Conversion::increment(const element& step) {
  int64_t whole = 0;
  double real = 0;
  if (step.get(whole) == simdjson::SUCCESS) return encode_leaf(Value::increment(Value::integer(whole)));
  if (step.get(real) == simdjson::SUCCESS) return encode_leaf(Value::increment(Value::real(real)));
  return invalid("an increment must be by a number.");
}

Result<void> Conversion::server_value(const element& node) {
  std::string_view name;
  if (node.get(name) == simdjson::SUCCESS) {
    if (name == "timestamp") return leaf(encode_leaf(Value::server_timestamp()));
    return invalid("unexpected server value: " + std::string(name.substr(0, 64)) + ".");
  }
  simdjson::dom::object operation;
  if (node.get(operation) == simdjson::SUCCESS && operation.size() == 1) {
    const auto only = *operation.begin();
    if (only.key == "increment") {
      ASSIGN_OR_RETURN(const std::string bytes, increment(only.value));
      return leaf(bytes);
    }
  }
  return invalid("unexpected server value; known are \"timestamp\" and {\"increment\": number}.");
}

Result<void> Conversion::priority(const element& node) {
  if (node.is_null()) return {};
  const size_t before = key_.size();
  key_ += kPriorityMark;
  Value carried;
  double number = 0;
  std::string_view text;
  simdjson::dom::object object;
  Result<void> done;
  if (node.get(number) == simdjson::SUCCESS) {
    const Value carrier = Value::boolean(true).with_priority(Value::real(number));
    builder_.add(key_, carrier.row(1).leaf);
  } else if (node.get(text) == simdjson::SUCCESS) {
    if (text.size() > kStringBytesMax) {
      done = invalid("a string is longer than 10485760 bytes.");
    } else {
      builder_.add(key_, encode_leaf(Value::string(text)));
    }
  } else if (node.get(object) == simdjson::SUCCESS && object.size() == 1 && (*object.begin()).key == ".sv") {
    done = server_value((*object.begin()).value);
  } else {
    done = invalid("a priority must be a string, a number, a server value or null.");
  }
  key_.resize(before);
  return done;
}

Result<void> Conversion::child(std::string_view segment, size_t key_bytes, const element& value) {
  const size_t before = key_.size();
  if (depth_ <= kDepthMax) key_ += segment;  // deeper, only an error or nothing at all can follow
  const size_t slash = path_bytes_ > 0 ? 1 : 0;
  ++depth_;
  path_bytes_ += slash + key_bytes;
  const Result<void> done = convert(value);
  path_bytes_ -= slash + key_bytes;
  --depth_;
  key_.resize(before);
  return done;
}

Result<void> Conversion::array(const simdjson::dom::array& array) {
  size_t index = 0;
  for (const element item : array) {
    if (!item.is_null()) {
      const std::string key = std::to_string(index);
      std::string segment;
      append_segment(key, segment);
      RETURN_IF_ERROR(child(segment, key.size(), item));
    }
    ++index;
  }
  return {};
}

Result<void> Conversion::object(const simdjson::dom::object& object) {
  std::optional<element> own_value, own_priority, own_server_value;
  const size_t first = fields_.size();
  const size_t first_byte = segments_.size();
  bool sorted = true;
  for (const auto field : object) {
    const std::string_view key = field.key;
    if (!key.empty() && key.front() == '.') {
      if (key == ".value") {
        own_value = field.value;
        continue;
      }
      if (key == ".priority") {
        own_priority = field.value;
        continue;
      }
      if (key == ".sv") {
        own_server_value = field.value;
        continue;
      }
    }
    if (!check_key(key).ok()) {
      if (key.size() > kKeyBytesMax) {
        return Error{ErrorCode::InvalidData, "Invalid path: Path specified exceeds the maximum length that can be written (768 bytes)."};
      }
      return invalid("couldn't parse key beginning at " + position_of_bad_key(text_) +
                     ". Key value can't be empty or contain $ # [ ] / or .");
    }
    const size_t from = segments_.size();
    append_segment(key, segments_);
    fields_.push_back({from, segments_.size() - from, key.size(), field.value});
    if (fields_.size() > first + 1) {
      const Field& last = fields_[fields_.size() - 2];
      sorted = sorted && std::string_view(segments_).substr(last.segment, last.length) < std::string_view(segments_).substr(from);
    }
  }
  const size_t count = fields_.size() - first;
  const auto leave = [&](Result<void> done) {
    fields_.resize(first);
    segments_.resize(first_byte);
    return done;
  };
  if (own_server_value) {
    if (count > 0 || own_value || own_priority) return leave(invalid("\".sv\" cannot have siblings."));
    return leave(server_value(*own_server_value));
  }
  if (own_value) {
    if (count > 0) return leave(invalid("\".value\" cannot stand beside children."));
    if (own_value->is_null()) return leave({});
    simdjson::dom::object inner;
    const bool server = own_value->get(inner) == simdjson::SUCCESS && inner.size() == 1 && (*inner.begin()).key == ".sv";
    if (!server && (own_value->is_object() || own_value->is_array())) {
      return leave(invalid("\".value\" must be a string, a number or a boolean."));
    }
    if (const Result<void> done = convert(*own_value); !done.ok()) return leave(done);
    return leave(own_priority ? priority(*own_priority) : Result<void>());
  }

  if (!sorted) {
    std::stable_sort(fields_.begin() + static_cast<ptrdiff_t>(first), fields_.end(), [&](const Field& a, const Field& b) {
      return std::string_view(segments_).substr(a.segment, a.length) < std::string_view(segments_).substr(b.segment, b.length);
    });
  }
  const size_t before = builder_.row_count();
  if (own_priority) {
    if (const Result<void> done = priority(*own_priority); !done.ok()) return leave(done);
  }
  const size_t with_priority = builder_.row_count();
  for (size_t i = first; i < first + count; ++i) {
    const Field field = fields_[i];
    if (i + 1 < first + count) {  // of equal keys the last wins
      const Field& next = fields_[i + 1];
      if (segments_.compare(field.segment, field.length, segments_, next.segment, next.length) == 0) continue;
    }
    const std::string segment = segments_.substr(field.segment, field.length);
    if (const Result<void> done = child(segment, field.key_bytes, field.value); !done.ok()) return leave(done);
  }
  // A node without children is none, and has no priority.
  if (builder_.row_count() == with_priority && with_priority > before) builder_.drop_last();
  return leave({});
}

Result<void> Conversion::convert(const element& node) {
  switch (node.type()) {
    case element_type::NULL_VALUE:
      return {};
    case element_type::BOOL:
      return leaf(bool(node) ? "t" : "f");
    case element_type::INT64:
      return leaf(encode_leaf(Value::integer(int64_t(node))));
    case element_type::UINT64:
    case element_type::DOUBLE:
      return leaf(encode_leaf(Value::real(double(node))));
    case element_type::STRING: {
      const std::string_view text = node;
      if (text.size() > kStringBytesMax) return invalid("a string is longer than 10485760 bytes.");
      leaf_.assign(1, 's').append(text);
      return leaf(leaf_);
    }
    case element_type::ARRAY:
      return array(node);
    case element_type::OBJECT:
      return object(node);
  }
  return not_json();
}

}  // namespace

Result<Value> JsonNode::to_value(const Path& at) const {
  Conversion conversion(*text_, at);
  RETURN_IF_ERROR(conversion.convert(as_element(element_)));
  return std::move(conversion).build();
}

Result<std::vector<JsonEntry>> JsonNode::to_entries(const Path& base) const {
  if (!is_object()) {
    return Error{ErrorCode::InvalidData, "Invalid data; couldn't parse JSON object. Are you sending a JSON object with valid key names?"};
  }
  std::vector<JsonEntry> entries;
  for (const auto& [name, node] : fields()) {
    std::string_view place = name;
    if (place == ".priority" || place.ends_with("/.priority")) place.remove_suffix(9);
    ASSIGN_OR_RETURN(const Path below, Path::parse(place));
    ASSIGN_OR_RETURN(const Path whole, base.join(below));
    ASSIGN_OR_RETURN(Value value, node.to_value(whole));
    const auto same = std::find_if(entries.begin(), entries.end(), [&](const JsonEntry& entry) {
      return entry.path == name;
    });
    if (entries.size() < 1'000 && same != entries.end()) {  // of equal keys the last wins; more are found as overlapping
      same->value = std::move(value);
    } else {
      entries.push_back({std::string(name), std::move(value)});
    }
  }
  return entries;
}

Result<Value> parse_value(std::string&& text, const Path& at) {
  ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::parse(std::move(text)));
  return document.root().to_value(at);
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

}  // namespace hearth::db
