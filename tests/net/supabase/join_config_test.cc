#include "net/supabase/join_config.h"

#include <catch2/catch.hpp>

using namespace hearth::net::supabase;
namespace db = hearth::db;

namespace {

db::Result<JoinConfig> config(std::string_view json) {
  const auto document = db::JsonDocument::parse(json).value();
  return join_config_of(document.root());
}

}  // namespace

TEST_CASE("JoinConfig: what a client says, and what it leaves out", "[supabase]") {
  const JoinConfig none = config("{}").value();
  CHECK_FALSE(none.acks);
  CHECK_FALSE(none.has_presence);
  CHECK_FALSE(none.is_private);
  CHECK(none.changes.empty());
  const JoinConfig all = config(R"({"access_token":"t","config":{"broadcast":{"ack":true,"self":"true"},
      "presence":{"key":"ada","enabled":true},"private":true,"postgres_changes":[null,
      {"event":"insert","schema":"public","table":"todos","filter":"user=eq.u1","select":["id","done"]},
      {"event":"*","schema":"public","table":"*"}]}})")
                             .value();
  CHECK(all.acks);
  CHECK(all.hears_itself);
  CHECK(all.is_private);
  CHECK(all.presence_key == "ada");
  CHECK(all.access_token == "t");
  REQUIRE(all.changes.size() == 2);
  CHECK(all.changes[0].kinds == static_cast<uint8_t>(db::RowKind::Insert));
  CHECK(all.changes[0].filter.size() == 1);
  CHECK(all.changes[0].columns == std::vector<std::string>{"id", "done"});
  CHECK(all.changes[0].echo ==
        R"({"event":"insert","schema":"public","table":"todos","filter":"user=eq.u1","select":["id","done"])");
  CHECK(all.changes[1].table.empty());
  CHECK(all.changes[1].kinds == db::kEveryRowKind);
}

TEST_CASE("JoinConfig: a binding that can match nothing says why", "[supabase]") {
  const auto wrong = [](std::string binding) {
    return config(R"({"config":{"postgres_changes":[)" + binding + "]}}").value().changes.at(0).wrong;
  };
  CHECK(wrong(R"({"table":"t","filter":"x"})").starts_with("Error parsing `filter` params: "));
  CHECK(wrong(R"({"schema":"auth","table":"t"})").find("schema auth") != std::string::npos);
  CHECK(wrong(R"({"table":"*","select":["a"]})").find("select") != std::string::npos);
  CHECK(wrong(R"({"schema":"*","table":"t","filter":""})").empty());
}

TEST_CASE("JoinConfig: what cannot be meant is an error", "[supabase]") {
  CHECK_FALSE(config(R"({"config":{"presence":{"key":"ids"}}})").ok());
  CHECK_FALSE(config(R"({"config":{"presence":{"key":")" + std::string(300, 'x') + R"("}}})").ok());
  CHECK_FALSE(config(R"({"config":{"broadcast":{"replay":{"since":1}}}})").ok());
  CHECK_FALSE(config(R"({"config":{"private":true,"broadcast":{"replay":{"limit":5}}}})").ok());
  CHECK(config(R"({"config":{"private":true,"broadcast":{"replay":{"since":5,"limit":99}}}})").value().replay_max ==
        kReplayMax);
  std::string many;
  for (size_t i = 0; i <= db::kRowBindingsMax; ++i) many += std::string(i > 0 ? "," : "") + R"({"table":"t"})";
  CHECK_FALSE(config(R"({"config":{"postgres_changes":[)" + many + "]}}").ok());
}
