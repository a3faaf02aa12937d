// A part of `select` is taken apart from its ends: an alias in front, a cast behind, and the column between. The one
// trap is the colon, which ends an alias when it is single, and begins a cast when it is double: "total:price::text".
// What stands in quotes is a name, whatever signs it has.
//
// cut_list() does not look at parentheses. A part with one is another table's columns or a function, and is refused in
// any case.
//
// RowsText makes an answer in pieces, and lets go of each row once it is told: while a client reads slowly, rows become
// fewer, and never is there a second copy of all of them as text. The lease that counts them ends with the last piece.
#include "net/supabase/rows_select.h"

#include <fmt/format.h>

#include "db/model/json.h"
#include "net/io/field_value.h"
#include "net/supabase/row_text.h"

namespace hearth::net::supabase {
namespace {

using http::trimmed;

// The first place from `from` on, outside of quotes, at which `what` stands.
size_t find_unquoted(std::string_view text, std::string_view what, size_t from = 0) {
  bool is_quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') is_quoted = !is_quoted;
    if (!is_quoted && i >= from && text.substr(i).starts_with(what)) return i;
  }
  return std::string_view::npos;
}

// Where an alias ends: a colon that is no half of a cast, and stands in no quotes.
size_t alias_end(std::string_view text) {
  for (size_t from = 0;;) {
    const size_t end = find_unquoted(text, ":", from);
    if (end == std::string_view::npos || !text.substr(end).starts_with("::")) return end;
    from = end + 2;
  }
}

std::variant<SelectedColumn, RowsError> parse_part(std::string_view part) {
  SelectedColumn selected;
  if (part == "*") {
    selected.is_all = true;
    return selected;
  }
  if (const size_t open = find_unquoted(part, "("); open != std::string_view::npos) {
    if (part.ends_with("()")) return RowsError{400, "PGRST123", "Use of aggregate functions is not allowed"};
    const std::string other = unquoted(trimmed(part.substr(0, open)));
    return RowsError{400, "PGRST200",
                     fmt::format("Could not find a relationship to '{:.100}' in the schema cache", other),
                     "Hearth has no relations between tables.", "Ask for the other table by itself."};
  }
  if (const size_t end = alias_end(part); end != std::string_view::npos) {
    selected.name = unquoted(trimmed(part.substr(0, end)));
    part = trimmed(part.substr(end + 1));
    if (selected.name.empty()) return bad_request("a name before \":\" is missing in the parameter select");
  }
  if (const size_t cast = find_unquoted(part, "::"); cast != std::string_view::npos) {
    const std::string_view type = part.substr(cast + 2);
    selected.as_text = type == "text" || type == "varchar";
    if (!selected.as_text && type != "json" && type != "jsonb") {
      return bad_request(fmt::format("the cast to \"{:.50}\" is not offered here, in the parameter select", type),
                         "Casts are to text, json and jsonb.");
    }
    part = part.substr(0, cast);
  }
  auto column = db::parse_row_column(trimmed(part));
  if (!column.ok()) return bad_request(column.error().message + ", in the parameter select");
  selected.column = std::move(column).value();
  if (selected.name.empty()) {
    selected.name = selected.column.below.empty() ? selected.column.name : selected.column.below.back();
  }
  return selected;
}

void append_value(std::string_view name, const db::Value& value, std::string& to) {
  if (!to.ends_with('{')) to += ',';
  db::append_json_string(name, to);
  to += ':';
  db::append_json(value, db::JsonStyle::Plain, to);
}

}  // namespace

std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) text = text.substr(1, text.size() - 2);
  return std::string(text);
}

std::vector<std::string_view> cut_list(std::string_view text) {
  std::vector<std::string_view> parts;
  bool is_quoted = false;
  size_t from = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i + 1 < text.size() && is_quoted && text[i] == '\\') {
      ++i;
      continue;
    }
    if (i < text.size() && text[i] == '"') is_quoted = !is_quoted;
    if (i < text.size() && (is_quoted || text[i] != ',')) continue;
    parts.push_back(trimmed(text.substr(from, i - from)));
    from = i + 1;
  }
  return parts;
}

std::variant<Selection, RowsError> parse_selection(std::string_view text) {
  Selection selection;
  if (trimmed(text).empty() || trimmed(text) == "*") return selection;
  for (const std::string_view part : cut_list(text)) {
    if (selection.size() >= kSelectedColumnsMax) {
      return bad_request(fmt::format("the parameter select has more than {} columns", kSelectedColumnsMax));
    }
    auto parsed = parse_part(part);
    if (auto* error = std::get_if<RowsError>(&parsed)) return std::move(*error);
    selection.push_back(std::move(std::get<SelectedColumn>(parsed)));
  }
  return selection;
}

void append_row(const db::FoundRow& row, const Selection& selection, Nulls nulls, std::string& to) {
  if (selection.empty()) return append_row(row.key, row.row, {}, to);
  to += '{';
  for (const SelectedColumn& selected : selection) {
    if (selected.is_all) {
      std::string all;
      append_row(row.key, row.row, {}, all);
      if (!to.ends_with('{')) to += ',';
      to.append(all, 1, all.size() - 2);
      continue;
    }
    db::Value value = db::column_of(selected.column, row.key, row.row);
    if (value.is_null() && nulls == Nulls::Stripped) continue;
    if (selected.as_text && !value.is_null() && value.kind() != db::Value::Kind::String) {
      value = db::Value::string(db::to_json(value, db::JsonStyle::Plain));
    }
    append_value(selected.name, value, to);
  }
  to += '}';
}

bool RowsText::next(std::string& chunk, size_t bytes) {
  if (is_done_) return false;
  const size_t enough = chunk.size() + bytes;
  if (at_ == 0 && form_ == Form::List) chunk += '[';
  while (at_ < rows_.size() && chunk.size() < enough) {
    if (at_ > 0) chunk += ',';
    append_row(rows_[at_], selection_, nulls_, chunk);
    rows_[at_++] = {};
  }
  if (at_ < rows_.size()) return true;
  if (form_ == Form::List) chunk += ']';
  is_done_ = true;
  lease_ = {};
  return true;
}

}  // namespace hearth::net::supabase
