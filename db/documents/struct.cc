// Cutting a struct is the one hard idea here. A struct of clocks 5 to 8, cut after two of them:
//
//      "abcd" at 5, origin X, right origin Y   ─▶   "ab" at 5, origin X, right origin Y
//                                                   "cd" at 7, origin 6, right origin Y
//
// The second part needs no parent on the wire: whoever has clock 6 knows it. Joining is the way back.
//
// `raw` is the struct's bytes as they were read. append_struct() copies them while they are there, so a struct that
// nobody has changed comes out byte by byte as it came in. Whatever changes a struct has to clear `raw`, or the change
// is lost.
//
// A letter's clock is a UTF-16 code unit, as in JavaScript, and the bytes are UTF-8. A cut may therefore fall into the
// middle of a character that has two units. Half a character cannot be written in UTF-8; Yjs writes U+FFFD on both
// sides, so:
//
//      "a😀b", four clocks, cut after two   ─▶   content "a", ends_with_half      content "b", begins_with_half
//                                                written as "a\uFFFD"               written as "\uFFFDb"
//
// The content stays a view of the bytes that were read, and two flags stand for the halves. Each part still has two
// clocks.
#include "db/documents/struct.h"

#include "db/documents/any.h"

namespace hearth::db::documents {
namespace {

constexpr uint8_t kHasOrigin = 0x80;
constexpr uint8_t kHasRightOrigin = 0x40;
constexpr uint8_t kHasKey = 0x20;
constexpr uint8_t kKindBits = 0x1f;
constexpr std::string_view kHalf = "\xef\xbf\xbd";  // U+FFFD

Id read_id(Reader& from) {
  const uint64_t client = from.var_uint();
  return {client, from.var_uint()};
}

void append_id(const Id& id, std::string& to) {
  append_var_uint(id.client, to);
  append_var_uint(id.clock, to);
}

void read_json(Reader& from) {
  const std::string_view text = from.var_string();
  if (!from.is_trusted() && from.ok() && !is_json(text)) from.fail("A text is not JSON");
}

// Elements of an Any or Json.
void skip_elements(Kind kind, uint64_t count, Reader& from) {
  for (; count > 0 && from.ok(); --count) {
    if (kind == Kind::Any) {
      skip_any(from);
      continue;
    }
    const std::string_view text = from.var_string();
    if (!from.is_trusted() && from.ok() && text != "undefined" && !is_json(text)) from.fail("A text is not JSON");
  }
}

void read_type(Reader& from) {
  const uint64_t type = from.var_uint();
  if (type > static_cast<uint64_t>(TypeKind::XmlText)) from.fail("A type is of no known kind");
  if (type == static_cast<uint64_t>(TypeKind::XmlElement) || type == static_cast<uint64_t>(TypeKind::XmlHook)) {
    from.var_string();
  }
}

void read_content(Struct& to, Reader& from) {
  to.length = 1;
  size_t start = from.offset();
  switch (to.kind) {
    case Kind::Gc:
    case Kind::Skip:
    case Kind::Deleted:
      to.length = from.var_uint();
      return;
    case Kind::String:
      to.content = from.var_string();
      to.length = utf16_length(to.content);
      return;
    case Kind::Json:
    case Kind::Any:
      to.length = from.var_uint();
      start = from.offset();
      skip_elements(to.kind, to.length, from);
      break;
    case Kind::Binary:
      from.var_buf();
      break;
    case Kind::Embed:
      read_json(from);
      break;
    case Kind::Format:
      from.var_string();
      read_json(from);
      break;
    case Kind::Type:
      read_type(from);
      break;
    case Kind::Document: {
      from.var_string();
      const size_t options = from.offset();
      skip_any(from);
      if (from.ok() && !is_object_like(from.since(options))) from.fail("A document has no options");
      break;
    }
  }
  if (from.ok()) to.content = from.since(start);
}

// The bytes of `count` elements of an Any or Json.
size_t bytes_of_elements(const Struct& of, uint64_t count) {
  Reader from(of.content);
  from.trust();
  skip_elements(of.kind, count, from);
  return from.offset();
}

}  // namespace

Struct read_struct(uint64_t client, uint64_t clock, Reader& from) {
  Struct read;
  const size_t start = from.offset();
  const uint8_t info = from.byte();
  const uint8_t kind = info & kKindBits;
  read.client = client;
  read.clock = clock;
  if (kind > static_cast<uint8_t>(Kind::Skip) || (kind == static_cast<uint8_t>(Kind::Skip) && info != kind)) {
    from.fail("A struct is of no known kind");
    return read;
  }
  read.kind = static_cast<Kind>(kind);
  if (read.is_item()) {
    read.has_key = (info & kHasKey) != 0;
    if ((info & kHasOrigin) != 0) read.origin = read_id(from);
    if ((info & kHasRightOrigin) != 0) read.right_origin = read_id(from);
    if (!read.origin && !read.right_origin) {
      if (from.var_uint() == 1) {
        read.root = from.var_string();
      } else {
        read.parent = read_id(from);
      }
      if (read.has_key) read.key = from.var_string();
    }
    for (const std::optional<Id>& id : {read.origin, read.right_origin, read.parent}) {
      if (id && id->client == client && id->clock >= clock) from.fail("A struct refers to a later one");
    }
  }
  read_content(read, from);
  if (!from.ok()) return read;
  if (read.length == 0) from.fail("A struct is empty");
  if (read.length > kIntegerMax - clock) from.fail("A clock is too large");
  read.raw = from.since(start);
  return read;
}

void append_struct(const Struct& from, std::string& to) {
  if (!from.raw.empty()) {
    to += from.raw;
    return;
  }
  uint8_t info = static_cast<uint8_t>(from.kind);
  if (from.is_item()) {
    if (from.origin) info |= kHasOrigin;
    if (from.right_origin) info |= kHasRightOrigin;
    if (from.has_key) info |= kHasKey;
  }
  to.push_back(static_cast<char>(info));
  if (from.is_item()) {
    if (from.origin) append_id(*from.origin, to);
    if (from.right_origin) append_id(*from.right_origin, to);
    if (!from.origin && !from.right_origin) {
      append_var_uint(from.root ? 1 : 0, to);
      if (from.root) {
        append_var_buf(*from.root, to);
      } else {
        append_id(from.parent.value_or(Id{0, 0}), to);
      }
      if (from.has_key) append_var_buf(from.key, to);
    }
  }
  switch (from.kind) {
    case Kind::Gc:
    case Kind::Skip:
    case Kind::Deleted:
      append_var_uint(from.length, to);
      return;
    case Kind::String: {
      const size_t halves = (from.begins_with_half ? 1U : 0U) + (from.ends_with_half ? 1U : 0U);
      append_var_uint(from.content.size() + halves * kHalf.size(), to);
      if (from.begins_with_half) to += kHalf;
      to += from.content;
      if (from.ends_with_half) to += kHalf;
      return;
    }
    case Kind::Json:
    case Kind::Any:
      append_var_uint(from.length, to);
      break;
    case Kind::Binary:
    case Kind::Embed:
    case Kind::Format:
    case Kind::Type:
    case Kind::Document:
      break;
  }
  to += from.content;
}

Struct without_front(const Struct& from, uint64_t count) {
  Struct rest = from;
  rest.raw = {};
  rest.clock += count;
  rest.length -= count;
  if (rest.is_item()) {
    rest.origin = Id{from.client, rest.clock - 1};
    rest.root.reset();
    rest.parent.reset();
  }
  if (from.kind == Kind::String) {
    const uint64_t units = count - (from.begins_with_half ? 1U : 0U);
    const Utf16Place place = utf16_place(from.content, units);
    rest.content.remove_prefix(place.byte + (place.splits_pair ? kPairBytes : 0));
    rest.begins_with_half = place.splits_pair;
  } else if (from.kind == Kind::Any || from.kind == Kind::Json) {
    rest.content.remove_prefix(bytes_of_elements(from, count));
  }
  return rest;
}

Struct only_front(const Struct& from, uint64_t count) {
  Struct front = from;
  front.raw = {};
  front.length = count;
  if (from.kind == Kind::String) {
    const uint64_t units = count - (from.begins_with_half ? 1U : 0U);
    const Utf16Place place = utf16_place(from.content, units);
    front.content = from.content.substr(0, place.byte);
    front.ends_with_half = place.splits_pair;
  } else if (from.kind == Kind::Any || from.kind == Kind::Json) {
    front.content = from.content.substr(0, bytes_of_elements(from, count));
  }
  return front;
}

Struct deleted(const Struct& from) {
  Struct empty = from;
  if (!from.is_item() || from.kind == Kind::Deleted) return empty;
  empty.kind = Kind::Deleted;
  empty.content = {};
  empty.begins_with_half = false;
  empty.ends_with_half = false;
  empty.raw = {};
  return empty;
}

bool can_join(const Struct& first, const Struct& second) {
  if (first.kind != second.kind || first.client != second.client || first.end() != second.clock) return false;
  switch (first.kind) {
    case Kind::Gc:
      return true;
    case Kind::String:
    case Kind::Any:
    case Kind::Deleted:
      return second.origin == Id{first.client, second.clock - 1} && first.right_origin == second.right_origin;
    case Kind::Json:
    case Kind::Binary:
    case Kind::Embed:
    case Kind::Format:
    case Kind::Type:
    case Kind::Document:
    case Kind::Skip:
      return false;
  }
  return false;
}

}  // namespace hearth::db::documents
