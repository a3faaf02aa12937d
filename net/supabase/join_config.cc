// What a client asks of a channel, read as generously as upstream reads it: flags may be texts, what is not known is
// passed over. Two kinds of mistakes:
// - Of one binding: an unknown schema, a filter that can't be read. The binding matches nothing, `wrong` says why, and
//   the rest of the channel works. The client hears of it after the join, by a "system" message.
// - Of the whole: a replay that can't be had, a presence key that would break clients, too many bindings. The join is
//   refused.
//
// Each binding is sent back as it came, with an id (`echo`): clients compare the list with their own, by order.
#include "net/supabase/join_config.h"

#include <algorithm>
#include <utility>

namespace hearth::net::supabase {
namespace {

bool is_true(const std::optional<db::JsonNode>& node) {
  if (!node) return false;
  if (const auto flag = node->boolean()) return *flag;
  return node->string() == "true";  // older clients say it so
}

std::string lower(std::string_view text) {
  std::string all(text);
  std::transform(all.begin(), all.end(), all.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return all;
}

uint8_t kinds_of(std::string_view event) {
  const std::string name = lower(event);
  if (name == "insert") return static_cast<uint8_t>(db::RowKind::Insert);
  if (name == "update") return static_cast<uint8_t>(db::RowKind::Update);
  if (name == "delete") return static_cast<uint8_t>(db::RowKind::Delete);
  return db::kEveryRowKind;
}

ChangesBinding binding_of(const db::JsonNode& node) {
  ChangesBinding binding;
  binding.echo = node.to_text();
  binding.echo.pop_back();  // its id comes behind
  binding.kinds = kinds_of(node.text("event"));
  const std::string_view schema = node.text("schema");
  if (!schema.empty() && schema != kSchema && schema != "*") {
    binding.wrong = "There is no schema " + std::string(schema) + " here, only public.";
  }
  binding.table = node.text("table");
  if (binding.table == "*") binding.table.clear();
  if (const std::string_view filter = node.text("filter"); !filter.empty()) {
    auto parsed = db::parse_row_filter(filter);
    if (parsed.ok()) {
      binding.filter = std::move(parsed).value();
    } else {
      binding.wrong = "Error parsing `filter` params: " + parsed.error().message;
    }
  }
  if (const auto select = node.field("select")) {
    for (const db::JsonNode& column : select->elements()) {
      if (const auto name = column.string()) binding.columns.emplace_back(*name);
    }
    if (!binding.columns.empty() && binding.table.empty()) {
      binding.wrong = "`select` names columns of one table, and this binding is to all tables.";
    }
  }
  return binding;
}

}  // namespace

db::Result<JoinConfig> join_config_of(const db::JsonNode& payload) {
  JoinConfig join;
  std::string_view token = payload.text("access_token");
  if (token.empty()) token = payload.text("user_token");  // its name of long ago
  join.access_token = token;
  const auto config = payload.field("config");
  if (!config || !config->is_object()) return join;
  join.is_private = is_true(config->field("private"));
  if (const auto broadcast = config->field("broadcast")) {
    join.acks = is_true(broadcast->field("ack"));
    join.hears_itself = is_true(broadcast->field("self"));
    if (const auto replay = broadcast->field("replay"); replay && replay->is_object()) {
      const auto since = replay->field("since");
      if (!since || !since->number()) {
        return db::Error{db::ErrorCode::InvalidArgument,
                         "UnableToReplayMessages: replay has a `since`, milliseconds since 1970."};
      }
      if (!join.is_private) {
        return db::Error{db::ErrorCode::InvalidArgument,
                         "UnableToReplayMessages: messages are kept of private channels only."};
      }
      join.replay_since = db::Timestamp(static_cast<int64_t>(std::clamp(*since->number(), 0.0, 1e15)));
      if (const auto limit = replay->field("limit"); limit && limit->integer()) {
        join.replay_max = static_cast<size_t>(std::clamp<int64_t>(*limit->integer(), 1, kReplayMax));
      }
    }
  }
  if (const auto presence = config->field("presence")) {
    join.presence_key = presence->text("key");
    join.has_presence = is_true(presence->field("enabled"));
    if (join.presence_key.size() > kPresenceKeyMax) {
      return db::Error{db::ErrorCode::InvalidArgument, "A presence key has at most 256 bytes."};
    }
    if (join.presence_key == "ids") {  // the client would take the state for a change of rows
      return db::Error{db::ErrorCode::InvalidArgument, "A presence key cannot be `ids`."};
    }
  }
  if (const auto changes = config->field("postgres_changes")) {
    for (const db::JsonNode& one : changes->elements()) {
      if (!one.is_object()) continue;
      if (join.changes.size() == db::kRowBindingsMax) {
        return db::Error{
            db::ErrorCode::InvalidArgument,
            "A channel has at most " + std::to_string(db::kRowBindingsMax) + " bindings to postgres_changes."};
      }
      join.changes.push_back(binding_of(one));
    }
  }
  return join;
}

}  // namespace hearth::net::supabase
