#include "db/model/server_value.h"

#include <catch2/catch.hpp>
#include <limits>

#include "db/model/json.h"
#include "db/model/key_order.h"

using namespace hearth::db;

namespace {

constexpr Timestamp kNow(1700000000123);

Value json(std::string text) {
  auto parsed = parse_value(std::move(text), Path());
  INFO((parsed.ok() ? "" : parsed.error().message));
  REQUIRE(parsed.ok());
  return parsed.value();
}

std::string text(const Value &value) { return to_json(value, JsonStyle::Export); }

// What is stored already, as a tree at the written place.
StoredValues stored_in(const Value &stored) {
  const auto at = [stored](std::string_view encoded) { return stored.at(decode_path(encoded).value()); };
  return {.leaf = [at](std::string_view encoded) -> Result<Value> {
            const Value value = at(encoded);
            return value.is_leaf() ? value.without_priority() : Value();
          },
          .priority = [at](std::string_view encoded) -> Result<Value> { return at(encoded).priority(); }};
}

Result<Value> resolved(const Value &value, const Value &stored) {
  return resolve_server_values(value, kNow, stored_in(stored));
}

}  // namespace

TEST_CASE("ServerValue: increments follow the table",
          "[db][model]") {  // db/model/data-model.md §10
  struct Case {
    const char *existing, *by, *sum;
  };
  const Case cases[] = {
      {"null", "5", "5"},
      {"true", "5", "5"},
      {R"("7")", "5", "5"},
      {R"({"a":1})", "5", "5"},
      {"2", "5", "7"},
      {"2", "-5", "-3"},
      {"0.1", "0.2", "0.30000000000000004"},
      {"1", "0.5", "1.5"},
      {"1.5", "0.5", "2"},  // integral again
      {"1.5", "1", "2.5"},
      {"9223372036854775806", "1", "9223372036854775807"},
      {"9223372036854775807", "1", "9.223372036854776e+18"},   // a double from here on
      {"-9223372036854775808", "-1", "-9223372036854775808"},  // -2^63 - 1 is -2^63 as a double, and that is
                                                               // an integer
      {"9007199254740993", "2", "9007199254740995"},           // exact above 2^53
      {"9223372036854775807", "-0.5", "9.223372036854776e+18"},
  };
  for (const Case &at : cases) {
    INFO(at.existing << " + " << at.by);
    const Value write = json(std::string(R"({".sv":{"increment":)") + at.by + "}}");
    const auto got = resolved(write, json(at.existing));
    REQUIRE(got.ok());
    CHECK(text(got.value()) == at.sum);
    const auto deep = resolved(Value::object({{"n", write}}), Value::object({{"n", json(at.existing)}}));
    REQUIRE(deep.ok());
    CHECK(text(deep.value().child("n")) == at.sum);
  }
}

TEST_CASE("ServerValue: a sum that is not finite is refused", "[db][model]") {
  const auto got = resolved(json(R"({".sv":{"increment":1.7976931348623157e308}})"), json("1.7976931348623157e308"));
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().code == ErrorCode::InvalidData);
}

TEST_CASE("ServerValue: all timestamps of a write are the same integer", "[db][model]") {
  const auto got = resolved(json(R"({"a":{".sv":"timestamp"},"b":{"c":{".sv":"timestamp"},"d":"x"},
      "e":{".value":{".sv":"timestamp"},".priority":1}})"),
                            json("null"));
  REQUIRE(got.ok());
  CHECK(text(got.value()) == R"({"a":1700000000123,"b":{"c":1700000000123,"d":"x"},)"
                             R"("e":{".value":1700000000123,".priority":1}})");
  CHECK(got.value().child("a").kind() == Value::Kind::Integer);
  CHECK_FALSE(got.value().has_server_values());
}

TEST_CASE(
    "ServerValue: a priority resolves too, to a double, against the "
    "stored priority",
    "[db][model]") {
  const auto time = resolved(json(R"({".value":true,".priority":{".sv":"timestamp"}})"), json("null"));
  CHECK(text(time.value()) == R"({".value":true,".priority":1700000000123})");
  CHECK(time.value().priority().kind() == Value::Kind::Double);

  const Value write = json(R"({"a":{".priority":{".sv":{"increment":2}},"b":1}})");
  const auto sum = resolved(write, json(R"({"a":{".priority":3,"b":40}})"));
  CHECK(text(sum.value()) == R"({"a":{".priority":5,"b":1}})");
  CHECK(sum.value().child("a").priority().kind() == Value::Kind::Double);
  CHECK(text(resolved(write, json(R"({"a":{".priority":"p","b":40}})")).value()) == R"({"a":{".priority":2,"b":1}})");
}

TEST_CASE(
    "ServerValue: a value without any is the same value, and nothing is "
    "looked up",
    "[db][model]") {
  const Value plain = json(R"({"a":{".value":1,".priority":"T"},"b":"I"})");
  const auto refuse = [](std::string_view) -> Result<Value> { return Error{ErrorCode::Io, "looked up"}; };
  CHECK(resolve_server_values(plain, kNow, {refuse, refuse}).value() == plain);
  CHECK(resolve_server_values(Value(), kNow, {refuse, refuse}).value().is_null());
}

TEST_CASE("ServerValue: what cannot be read stops the write", "[db][model]") {
  const auto refuse = [](std::string_view) -> Result<Value> { return Error{ErrorCode::Io, "the disk"}; };
  const auto got = resolve_server_values(json(R"({"a":{".sv":{"increment":1}}})"), kNow, {refuse, refuse});
  REQUIRE_FALSE(got.ok());
  CHECK(got.error() == Error{ErrorCode::Io, "the disk"});
}

TEST_CASE("ServerValue: increments add up like one", "[db][model]") {
  Value sum;
  for (int i = 0; i < 100; ++i) sum = add_increment(sum, Value::integer(1));
  CHECK(sum == Value::integer(100));
}
