// One struct of an update: what a client has inserted, as a view of the update's bytes. Pure.
//
//   struct := byte info, then by its kind (the lowest five bits)
//     0 Gc, 10 Skip: var_uint length
//     others:        [0x80: origin: id] [0x40: right origin: id]
//                    [neither: var_uint is_root, (1: var_string name of a root | 0: id of the parent), [0x20: var_string key]]
//                    content
//   id      := var_uint client, var_uint clock
//   content := 1 Deleted: var_uint length · 2 Json: var_uint n, n × var_string · 3 Binary: var_buf · 4 String: var_string ·
//              5 Embed: var_string json · 6 Format: var_string key, var_string json ·
//              7 Type: var_uint type [3, 5: var_string name] · 8 Any: var_uint n, n × any · 9 Document: var_string guid, any
//
// A struct takes as many clocks of its client as it has parts: letters (UTF-16 code units), elements, or one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/documents/coding.h"

namespace hearth::db::documents {

// On the wire. Never renumber.
enum class Kind : uint8_t {
  Gc = 0,  // once there, gone with its parent
  Deleted = 1,
  Json = 2,  // of old versions
  Binary = 3,
  String = 4,
  Embed = 5,
  Format = 6,
  Type = 7,
  Any = 8,
  Document = 9,
  Skip = 10,  // a hole: clocks that are not in this update
};

// On the wire. Never renumber.
enum class TypeKind : uint8_t {
  Array = 0,
  Map = 1,
  Text = 2,
  XmlElement = 3,
  XmlFragment = 4,
  XmlHook = 5,
  XmlText = 6,
};

struct Id {
  uint64_t client;
  uint64_t clock;

  friend bool operator==(const Id&, const Id&) = default;
};

struct Struct {
  Kind kind = Kind::Skip;
  uint64_t client = 0;
  uint64_t clock = 0;
  uint64_t length = 0;  // in clocks
  std::optional<Id> origin;
  std::optional<Id> right_origin;
  // Where neither is there: the parent.
  std::optional<std::string_view> root;
  std::optional<Id> parent;
  bool has_key = false;  // an entry of a map; its key is written only beside the parent
  std::string_view key;
  // String: the text. Any, Json: the elements. Gc, Deleted, Skip: nothing. Others: all bytes of the content.
  std::string_view content;
  // A text that was cut in the middle of a character of two units has U+FFFD on both sides, as in Yjs.
  bool begins_with_half = false;
  bool ends_with_half = false;
  std::string_view raw;  // its bytes on the wire, while it is as it was read

  uint64_t end() const { return clock + length; }
  bool is_item() const { return kind != Kind::Gc && kind != Kind::Skip; }
};

// The next struct of `client`, which begins at `clock`. Refused, for each would make every client fail that applies it:
// what JavaScript can't parse, kinds and types that do not exist, what is empty, clocks past kIntegerMax, and what refers
// to a later clock of its own client. Precondition: from.ok().
Struct read_struct(uint64_t client, uint64_t clock, Reader& from);

void append_struct(const Struct& from, std::string& to);

// What is left of it from its `count`th clock on, and what is before. Precondition: 0 < count < length.
Struct without_front(const Struct& from, uint64_t count);
Struct only_front(const Struct& from, uint64_t count);

// The same clocks with nothing in them.
Struct deleted(const Struct& from);

// Whether `second` goes on where `first` ends, so that both may be written as one: it is what cutting one in two undoes.
bool can_join(const Struct& first, const Struct& second);

}  // namespace hearth::db::documents
