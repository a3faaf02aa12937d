// Index rows and plans as bytes (the grammar stands in index.h), and the walk that finds the children of a pattern.
//
// The idea: an index row's key sorts as its child does, so "the last 50 by `sent`" is a walk over 50 neighbouring
// rows and reads nothing of the children themselves.
//
//    id:4     collection        00   value ( value )*      segment of the child
//   00000007  02 'chat' 00      00   04 dddddddd dddd rr   02 'm17' 00           → "", or the rows of m17
//   └────── one range ──────────────┘└ sorts by order ────┘└ then by key, which also says whose row this is
//
// What must hold, and what breaks otherwise:
// - Byte order of `value` is compare_values() (query.cc): the tags sort as the kinds do; a double has its sign bit
//   turned (all bits when it is negative); an int64 beyond 2^53 adds what its double leaves out as a biased residual.
//   A value that sorts differently would be missed by every range that ends beside it.
// - No value is a prefix of another, so values concatenate: text ends in 00, and 00 and 01 inside it are escaped.
// - A row's key stays short: a text is cut after kIndexedTextBytes and marked. Rows of texts that begin alike are then
//   sorted by key only; whoever reads them must sort the run itself (select_by_index in select.cc).
// - What lies below a collection's path has a segment (01 or 02) where the collection's own rows have 00. So its rows
//   come first, and the rows of a whole subtree, for removal, are the one range behind id and path.
#include "db/model/index.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "db/model/json.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

constexpr char kPlanVersion = 1;
constexpr char kPlanVersionCovers = 2;  // some index covers
constexpr uint64_t kOrderByValue = 1;   // bits of an index's order
constexpr uint64_t kOrderCovers = 2;

enum class ValueTag : char { Null = 1, False = 2, True = 3, Number = 4, Text = 5, Object = 6 };
constexpr char kTextEnd = '\x00';
constexpr char kEscape = '\x01';
constexpr char kEscapedNul = '\x02';  // behind kEscape
constexpr char kEscapedOne = '\x03';
constexpr char kCut = '\x01';  // behind kEscape: sorts before what an escape can be, behind the end

Error corrupt(std::string_view what) {
  return {ErrorCode::Corruption, "an index row is not ours: " + std::string(what)};
}

void append_u32(uint32_t value, std::string& to) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift);
}

void append_u64(uint64_t value, std::string& to) {
  for (int shift = 56; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift);
}

uint64_t read_big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void append_sized(std::string_view bytes, std::string& to) {
  append_u32(static_cast<uint32_t>(bytes.size()), to);
  to += bytes;
}

// Takes the plan's bytes apart; all zero once they are too few.
// Its callers check `good` once, at the end: until then a damaged plan only yields zeros and empty texts.
struct PlanReader {
  std::string_view rest;
  bool good = true;
  uint64_t number(size_t bytes) { return read_big_endian(take(bytes)); }
  std::string_view take(size_t bytes) {
    good = good && rest.size() >= bytes;
    if (!good) return {};
    const std::string_view taken = rest.substr(0, bytes);
    rest.remove_prefix(bytes);
    return taken;
  }
};

// Doubles as bytes that sort as they do: the sign turned, and of negative ones all bits.
uint64_t ordered_bits(double number) {
  const auto bits = std::bit_cast<uint64_t>(number == 0 ? 0.0 : number);  // no -0
  constexpr uint64_t kSign = 1ULL << 63;
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

double from_ordered_bits(uint64_t bits) {
  constexpr uint64_t kSign = 1ULL << 63;
  return std::bit_cast<double>((bits & kSign) != 0 ? bits & ~kSign : ~bits);
}

constexpr int32_t kResidualBias = 0x8000;
constexpr double kInt64Limit = 9223372036854775808.0;

// "/rooms/$room/messages" → rooms, $, messages: the name of a variable means nothing to an index.
std::vector<std::string> split_pattern(std::string_view text) {
  std::vector<std::string> keys;
  while (!text.empty()) {
    const size_t end = std::min(text.find('/'), text.size());
    if (end > 0) keys.push_back(text.front() == '$' ? "$" : std::string(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return keys;
}

// Adds the index, or lets the one that is there for the same order cover too.
void add_spec(IndexSpec spec, std::vector<IndexSpec>& specs) {
  const auto same = [&](const IndexSpec& one) { return one.is_same_order(spec); };
  const auto found = std::find_if(specs.begin(), specs.end(), same);
  if (found == specs.end()) return specs.push_back(std::move(spec));
  found->covers = found->covers || spec.covers;
}

void append_copied(std::string_view bytes, std::string& to) {
  to += static_cast<char>(bytes.size() >> 8);
  to += static_cast<char>(bytes.size());
  to += bytes;
}

// Adds one row to a copy. False: it would be too long.
bool add_to_copy(std::string_view key, std::string_view leaf, std::string& copy) {
  if (copy.size() + key.size() + leaf.size() + 4 > kCopyBytesMax) return false;
  append_copied(key, copy);
  append_copied(leaf, copy);
  return true;
}

}  // namespace

bool IndexSpec::is_same_order(const IndexSpec& other) const {
  return at == other.at && order == other.order && child == other.child && then == other.then;
}

bool IndexSpec::matches_start(std::span<const std::string_view> keys) const {
  if (keys.size() > at.size()) return false;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (at[i] != "$" && at[i] != keys[i]) return false;
  }
  return true;
}

std::string IndexSpec::pattern() const {
  std::string text;
  for (const std::string& key : at) text.append("/").append(key);
  return text.empty() ? "/" : text;
}

std::string IndexSpec::by() const {
  if (order == Order::Value) return ".value";
  std::string text = child.text();
  for (const Path& path : then) text.append(",").append(path.text());
  return text;
}

std::optional<IndexSpec> make_index(std::span<const std::string> pattern, std::string_view by) {
  IndexSpec spec;
  for (const std::string& key : pattern) spec.at.push_back(key.starts_with('$') ? "$" : key);
  if (by == ".value") {
    spec.order = Order::Value;
    return spec;
  }
  Result<Path> child = Path::parse(by);
  if (!child.ok() || child.value().is_root()) return {};
  spec.child = std::move(child).value();
  return spec;
}

Result<std::vector<IndexSpec>> parse_indexes(std::string_view json) {
  // One sentence for every mistake: the text comes from an operator's setting, or from the rules' own .indexOn.
  const Error bad{ErrorCode::InvalidData, "Indexes are a list such as [{\"at\": \"/rooms/$room\", \"by\": \"sent\"}]."};
  std::vector<IndexSpec> specs;
  if (json.empty()) return specs;
  ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::parse(json));
  if (document.root().kind() != JsonNode::Kind::Array) return bad;
  for (const JsonNode& one : document.root().elements()) {
    if (!one.is_object()) return bad;
    const auto at = one.field("at");
    const auto by = one.field("by");
    const auto covers = one.field("covers");
    if (!at || !by || !at->string() || (covers && !covers->boolean())) return bad;
    const std::vector<std::string> pattern = split_pattern(*at->string());
    auto spec = make_index(pattern, by->string().value_or(".value"));
    if (!spec) return bad;
    if (!by->string()) {
      spec->order = Order::Child;
      if (!read_order(*by, spec->child, spec->then)) return bad;
    }
    spec->covers = covers && *covers->boolean();
    add_spec(std::move(*spec), specs);
  }
  return specs;
}

Result<std::vector<IndexSpec>> wanted_indexes(const Settings& settings, const UsualIndexes& usual) {
  ASSIGN_OR_RETURN(const auto of_rules, settings.text(kIndexesSetting));
  ASSIGN_OR_RETURN(const auto own, settings.text(kOwnIndexesSetting));
  ASSIGN_OR_RETURN(std::vector<IndexSpec> specs, parse_indexes(of_rules.value_or(usual.of_rules)));
  ASSIGN_OR_RETURN(const std::vector<IndexSpec> more, parse_indexes(own.value_or(usual.own)));
  for (const IndexSpec& spec : more) {
    add_spec(spec, specs);
  }
  return specs;
}

std::string indexes_text(const std::vector<IndexSpec>& specs) {
  std::string text = "[";
  for (const IndexSpec& spec : specs) {
    if (text.size() > 1) text += ",\n ";
    text += "{\"at\":";
    append_json_string(spec.pattern(), text);
    text += ",\"by\":";
    if (!spec.then.empty()) text += '[';
    append_json_string(spec.order == Order::Value ? ".value" : spec.child.text(), text);
    for (const Path& path : spec.then) append_json_string(path.text(), text += ',');
    if (!spec.then.empty()) text += ']';
    if (spec.covers) text += ",\"covers\":true";
    text += '}';
  }
  return text + "]";
}

std::string IndexPlan::encode() const {
  const bool covers = std::any_of(indexes.begin(), indexes.end(), [](const Index& one) { return one.spec.covers; });
  std::string bytes(1, covers ? kPlanVersionCovers : kPlanVersion);
  append_u32(next_id, bytes);
  for (const Index& index : indexes) {
    append_u32(index.id, bytes);
    bytes += index.is_complete ? '\1' : '\0';
    bytes += static_cast<char>((index.spec.order == Order::Value ? kOrderByValue : 0) |
                               (index.spec.covers ? kOrderCovers : 0));
    std::string children = index.spec.child.text();
    for (const Path& path : index.spec.then) children.append("\n").append(path.text());
    append_sized(children, bytes);
    append_sized(index.spec.pattern(), bytes);
    append_sized(index.built, bytes);
  }
  return bytes;
}

Result<IndexPlan> IndexPlan::decode(std::string_view bytes) {
  if (bytes.empty() || (bytes.front() != kPlanVersion && bytes.front() != kPlanVersionCovers))
    return corrupt("the plan's version");
  PlanReader in{bytes.substr(1)};
  IndexPlan plan;
  plan.next_id = static_cast<uint32_t>(in.number(4));
  while (in.good && !in.rest.empty()) {
    Index index;
    index.id = static_cast<uint32_t>(in.number(4));
    index.is_complete = in.number(1) == 1;
    const uint64_t order = in.number(1);
    index.spec.order = (order & kOrderByValue) != 0 ? Order::Value : Order::Child;
    index.spec.covers = (order & kOrderCovers) != 0;
    std::string_view children = in.take(in.number(4));
    for (bool is_first = true; is_first || !children.empty(); is_first = false) {
      const size_t end = std::min(children.find('\n'), children.size());
      ASSIGN_OR_RETURN(Path path, Path::parse(children.substr(0, end)));
      children.remove_prefix(std::min(end + 1, children.size()));
      if (is_first)
        index.spec.child = std::move(path);
      else
        index.spec.then.push_back(std::move(path));
    }
    index.spec.at = split_pattern(in.take(in.number(4)));
    index.built = in.take(in.number(4));
    plan.indexes.push_back(std::move(index));
  }
  if (!in.good) return corrupt("the plan is cut short");
  return plan;
}

bool IndexPlan::is_building() const {
  return std::any_of(indexes.begin(), indexes.end(), [](const Index& index) { return !index.is_complete; });
}

// An index that is still being built is never used: its missing rows would look like missing children.
const Index* IndexPlan::find(std::span<const std::string_view> collection, const Query& query) const {
  const bool counts_all = query.counts && !query.start && !query.end;
  const Index* found = nullptr;
  for (const Index& index : indexes) {
    const bool fits = counts_all || (index.spec.order == query.order && index.spec.child == query.child &&
                                     index.spec.then == query.then);
    if (!index.is_complete || !fits || !index.spec.matches(collection)) continue;
    if (index.spec.covers) return &index;
    if (found == nullptr) found = &index;
  }
  return found;
}

std::string index_prefix(uint32_t id, std::string_view encoded_path) {
  std::string prefix;
  append_u32(id, prefix);
  prefix += encoded_path;
  return prefix;
}

// 00 00: no value's tag is 00, so the count lies before all rows of its collection and is no entry of it.
std::string count_row(uint32_t id, std::string_view encoded_collection) {
  return index_prefix(id, encoded_collection) + std::string(2, '\0');
}

std::string encode_count(uint64_t count) {
  std::string bytes;
  append_u64(count, bytes);
  return bytes;
}

Result<uint64_t> decode_count(std::string_view bytes) {
  if (bytes.size() != 8) return corrupt("a count");
  return read_big_endian(bytes);
}

bool append_index_value(const Value& value, std::string& to) {
  switch (value.kind()) {
    case Value::Kind::Null:
      to += static_cast<char>(ValueTag::Null);
      return true;
    case Value::Kind::Boolean:
      to += static_cast<char>(value.as_boolean() ? ValueTag::True : ValueTag::False);
      return true;
    case Value::Kind::Integer:
    case Value::Kind::Double: {
      to += static_cast<char>(ValueTag::Number);
      const auto [number, residual] = number_of(value);
      append_u64(ordered_bits(number), to);
      const auto biased = static_cast<uint32_t>(static_cast<int32_t>(residual) + kResidualBias);
      to += static_cast<char>(biased >> 8);
      to += static_cast<char>(biased);
      return true;
    }
    case Value::Kind::String: {
      to += static_cast<char>(ValueTag::Text);
      const size_t most = to.size() + kIndexedTextBytes;
      for (const char c : value.as_string()) {
        if (to.size() >= most) {
          to += kEscape;
          to += kCut;
          return false;
        }
        if (c == '\0' || c == kEscape) {
          to += kEscape;
          to += c == '\0' ? kEscapedNul : kEscapedOne;
        } else {
          to += remap_utf16(c);
        }
      }
      to += kTextEnd;
      return true;
    }
    case Value::Kind::Object:
    case Value::Kind::Timestamp:
    case Value::Kind::Increment:
      to += static_cast<char>(ValueTag::Object);
      return true;
  }
  return true;
}

bool append_index_values(const Value& value, std::span<const Value> rest, std::string& to) {
  bool is_whole = append_index_value(value, to);
  for (size_t i = 0; is_whole && i < rest.size(); ++i) is_whole = append_index_value(rest[i], to);
  return is_whole;
}

void append_index_place(const Position& position, std::string& to) {
  append_index_value(position.value, to);
  for (const Value& value : position.rest) append_index_value(value, to);
}

namespace {

// One value at the start of `bytes`, taken off them. A cut text gives an empty one.
Result<Value> take_index_value(std::string_view& bytes, bool& is_cut) {
  if (bytes.empty()) return corrupt("it has no value");
  const auto tag = static_cast<ValueTag>(bytes.front());
  bytes.remove_prefix(1);
  switch (tag) {
    case ValueTag::Null:
      return Value();
    case ValueTag::False:
      return Value::boolean(false);
    case ValueTag::True:
      return Value::boolean(true);
    case ValueTag::Number: {
      if (bytes.size() < 10) return corrupt("a number is cut short");
      const double number = from_ordered_bits(read_big_endian(bytes.substr(0, 8)));
      const auto residual = static_cast<int64_t>(read_big_endian(bytes.substr(8, 2))) - kResidualBias;
      bytes.remove_prefix(10);
      // Equal in order to what was indexed.
      // An integral double comes back as an integer: Value::real normalises it.
      if (!std::isfinite(number)) return corrupt("a number that is none");
      if (residual == 0) return Value::real(number);
      if (std::abs(number) > kInt64Limit) return corrupt("an integer out of range");
      // 128 bits: the sum of a rounded double and its residual may leave int64 when the row is damaged.
      const __int128 whole = static_cast<__int128>(number) + residual;
      if (whole < INT64_MIN || whole > INT64_MAX) return corrupt("an integer out of range");
      return Value::integer(static_cast<int64_t>(whole));
    }
    case ValueTag::Text: {
      std::string text;
      for (size_t i = 0; i < bytes.size(); ++i) {
        const bool is_escaped = bytes[i] == kEscape;
        if (is_escaped && ++i == bytes.size()) break;
        is_cut = is_escaped && bytes[i] == kCut;
        if (is_cut || (!is_escaped && bytes[i] == kTextEnd)) {
          bytes.remove_prefix(i + 1);
          return Value::string(is_cut ? std::string() : text);
        }
        text += !is_escaped ? unmap_utf16(bytes[i]) : bytes[i] == kEscapedNul ? '\0' : kEscape;
      }
      return corrupt("a text has no end");
    }
    case ValueTag::Object:
      return any_object();
  }
  return corrupt("a value of no kind");
}

}  // namespace

Result<IndexEntry> decode_index_entry(std::string_view bytes, size_t values) {
  IndexEntry entry;
  std::string_view rest = bytes;
  for (size_t i = 0; i < values; ++i) {
    bool is_cut = false;
    ASSIGN_OR_RETURN(Value value, take_index_value(rest, is_cut));
    entry.values.push_back(std::move(value));
    entry.is_cut.push_back(is_cut);
    if (is_cut && entry.cut_bytes == 0) entry.cut_bytes = bytes.size() - rest.size();
  }
  entry.segment = rest;
  if (rest.empty() || segment_length(rest) != rest.size()) return corrupt("its end is no key");
  return entry;
}

Result<std::string> copy_of_child(const TreeView& tree, std::string_view encoded_child) {
  std::string copy;
  RETURN_IF_ERROR(tree.scan(encoded_child, std::string(encoded_child) + kPastChildren,
                            [&](std::string_view key, std::string_view leaf) {
                              const bool fits = add_to_copy(key.substr(encoded_child.size()), leaf, copy);
                              if (!fits) copy.clear();
                              return fits;
                            }));
  return copy;
}

std::string copy_of_child(const Value& child) {
  std::string copy;
  for (size_t i = 0; i < child.row_count(); ++i) {
    const Value::Row row = child.row(i);
    if (!add_to_copy(row.key, row.leaf, copy)) return {};
  }
  return copy;
}

Result<void> read_copy(std::string_view copy, const std::function<void(std::string_view, std::string_view)>& row) {
  PlanReader in{copy};
  while (!in.rest.empty()) {
    const std::string_view key = in.take(in.number(2));
    const std::string_view leaf = in.take(in.number(2));
    if (!in.good || leaf.empty()) return corrupt("a copy of a child's rows is cut short");
    row(key, leaf);
  }
  return {};
}

Result<std::optional<Position>> find_place(const TreeView& tree, std::string_view encoded_child, Order order,
                                           const Path& child, std::span<const Path> then) {
  Position position;
  bool exists = false;
  const auto look = [&](std::string at, Value& value) -> Result<void> {
    ASSIGN_OR_RETURN(const auto leaf, tree.leaf(at));
    if (leaf) {
      exists = true;
      ASSIGN_OR_RETURN(value, decode_leaf(*leaf));
      return {};
    }
    // A priority is a row of its own and never an object.
    if (order == Order::Priority) return {};
    ASSIGN_OR_RETURN(const bool is_object, tree.any(at, at + kPastChildren));
    if (is_object) value = any_object();
    exists = exists || is_object;
    return {};
  };
  const std::string base(encoded_child);
  if (order == Order::Value) RETURN_IF_ERROR(look(base, position.value));
  if (order == Order::Priority) RETURN_IF_ERROR(look(base + kPriorityMark, position.value));
  if (order == Order::Child) {
    RETURN_IF_ERROR(look(base + encode_path(child), position.value));
    for (const Path& path : then) RETURN_IF_ERROR(look(base + encode_path(path), position.rest.emplace_back()));
  }
  // A child without what it is ordered by still has a place, with null: it exists as soon as anything lies below it.
  if (!exists) {
    ASSIGN_OR_RETURN(exists, tree.any(base, base + kPastChildren));
  }
  if (!exists) return std::optional<Position>();
  return std::optional(std::move(position));
}

// One seek finds the next row; its key is then compared with the pattern segment by segment. A mismatch says where the
// next possible row begins, and the walk leaps there: the cost is a few seeks, whatever lies between.
//
//   pattern /rooms/$/messages
//   row     /rooms/a/title      "title" > "messages": leap behind everything of /rooms/a
//   row     /rooms/b/members    "members" < "messages": leap to /rooms/b/messages
//   row     /rooms/b/messages/m1/text        as deep as the pattern: the child is m1
Result<std::optional<IndexedChild>> next_child(const TreeView& tree, const IndexSpec& spec, std::string from,
                                               std::string_view upto) {
  while (from < upto) {
    std::string key;
    RETURN_IF_ERROR(tree.scan(from, upto, [&](std::string_view found, std::string_view) {
      key = found;
      return false;
    }));
    if (key.empty() && !from.empty()) break;
    size_t at = 0;
    std::string next;  // where to look on, when this row is of no child
    for (size_t depth = 0; next.empty(); ++depth) {
      const std::string_view rest = std::string_view(key).substr(at);
      if (rest.empty()) {
        next = key + '\0';  // a leaf where a collection or what is above it would be, or nothing at all
        break;
      }
      if (rest.front() == kPriorityMark) {
        next = key.substr(0, at) + '\x01';
        break;
      }
      const size_t length = segment_length(rest);
      if (length == 0) return corrupt("a data row below a collection");
      if (depth == spec.at.size())
        return std::optional(IndexedChild{key.substr(0, at), std::string(rest.substr(0, length))});
      if (spec.at[depth] != "$") {
        std::string wanted;
        append_segment(spec.at[depth], wanted);
        const int order = rest.substr(0, length).compare(wanted);
        if (order < 0) next = key.substr(0, at) + wanted;
        if (order > 0) next = key.substr(0, at) + kPastChildren;
      }
      at += length;
    }
    if (next <= from) break;  // nothing was found
    from = std::move(next);
  }
  return std::optional<IndexedChild>();
}

}  // namespace hearth::db
