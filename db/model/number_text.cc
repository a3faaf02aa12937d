// Numbers as text. Both forms have the shortest digits that read back as the same double (std::to_chars); they differ
// only in where plain decimals end and exponents begin, and that is what append_decimal() takes as its parameter.
#include "db/model/number_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include "db/model/json.h"

namespace hearth::db {
namespace {

constexpr double kPastInt64 = 9223372036854775808.0;

// Most fractions that people write have a few decimals, and these are found with a division or a few, where
// std::to_chars() takes a thousand instructions. What holds: if whole / 10^decimals, both exact, is the number, then
// those digits read back as it; with fewer decimals none do; and as 15 digits are always told apart by a double, there
// are no others of that many. False: nothing was written.
bool append_short_decimal(double value, std::string& to) {
  constexpr double kWholeMax = 1e15;
  constexpr double kPowers[] = {10, 100, 1'000, 10'000, 100'000, 1'000'000};  // 1e-6 is the least plain decimal
  const double size = std::abs(value);
  for (size_t decimals = 1; decimals <= std::size(kPowers); ++decimals) {
    const double power = kPowers[decimals - 1];
    if (!(size * power < kWholeMax)) return false;
    const auto whole = static_cast<int64_t>(size * power + 0.5);
    if (static_cast<double>(whole) / power != size) continue;
    const auto one = static_cast<int64_t>(power);
    if (value < 0) to += '-';
    append_integer(whole / one, to);
    if (whole % one == 0) return true;  // only with the first power: it has no decimals
    // The fraction with a one before it, for the noughts at its beginning; the one becomes the point.
    const size_t point = to.size();
    append_integer(one + whole % one, to);
    to[point] = '.';
    return true;
  }
  return false;
}

// Plain decimals for 1e-6 ≤ |value| < 10^plain_digits_max, else d.ddde±x. `value` is not 0.
void append_decimal(double value, int plain_digits_max, std::string& to) {
  if (append_short_decimal(value, to)) return;
  // Scientific form gives digits and exponent apart; what follows only places the point.
  char buffer[32];
  const auto done = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(done.ptr - buffer));
  if (text.front() == '-') {
    to += '-';
    text.remove_prefix(1);
  }
  const size_t e = text.find('e');
  int exponent = 0;
  const char* digits_of_exponent = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits_of_exponent, text.data() + text.size(), exponent);
  std::string digits(1, text.front());
  if (e > 2) digits += text.substr(2, e - 2);
  const int count = static_cast<int>(digits.size());
  if (exponent >= plain_digits_max || exponent < -6) {
    to += digits.front();
    if (count > 1) to.append(".").append(digits, 1);
    to += exponent < 0 ? "e-" : "e+";
    to += std::to_string(std::abs(exponent));
  } else if (exponent < 0) {
    to += "0.";
    to.append(static_cast<size_t>(-exponent - 1), '0');
    to += digits;
  } else if (count <= exponent + 1) {
    to += digits;
    to.append(static_cast<size_t>(exponent + 1 - count), '0');
  } else {
    to.append(digits, 0, static_cast<size_t>(exponent + 1))
        .append(".")
        .append(digits, static_cast<size_t>(exponent + 1));
  }
}

}  // namespace

bool is_inexact(int64_t value) {
  constexpr double kPastInt64 = 9223372036854775808.0;
  const auto nearest = static_cast<double>(value);
  return nearest >= kPastInt64 || static_cast<int64_t>(nearest) != value;
}

void append_integer(int64_t value, std::string& to) {
  char buffer[24];
  const auto done = std::to_chars(buffer, buffer + sizeof buffer, value);
  to.append(buffer, done.ptr);
}

void append_javascript_number(double value, std::string& to) {
  if (value == 0) {
    to += '0';
  } else {
    append_decimal(value, 21, to);  // ECMA-262, Number::toString
  }
}

void append_json_number(double value, std::string& to) {
  if (value == std::trunc(value) && value >= -kPastInt64 && value < kPastInt64) {
    append_integer(static_cast<int64_t>(value), to);
  } else {
    // JavaScript writes up to 21 digits. A whole number that comes here does not fit int64, and clients that read
    // digits alone as an int64 would fail on it: so it gets an exponent.
    append_decimal(value, 18, to);  // what is whole here is past 9.2e18
  }
}

}  // namespace hearth::db
