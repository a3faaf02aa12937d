// What a channel's name means in the database: its topic, and the path whose rules judge a private one. Pure.
//
//   public    topic "realtime:NAME"    everybody, where the operator allows public channels
//   private   topic "private:NAME"     the rules at CHANNELS/NAME, "/" in NAME separating keys
//
// So the two of one name are two rooms.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "db/model/path.h"
#include "rules/space_settings.h"

namespace hearth::net::supabase {

std::string topic_in_database(std::string_view name, bool is_private);

// Nothing for a public channel. Errors: Unsupported, in the words of a `reason`: there is no such channel.
db::Result<std::optional<db::Path>> judged_by(const rules::RealtimeSettings& settings, std::string_view name,
                                              bool is_private);

std::string refusal_of_private(std::string_view name);

}  // namespace hearth::net::supabase
