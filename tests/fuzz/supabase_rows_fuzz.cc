// Requests for rows: "METHOD TARGET\nPREFER\nBODY". What is understood can be asked of rows, and their text is JSON.
#include "db/model/json.h"
#include "db/model/row_query.h"
#include "net/router.h"
#include "net/supabase/rows_body.h"
#include "net/supabase/rows_change.h"
#include "net/supabase/rows_request.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/value_view.h"

using namespace hearth;
using namespace hearth::net;
using namespace hearth::net::supabase;

namespace {

const db::Value& tree() {
  static const db::Value tree =
      db::parse_value(R"({"t":{"a":{"n":1,"s":"x","b":true},"b":{"n":2.5,"o":{"p":["q",3]}},"7":{"s":"1"},"leaf":5}})",
                      db::Path())
          .value();
  return tree;
}

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

FUZZ_TARGET(supabase_rows) {
  std::string_view rest = bytes;
  std::string_view target = take_line(rest);
  http::Request request;
  request.method = std::string(target.substr(0, target.find(' ')));
  target.remove_prefix(std::min(request.method.size() + 1, target.size()));
  request.target = std::string(target);
  request.headers.emplace_back("Prefer", std::string(take_line(rest)));
  if (owner_of(request.target) != Owner::Supabase) return;
  const auto project = project_of(request.target, "localhost");
  if (!project.ok() || project.value().service != Service::Rest) return;
  auto parsed = parse_rows_request(request, project.value());
  if (const auto* error = std::get_if<RowsError>(&parsed)) {
    test::invariant(db::JsonDocument::parse(body_of(*error)).ok(), "an error's body is JSON");
    return;
  }
  const auto& asked = std::get<RowsRequest>(parsed);
  const db::Path table = db::Path::parse("t").value();
  const auto found = db::find_rows(test::ValueView(tree()), table, asked.query, db::SeesAll(), false, size_t{1} << 20);
  if (!found.ok()) return;
  for (const db::FoundRow& row : found.value().rows) {
    test::invariant(db::matches(asked.query.where, row.key, row.row), "what is found matches");
  }
  if (asked.query.limit) test::invariant(found.value().rows.size() <= *asked.query.limit, "a limit is kept");
  RowsText text(found.value().rows, asked.selection, asked.nulls, RowsText::Form::List, {});
  std::string all;
  while (text.next(all, 100)) continue;
  test::invariant(db::JsonDocument::parse(all).ok() || !db::is_utf8(bytes), "rows are told as JSON");

  if (asked.method == RowsRequest::Method::Read) return;
  auto sent = read_rows(asked, std::string(rest), "application/json");
  if (std::get_if<RowsError>(&sent) != nullptr) return;
  const auto& rows = std::get<std::vector<SentRow>>(sent);
  int made = 0;
  auto planned = asked.method == RowsRequest::Method::Insert
                     ? plan_insert(asked, table, rows, found.value().rows, [&] { return "p" + std::to_string(++made); })
                 : asked.method == RowsRequest::Method::Update && !rows.empty()
                     ? plan_update(asked, table, rows.front(), found.value().rows)
                     : plan_delete(asked, table, found.value().rows);
  if (std::get_if<RowsError>(&planned) != nullptr) return;
  const auto& change = std::get<RowsChange>(planned);
  test::invariant(db::check_overlap(change.write.overwrites).ok(), "no location lies in another");
  for (const db::FoundRow& row : change.rows) test::invariant(!row.row.is_null(), "no row vanishes by the way");
}
