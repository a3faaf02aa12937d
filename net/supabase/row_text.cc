// A row as clients of tables see it: its key is the column `id`, its children are the other columns. A child that is
// named `id` is not told, for two columns of that name would be. A leaf, which no client of tables has made, has the
// one column `value`.
#include "net/supabase/row_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "db/model/json.h"
#include "db/model/row_filter.h"

namespace hearth::net::supabase {
namespace {

bool wants(const std::vector<std::string>& columns, std::string_view name) {
  return columns.empty() || std::find(columns.begin(), columns.end(), name) != columns.end();
}

void append_column(std::string_view name, const db::Value& value, std::string& to) {
  if (to.back() != '{') to += ',';
  db::append_json_string(name, to);
  to += ':';
  db::append_json(value, db::JsonStyle::Plain, to);
}

std::string_view kind_name(db::RowKind kind) {
  switch (kind) {
    case db::RowKind::Insert:
      return "INSERT";
    case db::RowKind::Update:
      return "UPDATE";
    case db::RowKind::Delete:
      return "DELETE";
  }
  return "";
}

}  // namespace

void append_row(std::string_view key, const db::Value& row, const std::vector<std::string>& columns, std::string& to) {
  to += '{';
  if (wants(columns, db::kRowId)) append_column(db::kRowId, db::Value::string(std::string(key)), to);
  if (!row.is_object()) {
    if (!row.is_null() && wants(columns, "value")) append_column("value", row, to);
  } else {
    for (auto child = row.children(); !child.done(); child.next()) {
      const std::string name = child.key();
      if (name != db::kRowId && wants(columns, name)) append_column(name, child.value(), to);
    }
  }
  to += '}';
}

std::string iso_time(db::Timestamp time) {
  const auto seconds = static_cast<std::time_t>(time.count() / 1'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time.count() % 1'000);
}

std::string row_change_text(const db::RowChange& change, bool shows_before, const std::vector<std::string>& columns) {
  std::string text = R"("type":")";
  text += kind_name(change.kind());
  text += R"(","commit_timestamp":")";
  text += iso_time(change.time);
  text += R"(","columns":[],"record":)";
  if (change.after.is_null()) {
    text += "{}";
  } else {
    append_row(change.key, change.after, columns, text);
  }
  text += R"(,"old_record":)";
  if (change.before.is_null()) {
    text += "{}";
  } else if (shows_before) {
    append_row(change.key, change.before, columns, text);
  } else {
    // Who could not read the row before its change learns the key alone.
    append_row(change.key, {}, columns, text);
  }
  text += R"(,"errors":null)";
  return text;
}

}  // namespace hearth::net::supabase
