// Figures of the last 15 minutes: rates and quantiles between samples, and a ring that is no longer than it may be.
#include "net/admin/api/chart.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "db/model/json.h"

using hearth::net::admin::Chart;
using hearth::net::admin::ChartFigures;
using hearth::net::admin::kChartSamplesMax;
using hearth::net::admin::quantile;
namespace db = hearth::db;

namespace {

db::Distribution times(std::vector<uint64_t> nanoseconds) {
  db::TimeHistogram histogram;
  for (const uint64_t one : nanoseconds) histogram.observe(one);
  db::Distribution distribution;
  histogram.add_to(distribution);
  return distribution;
}

ChartFigures figures_at(int64_t seconds, uint64_t commits) {
  ChartFigures figures;
  figures.time = std::chrono::seconds(seconds);
  figures.database.commits = commits;
  return figures;
}

// The text of each value of a column.
std::vector<std::string> column(const Chart& chart, std::string_view name) {
  const auto document = db::JsonDocument::parse(chart.text());
  REQUIRE(document.ok());
  std::vector<std::string> values;
  const auto columns = document.value().root().field("columns");
  REQUIRE(columns.has_value());
  for (const db::JsonNode& value : columns->field(name)->elements()) values.push_back(value.to_text());
  return values;
}

}  // namespace

TEST_CASE("Chart: a quantile lies between the bounds of its bucket, of what came since", "[admin]") {
  const db::Distribution none, early = times({60'000, 60'000});
  CHECK_FALSE(quantile(early, early, 0.5).has_value());
  CHECK_FALSE(quantile(none, none, 0.5).has_value());
  const db::Distribution later = times({60'000, 60'000, 1'500'000, 2'000'000, 20'000'000'000});
  const auto half = quantile(early, later, 0.5);
  REQUIRE(half.has_value());
  CHECK(*half > 1'000'000);
  CHECK(*half <= 2'500'000);
  CHECK(quantile(early, later, 1.0) == 10'000'000'000.0);  // above all bounds: at least that
  CHECK(*quantile(none, later, 0.1) <= 100'000);
}

TEST_CASE("Chart: rates are of the time that has passed, and the first sample has none", "[admin]") {
  Chart chart;
  CHECK(column(chart, "time").empty());
  chart.add(figures_at(1'000, 50));
  chart.add(figures_at(1'005, 150));
  chart.add(figures_at(1'105, 250));
  chart.add(figures_at(1'105, 260));  // no time has passed
  chart.add(figures_at(1'110, 10));   // the counters began anew
  CHECK(column(chart, "time") == std::vector<std::string>{"1000000", "1005000", "1105000", "1105000", "1110000"});
  CHECK(column(chart, "commits") == std::vector<std::string>{"null", "20", "1", "null", "null"});
  CHECK(column(chart, "commit_p50") == std::vector<std::string>(5, "null"));
  CHECK(column(chart, "disk_free") == std::vector<std::string>(5, "null"));
}

TEST_CASE("Chart: the ring keeps the last 15 minutes, the oldest first", "[admin]") {
  Chart chart;
  const auto all = static_cast<int64_t>(kChartSamplesMax + 7);
  for (int64_t i = 0; i < all; ++i) chart.add(figures_at(1'000 + 5 * i, static_cast<uint64_t>(i)));
  CHECK(chart.size() == kChartSamplesMax);
  for (const std::string_view name : Chart::kColumns) {
    INFO(name);
    CHECK(column(chart, name).size() == kChartSamplesMax);
  }
  CHECK(column(chart, "time").front() == std::to_string((1'000 + 5 * 7) * 1'000));
  CHECK(column(chart, "time").back() == std::to_string((1'000 + 5 * (all - 1)) * 1'000));
  CHECK(column(chart, "commits").front() == "0.2");
}
