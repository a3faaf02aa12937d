// Numbers as text. Pure.
//
// Clients are told JavaScript's text (append_json_number, db/model/json.h), with one exception: a number that is
// written with digits alone always fits int64 and is exact. Java reads no other number of digits, and Python would
// read one that is not the stored double.
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
