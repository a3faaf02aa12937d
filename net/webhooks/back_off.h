// How long to wait after failures: twice as long each time, within limits, and by chance between half of that and all of it,
// so that hooks that failed together do not come back together. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace hearth::net::webhooks {

// `failures`: in a row, at least 1. `chance`: any number.
inline std::chrono::milliseconds delay_after(unsigned failures, std::chrono::milliseconds least,
                                             std::chrono::milliseconds most, uint64_t chance) {
  std::chrono::milliseconds whole = std::max(least, std::chrono::milliseconds(1));
  for (unsigned i = 1; i < failures && whole < most; ++i) whole *= 2;
  whole = std::min(whole, std::max(most, std::chrono::milliseconds(1)));
  const auto half = whole / 2;
  return half + std::chrono::milliseconds(chance % static_cast<uint64_t>((whole - half).count() + 1));
}

}  // namespace hearth::net::webhooks
