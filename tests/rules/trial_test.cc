#include "rules/trial.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

namespace db = hearth::db;
using namespace hearth::rules;

TEST_CASE("Trial: questions, and what is none", "[rules]") {
  const auto read = read_trial(R"({"read":"/a//b","auth":{"uid":"ada"}})").value();
  CHECK(read.trial.kind == Trial::Kind::Read);
  CHECK(read.trial.path.text() == "a/b");
  CHECK(read.as.kind == Auth::Kind::User);
  CHECK(read.as.variable == R"({"uid":"ada"})");
  const auto write = read_trial(R"({"write":"/a","value":{"b":[1,null]},"auth":null,"expect":"deny"})").value();
  CHECK(write.as.kind == Auth::Kind::None);
  REQUIRE(write.trial.write.overwrites.size() == 1);
  CHECK(db::to_json(write.trial.write.overwrites.front().value, db::JsonStyle::Export) == R"({"b":{"0":1}})");
  CHECK(read_trial(R"({"write":"/a/.priority","value":3})").value().trial.write.overwrites.front().slot ==
        db::Slot::Priority);
  const auto update = read_trial(R"({"update":"/a","value":{"b/c":1,"d":null}})").value();
  CHECK(update.trial.write.merge);
  CHECK(update.trial.write.overwrites.size() == 2);
  CHECK(update.trial.write.overwrites.front().path.text() == "a/b/c");

  CHECK(update.trial.rules == nullptr);
  const auto other = read_trial(R"({"read":"/a","rules":"{\"rules\":{\".read\":true}}"})").value();
  REQUIRE(other.trial.rules != nullptr);
  CHECK(other.trial.rules->text() == R"({"rules":{".read":true}})");
  const auto wrong = read_trial(R"({"read":"/a","rules":"{\"rules\":{\".read\":\"aut\"}}"})");
  CHECK(wrong.error().code == db::ErrorCode::InvalidData);
  CHECK(wrong.error().message.find("Unknown variable 'aut'") != std::string::npos);

  for (const char* text :
       {"[]", "{}", R"({"read":1})", R"({"read":"/a","write":"/b","value":1})", R"({"write":"/a"})",
        R"({"read":"/a","auth":"ada"})", R"({"read":"/a","rules":{}})", "{", R"({"update":"/a","value":1})"}) {
    INFO(text);
    CHECK(read_trial(text).error().code == db::ErrorCode::InvalidData);
  }
  CHECK(read_trial(R"({"read":"/a.b"})").error().code == db::ErrorCode::InvalidPath);
  CHECK(read_trial(R"({"update":"/","value":{"a":1,"a/b":2}})").error().code == db::ErrorCode::InvalidData);
}
