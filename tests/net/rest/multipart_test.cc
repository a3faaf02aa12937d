#include "net/rest/multipart.h"

#include <catch2/catch.hpp>

using hearth::net::rest::take_first_part;

namespace {

constexpr const char* kType = "multipart/form-data; boundary=b1";

}  // namespace

TEST_CASE("multipart: the first part is what is left", "[net][rest]") {
  struct Case {
    std::string type, form, content;
  };
  const std::string field = "Content-Disposition: form-data; name=\"f\"\r\n";
  const std::vector<Case> cases = {
      {kType, "--b1\r\n" + field + "\r\n{\"a\":1}\r\n--b1--\r\n", "{\"a\":1}"},
      {kType, "--b1\r\n" + field + "\r\n\r\n--b1--\r\n", ""},
      {kType, "--b1\r\n\r\nno fields\r\n--b1--", "no fields"},
      {kType, "preamble\r\n--b1\r\n" + field + "\r\n1\r\n--b1\r\n" + field + "\r\n2\r\n--b1--", "1"},
      {kType, "--b1\r\n" + field + "\r\na\r\n\r\n--b\r\nb\r\n--b1--", "a\r\n\r\n--b\r\nb"},
      {"multipart/form-data; charset=x;  Boundary=\"quo ted\"", "--quo ted\r\n\r\n7\r\n--quo ted--", "7"},
  };
  for (const Case& c : cases) {
    INFO(c.form);
    std::string form = c.form;
    REQUIRE(take_first_part(form, c.type).ok());
    CHECK(form == c.content);
  }
}

TEST_CASE("multipart: a form that is none is refused", "[net][rest]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"application/json", "{}"},
      {"", ""},
      {"multipart/form-data", "--b1\r\n\r\n1\r\n--b1--"},
      {"multipart/form-data; boundary=", "--\r\n\r\n1\r\n----"},
      {kType, ""},
      {kType, "no boundary"},
      {kType, "--b1"},
      {kType, "--b1\r\nname: value\r\n"},
      {kType, "--b1\r\n\r\nno end"},
  };
  for (const auto& [type, text] : cases) {
    INFO(type << ": " << text);
    std::string form = text;
    const auto taken = take_first_part(form, type);
    REQUIRE(!taken.ok());
    CHECK(taken.error().code == hearth::db::ErrorCode::InvalidArgument);
  }
}
