// A private and a public channel of the same name are two topics of the database. Else whoever may join the public one
// would hear what is said in the private one.
//
// A public channel is judged by one switch of the settings. A private one is judged by rules: its name is a path below
// the path that the settings name, so "rooms/tea" is judged by the rules at /channels/rooms/tea where "channels" is
// "/channels". Without that path, or where the name can be no path, there is no such private channel.
#include "net/supabase/channel_name.h"

#include <algorithm>
#include <utility>

namespace hearth::net::supabase {

std::string topic_in_database(std::string_view name, bool is_private) {
  return (is_private ? "private:" : "realtime:") + std::string(name);
}

std::string refusal_of_private(std::string_view name) {
  return "Unauthorized: You do not have permissions to read from this Channel topic: " + std::string(name);
}

db::Result<std::optional<db::Path>> judged_by(const rules::RealtimeSettings& settings, std::string_view name,
                                              bool is_private) {
  using db::Error;
  using db::ErrorCode;
  if (!is_private) {
    if (settings.public_channels) return std::optional<db::Path>();
    return Error{ErrorCode::Unsupported,
                 "PrivateOnly: This project has no public channels; its operator allows them in "
                 "/.settings/realtime.json."};
  }
  if (!settings.channels) {
    return Error{ErrorCode::Unsupported, refusal_of_private(name) +
                                             " (the project has no private channels; its operator names the path "
                                             "of their rules in /.settings/realtime.json)"};
  }
  db::Path path = *settings.channels;
  for (size_t from = 0; from <= name.size();) {
    const size_t end = std::min(name.find('/', from), name.size());
    const auto child = path.child(name.substr(from, end - from));
    if (!child.ok()) {
      return Error{ErrorCode::Unsupported,
                   refusal_of_private(name) + " (the name of a private channel is a path of keys)"};
    }
    path = child.value();
    from = end + 1;
  }
  return std::optional<db::Path>(std::move(path));
}

}  // namespace hearth::net::supabase
