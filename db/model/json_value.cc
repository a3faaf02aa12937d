// From a parsed document to Values: keys in order, `.value`, `.priority` and `.sv` understood
// (db/model/data-model.md §1, §2, §10).
//
// A document has its keys in the order of its writer, a Value has its rows in key order. So each object's keys are
// encoded and, only where they do not ascend already, sorted; then its children are converted in that order, and
// every leaf goes straight to its place in the builder. There is no tree in between.
//
//   key_       path of the place that is converted, encoded            grows and shrinks with the recursion
//   segments_  │ keys of the outer object │ of the inner │ …          one text and one list for all levels: an object
//   fields_    │ f f f                    │ f f          │            appends its own, and leave() takes them off
//
// Limits are judged where a leaf would stand and not on the way down: {"a":{"b":{}}} is nothing at all, however deep,
// and nothing can't be too deep. Recursion is bounded by kJsonDepthMax, which the parser has enforced.
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"
#include "db/model/tree_view.h"

namespace hearth::db {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

Error invalid(const std::string& why) { return {ErrorCode::InvalidData, "Invalid data; " + why}; }

Error value_too_deep() {
  return {ErrorCode::InvalidData, "Invalid path: Path specified exceeds the maximum depth that can be written (32)."};
}

Error path_too_long() {
  return {ErrorCode::InvalidData,
          "Invalid path: Path specified exceeds the maximum length that can be written (768 bytes)."};
}

Error too_large() {
  return {ErrorCode::TooLarge, "Data to write exceeds the maximum size that can be modified with a single request."};
}

Error string_too_long() { return invalid("a string is longer than 10485760 bytes."); }

// Where `wanted` first stands as a key: "line:column" from 1.
// For the text of an error only: simdjson keeps no positions, so the document is looked through a second time.
std::string position_of_key(const std::string& text, std::string_view wanted) {
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
    if (key == wanted) return std::to_string(line) + ":" + std::to_string(start - line_start + 1);
  }
  return "1:1";
}

// From simdjson's tape to rows, each object's keys sorted. Recursion ends at kJsonDepthMax. Each step is true, or has left
// why not in error_: there are five for each leaf, and a Result has a string.
class Conversion {
 public:
  Conversion(const std::string& text, const Path& at, size_t bytes_max)
      : text_(text),
        has_good_keys_(text.empty()),
        bytes_max_(bytes_max),
        depth_(at.depth()),
        path_bytes_(at.text().size()) {}

  bool convert(const element& node);
  const Error& error() const { return error_; }  // once a step was false
  Value build() && { return std::move(builder_).build(); }

 private:
  // Offsets and no views: segments_ grows while inner objects are converted, and moves.
  struct Field {
    size_t segment;  // offset in segments_
    size_t length;
    size_t key_bytes;
    element value;
  };

  bool object(const simdjson::dom::object& object);
  bool array(const simdjson::dom::array& array);
  bool server_value(const element& node);
  bool fail(Error why);
  bool may_stand();
  bool is_within_limit();
  bool leaf(std::string_view bytes);
  bool text_leaf(std::string_view text);
  bool priority(const element& node);
  bool child(std::string_view segment, size_t key_bytes, const element& value);

  const std::string& text_;
  const bool has_good_keys_;  // the text was given back, once all keys had been looked at
  const size_t bytes_max_;
  size_t depth_;       // of the place where the next leaf would stand
  size_t path_bytes_;  // of its path
  std::string key_;    // encoded path below the place written
  std::string leaf_;
  std::string segments_;       // of the objects being converted, innermost last
  std::vector<Field> fields_;  // the same
  ValueBuilder builder_;
  Error error_{};
};

bool Conversion::fail(Error why) {
  error_ = std::move(why);
  return false;
}

// Whether a leaf may be at key_.
bool Conversion::may_stand() {
  if (depth_ > kDepthMax) return fail(value_too_deep());
  return path_bytes_ <= kPathBytesMax || fail(path_too_long());
}

// A row repeats its whole path, so a document may be small and its rows are not.
bool Conversion::is_within_limit() { return builder_.byte_count() <= bytes_max_ || fail(too_large()); }

bool Conversion::leaf(std::string_view bytes) {
  if (!may_stand()) return false;
  builder_.add(key_, bytes);
  return is_within_limit();
}

bool Conversion::text_leaf(std::string_view text) {
  if (text.size() > kStringBytesMax) return fail(string_too_long());
  if (!may_stand()) return false;
  builder_.add_text(key_, text);
  return is_within_limit();
}

bool Conversion::server_value(const element& node) {
  std::string_view name;
  if (node.get(name) == simdjson::SUCCESS) {
    if (name == "timestamp") return leaf("T");
    return fail(invalid("unexpected server value: " + std::string(name.substr(0, 64)) + "."));
  }
  simdjson::dom::object operation;
  if (node.get(operation) != simdjson::SUCCESS || operation.size() != 1 || (*operation.begin()).key != "increment") {
    return fail(invalid("unexpected server value; known are \"timestamp\" and {\"increment\": number}."));
  }
  const element step = (*operation.begin()).value;
  int64_t whole = 0;
  double real = 0;
  leaf_ = "I";
  if (step.get(whole) == simdjson::SUCCESS) {
    append_integer_leaf(whole, leaf_);
  } else if (step.get(real) == simdjson::SUCCESS) {
    append_number_leaf(real, leaf_);
  } else {
    return fail(invalid("an increment must be by a number."));
  }
  return leaf(leaf_);
}

// Called behind the node's own leaf and before its children: the mark sorts right there.
bool Conversion::priority(const element& node) {
  if (node.is_null()) return true;
  key_ += kPriorityMark;
  double number = 0;
  std::string_view text;
  simdjson::dom::object object;
  bool done = false;
  if (node.get(number) == simdjson::SUCCESS) {
    leaf_.clear();
    append_double_leaf(number == 0 ? 0 : number, leaf_);  // -0 is 0
    done = leaf(leaf_);
  } else if (node.get(text) == simdjson::SUCCESS) {
    done = text_leaf(text);
  } else if (node.get(object) == simdjson::SUCCESS && object.size() == 1 && (*object.begin()).key == ".sv") {
    done = server_value((*object.begin()).value);
  } else {
    done = fail(invalid("a priority must be a string, a number, a server value or null."));
  }
  key_.pop_back();
  return done;
}

// path_bytes_ counts the keys as clients write them, with slashes: that is the limit's unit, not encoded bytes.
bool Conversion::child(std::string_view segment, size_t key_bytes, const element& value) {
  const size_t before = key_.size();
  if (depth_ <= kDepthMax) key_ += segment;  // deeper, only an error or nothing at all can follow
  const size_t slash = path_bytes_ > 0 ? 1 : 0;
  ++depth_;
  path_bytes_ += slash + key_bytes;
  const bool done = convert(value);
  path_bytes_ -= slash + key_bytes;
  --depth_;
  key_.resize(before);
  return done;
}

bool Conversion::array(const simdjson::dom::array& array) {
  size_t index = 0;
  for (const element item : array) {
    if (!item.is_null()) {
      const std::string key = std::to_string(index);
      std::string segment;
      append_segment(key, segment);
      if (!child(segment, key.size(), item)) return false;
    }
    ++index;
  }
  return true;
}

bool Conversion::object(const simdjson::dom::object& object) {
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
    if (!has_good_keys_ && !check_key(key).ok()) {
      if (key.size() > kKeyBytesMax) return fail(path_too_long());
      return fail(invalid("couldn't parse key beginning at " + position_of_key(text_, key) +
                          ". Key value can't be empty or contain $ # [ ] / or ."));
    }
    const size_t from = segments_.size();
    append_segment(key, segments_);
    fields_.push_back({from, segments_.size() - from, key.size(), field.value});
    if (fields_.size() > first + 1) {
      const Field& last = fields_[fields_.size() - 2];
      sorted = sorted &&
               std::string_view(segments_).substr(last.segment, last.length) < std::string_view(segments_).substr(from);
    }
  }
  const size_t count = fields_.size() - first;
  // Every return from here on goes through leave(), or the keys of this object would be taken for the outer one's.
  const auto leave = [&](bool done) {
    fields_.resize(first);
    segments_.resize(first_byte);
    return done;
  };
  if (own_server_value) {
    if (count > 0 || own_value || own_priority) return leave(fail(invalid("\".sv\" cannot have siblings.")));
    return leave(server_value(*own_server_value));
  }
  if (own_value) {
    if (count > 0) return leave(fail(invalid("\".value\" cannot stand beside children.")));
    if (own_value->is_null()) return leave(true);
    simdjson::dom::object inner;
    const bool server =
        own_value->get(inner) == simdjson::SUCCESS && inner.size() == 1 && (*inner.begin()).key == ".sv";
    if (!server && (own_value->is_object() || own_value->is_array())) {
      return leave(fail(invalid("\".value\" must be a string, a number or a boolean.")));
    }
    return leave(convert(*own_value) && (!own_priority || priority(*own_priority)));
  }

  if (!sorted) {
    std::stable_sort(fields_.begin() + static_cast<ptrdiff_t>(first), fields_.end(),
                     [&](const Field& a, const Field& b) {
                       return std::string_view(segments_).substr(a.segment, a.length) <
                              std::string_view(segments_).substr(b.segment, b.length);
                     });
  }
  const size_t before = builder_.row_count();
  if (own_priority && !priority(*own_priority)) return leave(false);
  const size_t with_priority = builder_.row_count();
  for (size_t i = first; i < first + count; ++i) {
    // A copy: converting the child before may have moved fields_.
    const Field field = fields_[i];
    if (i + 1 < first + count) {  // of equal keys the last wins
      const Field& next = fields_[i + 1];
      if (segments_.compare(field.segment, field.length, segments_, next.segment, next.length) == 0) continue;
    }
    const std::string_view segment = std::string_view(segments_).substr(field.segment, field.length);
    if (!child(segment, field.key_bytes, field.value)) return leave(false);
  }
  // A node without children is none, and has no priority.
  if (builder_.row_count() == with_priority && with_priority > before) builder_.drop_last();
  return leave(true);
}

bool Conversion::convert(const element& node) {
  switch (node.type()) {
    case element_type::NULL_VALUE:
      return true;
    case element_type::BOOL:
      return leaf(bool(node) ? "t" : "f");
    case element_type::INT64:
      leaf_.clear();
      append_integer_leaf(int64_t(node), leaf_);
      return leaf(leaf_);
    case element_type::UINT64:
    case element_type::DOUBLE:
      leaf_.clear();
      append_number_leaf(double(node), leaf_);
      return leaf(leaf_);
    case element_type::STRING:
      return text_leaf(node);
    case element_type::ARRAY:
      return array(node);
    case element_type::OBJECT:
      return object(node);
  }
  invariant(false, "simdjson knows no other kind of element");
  return false;
}

}  // namespace

Result<Value> JsonNode::to_value(const Path& at, size_t bytes_max) const {
  Conversion conversion(*text_, at, bytes_max);
  if (!conversion.convert(std::bit_cast<element>(element_))) return conversion.error();
  return std::move(conversion).build();
}

Result<std::vector<JsonEntry>> JsonNode::to_entries(const Path& base) const {
  if (!is_object()) {
    return Error{ErrorCode::InvalidData,
                 "Invalid data; couldn't parse JSON object. Are you sending a JSON object with valid key names?"};
  }
  std::vector<JsonEntry> entries;
  // Names are compared as written: "a/b" and "a//b" stay two entries here, and check_overlap() refuses them.
  std::unordered_map<std::string_view, size_t> places;  // in entries: of equal keys the last wins
  for (const auto& [name, node] : fields()) {
    ASSIGN_OR_RETURN(const Path below, Path::parse(node_of(name)));
    ASSIGN_OR_RETURN(const Path whole, base.join(below));
    ASSIGN_OR_RETURN(Value value, node.to_value(whole));
    const auto [at, added] = places.emplace(name, entries.size());
    if (added) {
      entries.push_back({std::string(name), std::move(value)});
    } else {
      entries[at->second].value = std::move(value);
    }
  }
  return entries;
}

Result<Value> parse_value(std::string&& text, const Path& at) {
  ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::parse(std::move(text)));
  document.give_back_text(JsonDocument::RootNames::Keys);
  return document.root().to_value(at);
}

}  // namespace hearth::db
