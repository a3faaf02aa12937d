// What an operator allows webhooks, and how they are delivered. The defaults allow none. A value.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace hearth::net {

struct WebhookOptions {
  std::vector<std::string> hosts{};  // NAME[:PORT] to which may be sent (reach.h); none: webhooks are off
  bool private_too = false;          // also to addresses that are not of the public Internet, and there without TLS
  std::string authorities{};         // a PEM file; "": the system's
  unsigned attempts_max = 30;        // of one message; then it is a dead letter
  std::chrono::milliseconds retry_min{1'000}, retry_max{3'600'000};  // after failures (back_off.h)
  std::chrono::milliseconds time_max{15'000};                        // for one attempt
  size_t answer_bytes_max = 64u << 10;                               // that are read
  size_t body_bytes_max = 1u << 20;  // of one message; of a larger change the values are left out
  size_t at_once_max = 256;          // attempts at a time; of one hook there is one
  size_t hooks_max = 20;             // of one namespace
  size_t dead_max = 1'000;           // dead letters of one hook, and their bytes; past it the oldest go
  size_t dead_bytes_max = 16u << 20;
};

}  // namespace hearth::net
