#include "net/webhooks/hook.h"

#include <catch2/catch.hpp>

#include "net/webhooks/signature.h"

namespace hearth::net::webhooks {

TEST_CASE("Hook: rows come back as they were", "[net][webhooks]") {
  HookConfig config;
  config.url = "https://example.com/a?b=\"c\"";
  config.path = db::Path::parse("orders/ä").value();
  config.created = db::Timestamp(1'796'055'726'141);
  config.before = config.is_paused = true;
  config.secret = make_secret();
  config.old_secret = make_secret();
  config.old_until = db::Timestamp(1'796'055'726'142);
  config.why = "410";
  const HookConfig again = HookConfig::decode(config.encode()).value();
  CHECK(again.encode() == config.encode());
  CHECK(again.path == config.path);
  CHECK(again.old_until == config.old_until);
  config.path = {};
  CHECK(HookConfig::decode(config.encode()).value().path.is_root());
  config.old_secret.clear();
  CHECK(HookConfig::decode(config.encode()).ok());
  config.secret = "whsec_short";
  CHECK(HookConfig::decode(config.encode()).error().code == db::ErrorCode::Corruption);

  HookState state;
  CHECK(HookState::decode(state.encode()).value().encode() == state.encode());
  CHECK_FALSE(HookState::decode(state.encode()).value().sequence);
  state.sequence = 0;
  state.attempts = 3;
  state.failures = 5;
  state.missed_after = "0";
  state.dead = 2;
  state.dead_bytes = 700;
  state.dropped = 1;
  state.next = 9;
  state.delivered = uint64_t{1} << 40;
  state.status = "500";
  const HookState read = HookState::decode(state.encode()).value();
  CHECK(read.encode() == state.encode());
  CHECK(read.sequence == uint64_t{0});
  CHECK(read.missed_after == "0");
  CHECK(read.missed_before.empty());
  CHECK(read.delivered == uint64_t{1} << 40);

  DeadLetter letter;
  letter.id = "wh_1:a:2";
  letter.attempts = 30;
  letter.body = R"({"a":"\"b\""})";
  CHECK(DeadLetter::decode(letter.encode()).value().body == letter.body);
  CHECK_FALSE(letter.is_missed());
}

TEST_CASE("Hook: bytes that are none are corruption", "[net][webhooks]") {
  for (const char* bytes : {"", "[]", "{", "7", "{\"url\":"}) {
    INFO(bytes);
    CHECK(HookConfig::decode(bytes).error().code == db::ErrorCode::Corruption);
    CHECK(HookState::decode(bytes).error().code == db::ErrorCode::Corruption);
    CHECK(DeadLetter::decode(bytes).error().code == db::ErrorCode::Corruption);
  }
}

TEST_CASE("Hook: letters are in order of their numbers, and ids are ids", "[net][webhooks]") {
  const std::string id = make_hook_id();
  CHECK(is_hook_id(id));
  CHECK_FALSE(is_hook_id("wh_00000000000g"));
  CHECK_FALSE(is_hook_id("wh_0"));
  CHECK(make_hook_id() != id);
  for (const uint64_t number : {uint64_t{1}, uint64_t{255}, uint64_t{256}, uint64_t{1} << 40}) {
    CHECK(letter_row(id, number) < letter_row(id, number + 1));
    CHECK(letter_row(id, number).starts_with(letters_row(id)));
  }
}

}  // namespace hearth::net::webhooks
