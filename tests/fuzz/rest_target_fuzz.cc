// Targets of REST requests, and what they ask.
#include "net/rest/request.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::net;

FUZZ_TARGET(rest_target) {
  const auto target = http::parse_target(bytes);
  http::Request request;
  request.target = bytes;
  for (const char* method : {"GET", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    request.method = method;
    rest::parse_request(request);
  }
  if (!target.ok()) return;
  rest::credential_of({}, target.value());
  for (const std::string& segment : target.value().segments) {
    hearth::test::invariant(!segment.empty(), "empty segments are left out");
  }
}
