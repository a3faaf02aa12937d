// JSON text in: simdjson's DOM behind JsonDocument and JsonNode. No other file knows how a document is kept.
//
// A text is parsed as it is. Only when simdjson refuses it, it is repaired and parsed again: clients send what
// JavaScript takes (halves of surrogate pairs, integers of 20 digits), but rarely, and nobody else should pay for a
// second look.
//
//   text ─▶ parse ─ ok ─▶ document                       a JsonNode is simdjson's element, two words, held as bits
//             └─ refused ─▶ repaired() ─▶ parse ─ ok ─▶ …
//                                          └─ refused ─▶ InvalidData, with the service's own sentence
//
// Lifetime: nodes point into the State, so a JsonDocument moves its State by pointer, and nodes survive the move.
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "db/base/give_back.h"
#include "db/model/half_surrogates.h"
#include "db/model/json.h"
#include "db/model/text_encoding.h"

namespace hearth::db {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

Error not_json() { return {ErrorCode::InvalidData, "Invalid data; couldn't parse JSON object, array, or value."}; }

Error utf16() { return {ErrorCode::InvalidData, not_json().message + " It is UTF-16; JSON is UTF-8."}; }

Error nested_too_deep() {
  return {ErrorCode::InvalidData, "Invalid path: Path specified exceeds the maximum depth that can be written (32)."};
}

// Whether simdjson refuses a token that JavaScript takes as a double: an integer beyond 64 bits.
bool is_huge_integer(std::string_view token) {
  if (token.find_first_of(".eE") != std::string_view::npos) return false;
  uint64_t magnitude = 0;
  const char* digits = token.data() + (token.front() == '-' ? 1 : 0);
  if (std::from_chars(digits, token.data() + token.size(), magnitude).ec == std::errc::result_out_of_range) return true;
  return token.front() == '-' && magnitude > uint64_t{1} << 63;
}

// What JavaScript accepts and simdjson refuses: lone surrogate escapes become U+FFFD, integers beyond 64 bits doubles.
std::string repaired(std::string_view text) {
  std::string whole;
  whole.reserve(text.size());
  HalfSurrogates halves;
  halves.pass(text, whole);
  halves.finish(whole);
  std::string out;
  out.reserve(whole.size() + 64);
  bool in_string = false;
  for (size_t i = 0; i < whole.size();) {
    const char c = whole[i];
    const bool is_number = !in_string && (c == '-' || (c >= '0' && c <= '9'));
    size_t end = i + (in_string && c == '\\' ? 2 : 1);
    while (is_number && end < whole.size() && std::strchr("0123456789+-.eE", whole[end]) != nullptr &&
           whole[end] != '\0')
      ++end;
    const std::string_view token = std::string_view(whole).substr(i, end - i);
    if (c == '"') in_string = !in_string;
    out += token;
    if (is_number && is_huge_integer(token)) out += "e0";
    i = end;
  }
  return out;
}

// Precondition of the parser's tape, whose offsets are 32 bits.
constexpr size_t kJsonBytesMax = UINT32_MAX;  // simdjson's own limit

// Texts up to this share one parser of their thread, whose memory stays (some 100 kB); making one costs more than
// parsing a small text.
constexpr size_t kSmallTextBytes = 16u << 10;

// Larger ones are given back before their document is walked.
constexpr size_t kLargeTextBytes = 1u << 20;

// What an object says of its own node, and what may stand in a stored tree no more than a key with a "." may.
bool is_special_name(std::string_view name) { return name == ".value" || name == ".priority" || name == ".sv"; }

// Whether each name at and below the node is a key, or one that says something of the node (json_value.cc). Recursion ends
// at kJsonDepthMax.
bool has_good_keys(const element& node, JsonDocument::RootNames names) {
  if (node.is_object()) {
    for (const auto field : simdjson::dom::object(node)) {
      const std::string_view key = field.key;
      const bool is_good = names == JsonDocument::RootNames::Paths || is_special_name(key) || check_key(key).ok();
      if (!is_good || !has_good_keys(field.value, JsonDocument::RootNames::Keys)) return false;
    }
  } else if (node.is_array()) {
    for (const element item : simdjson::dom::array(node)) {
      if (!has_good_keys(item, JsonDocument::RootNames::Keys)) return false;
    }
  }
  return true;
}

}  // namespace

struct JsonDocument::State {
  std::string text;
  simdjson::dom::document document;
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
  state->text.erase(0, state->text.size() - without_bom(state->text).size());
  const auto parse_by = [&](simdjson::dom::parser& parser, size_t capacity) {
    // simdjson reads up to 64 bytes past the end, and `false` below says that they are there: no copy is made.
    state->text.reserve(state->text.size() + simdjson::SIMDJSON_PADDING);
    simdjson::error_code failed = simdjson::SUCCESS;
    if (parser.capacity() < capacity) failed = parser.allocate(capacity, kJsonDepthMax);
    if (failed == simdjson::SUCCESS) {
      failed =
          parser.parse_into_document(state->document, state->text.data(), state->text.size(), false).get(state->root);
    }
    return failed;
  };
  const auto attempt = [&] {
    if (state->text.size() <= kSmallTextBytes) {
      thread_local simdjson::dom::parser of_thread(kSmallTextBytes);
      return parse_by(of_thread, kSmallTextBytes);
    }
    // The parser's own memory, four bytes for each of text, goes before anyone walks the document.
    simdjson::dom::parser parser(kJsonBytesMax);
    return parse_by(parser, state->text.size());
  };
  simdjson::error_code failed = attempt();
  if (failed == simdjson::STRING_ERROR || failed == simdjson::NUMBER_ERROR || failed == simdjson::TAPE_ERROR) {
    state->text = repaired(state->text);
    failed = attempt();
  }
  if (failed == simdjson::DEPTH_ERROR) return nested_too_deep();
  if (failed != simdjson::SUCCESS) return is_utf16(state->text) ? utf16() : not_json();
  return JsonDocument(std::move(state));
}

namespace {

static_assert(std::is_trivially_copyable_v<element>, "a JsonNode holds an element as bits");

template <typename Bits>
element as_element(const Bits& bits) {
  return std::bit_cast<element>(bits);
}

}  // namespace

void JsonDocument::give_back_text(RootNames names) {
  if (state_->text.size() > kLargeTextBytes && has_good_keys(state_->root, names)) give_back(state_->text);
}

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

// 1.0 and 1e3 are integers too, as they are once they are stored (db/model/data-model.md §2.3).
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

std::string_view JsonNode::text(std::string_view name) const {
  const auto found = field(name);
  return found && found->string() ? *found->string() : std::string_view();
}

std::vector<std::pair<std::string_view, JsonNode>> JsonNode::fields() const {
  std::vector<std::pair<std::string_view, JsonNode>> fields;
  simdjson::dom::object object;
  if (as_element(element_).get(object) != simdjson::SUCCESS) return fields;
  for (const auto field : object) fields.emplace_back(field.key, JsonNode(text_, std::bit_cast<Element>(field.value)));
  return fields;
}

// Goes through all fields: of equal names the last one counts, as in JavaScript, and simdjson's own look-up takes the
// first.
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

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

}  // namespace hearth::db
