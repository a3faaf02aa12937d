// Format 2 is a column for each field. A struct takes the next value of the columns that it needs:
//
//   update    := byte 0, var_buf × 9 (the columns), rest
//   columns     keys  clients  left clocks  right clocks  infos  texts  parent infos  types  lengths
//   rest        counts and first clocks of sections, lengths of holes, values, buffers, deletes
//
// A column is read by one of three rules; n counts repetitions:
//   Run         byte, [var_uint n − 1] …                the last value goes on for ever
//   Number      var_int value, when negative (−0 too) [var_uint n − 2]
//   Difference  var_int 2 × difference + has count, [var_uint n − 2]     added to the last value
// Texts are one text, cut by a Number column of lengths in UTF-16 code units.
#include "db/documents/update_v2.h"

#include <vector>

#include "db/documents/any.h"
#include "db/documents/struct.h"

namespace hearth::db::documents {
namespace {

constexpr std::string_view kHalfCharacter = "\xef\xbf\xbd";  // U+FFFD

class RunColumn {
 public:
  explicit RunColumn(std::string_view bytes) : from_(bytes) {}

  uint8_t next() {
    if (count_ == 0) {
      value_ = from_.byte();
      is_last_ = from_.is_at_end();
      count_ = is_last_ ? 1 : from_.var_uint() + 1;
    }
    if (!is_last_) --count_;
    return value_;
  }
  bool ok() const { return from_.ok(); }

 private:
  Reader from_;
  uint8_t value_ = 0;
  uint64_t count_ = 0;
  bool is_last_ = false;
};

class NumberColumn {
 public:
  explicit NumberColumn(std::string_view bytes) : from_(bytes) {}
  explicit NumberColumn(Reader from) : from_(from) {}

  uint64_t next() {
    if (count_ == 0) {
      const Reader::Integer read = from_.var_int();
      value_ = read.magnitude;
      count_ = read.is_negative ? from_.var_uint() + 2 : 1;
    }
    --count_;
    return from_.ok() ? value_ : 0;
  }
  bool ok() const { return from_.ok(); }

 private:
  Reader from_;
  uint64_t value_ = 0;
  uint64_t count_ = 0;
};

class DifferenceColumn {
 public:
  explicit DifferenceColumn(std::string_view bytes) : from_(bytes) {}

  uint64_t next() {
    if (count_ == 0) {
      const Reader::Integer read = from_.var_int();
      const auto magnitude = static_cast<int64_t>(read.magnitude);
      const int64_t twice = read.is_negative ? -magnitude : magnitude;
      difference_ = twice >> 1;
      count_ = (twice & 1) != 0 ? from_.var_uint() + 2 : 1;
    }
    --count_;
    value_ += difference_;
    if (value_ < 0 || value_ > static_cast<int64_t>(kIntegerMax)) {
      from_.fail("A clock is out of range");
      value_ = 0;
    }
    return static_cast<uint64_t>(value_);
  }
  bool ok() const { return from_.ok(); }

 private:
  Reader from_;
  int64_t value_ = 0;
  int64_t difference_ = 0;
  uint64_t count_ = 0;
};

struct Text {
  std::string_view content;
  bool begins_with_half = false;  // the cut is in the middle of a character of two units
  bool ends_with_half = false;

  std::string whole() const {
    std::string text(begins_with_half ? kHalfCharacter : "");
    text += content;
    if (ends_with_half) text += kHalfCharacter;
    return text;
  }
};

class TextColumn {
 public:
  explicit TextColumn(std::string_view bytes) : from_(bytes), rest_(from_.var_string()), lengths_(from_) {}

  Text next() {
    Text text;
    uint64_t units = lengths_.next();
    if (units == 0) return text;
    if (owes_half_) {
      text.begins_with_half = true;
      owes_half_ = false;
      --units;
    }
    // A length that goes beyond the end gives what is left, as in JavaScript.
    const Utf16Place place = utf16_place(rest_, units);
    text.content = rest_.substr(0, place.byte);
    text.ends_with_half = place.splits_pair;
    owes_half_ = place.splits_pair;
    rest_.remove_prefix(place.byte + (place.splits_pair ? kPairBytes : 0));
    return text;
  }
  bool ok() const { return from_.ok() && lengths_.ok(); }

 private:
  Reader from_;
  std::string_view rest_;
  NumberColumn lengths_;
  bool owes_half_ = false;
};

class Converter {
 public:
  Converter(std::string_view bytes, size_t bytes_max)
      : rest_(bytes),
        flags_(rest_.var_uint()),
        key_numbers_(rest_.var_buf()),
        clients_(rest_.var_buf()),
        left_clocks_(rest_.var_buf()),
        right_clocks_(rest_.var_buf()),
        infos_(rest_.var_buf()),
        texts_(rest_.var_buf()),
        parent_infos_(rest_.var_buf()),
        types_(rest_.var_buf()),
        lengths_(rest_.var_buf()),
        bytes_max_(bytes_max) {}

  Result<std::string> run() {
    if (flags_ != 0) rest_.fail("The format is of a later version");
    const uint64_t sections = rest_.var_uint();
    append_var_uint(sections, out_);
    for (uint64_t left = sections; left > 0 && goes_on(); --left) section();
    if (goes_on()) deletes();
    if (!rest_.ok()) return rest_.error();
    if (!is_ok()) return Error{ErrorCode::InvalidData, "A column of the update ends too early."};
    if (size() > bytes_max_) return Error{ErrorCode::TooLarge, "The update is too large."};
    return std::move(out_);
  }

 private:
  bool is_ok() const {
    return rest_.ok() && key_numbers_.ok() && clients_.ok() && left_clocks_.ok() && right_clocks_.ok() && infos_.ok() &&
           texts_.ok() && parent_infos_.ok() && types_.ok() && lengths_.ok();
  }
  size_t size() const { return out_.size() + body_.size(); }
  bool goes_on() const { return is_ok() && size() <= bytes_max_; }

  void section() {
    body_.clear();
    const uint64_t count = rest_.var_uint();
    const uint64_t client = clients_.next();
    const uint64_t clock = rest_.var_uint();
    for (uint64_t left = count; left > 0 && goes_on(); --left) one_struct();
    append_var_uint(count, out_);
    append_var_uint(client, out_);
    append_var_uint(clock, out_);
    out_ += body_;
    body_.clear();
  }

  Id left_id() {
    const uint64_t client = clients_.next();
    return {client, left_clocks_.next()};
  }

  Id right_id() {
    const uint64_t client = clients_.next();
    return {client, right_clocks_.next()};
  }

  std::string_view key() {
    const uint64_t number = key_numbers_.next();
    if (number < keys_.size()) return keys_[number];
    if (!key_numbers_.ok() || !texts_.ok()) return {};
    keys_.push_back(texts_.next().whole());
    return keys_.back();
  }

  void one_struct() {
    constexpr uint8_t kKindBits = 0x1f;
    constexpr auto kSkip = static_cast<uint8_t>(Kind::Skip);
    const uint8_t info = infos_.next();
    const uint8_t kind = info & kKindBits;
    if (kind > kSkip || (kind == kSkip && info != kind)) return rest_.fail("A struct is of no known kind");
    Struct made;
    made.kind = static_cast<Kind>(kind);
    std::string root;
    std::string map_key;
    if (made.is_item()) {
      made.has_key = (info & 0x20) != 0;
      if ((info & 0x80) != 0) made.origin = left_id();
      if ((info & 0x40) != 0) made.right_origin = right_id();
      if (!made.origin && !made.right_origin) {
        if (parent_infos_.next() == 1) {
          root = texts_.next().whole();
          made.root = root;
        } else {
          made.parent = left_id();
        }
        if (made.has_key) map_key = texts_.next().whole();
        made.key = map_key;
      }
    }
    std::string content;
    fill(made, content);
    if (is_ok()) append_struct(made, body_);
  }

  void fill(Struct& made, std::string& content) {
    switch (made.kind) {
      case Kind::Skip:
        made.length = rest_.var_uint();
        return;
      case Kind::Gc:
      case Kind::Deleted:
        made.length = lengths_.next();
        return;
      case Kind::String: {
        const Text text = texts_.next();
        made.content = text.content;
        made.begins_with_half = text.begins_with_half;
        made.ends_with_half = text.ends_with_half;
        return;
      }
      case Kind::Json:
        made.length = lengths_.next();
        for (uint64_t left = made.length; left > 0 && goes_on() && content.size() <= bytes_max_; --left) {
          append_var_buf(texts_.next().whole(), content);
        }
        break;
      case Kind::Any: {
        made.length = lengths_.next();
        const size_t start = rest_.offset();
        for (uint64_t left = made.length; left > 0 && rest_.ok(); --left) skip_any(rest_);
        if (rest_.ok()) made.content = rest_.since(start);
        return;
      }
      case Kind::Binary:
        append_var_buf(rest_.var_buf(), content);
        break;
      case Kind::Embed:
        append_value_as_json(content);
        break;
      case Kind::Format:
        append_var_buf(key(), content);
        append_value_as_json(content);
        break;
      case Kind::Type: {
        const uint64_t type = types_.next();
        append_var_uint(type, content);
        if (type == static_cast<uint64_t>(TypeKind::XmlElement) || type == static_cast<uint64_t>(TypeKind::XmlHook)) {
          append_var_buf(key(), content);
        }
        break;
      }
      case Kind::Document:
        append_var_buf(texts_.next().whole(), content);
        content += any();
        break;
    }
    made.content = content;
  }

  std::string_view any() {
    const size_t start = rest_.offset();
    skip_any(rest_);
    return rest_.ok() ? rest_.since(start) : std::string_view();
  }

  // Format 1 has JSON text where format 2 has a value.
  void append_value_as_json(std::string& to) {
    const std::string_view value = any();
    if (!rest_.ok()) return;
    if (is_undefined(value)) return rest_.fail("A value is undefined");
    std::string json;
    append_any_json(value, json);
    append_var_buf(json, to);
  }

  void deletes() {
    const uint64_t clients = rest_.var_uint();
    append_var_uint(clients, out_);
    for (uint64_t left = clients; left > 0 && goes_on(); --left) {
      append_var_uint(rest_.var_uint(), out_);
      const uint64_t ranges = rest_.var_uint();
      append_var_uint(ranges, out_);
      uint64_t clock = 0;
      for (uint64_t more = ranges; more > 0 && goes_on(); --more) {
        clock += rest_.var_uint();
        const uint64_t length = rest_.var_uint() + 1;
        if (clock > kIntegerMax - length) return rest_.fail("A clock is too large");
        append_var_uint(clock, out_);
        append_var_uint(length, out_);
        clock += length;
      }
    }
    if (rest_.ok() && !rest_.is_at_end()) rest_.fail("There are bytes behind the end");
  }

  Reader rest_;
  uint64_t flags_;
  DifferenceColumn key_numbers_;
  NumberColumn clients_;
  DifferenceColumn left_clocks_;
  DifferenceColumn right_clocks_;
  RunColumn infos_;
  TextColumn texts_;
  RunColumn parent_infos_;
  NumberColumn types_;
  NumberColumn lengths_;
  size_t bytes_max_;
  std::vector<std::string> keys_;
  std::string body_;  // of the section that is being read
  std::string out_;
};

}  // namespace

Result<std::string> from_v2(std::string_view bytes, size_t bytes_max) { return Converter(bytes, bytes_max).run(); }

}  // namespace hearth::db::documents
