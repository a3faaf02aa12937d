// A filter over JSON text that comes in pieces. The one difficulty is an escape that lies across two pieces: what may
// still become a whole pair is held back in `held_` (at most two escapes) until the next piece, or finish(), decides.
//
//   "\ud83d\ude00"   a pair: passed on as it is          "\ud83dx"   a half: \ufffd in its place, six bytes for six
#include "db/model/half_surrogates.h"

#include <algorithm>
#include <optional>

namespace hearth::db {
namespace {

constexpr size_t kEscapeBytes = 6;  // \uXXXX

// The number of a whole \uXXXX that `text` begins with.
std::optional<unsigned> unit_of(std::string_view text) {
  if (text.size() < kEscapeBytes || text[1] != 'u' || text[0] != '\\') return {};
  unsigned value = 0;
  for (const char c : text.substr(2, 4)) {
    const char lower = static_cast<char>(c | 0x20);
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (lower < 'a' || lower > 'f')) return {};
    value = value * 16 + static_cast<unsigned>(is_digit ? c - '0' : lower - 'a' + 10);
  }
  return value;
}

bool is_high(unsigned unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low(unsigned unit) { return unit >= 0xdc00 && unit < 0xe000; }

}  // namespace

// `text` begins with a backslash. How much of it was passed on; 0: more has to come first.
// An escape that is not \uXXXX passes as two bytes: so "\\" followed by "u" is never taken for the start of \u.
size_t HalfSurrogates::pass_escape(std::string_view text, std::string& to) const {
  if (text.size() < 2) return 0;
  if (text[1] != 'u') {
    to += text.substr(0, 2);
    return 2;
  }
  if (text.size() < kEscapeBytes) return 0;
  const auto unit = unit_of(text);
  if (!unit || (!is_high(*unit) && !is_low(*unit))) {
    to += text.substr(0, 2);
    return 2;
  }
  const std::string_view next = text.substr(kEscapeBytes, kEscapeBytes);
  // A high half at the end of the piece may still meet its low half; a cut "\" or "\ud" counts as well.
  const bool may_go_on = next.size() < kEscapeBytes && std::string_view("\\u").starts_with(next.substr(0, 2));
  if (is_high(*unit) && may_go_on) return 0;
  const auto low = is_high(*unit) ? unit_of(next) : std::nullopt;
  if (low && is_low(*low)) {
    to += text.substr(0, 2 * kEscapeBytes);
    return 2 * kEscapeBytes;
  }
  to += "\\ufffd";
  return kEscapeBytes;
}

void HalfSurrogates::pass(std::string_view text, std::string& to) {
  std::string joined;
  if (!held_.empty()) {
    joined = held_.append(text);
    text = joined;
    held_.clear();
  }
  while (!text.empty()) {
    const size_t plain = std::min(text.find('\\'), text.size());
    to += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    const size_t passed = pass_escape(text, to);
    if (passed == 0) {
      held_ = text;
      return;
    }
    text.remove_prefix(passed);
  }
}

void HalfSurrogates::finish(std::string& to) {
  std::string last;
  last.swap(held_);
  const bool is_half = unit_of(last).has_value();  // and what follows it is cut short
  to += is_half ? "\\ufffd" + last.substr(kEscapeBytes) : last;
}

}  // namespace hearth::db
