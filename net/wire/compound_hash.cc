// Which ranges of a large value a client lacks.
//
//   leaves of ours   a/x  a/y │ b         │ c/1 c/2 c/3 │ d           in path order
//   ranges           (−∞, P1] │ (P1, P2]  │ (P2, P3]    │ (P3, +∞)    the client chose the posts P
//   its hashes       H1       │ H2        │ H3          │ ""
//   ours             =        │ ≠         │ =           │ ≠
//   sent: rm                    [{"s":P1,"e":P2,"m":{"b":…}},          {"s":P3,"m":{"d":…}}]
//
// A client that comes back with a value of 10 MB has usually missed a few leaves. The simple hash tells only that
// something differs, and all of it is sent. Here the client says what it holds in ranges, and is sent those that
// differ.
//
// class Ranges walks the tree once and writes two texts of each range at the same time: text_, which is hashed, and
// json_, which is sent if the hash differs. Both are trees that hold only the leaves of the range. The walk does not
// build them: between two leaves it closes the objects that only the old one is in, and opens those that only the new
// one is in (add()). open_ has the keys of the last leaf, keys_ those of the new one, `common` is how many they
// share.
//
// Hashes do not tell everything, and the SDKs' parsers lose something. Three traps, each with a flag:
// - is_named: hashes take integers for doubles, so two integers beyond 2^53 may have one hash. A range with such an
//   integer is sent even if its hash is equal.
// - is_sayable: a priority of an inner node that is the only thing of its node in the range. The SDK's parser drops a
//   priority that has no child beside it. Such a range cannot be sent; the whole value is.
// - has_hidden_priority: clients leave out an inner node's priority when no key of its children comes behind
//   ".priority". No hash tells of it then; the whole value is sent.
//
// When no range differs, or all do, the whole value is sent too. A full value is always right, merges are only
// shorter.
#include "net/wire/compound_hash.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <utility>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/number_text.h"
#include "db/model/sha1.h"

namespace hearth::net::wire {

namespace {

using db::Value;

constexpr std::string_view kPriorityKey = ".priority";

// Encoded paths compare as bytes in the order in which the tree is walked (db/model/key_order.h).
std::string encoded(std::string_view path) {
  std::string to;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    if (end > 0) db::append_segment(path.substr(0, end), to);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return to;
}

const std::string& priority_segment() {
  static const std::string segment = encoded(kPriorityKey);
  return segment;
}

// SDK: Utilities.stringHashV2Representation.
void append_quoted(std::string_view text, std::string& to) {
  to += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') to += '\\';
    to += c;
  }
  to += '"';
}

// Numbers are the 16 hex digits of the double. Priorities and leaves have the same form.
void append_scalar(const Value& leaf, std::string& to) {
  switch (leaf.kind()) {
    case Value::Kind::Boolean:
      to += leaf.as_boolean() ? "boolean:true" : "boolean:false";
      return;
    case Value::Kind::Integer:
    case Value::Kind::Double: {
      static constexpr char kDigits[] = "0123456789abcdef";
      const auto bits = std::bit_cast<uint64_t>(leaf.as_double());
      to += "number:";
      for (int shift = 60; shift >= 0; shift -= 4) to += kDigits[bits >> shift & 15];
      return;
    }
    case Value::Kind::String:
      to += "string:";
      return append_quoted(leaf.as_string(), to);
    case Value::Kind::Null:
    case Value::Kind::Object:
    case Value::Kind::Timestamp:
    case Value::Kind::Increment:
      return;
  }
}

void append_leaf(const Value& leaf, std::string& to) {
  if (const Value priority = leaf.priority(); !priority.is_null()) {
    to += "priority:";
    append_scalar(priority, to);
    to += ':';
  }
  append_scalar(leaf.without_priority(), to);
}

// Goes through the leaves in their order and cuts them at the posts.
class Ranges {
 public:
  struct Range {
    std::string hash;        // "": it has no leaf
    std::string json;        // the tree of its leaves alone; "null" of none
    bool is_sayable = true;  // false: a client that reads `json` loses a priority
    bool is_named = true;    // false: has integers beyond 2^53, whose hash is that of their neighbours too
  };

  explicit Ranges(const std::vector<std::string>& places) : places_(places) {}

  const std::vector<Range>& of(const Value& value) {
    walk(value);
    while (ranges_.size() <= places_.size()) end_range();
    return ranges_;
  }
  bool has_hidden_priority() const { return has_hidden_priority_; }

 private:
  // In path order, with an inner node's priority as a child ".priority" at its place among the keys, as the SDKs have
  // it.
  void walk(const Value& value) {
    if (!value.is_object()) return add(value);
    const Value priority = value.priority();
    bool is_told = priority.is_null();
    const size_t bytes = place_.size();
    const auto enter = [&](std::string_view segment, std::string key) {
      place_ += segment;
      keys_.push_back(std::move(key));
    };
    const auto leave = [&] {
      place_.resize(bytes);
      keys_.pop_back();
    };
    for (auto child = value.children(); !child.done(); child.next()) {
      if (!is_told && child.segment() > priority_segment()) {
        is_told = true;
        enter(priority_segment(), std::string(kPriorityKey));
        add(priority);
        leave();
      }
      enter(child.segment(), child.key());
      walk(child.value());
      leave();
    }
    has_hidden_priority_ = has_hidden_priority_ || !is_told;
  }

  void add(const Value& leaf) {
    // Several posts may lie between two leaves of ours: the ranges between them are empty.
    while (ranges_.size() < places_.size() && place_ > places_[ranges_.size()]) end_range();
    const bool is_first = text_.empty();
    const auto [own, open] = std::mismatch(keys_.begin(), keys_.end(), open_.begin(), open_.end());
    const auto common = static_cast<size_t>(own - keys_.begin());
    const bool is_priority = !keys_.empty() && keys_.back() == kPriorityKey;
    // A priority needs a child beside it, or the client's parser drops it: the one before it or the one behind it.
    if (alone_ && common < *alone_) is_sayable_ = false;
    alone_.reset();
    if (is_priority && (is_first || common + 1 < keys_.size())) alone_ = keys_.size() - 1;

    if (is_first) {
      text_ = "(";
    } else {
      // The object of the outermost key that is closed stays open, for its next key.
      text_.append(open_.size() - common, ')').append(",");
      json_.append(open_.size() - common - 1, '}').append(",");
    }
    for (size_t i = common; i < keys_.size(); ++i) {
      if (i > common || is_first) json_ += '{';
      append_quoted(keys_[i], text_);
      text_ += ":(";
      db::append_json_string(keys_[i], json_);
      json_ += ':';
    }
    const Value own_value = leaf.without_priority();  // priorities are doubles
    is_named_ = is_named_ && (own_value.kind() != Value::Kind::Integer || !db::is_inexact(own_value.as_integer()));
    append_leaf(leaf, text_);
    db::append_json(leaf, db::JsonStyle::Export, json_);
    open_ = keys_;
  }

  void end_range() {
    Range range{.hash = "", .json = "null", .is_sayable = is_sayable_ && !alone_, .is_named = is_named_};
    if (!text_.empty()) {
      text_.append(open_.size() + 1, ')');
      json_.append(open_.size(), '}');
      range.hash = db::sha1_base64(text_);
      // text_ has one bracket more than json_, its first.
      range.json = std::exchange(json_, {});
      text_.clear();
      open_.clear();
    }
    is_sayable_ = true;
    is_named_ = true;
    alone_.reset();
    ranges_.push_back(std::move(range));
  }

  const std::vector<std::string>& places_;
  std::vector<Range> ranges_;
  std::vector<std::string> keys_;  // of where the walk is
  std::string place_;              // the same, encoded
  std::vector<std::string> open_;  // the keys of the range's last leaf
  std::string text_, json_;        // of the range; empty: it has no leaf yet
  std::optional<size_t>
      alone_;  // the last leaf was a priority, and so far the only one below its node, which is so deep
  bool is_sayable_ = true;
  bool is_named_ = true;
  bool has_hidden_priority_ = false;
};

}  // namespace

// Whatever is odd makes it null, and the client is sent everything: refusing the listen would help nobody.
std::shared_ptr<const CompoundHash> parse_compound_hash(const db::JsonNode& node) {
  if (!node.is_object()) return nullptr;
  const auto hashes = node.field("hs");
  const auto posts = node.field("ps");
  const auto is_list = [](const auto& one) { return one && one->kind() == db::JsonNode::Kind::Array; };
  if (!is_list(hashes) || !is_list(posts)) return nullptr;
  auto to = std::make_shared<CompoundHash>();
  for (const db::JsonNode& post : posts->elements()) {
    if (!post.string()) return nullptr;
    to->posts.emplace_back(*post.string());
    to->places.push_back(encoded(to->posts.back()));
    const bool ascends =
        to->places.size() == 1 ? !to->places[0].empty() : to->places.back() > to->places[to->places.size() - 2];
    if (!ascends) return nullptr;
  }
  for (const db::JsonNode& hash : hashes->elements()) {
    if (!hash.string()) return nullptr;
    to->hashes.emplace_back(*hash.string());
  }
  if (to->posts.empty() || to->hashes.size() != to->posts.size() + 1) return nullptr;
  return to;
}

std::vector<std::string> range_hashes(const Value& value, const std::vector<std::string>& places) {
  std::vector<std::string> hashes;
  Ranges walked(places);
  for (const auto& range : walked.of(value)) hashes.push_back(range.hash);
  return hashes;
}

std::optional<std::string> range_merges(const Value& value, const CompoundHash& known) {
  if (!value.is_object()) return std::nullopt;
  Ranges walked(known.places);
  const std::vector<Ranges::Range>& ranges = walked.of(value);
  if (walked.has_hidden_priority()) return std::nullopt;
  std::string to;
  size_t sent = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].hash == known.hashes[i] && ranges[i].is_named) continue;
    if (!ranges[i].is_sayable) return std::nullopt;
    ++sent;
    to += to.empty() ? "[{" : ",{";
    if (i > 0) {
      to += R"("s":)";
      db::append_json_string(known.posts[i - 1], to);
      to += ',';
    }
    if (i < known.posts.size()) {
      to += R"("e":)";
      db::append_json_string(known.posts[i], to);
      to += ',';
    }
    to.append(R"("m":)").append(ranges[i].json).append("}");
  }
  // None differs: the client's hash as a whole did, so it is one of what no range tells. All differ: the value is shorter.
  const size_t telling = ranges.size() - (ranges.back().hash.empty() ? 1 : 0);
  if (sent == 0 || sent >= telling) return std::nullopt;
  return to + "]";
}

}  // namespace hearth::net::wire
