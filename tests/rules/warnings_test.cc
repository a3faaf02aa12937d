#include "rules/warnings.h"

#include <catch2/catch.hpp>

using namespace hearth::rules;

TEST_CASE("Warnings: an octal number, where it stands, and nothing else", "[rules]") {
  CHECK(warnings_of("{\"rules\":{\".read\":\"now > 010\",\n \"a\":{\".validate\":\"newData.val() < 0777 && '\\u00e9' "
                    "!= 'x' + 07\"}}}") ==
        std::vector<std::string>{
            "1:26: 010 is octal, the number 8; without the 0 in front of it, it is decimal.",
            "2:36: 0777 is octal, the number 511; without the 0 in front of it, it is decimal.",
            "2:62: 07 is octal, the number 7; without the 0 in front of it, it is decimal.",
        });
  for (const char* fine : {R"({"rules":{".read":"0 < 0.5 && 10 < 0x10 && 08 < 9 && '010' != 'x' // 010"}})",
                           R"({"rules":{".indexOn":"010"}})", "010", "{"}) {
    INFO(fine);
    CHECK(warnings_of(fine).empty());
  }
}
