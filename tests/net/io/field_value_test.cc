#include "net/io/field_value.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace hearth::net::http;

TEST_CASE("Field values: blanks around them do not count", "[net][http]") {
  CHECK(trimmed(" \t a b\t ") == "a b");
  CHECK(trimmed("a") == "a");
  CHECK(trimmed(" \t ").empty());
  CHECK(trimmed("").empty());
  CHECK(trimmed("\r\n") == "\r\n");  // no blanks: the lines of a head end in them
}

TEST_CASE("Field values: the items of a list, one after the other", "[net][http]") {
  struct Case {
    std::string_view list;
    std::vector<std::string_view> items;
  };
  const std::vector<Case> cases = {
      {"a, b ,c", {"a", "b", "c"}}, {"a", {"a"}},      {"", {}}, {"a,", {"a"}}, {",a", {"", "a"}},
      {"a,,b", {"a", "", "b"}},     {" , ", {"", ""}},
  };
  for (Case c : cases) {
    INFO(c.list);
    std::vector<std::string_view> items;
    while (!c.list.empty()) items.push_back(take_item(c.list, ','));
    CHECK(items == c.items);
  }
}
