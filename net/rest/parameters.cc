// The tables are lists of names in one string, each with a blank on both sides: has() finds a name with one search.
#include "net/rest/parameters.h"

#include <string_view>

namespace hearth::net::rest {
namespace {

using Names = std::string_view;  // each with a blank before and behind it

// Parameters that say who asks, for which namespace and how to answer; and those that clients send with any request,
// although a write has no use for them.
constexpr Names kAny =
    " access_token ac auth auth_variable_override ns callback disableTriggers download format print timeout "
    "writeSizeLimit "
    "x-http-method-override ";
constexpr Names kNone = " ";
constexpr Names kQuery = " orderBy startAt startAfter endAt endBefore equalTo limitToFirst limitToLast ";

// The parameters that an endpoint takes beside kAny.
Names own_parameters(Endpoint endpoint, Method method) {
  switch (endpoint) {
    case Endpoint::Data:
      if (method == Method::Delete) return kQuery;
      return method == Method::Patch ? " shallow ifMatchAt ttl "
                                     : " shallow ttl ";  // harmless: shallow only says how to answer
    case Endpoint::Rules:
      return " dryRun ";
    case Endpoint::Dump:
    case Endpoint::DumpPart:
      return " path format name ";
    case Endpoint::Restore:
      return " upload at into replace ";
    case Endpoint::Upload:
    case Endpoint::Info:
    case Endpoint::Health:
    case Endpoint::Databases:
    case Endpoint::OwnIndexes:
    case Endpoint::Setting:
    case Endpoint::Kick:
    case Endpoint::Namespace:
    case Endpoint::Compact:
    case Endpoint::Stats:
    case Endpoint::Explain:
    case Endpoint::Coverage:
    case Endpoint::Indexes:
    case Endpoint::Changes:
    case Endpoint::Undo:
    case Endpoint::Purge:
    case Endpoint::Preflight:
      return kNone;
  }
  return kNone;
}

bool has(Names names, std::string_view name) {
  return name.find(' ') == std::string_view::npos && names.find(" " + std::string(name) + " ") != Names::npos;
}

// A name without case, "_" and "-": two names that differ only in those are taken for a slip of the keyboard.
std::string plain(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (c != '_' && c != '-') letters += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  return letters;
}

// The name in `names` that `name` was probably meant to be; "": none.
std::string_view meant_by(Names names, std::string_view name) {
  for (size_t begin = 1; begin < names.size();) {
    const size_t end = names.find(' ', begin);
    if (plain(names.substr(begin, end - begin)) == plain(name)) return names.substr(begin, end - begin);
    begin = end + 1;
  }
  return {};
}

}  // namespace

std::optional<std::string> refused_parameter(const Target& target, Endpoint endpoint, Method method) {
  if (method == Method::Get) return {};
  const Names own = own_parameters(endpoint, method);
  for (const auto& [name, value] : target.parameters) {
    if (name.empty() || has(kAny, name) || has(own, name) || http::equals_ignoring_case(name, "x-http-method-override"))
      continue;
    std::string text =
        std::string(name_of(method)) + " has no parameter " + name.substr(0, 64) + " here, so nothing was done";
    std::string_view meant = meant_by(own, name);
    if (meant.empty()) meant = meant_by(kAny, name);
    if (!meant.empty()) text.append("; is ").append(meant).append(" meant?");
    if (meant.empty()) text += has(kQuery, name) ? "; queries are for GET and DELETE." : ".";
    return text;
  }
  return {};
}

}  // namespace hearth::net::rest
