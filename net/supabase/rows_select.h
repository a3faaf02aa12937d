// Which columns of rows are told, and their text (PostgREST's `select`). Values; pure, but for RowsText.
//
//   select := "" | part ( "," part )*
//   part   := "*" | [ alias ":" ] column [ "::" cast ]       column: db/model/row_filter.h
//   cast   := "text" | "varchar" | "json" | "jsonb"
//
// "*" tells what a row has, and its id. A column that is named is told always, as null when it is absent.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "db/model/event.h"
#include "db/model/row_filter.h"
#include "db/model/row_query.h"
#include "net/supabase/rows_error.h"

namespace hearth::net::supabase {

inline constexpr size_t kSelectedColumnsMax = 200;

struct SelectedColumn {
  bool is_all = false;  // "*"
  db::RowColumn column{};
  std::string name{};  // under which it is told
  bool as_text = false;
};
using Selection = std::vector<SelectedColumn>;  // empty: everything

std::variant<Selection, RowsError> parse_selection(std::string_view text);

// Cuts at commas that stand in no quotes; parentheses are not looked at.
std::vector<std::string_view> cut_list(std::string_view text);
std::string unquoted(std::string_view text);  // without quotes around it

enum class Nulls : uint8_t { Told, Stripped };

void append_row(const db::FoundRow& row, const Selection& selection, Nulls nulls, std::string& to);

// The text of an answer in pieces: a list of rows, or one row by itself. Thread: one at a time.
class RowsText {
 public:
  enum class Form : uint8_t { List, Single };
  // `lease`: counts the rows in memory until the last piece is made.
  RowsText(std::vector<db::FoundRow> rows, Selection selection, Nulls nulls, Form form, db::Lease lease)
      : rows_(std::move(rows)),
        selection_(std::move(selection)),
        nulls_(nulls),
        form_(form),
        lease_(std::move(lease)) {}
  // Appends about `bytes`. False when nothing was left.
  bool next(std::string& chunk, size_t bytes);

 private:
  std::vector<db::FoundRow> rows_;
  const Selection selection_;
  const Nulls nulls_;
  const Form form_;
  db::Lease lease_;
  size_t at_ = 0;
  bool is_done_ = false;
};

}  // namespace hearth::net::supabase
