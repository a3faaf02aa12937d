// What commands for administrators have in common: how they say who may, and how they print a time. Values.
#pragma once

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace hearth::tools {

inline constexpr const char* kWhoMayAsk = R"(
For admins: without --token the admin secret in --data is used, if it can be read, and else 'owner', which a server in
development believes. HEARTH_URL and HEARTH_TOKEN stand for --url and --token.)";

// Milliseconds since 1970, to the second.
inline std::string moment_text(int64_t ms) {
  const auto when = std::chrono::system_clock::time_point(std::chrono::milliseconds(ms));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(when)));
}

}  // namespace hearth::tools
