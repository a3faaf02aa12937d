#include "net/webhooks/message.h"

#include <catch2/catch.hpp>

namespace hearth::net::webhooks {
namespace {

db::Change change_of(std::vector<std::pair<std::string, db::Value>> values) {
  db::Change change;
  change.id = "abc:7";
  change.time = db::Timestamp(1'796'055'726'141);
  change.by = "ada";
  for (auto& [path, value] : values) change.places.push_back({db::Path::parse(path).value(), db::Slot::Value, value});
  return change;
}

}  // namespace

TEST_CASE("Message: a change, as Standard Webhooks recommends and as the feed has it", "[net][webhooks]") {
  const auto path = db::Path::parse("orders").value();
  const WebhookMessage message =
      change_message("wh_1", "shop", path, change_of({{"orders/1", db::Value::integer(3)}}), 10'000);
  CHECK(message.id == "wh_1:abc:7");
  CHECK(message.change == "abc:7");
  CHECK(message.body ==
        R"({"type":"change","timestamp":"2026-11-30T16:22:06.141Z","namespace":"shop","data":{"id":"abc:7",)"
        R"("time":1796055726141,"by":"ada","changes":[{"path":"/orders/1","value":3}]}})");
}

TEST_CASE("Message: never longer than may be, and never without its paths", "[net][webhooks]") {
  const auto path = db::Path::parse("orders").value();
  const db::Change large =
      change_of({{"orders/1", db::Value::string(std::string(5'000, 'x'))}, {"orders/2", db::Value::integer(1)}});
  const std::string body = change_message("wh_1", "shop", path, large, 1'000).body;
  CHECK(body.find(R"("changes":[{"path":"/orders/1","tooLarge":true},{"path":"/orders/2","tooLarge":true}])") !=
        body.npos);
  // Each character of some strings is six of JSON.
  const db::Change longer = change_of({{"orders/1", db::Value::string(std::string(900, '\x01'))}});
  CHECK(change_message("wh_1", "shop", path, longer, 1'000).body.find("tooLarge") != body.npos);
  std::vector<std::pair<std::string, db::Value>> many;
  for (int i = 0; i < 1'000; ++i) many.emplace_back("orders/" + std::to_string(i), db::Value::integer(i));
  const std::string only = change_message("wh_1", "shop", path, change_of(std::move(many)), 1'000).body;
  CHECK(only.find(R"("changes":[{"path":"/orders","tooLarge":true}])") != only.npos);
}

TEST_CASE("Message: what was missed, from where to where", "[net][webhooks]") {
  const auto some = missed_message("wh_1", "shop", "a:1", "a:9", db::Timestamp(0));
  CHECK(
      some.body ==
      R"({"type":"missed","timestamp":"1970-01-01T00:00:00.000Z","namespace":"shop","data":{"after":"a:1","before":"a:9"}})");
  CHECK(some.id != missed_message("wh_1", "shop", "a:1", "a:10", db::Timestamp(0)).id);
  CHECK(missed_message("wh_1", "shop", "0", "", db::Timestamp(0)).body.find(R"("before":null)") != some.body.npos);
  CHECK(test_message("wh_1", "shop", db::Timestamp(0)).body.find(R"("data":{"webhook":"wh_1"})") != some.body.npos);
}

}  // namespace hearth::net::webhooks
