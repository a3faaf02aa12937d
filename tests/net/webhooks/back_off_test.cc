#include "net/webhooks/back_off.h"

#include <catch2/catch.hpp>
#include <random>

namespace hearth::net::webhooks {

using std::chrono::milliseconds;

TEST_CASE("delay_after: doubles up to its limit, and is at least half of that", "[net][webhooks]") {
  const milliseconds least{1'000}, most{60'000};
  milliseconds whole = least;
  for (unsigned failures = 1; failures <= 40; ++failures) {
    INFO(failures);
    CHECK(delay_after(failures, least, most, 0) == whole / 2);
    CHECK(delay_after(failures, least, most, static_cast<uint64_t>((whole - whole / 2).count())) == whole);
    whole = std::min(whole * 2, most);
  }
  CHECK(delay_after(4'000'000'000u, least, milliseconds(INT64_MAX / 4), 0).count() > 0);
}

TEST_CASE("delay_after: whatever chance says, within the limits; hooks that failed together come back apart",
          "[net][webhooks]") {
  std::mt19937_64 random(7);
  std::vector<int64_t> seen;
  for (int i = 0; i < 1'000; ++i) {
    const milliseconds delay = delay_after(6, milliseconds(100), milliseconds(1'000'000), random());
    CHECK(delay >= milliseconds(1'600));
    CHECK(delay <= milliseconds(3'200));
    seen.push_back(delay.count());
  }
  std::sort(seen.begin(), seen.end());
  CHECK(std::unique(seen.begin(), seen.end()) - seen.begin() > 300);
  CHECK(delay_after(1, milliseconds(0), milliseconds(0), 5).count() <= 1);
}

}  // namespace hearth::net::webhooks
