#include "db/model/history.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("history: a plan is read from text and written as such", "[model]") {
  const HistoryPlan day = parse_history("24h,1GB").value();
  CHECK(day.age == std::chrono::hours(24));
  CHECK(day.bytes == 1'000'000'000);
  CHECK_FALSE(day.versions);
  CHECK(parse_history("90s,500kB,versions").value() == HistoryPlan{std::chrono::seconds(90), 500'000, true});
  CHECK_FALSE(parse_history("off").value().is_on());
  for (const char* text : {"1d,1GB", "90s,500kB,versions", "1500ms,1234B", "off", "30m,100MB"}) {
    CHECK(history_text(parse_history(text).value()) == text);
  }
  CHECK(history_text(day) == "1d,1GB");
}

TEST_CASE("history: what is no plan is refused with what one looks like", "[model]") {
  for (const char* text :
       {"", "24h", "24h,", ",1GB", "24,1GB", "24h,1", "0h,1GB", "24h,0GB", "-1h,1GB", "24h,1GB,", "24h,1GB,all",
        "24h,1GB,versions,versions", "9007199254740993ms,1GB", "99999999999999999999h,1GB", "1.5h,1GB", " 1h,1GB"}) {
    INFO(text);
    const auto plan = parse_history(text);
    REQUIRE_FALSE(plan.ok());
    CHECK(plan.error().code == ErrorCode::InvalidArgument);
  }
}
