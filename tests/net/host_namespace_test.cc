#include "net/host_namespace.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using hearth::net::namespace_of_host;

TEST_CASE("A host of three labels or more names a namespace; shorter ones and addresses do not", "[net]") {
  const std::vector<std::pair<std::string, std::string>> cases = {{"chat.firebaseio.com", "chat"},
                                                                  {"chat.firebaseio.com:443", "chat"},
                                                                  {"chat.eu.example.org", "chat"},
                                                                  {"example.org", ""},
                                                                  {"localhost:9000", ""},
                                                                  {"127.0.0.1:9000", ""},
                                                                  {"[::1]:9000", ""},
                                                                  {"", ""}};
  for (const auto& [host, wanted] : cases) {
    INFO(host);
    CHECK(namespace_of_host(host) == wanted);
  }
}
