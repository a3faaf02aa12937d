// The bytes of one leaf (grammar: db/model/value.h), made and read without a Value around them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::db {

// The first byte of a leaf. On disk. Never renumber.
enum class LeafTag : char {
  False = 'f',
  True = 't',
  Integer = 'i',
  Double = 'd',
  String = 's',
  ServerTime = 'T',
  Increment = 'I',
};

// Preconditions: the leaf is well-formed, and of that tag.
inline LeafTag tag_of_leaf(std::string_view leaf) { return static_cast<LeafTag>(leaf.front()); }
int64_t integer_of_leaf(std::string_view leaf);
double double_of_leaf(std::string_view leaf);

void append_integer_leaf(int64_t value, std::string& to);
void append_double_leaf(double value, std::string& to);  // as it is: priorities are doubles even where integral
// Integral and within int64: an integer (db/model/data-model.md §2.3).
void append_number_leaf(double value, std::string& to);

bool is_well_formed_leaf(std::string_view leaf);

}  // namespace hearth::db
