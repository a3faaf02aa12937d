#include "db/model/half_surrogates.h"

#include <catch2/catch.hpp>

#include <utility>

using namespace hearth::db;

TEST_CASE("Half surrogates: each becomes U+FFFD, whole pairs and all else stay, however the text is cut",
          "[db][model]") {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"plain", "plain"},
      {R"(\ud83d\ude00)", R"(\ud83d\ude00)"},
      {R"(\uD83D\uDE00)", R"(\uD83D\uDE00)"},
      {R"(a\ud83d)", R"(a\ufffd)"},
      {R"(\ud83dx)", R"(\ufffdx)"},
      {R"(\ude00\ud83d)", R"(\ufffd\ufffd)"},
      {R"(\ud83d\ud83d\ude00)", R"(\ufffd\ud83d\ude00)"},
      {R"(\ud83d\n)", R"(\ufffd\n)"},
      {R"(\ud83d\u0041)", R"(\ufffd\u0041)"},
      {R"(\\ud83d)", R"(\\ud83d)"},
      {R"(\\\ud83d)", R"(\\\ufffd)"},
      {R"(\u00e9\uxyz1\ud8)", R"(\u00e9\uxyz1\ud8)"},
      {R"(\ud83d\u)", R"(\ufffd\u)"},
      {R"(\ud83d\ude0)", R"(\ufffd\ude0)"},
      {"\\", "\\"},
  };
  for (const auto& [text, expected] : cases) {
    for (size_t piece = 1; piece <= text.size() + 1; ++piece) {
      INFO(text << " in pieces of " << piece);
      HalfSurrogates halves;
      std::string told;
      for (size_t at = 0; at < text.size(); at += piece) halves.pass(std::string_view(text).substr(at, piece), told);
      halves.finish(told);
      CHECK(told == expected);
    }
  }
}
