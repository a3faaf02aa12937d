// The table of the admin API and its chapter say the same.
#include "net/admin/api/table.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "db/model/json.h"

using hearth::net::admin::admin_table;
using hearth::net::admin::name_of;
using hearth::net::admin::Row;
using hearth::net::admin::table_text;

namespace {

std::string line_of(const Row& row) {
  return "| `" + std::string(row.method) + "` | `" + std::string(row.path) + "` | " + std::string(name_of(row.right)) +
         " | " + std::string(row.about) + " |";
}

}  // namespace

TEST_CASE("admin table: each row is in the chapter, in its order, and each row of the chapter is in the table",
          "[admin]") {
  std::vector<std::string> documented;
  std::ifstream chapter(HEARTH_SOURCE_DIR "/tools/manual/admin-api.md");
  for (std::string line; std::getline(chapter, line);) {
    if (line.starts_with("| `") && line.find("` | `/") != std::string::npos) documented.push_back(line);
  }
  std::vector<std::string> rows;
  for (const Row& row : admin_table()) rows.push_back(line_of(row));
  CHECK(documented == rows);
  CHECK(rows.size() > 30);
}

TEST_CASE("admin table: each row is served in one way, once, and says what it does in a sentence", "[admin]") {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Row& row : admin_table()) {
    INFO(row.method << " " << row.path);
    CHECK(seen.emplace(row.method, row.path).second);
    CHECK((row.serve != nullptr) == row.endpoint.has_value());
    CHECK((row.serve != nullptr) != (row.answer != nullptr));
    CHECK(row.about.ends_with("."));
    CHECK(row.path.starts_with("/."));
  }
  const auto text = hearth::db::JsonDocument::parse(table_text());
  REQUIRE(text.ok());
  CHECK(text.value().root().elements().size() == admin_table().size());
}
