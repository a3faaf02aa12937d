// Numbers as text. Pure.
//
// What clients are told (append_json_number, db/model/json.h) is JavaScript's text, but that a number of digits alone is one
// that int64 holds, and is exact: Java reads no other such number, and Python would read one that is not the stored double.
#pragma once

#include <cstdint>
#include <string>

namespace hearth::db {

// Whether no double is that integer.
bool is_inexact(int64_t value);

void append_integer(int64_t value, std::string& to);

// ECMA-262, Number::toString: as rules join numbers to strings. Not NaN or ∞.
void append_javascript_number(double value, std::string& to);

}  // namespace hearth::db
