#include "net/io/log.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "db/model/json.h"

using namespace hearth::net::http;
namespace db = hearth::db;

TEST_CASE("Log: a line has one form for people and one for machines", "[http][log]") {
  struct Case {
    std::string message;
    std::vector<std::pair<std::string, std::string>> field;
    std::string detail, text, json;
  };
  const std::vector<Case> cases = {
      {"rules set", {{"ns", "chat"}}, "", "rules set ns=chat", R"("rules set","ns":"chat")"},
      {"opened", {{"peer", "::1"}}, "", "opened peer=::1", R"("opened","peer":"::1")"},
      {"opened",
       {{"url", "http://127.0.0.1:9000/.metrics"}},
       "",
       "opened url=http://127.0.0.1:9000/.metrics",
       R"("opened","url":"http://127.0.0.1:9000/.metrics")"},
      {"set", {{"by", "the admin secret"}}, "", R"(set by="the admin secret")", R"("set","by":"the admin secret")"},
      {"set", {{"by", ""}}, "", R"(set by="")", R"("set","by":"")"},
      {"set", {{"by", "a=b"}}, "", R"(set by="a=b")", R"("set","by":"a=b")"},
      {"set", {{"by", "a\" x=\"y"}}, "", R"(set by="a\" x=\"y")", R"("set","by":"a\" x=\"y")"},
      {"denied",
       {{"ns", "a"}},
       "why\nand how",
       "denied ns=a\nwhy\nand how",
       R"("denied","ns":"a","detail":"why\nand how")"},
      // What a client says cannot begin a line of its own.
      {"a\nb",
       {{"by", "x\n2026-01-01T00:00:00.000Z info rules set"}},
       "",
       R"(a\nb by="x\n2026-01-01T00:00:00.000Z info rules set")",
       R"("a\nb","by":"x\n2026-01-01T00:00:00.000Z info rules set")"},
      {"set", {{"by", "\xff\xfe"}}, "", R"(set by="??")", R"("set","by":"??")"},
      {"set", {{"by", "zoë"}}, "", R"(set by="zoë")", R"("set","by":"zoë")"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const LogField field(c.field.front().first, c.field.front().second);
    CHECK(log_text(LogFormat::Text, c.message, {field}, c.detail) == c.text);
    const std::string json = log_text(LogFormat::Json, c.message, {field}, c.detail);
    CHECK(json == c.json);
    CHECK(db::JsonDocument::parse("{\"msg\":" + json + "}").ok());
  }
}

TEST_CASE("Log: numbers are numbers, in the order given", "[http][log]") {
  const size_t bytes = 1 << 20;
  CHECK(log_text(LogFormat::Text, "cut off", {{"connection", uint64_t{17}}, {"waiting_bytes", bytes}}, "") ==
        "cut off connection=17 waiting_bytes=1048576");
  CHECK(log_text(LogFormat::Json, "cut off", {{"connection", uint64_t{17}}, {"status", 404}}, "") ==
        R"("cut off","connection":17,"status":404)");
}

TEST_CASE("Log: nothing is logged that nobody asked for, and what is asked for goes where it shall", "[http][log]") {
  CHECK(!logs(LogLevel::Error));
  log(LogLevel::Error, "nobody hears this");
  std::vector<std::string> lines;
  log_to(LogLevel::Warn, [&](LogLevel level, std::string_view line) {
    lines.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(line));
  });
  CHECK(logs(LogLevel::Warn));
  CHECK(!logs(LogLevel::Info));
  log(LogLevel::Info, "too low");
  log(LogLevel::Warn, "heard", {{"n", 1}});
  log(LogLevel::Error, "heard too");
  CHECK(lines == std::vector<std::string>{"3 heard n=1", "4 heard too"});
  log_to(LogLevel::Warn, nullptr);
  CHECK(!logs(LogLevel::Error));
  log(LogLevel::Error, "and this neither");
  CHECK(lines.size() == 2);
}
