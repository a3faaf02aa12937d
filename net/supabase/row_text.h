// Rows as JSON: `id` is the row's key as text, the other columns are its members. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/model/row_change.h"
#include "db/model/value.h"

namespace hearth::net::supabase {

// The row as an object. A child that is no object has its value in the column `value`. `columns`: only those; none: all.
void append_row(std::string_view key, const db::Value& row, const std::vector<std::string>& columns, std::string& to);

// What a listener is told of the change, without `schema` and `table`: "type":…,"commit_timestamp":…,"columns":[],
// "record":…,"old_record":…,"errors":null. Of a row before that may not be shown, the key alone.
std::string row_change_text(const db::RowChange& change, bool shows_before, const std::vector<std::string>& columns);

std::string iso_time(db::Timestamp time);  // 2026-01-02T03:04:05.678Z

}  // namespace hearth::net::supabase
