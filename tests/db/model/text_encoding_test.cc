#include "db/model/text_encoding.h"

#include <catch2/catch.hpp>

#include <string>

using namespace hearth::db;

TEST_CASE("Encoding: a mark is skipped, once, and UTF-16 is told by its mark or its zeros", "[db][model]") {
  CHECK(without_bom("\xef\xbb\xbf{}") == "{}");
  CHECK(without_bom("\xef\xbb\xbf\xef\xbb\xbf{}") == "\xef\xbb\xbf{}");
  CHECK(without_bom("\xef\xbb") == "\xef\xbb");
  CHECK(without_bom("").empty());
  for (const std::string& text : {std::string("\xff\xfe{\0", 4), std::string("\xfe\xff\0{", 4),
                                  std::string("{\0}\0", 4), std::string("\0{\0}", 4)}) {
    CHECK(is_utf16(text));
  }
  for (const std::string& text : {std::string(), std::string("{"), std::string("1\0", 2), std::string("{\0\0}", 4),
                                  std::string("\0\0", 2), std::string("{}"), std::string("\xef\xbb\xbf{}")}) {
    CHECK_FALSE(is_utf16(text));
  }
}
