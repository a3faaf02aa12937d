// One step after the other; a step that refuses ends it.
//
//   method ─▶ table ─▶ schema ─▶ form of the answer ─▶ preferences ─▶ parameters
//
// Nothing of the database is asked. What is not offered is refused by name, in PostgREST's shape: a client must never
// take another answer for the one that it asked for.
#include "net/supabase/rows_request.h"

#include <fmt/format.h>

#include "db/base/text.h"
#include "net/io/field_value.h"

namespace hearth::net::supabase {
namespace {

using Method = RowsRequest::Method;

std::optional<uint64_t> number_in(std::string_view text) {
  const auto number = db::whole_number(text);
  return number && *number <= kRowNumberMax ? number : std::nullopt;
}

class Parser {
 public:
  Parser(const http::Request& from, const Project& project) : from_(from), project_(project) {}
  std::variant<RowsRequest, RowsError> parse();

 private:
  using Step = std::optional<RowsError>;
  Step method();
  Step table();
  Step schema();
  Step form();
  Step preferences();
  bool prefer(std::string_view name, std::string_view value);
  Step parameters();
  Step parameter(const std::string& name, const std::string& value);
  Step order(std::string_view text);
  Step range();

  const http::Request& from_;
  const Project& project_;
  RowsRequest to_;
  bool is_strict_ = false;
};

Parser::Step Parser::method() {
  const std::string& name = from_.method;
  if (name == "GET" || name == "HEAD") {
    to_.method = Method::Read;
    to_.wants_body = name == "GET";
  } else if (name == "POST") {
    to_.method = Method::Insert;
  } else if (name == "PATCH") {
    to_.method = Method::Update;
  } else if (name == "DELETE") {
    to_.method = Method::Delete;
  } else {
    return RowsError{405, "PGRST117", fmt::format("Unsupported HTTP method: {:.20}", name)};
  }
  return {};
}

Parser::Step Parser::table() {
  const auto& rest = project_.rest;
  if (!rest.empty() && rest.front() == "rpc") {
    return RowsError{404, "PGRST202",
                     fmt::format("Could not find the function public.{:.100} in the schema cache",
                                 rest.size() > 1 ? rest[1] : std::string()),
                     "Hearth has no functions that clients call."};
  }
  if (rest.size() != 1) return RowsError{404, "PGRST125", "Invalid path specified in request URL"};
  to_.table = rest.front();
  return {};
}

// PostgREST reads the schema of a read and that of a write from two headers. There is one schema here, `public`.
Parser::Step Parser::schema() {
  const auto name = from_.header(to_.method == Method::Read ? "Accept-Profile" : "Content-Profile");
  if (!name || *name == "public") return {};
  return RowsError{.status = 406,
                   .code = "PGRST106",
                   .message = fmt::format("Invalid schema: {:.100}", *name),
                   .hint = "Only the following schemas are exposed: public"};
}

Parser::Step Parser::form() {
  std::string_view list = from_.header("Accept").value_or("*/*");
  const std::string_view asked = list;
  while (!list.empty()) {
    std::string_view one = http::take_item(list, ',');
    const std::string_view type = http::take_item(one, ';');
    const bool is_single = type == "application/vnd.pgrst.object+json" || type == "application/vnd.pgrst.object";
    const bool is_list = type == "application/vnd.pgrst.array+json" || type == "application/vnd.pgrst.array" ||
                         type == "application/json" || type == "*/*" || type == "application/*" || type.empty();
    if (!is_single && !is_list) continue;
    to_.form = is_single ? RowsText::Form::Single : RowsText::Form::List;
    while (!one.empty()) {
      if (http::take_item(one, ';') == "nulls=stripped") to_.nulls = Nulls::Stripped;
    }
    return {};
  }
  return RowsError{406, "PGRST107", fmt::format("None of these media types are available: {:.200}", asked)};
}

// Takes down one preference. Returns false when its name or its value is not known.
bool Parser::prefer(std::string_view name, std::string_view value) {
  using Return = RowsRequest::Return;
  if (name == "return") {
    if (value == "minimal") to_.returns = Return::Minimal;
    if (value == "headers-only") to_.returns = Return::HeadersOnly;
    if (value == "representation") to_.returns = Return::Representation;
    return value == "minimal" || value == "headers-only" || value == "representation";
  }
  if (name == "count") {
    to_.counts = value == "exact" || value == "planned" || value == "estimated";
    return to_.counts;
  }
  if (name == "resolution") {
    if (value == "merge-duplicates") to_.duplicates = RowsRequest::Duplicates::Merged;
    if (value == "ignore-duplicates") to_.duplicates = RowsRequest::Duplicates::Ignored;
    return to_.duplicates != RowsRequest::Duplicates::Refused;
  }
  if (name == "missing") {
    to_.missing_is_default = value == "default";
    return value == "default" || value == "null";
  }
  if (name == "handling") {
    is_strict_ = value == "strict";
    return value == "strict" || value == "lenient";
  }
  if (name == "max-affected") {
    to_.affected_max = number_in(value);
    return to_.affected_max.has_value();
  }
  return name == "tx" || name == "timezone";  // PostgREST's own servers leave them out too
}

Parser::Step Parser::preferences() {
  std::string unknown;
  for (const auto& [header, text] : from_.headers) {
    if (!http::equals_ignoring_case(header, "Prefer")) continue;
    std::string_view list = text;
    while (!list.empty()) {
      const std::string_view one = http::take_item(list, ',');
      std::string_view value = one;
      const std::string_view name = http::take_item(value, '=');
      if (one.empty()) continue;
      std::string& to = prefer(name, value) ? to_.applied : unknown;
      if (name == "tx" || name == "timezone") continue;
      to += (to.empty() ? "" : ", ") + std::string(one);
    }
  }
  if (is_strict_ && !unknown.empty()) {
    return RowsError{400, "PGRST122", "Invalid preferences given with handling=strict",
                     fmt::format("Invalid preferences: {:.200}", unknown)};
  }
  if (!is_strict_) to_.affected_max.reset();
  return {};
}

Parser::Step Parser::order(std::string_view text) {
  for (const std::string_view part : cut_list(text)) {
    db::RowOrder order;
    std::optional<bool> nulls_first;
    std::string_view column = part;
    for (;;) {
      const size_t dot = column.rfind('.');
      const std::string_view last = dot == std::string_view::npos ? "" : column.substr(dot + 1);
      if (last == "nullsfirst" || last == "nullslast") {
        nulls_first = last == "nullsfirst";
      } else if (last == "asc" || last == "desc") {
        order.descending = last == "desc";
      } else {
        break;
      }
      column = column.substr(0, dot);
    }
    if (column.find('(') != std::string_view::npos) {
      return RowsError{400, "PGRST108", "An order by another table's columns is not offered here"};
    }
    auto parsed = db::parse_row_column(column);
    if (!parsed.ok()) {
      return bad_request(fmt::format("\"failed to parse order ({:.200})\"", text), parsed.error().message);
    }
    if (to_.query.order.size() >= db::kOrderChildrenMax) {
      return bad_request(fmt::format("rows are ordered by at most {} columns", db::kOrderChildrenMax));
    }
    order.column = std::move(parsed).value();
    order.nulls_first = nulls_first.value_or(order.descending);  // as PostgreSQL
    to_.query.order.push_back(std::move(order));
  }
  return {};
}

Parser::Step Parser::parameter(const std::string& name, const std::string& value) {
  if (name == "select") {
    auto parsed = parse_selection(value);
    if (auto* error = std::get_if<RowsError>(&parsed)) return std::move(*error);
    to_.selection = std::move(std::get<Selection>(parsed));
    return {};
  }
  if (name == "order") return value.empty() ? Step() : order(value);
  if (name == "limit" || name == "offset") {
    const auto number = number_in(value);
    if (!number)
      return bad_request(fmt::format("\"failed to parse {} ({:.50})\"", name, value), "A number is expected.");
    if (name == "limit") to_.query.limit = *number;
    if (name == "offset") to_.query.offset = *number;
    return {};
  }
  if (name == "columns") {
    to_.columns.emplace();
    for (const std::string_view column : cut_list(value)) to_.columns->push_back(unquoted(column));
    return {};
  }
  if (name == "on_conflict") {
    if (unquoted(value) == db::kRowId) return {};
    return RowsError{400, "42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification",
                     "A row's id alone is unique."};
  }
  if (name == "apikey" || name == "ns") return {};  // the project's

  db::RowExpression part;
  const bool negated = name.starts_with("not.");
  const std::string_view word = std::string_view(name).substr(negated ? 4 : 0);
  if (word == "and" || word == "or") {
    auto logic = db::parse_row_logic(word == "or" ? db::RowExpression::Kind::Or : db::RowExpression::Kind::And, value);
    if (!logic.ok()) {
      return bad_request(fmt::format("\"failed to parse logic tree ({:.200})\"", value), logic.error().message);
    }
    part = std::move(logic).value();
    part.negated = negated;
  } else {
    auto condition = db::parse_row_condition(name, value);
    if (!condition.ok()) {
      return bad_request(fmt::format("\"failed to parse filter ({:.200})\"", value),
                         condition.error().message + fmt::format(" of the parameter \"{:.100}\"", name));
    }
    part.kind = db::RowExpression::Kind::Condition;
    part.condition = std::move(condition).value();
  }
  if (to_.query.where.parts.size() >= db::kRowConditionsMax) {
    return bad_request(fmt::format("there are more than {} conditions", db::kRowConditionsMax));
  }
  to_.query.where.parts.push_back(std::move(part));
  return {};
}

Parser::Step Parser::parameters() {
  for (const auto& [name, value] : project_.target.parameters) {
    if (auto refused = parameter(name, value)) return refused;
  }
  return range();
}

// "Range: 0-9", of reads alone. A limit in the query string comes first.
Parser::Step Parser::range() {
  const auto header = from_.header("Range");
  if (!header || to_.method != Method::Read || to_.query.limit || to_.query.offset > 0) return {};
  std::string_view text = *header;
  if (text.starts_with("items=")) text.remove_prefix(6);
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return {};
  const auto first = number_in(text.substr(0, dash));
  const auto last = number_in(text.substr(dash + 1));
  if (!first || (!last && dash + 1 < text.size())) return {};  // bytes of something, which nobody asks here
  if (last && *last < *first) {
    return RowsError{416, "PGRST103", "Requested range not satisfiable",
                     "The lower boundary must be lower than or equal to the upper boundary in the Range header."};
  }
  to_.query.offset = *first;
  if (last) to_.query.limit = *last - *first + 1;
  return {};
}

std::variant<RowsRequest, RowsError> Parser::parse() {
  for (const auto step :
       {&Parser::method, &Parser::table, &Parser::schema, &Parser::form, &Parser::preferences, &Parser::parameters}) {
    if (auto refused = (this->*step)()) return std::move(*refused);
  }
  if (to_.form == RowsText::Form::Single && !to_.shows_rows()) to_.form = RowsText::Form::List;
  to_.query.counts = to_.counts;
  return std::move(to_);
}

}  // namespace

std::variant<RowsRequest, RowsError> parse_rows_request(const http::Request& request, const Project& project) {
  return Parser(request, project).parse();
}

const char* deed_of(const RowsRequest& request) {
  switch (request.method) {
    case Method::Read:
      return "rows: read";
    case Method::Insert:
      return "rows: insert";
    case Method::Update:
      return "rows: update";
    case Method::Delete:
      return "rows: delete";
  }
  return "rows";
}

}  // namespace hearth::net::supabase
