// The order of sibling keys (db/model/data-model.md §3), and bytes whose order is that order.
//
//   segment := 0x01 int32^0x80000000:4 BE  length:1 = min(text length, 255)
//                  [ when the text is not the canonical decimal: [length:2 BE if ≥ 255] text 0x00 ]
//            | 0x02 utf8 with lead bytes EE→F5, EF→F6  0x00
//
// memcmp of encodings equals key order, and no encoding is a prefix of another: a path is the concatenation of its
// segments, a subtree is a prefix range, and a byte below 0x01 or above 0x02 behind a path belongs to no child.
// On disk. Never change.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/model/path.h"

namespace hearth::db {

inline constexpr char kTextSegment = '\x02';  // its first byte

// <0, 0 or >0, as memcmp. SDK: core/util/util.ts nameCompare; ties of equal integer and length by raw bytes.
int compare_keys(std::string_view a, std::string_view b);

// <0, 0 or >0 by UTF-16 code units, given UTF-8.
int compare_utf16(std::string_view a, std::string_view b);

// The remap that makes UTF-8 bytes sort as UTF-16 units, and back: U+E000-U+FFFF move behind the 4-byte sequences.
char remap_utf16(char c);
char unmap_utf16(char c);

// The number of an integer key (`-5`, `007`), or nothing. SDK: util.ts tryParseInt.
std::optional<int32_t> integer_key(std::string_view key);

void append_segment(std::string_view key, std::string& to);
std::string encode_path(const Path& path);

// Length in bytes of the segment that `encoded` starts with; 0 when it starts with none or is cut short.
size_t segment_length(std::string_view encoded);

// The key of one whole segment (exactly segment_length bytes). Undefined for other bytes.
std::string decode_segment(std::string_view segment);
void append_key(std::string_view segment, std::string& to);  // the same, behind what `to` holds

// The path of concatenated segments. Errors: Corruption.
Result<Path> decode_path(std::string_view encoded);

}  // namespace hearth::db
