// The part of the evaluator that works on strings (rules/language.md §11). What a method will go through is paid for
// before it begins (scan): a rule can't be made slow by a large value or a clever pattern.
// The result of a method lives in the scratch, as a view, until the rule is evaluated. Lengths are counted as
// JavaScript does, in UTF-16 units; positions are never told, so that everything else may work on UTF-8 bytes.
#include <cmath>
#include <cstring>
#include <cwctype>

#include "db/model/number_text.h"
#include "rules/language/evaluator.h"
#include "rules/language/text.h"

namespace hearth::rules {
namespace {

constexpr const char* kTooMuch = "the operation's rules scanned too many bytes";

// As JavaScript counts: a character beyond U+FFFF, four bytes in UTF-8, is two.
size_t utf16_length(std::string_view text) {
  size_t units = 0;
  for (const char c : text) {
    if ((c & 0xc0) != 0x80) units += (c & 0xf8) == 0xf0 ? 2 : 1;
  }
  return units;
}

// A locale of our own: that of the process is the embedder's, and "C" knows ASCII only.
locale_t unicode() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

template <typename Map>
void append_mapped(std::string_view text, std::string& to, const Map& map) {
  for (size_t at = 0; at < text.size();) append_utf8(static_cast<uint32_t>(map(take_point(text, at))), to);
}

size_t find(std::string_view text, std::string_view what, size_t from = 0) {
  if (what.empty()) return from;
  // memmem is linear whatever it looks for, which find() is not.
  const void* found = memmem(text.data() + from, text.size() - from, what.data(), what.size());
  return found == nullptr ? std::string_view::npos : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

void append_number(double value, std::string& to) {
  if (std::isnan(value)) {
    to += "NaN";
  } else if (std::isinf(value)) {
    to += value < 0 ? "-Infinity" : "Infinity";
  } else {
    db::append_javascript_number(value, to);
  }
}

// UTF-8 is the precondition; a cut sequence would still end with the text.
uint32_t take_point(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  uint32_t point = lead & (0x3f >> more);
  for (; more > 0 && at < text.size(); --more) point = point << 6 | (static_cast<unsigned char>(text[at++]) & 0x3f);
  return point;
}

Datum Evaluator::length(const Datum& of) {
  if (of.kind != Datum::Kind::String) return fail("length of what is no string");
  if (!scan(of.string.size())) return fail(kTooMuch);
  return Datum::of(static_cast<double>(utf16_length(of.string)));
}

Datum Evaluator::add(const Datum& left, const Datum& right) {
  using Kind = Datum::Kind;
  if (left.kind == Kind::Number && right.kind == Kind::Number) return Datum::of(left.number + right.number);
  const auto fits = [](const Datum& part) { return part.kind == Kind::Number || part.kind == Kind::String; };
  if (!fits(left) || !fits(right)) return fail("+ of what is neither number nor string");
  if (!scan(left.string.size() + right.string.size())) return fail(kTooMuch);
  std::string& sum = scratch_.next();
  // A number joins a string as JavaScript writes it.
  for (const Datum* part : {&left, &right}) {
    if (part->kind == Kind::String) {
      sum += part->string;
    } else {
      append_number(part->number, sum);
    }
  }
  return Datum::of(std::string_view(sum));
}

Datum Evaluator::string_method(const Expression& e, const Datum& receiver) {
  const std::string_view text = receiver.string;
  const Method method = e.operands.front()->method;
  std::string_view arguments[2];
  // The argument of matches() is a literal, compiled with the rule; it has no value.
  if (method != Method::Matches) {
    for (size_t i = 1; i < e.operands.size(); ++i) {
      const Datum argument = eval(*e.operands[i]);
      if (argument.failed()) return argument;
      if (argument.kind != Datum::Kind::String) return fail("an argument that is no string");
      arguments[i - 1] = argument.string;
    }
  }
  switch (method) {
    case Method::Contains:
      if (!scan(text.size() + arguments[0].size())) return fail(kTooMuch);
      return Datum::of(find(text, arguments[0]) != std::string_view::npos);
    case Method::BeginsWith:
    case Method::EndsWith:
      if (!scan(arguments[0].size())) return fail(kTooMuch);
      // The text itself may be long: only as much of it is compared as the argument has.
      return Datum::of(method == Method::BeginsWith ? text.starts_with(arguments[0]) : text.ends_with(arguments[0]));
    case Method::Replace:
      return replace(text, arguments[0], arguments[1]);
    case Method::ToLowerCase:
    case Method::ToUpperCase: {
      // A mapped character may be longer.
      if (!scan(2 * text.size())) return fail(kTooMuch);
      std::string& mapped = scratch_.next();
      if (method == Method::ToLowerCase) {
        append_mapped(text, mapped, [](wint_t point) { return towlower_l(point, unicode()); });
      } else {
        append_mapped(text, mapped, [](wint_t point) { return towupper_l(point, unicode()); });
      }
      return Datum::of(std::string_view(mapped));
    }
    case Method::Matches: {
      const Regex& regex = *e.operands[1]->regex;
      // RE2 is linear: each byte costs at most the size of the automaton.
      if (!scan(text.size() * regex.cost())) return fail(kTooMuch);
      return Datum::of(regex.occurs_in(text));
    }
    case Method::Val:
    case Method::Child:
    case Method::Parent:
    case Method::HasChild:
    case Method::HasChildren:
    case Method::Exists:
    case Method::IsString:
    case Method::IsNumber:
    case Method::IsBoolean:
    case Method::GetPriority:
      break;
  }
  return fail("a snapshot's method of a string");
}

// Every occurrence, plain text; of nothing, nothing is replaced.
Datum Evaluator::replace(std::string_view text, std::string_view from, std::string_view to) {
  if (!scan(text.size())) return fail(kTooMuch);
  if (from.empty()) return Datum::of(text);
  std::string& result = scratch_.next();
  size_t at = 0;
  for (size_t found; (found = find(text, from, at)) != std::string_view::npos; at = found + from.size()) {
    // The result may be much larger than text and arguments together.
    if (!scan(found - at + to.size())) return fail(kTooMuch);
    result.append(text, at, found - at).append(to);
  }
  if (!scan(text.size() - at)) return fail(kTooMuch);
  result.append(text, at);
  return Datum::of(std::string_view(result));
}

}  // namespace hearth::rules
