#include "db/base/text.h"

#include <catch2/catch.hpp>
#include <string>

using namespace hearth::db;

TEST_CASE("Bytes in hexadecimal", "[base]") {
  CHECK(to_hex("").empty());
  CHECK(to_hex(std::string("\x00\x7f\x80\xff", 4)) == "007f80ff");
}

TEST_CASE("Base64 as RFC 4648 has it", "[base]") {
  CHECK(base64("").empty());
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("\xfb\xff") == "+/8=");
  CHECK(encode_base64url("\xfb\xff") == "-_8");
  CHECK(decode_base64url("-_8") == "\xfb\xff");
  CHECK(decode_base64url("-_8=") == "\xfb\xff");
  CHECK(!decode_base64url("+/8="));
  CHECK(!decode_base64url("Z"));
  for (size_t size = 0; size < 100; ++size) {
    const std::string bytes(size, static_cast<char>(0xc3 + size));
    CHECK(decode_base64url(encode_base64url(bytes)) == bytes);
    CHECK(base64(bytes).size() % 4 == 0);
  }
}

TEST_CASE("Secrets are equal or not", "[base]") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time("secret", "secret"));
  CHECK_FALSE(equal_in_constant_time("secret", "secreT"));
  CHECK_FALSE(equal_in_constant_time("secret", "secre"));
  CHECK_FALSE(equal_in_constant_time("Secret", "secret"));
}

TEST_CASE("Text: a whole number is digits from end to end, and no more than 64 bits have", "[base]") {
  CHECK(whole_number("0") == 0);
  CHECK(whole_number("007") == 7);
  CHECK(whole_number("18446744073709551615") == UINT64_MAX);
  for (const char* wrong : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "18446744073709551616"}) {
    INFO(wrong);
    CHECK_FALSE(whole_number(wrong).has_value());
  }
}
