// What a client asks of a channel when it joins: the `config` of phx_join. What is wrong in it falls back to what a client
// says by default, as upstream does; what cannot be meant is an error of the join. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/json.h"
#include "db/model/path.h"
#include "db/model/row_change.h"

namespace hearth::net::supabase {

inline constexpr size_t kReplayMax = 25;        // messages that are said again at a join
inline constexpr size_t kPresenceKeyMax = 256;  // bytes
inline constexpr std::string_view kSchema = "public";

struct ChangesBinding {
  std::string echo{};   // the binding as the client sent it, JSON text of an object without its "}"
  std::string table{};  // "": every table
  uint8_t kinds = db::kEveryRowKind;
  db::RowFilter filter{};
  std::vector<std::string> columns{};  // none: all
  std::string wrong{};                 // why it can match nothing: told once the client has joined
};

struct JoinConfig {
  bool acks = false;
  bool hears_itself = false;
  std::optional<db::Timestamp> replay_since{};
  size_t replay_max = kReplayMax;
  bool has_presence = false;
  std::string presence_key{};
  bool is_private = false;
  std::string access_token{};  // "": none came
  std::vector<ChangesBinding> changes{};
};

// Errors: InvalidArgument, in the words of a `reason`.
db::Result<JoinConfig> join_config_of(const db::JsonNode& payload);

}  // namespace hearth::net::supabase
