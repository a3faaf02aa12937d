// What a Supabase client says on its realtime socket, in both envelopes, and what it asks of a channel. What was understood
// is understood again when it is written as the server writes it.
#include "net/supabase/join_config.h"
#include "net/supabase/phoenix.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::net::supabase;

namespace {

using hearth::test::invariant;

void check_text(std::string_view bytes, PhoenixVersion version) {
  const auto message = parse_phoenix_text(std::string(bytes), version);
  if (!message.ok()) return;
  const PhoenixMessage& said = message.value();
  const std::string payload = said.payload->to_text();
  const std::string text = phoenix_text({said.join_ref, said.ref, said.topic, said.event, payload}, version);
  const auto again = parse_phoenix_text(std::string(text), version);
  invariant(again.ok() && again.value().topic == said.topic && again.value().event == said.event &&
                again.value().ref == said.ref && again.value().payload->to_text() == payload,
            "a message comes back");
  const auto config = join_config_of(*said.payload);
  if (!config.ok()) return;
  invariant(config.value().replay_max <= kReplayMax && config.value().presence_key.size() <= kPresenceKeyMax,
            "what a channel may have has a bound");
}

}  // namespace

FUZZ_TARGET(supabase_message) {
  check_text(bytes, PhoenixVersion::One);
  check_text(bytes, PhoenixVersion::Two);
  const auto broadcast = parse_phoenix_binary(bytes);
  if (!broadcast.ok()) return;
  const PhoenixMessage& said = broadcast.value();
  const std::string told = phoenix_broadcast(said.topic, said.broadcast_event, "", said.is_json, said.bytes);
  invariant(told.size() == 5 + said.topic.size() + said.broadcast_event.size() + said.bytes.size(),
            "a broadcast is told whole");
}
