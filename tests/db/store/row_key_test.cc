#include "db/store/row_key.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "db/model/key_order.h"
#include "db/model/path.h"

using namespace hearth::db;
using namespace std::string_literals;

TEST_CASE("Row keys are the bytes that their grammar says", "[store][row_key]") {
  CHECK(row_key(Table::Store, "format") ==
        "\x01"
        "format"s);
  CHECK(row_key(Table::Name, "my-app") ==
        "\x02"
        "my-app"s);
  CHECK(row_key(Table::Head, 1) == "\x03\x00\x00\x00\x01"s);
  CHECK(row_key(Table::Disconnect, 0x01020304, "s\0p"s) == "\x04\x01\x02\x03\x04s\0p"s);
  CHECK(row_key(Table::Data, 0xffffffff,
                "\x02"
                "a\0"s) ==
        "\x05\xff\xff\xff\xff\x02"
        "a\0"s);
  CHECK(row_key(Table::Data, 7).size() == kTableAndNumber);
}

TEST_CASE("A number is read as it was written", "[store][row_key]") {
  for (const uint32_t number : {0u, 1u, 127u, 128u, 255u, 256u, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    std::string bytes;
    append_number(number, bytes);
    CHECK(bytes.size() == 4);
    CHECK(read_number(bytes + "behind") == number);
  }
}

TEST_CASE("Keys sort by table, then by number, then by what is behind it", "[store][row_key]") {
  const std::vector<std::string> ordered = {
      row_key(Table::Store, "shards"),   row_key(Table::Name, ""),           row_key(Table::Name, "\xff"),
      row_key(Table::Head, 0),           row_key(Table::Head, 0xffffffff),   row_key(Table::Disconnect, 0),
      row_key(Table::Data, 0),           row_key(Table::Data, 0, "\x03"),    row_key(Table::Data, 1),
      row_key(Table::Data, 1, "\x02z"),  row_key(Table::Data, 127, "\x02z"), row_key(Table::Data, 128),
      row_key(Table::Data, 255, "\xff"), row_key(Table::Data, 256),          row_key(Table::Data, 0x80000000),
  };
  CHECK(std::is_sorted(ordered.begin(), ordered.end()));
  CHECK(std::adjacent_find(ordered.begin(), ordered.end()) == ordered.end());
}

TEST_CASE("Row key: an update of a document is behind its path, in the order of numbers, and before what is below it") {
  const std::string path = encode_path(Path::parse("notes/a").value());
  const std::string first = document_row(path, 0xff), second = document_row(path, 0x100);
  CHECK(first < second);
  CHECK(second < encode_path(Path::parse("notes/a/b").value()));
  CHECK(first > path);
  const auto read = read_document_row(second);
  REQUIRE(read);
  CHECK(read->path == path);
  CHECK(read->sequence == 0x100);
  CHECK_FALSE(read_document_row(path));
  CHECK_FALSE(read_document_row(std::string_view(second).substr(second.size() - 8)));
}
