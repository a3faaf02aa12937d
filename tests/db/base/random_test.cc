#include "db/base/random.h"

#include <array>
#include <catch2/catch.hpp>
#include <set>
#include <string>

using namespace hearth::db;

TEST_CASE("Random hex has two lower-case digits a byte, and all digits occur") {
  CHECK(random_hex(0).empty());
  CHECK(random_hex(16).size() == 32);
  const std::string many = random_hex(4096);
  CHECK(many.size() == 8192);
  std::set<char> digits(many.begin(), many.end());
  CHECK(std::string(digits.begin(), digits.end()) == "0123456789abcdef");
}

TEST_CASE("Random numbers do not repeat") {
  std::set<uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(random_u64());
  CHECK(seen.size() == 10'000);
}

TEST_CASE("Random bytes fill exactly what is asked for, also more than one call to the kernel gives") {
  std::array<unsigned char, 64> bytes{};
  random_bytes(bytes.data() + 8, 48);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i < 8 || i >= 56) CHECK(bytes[i] == 0);
  }
  std::set<unsigned char> seen(bytes.begin() + 8, bytes.begin() + 56);
  CHECK(seen.size() > 8);

  std::string large(40u << 20, '\0');  // getrandom gives at most 32 MiB - 1 at once
  random_bytes(large.data(), large.size());
  CHECK(large.find_first_not_of('\0', large.size() - 64) != std::string::npos);
}
