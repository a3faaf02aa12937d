// JSON text ⇄ Value. Text comes in by simdjson, behind this header; numbers leave as db/model/number_text.h says.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/value.h"

namespace hearth::db {

inline constexpr size_t kJsonDepthMax = 1024;  // brackets in any document we parse; trees themselves end at kDepthMax
inline constexpr size_t kValueBytesMax = size_t{1} << 30;  // of the rows of one parsed value

enum class JsonStyle {
  Plain,   // val(): arrays where dense enough, no priorities (net/rest/http-api.md §5.6)
  Export,  // .priority and .value, never arrays (net/rest/http-api.md §5.7)
};

// One write location of an update body, as asked for.
struct JsonEntry {
  std::string path;  // as written: may hold "/", may end in "/.priority"
  Value value;
};

class JsonNode;

// A parsed document. Thread: one. Repairs, before giving up, what JavaScript accepts and simdjson refuses: lone
// surrogate escapes become U+FFFD, integers beyond 64 bits become doubles. Of duplicate keys the last wins.
class JsonDocument {
 public:
  // Errors: InvalidData "Invalid data; couldn't parse JSON object, array, or value." (depth above kJsonDepthMax: the
  // depth text of net/rest/http-api.md §9). Constant stack for any input.
  static Result<JsonDocument> parse(std::string_view text);
  // The same, without a copy: `text` is used in place; 64 bytes of padding are reserved by the call if missing.
  static Result<JsonDocument> parse(std::string&& text);

  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonNode root() const;

  // Gives a large text back before the document is walked, so that it and what becomes of it are not in memory together. It
  // is kept for the errors that name a place in it, which are of bad keys: so all keys are looked at, once, and the text of
  // a document that has a bad one stays. The names of an update's body are paths, which nobody looks for in the text.
  enum class RootNames : uint8_t { Keys, Paths };
  void give_back_text(RootNames names);

 private:
  struct State;
  explicit JsonDocument(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A place in a document; valid while the document lives. Two words.
class JsonNode {
 public:
  enum class Kind { Null, Boolean, Integer, Double, String, Array, Object };

  Kind kind() const;
  bool is_null() const { return kind() == Kind::Null; }
  bool is_object() const { return kind() == Kind::Object; }
  // Each is nothing when the kind is another.
  std::optional<bool> boolean() const;
  std::optional<int64_t> integer() const;  // an integral double in range counts too
  std::optional<double> number() const;
  std::optional<std::string_view> string() const;
  std::optional<JsonNode> field(std::string_view name) const;  // the last one of that name
  std::string_view text(std::string_view name) const;          // that field; "" when there is none, or no text
  std::vector<std::pair<std::string_view, JsonNode>> fields() const;
  std::vector<JsonNode> elements() const;

  // The tree value this stands for, to be written at `at` (its depth and bytes count against the path limits).
  // Understands .value, .priority, .sv, arrays, empty pruning (db/model/data-model.md §1, §2, §10).
  // Errors: InvalidData, with the service's texts where known (net/rest/http-api.md §9); TooLarge when its rows pass
  // `bytes_max`.
  Result<Value> to_value(const Path& at, size_t bytes_max = kValueBytesMax) const;

  // The locations of an update body; of equal keys the last wins. Errors: InvalidData when this is not an object, and
  // as to_value; InvalidPath when a key is no path.
  Result<std::vector<JsonEntry>> to_entries(const Path& base) const;

  std::string to_text() const;  // compact JSON of this node, as parsed

 private:
  friend class JsonDocument;
  struct Element {  // simdjson's, as bits
    const void* document;
    size_t index;
  };
  JsonNode(const std::string* text, Element element) : text_(text), element_(element) {}
  const std::string* text_;  // of the document, for positions in errors
  Element element_;
};

// JSON text of a whole body → the value to write at `at`. Errors: as to_value; a bad key says "key beginning at L:C".
Result<Value> parse_value(std::string&& text, const Path& at);

// JSON text in pieces, for what is too large to be made at once. Thread: one.
class JsonWriter {
 public:
  JsonWriter(Value value, JsonStyle style);
  ~JsonWriter();
  // Appends about `bytes` of text. False when nothing was left.
  bool next(std::string& chunk, size_t bytes);

 private:
  struct Open;
  Value::Row take_row();  // the row at at_; from here on that is the next one
  void write_row(std::string& to);
  void write_priority(std::string& to);
  void write_leaf(std::string& to);
  void open(size_t prefix, std::string& to);
  void close(std::string& to);
  void name(std::string_view segment, std::string& to);

  Value value_;
  JsonStyle style_;
  bool done_ = false;
  size_t at_ = 0;              // the row to be written next
  Value::Row row_{};           // that row; empty behind the last
  std::string_view before_{};  // the key of the row before it
  std::vector<Open> open_;     // objects and arrays around it, outermost first
  std::string name_;
};

void append_json(const Value& value, JsonStyle style, std::string& to);
std::string to_json(const Value& value, JsonStyle style);
// net/rest/http-api.md §5.2: two spaces, " : ", arrays on one line; no newline at the end.
std::string to_pretty_json(const Value& value, JsonStyle style);

void append_json_string(std::string_view utf8, std::string& to);  // with quotes
// The same of bytes that nobody has checked, as parts of a request in an error: where they are no UTF-8, what is not ASCII
// becomes "?".
void append_json_string_of_any(std::string_view bytes, std::string& to);
void append_json_number(double value, std::string& to);         // db/model/number_text.h
void append_json_leaf(std::string_view leaf, std::string& to);  // a stored leaf (db/model/value.h)

// Whether text is well-formed UTF-8.
bool is_utf8(std::string_view text);

}  // namespace hearth::db
