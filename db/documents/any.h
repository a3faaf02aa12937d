// A value within a document as Yjs writes it ("any"), and as JSON text. Pure.
//
//   any := byte tag, value
//     127 undefined · 126 null · 125 integer: var_int · 124 float, 123 double, 122 bigint: 4, 8, 8 bytes, highest first ·
//     121 false · 120 true · 119 text: var_string · 118 object: var_uint n, n × (var_string key, any) ·
//     117 array: var_uint n, n × any · 116 bytes: var_buf
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/documents/coding.h"

namespace hearth::db::documents {

enum class AnyTag : uint8_t {
  Bytes = 116,
  Array = 117,
  Object = 118,
  Text = 119,
  True = 120,
  False = 121,
  BigInt = 122,
  Double = 123,
  Float = 124,
  Integer = 125,
  Null = 126,
  Undefined = 127,
};

// Reads over one; fails where JavaScript would, and deeper than kNestingMax.
void skip_any(Reader& from);

bool is_undefined(std::string_view any);
bool is_object_like(std::string_view any);  // neither undefined nor null

// What JSON.stringify makes of it. Where that would throw, at a bigint, its digits as a text. Preconditions: `any` is
// well-formed and not undefined.
void append_any_json(std::string_view any, std::string& to);

// What String(value) makes of it: texts in XML are put together so. Precondition: `any` is well-formed.
void append_any_text(std::string_view any, std::string& to);

// Whether JSON.parse takes it; not deeper than kNestingMax. `text` is UTF-8.
bool is_json(std::string_view text);

}  // namespace hearth::db::documents
