// What lives in a namespace (db/model/live.h), as the JSON that the admin API answers with. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "db/model/live.h"
#include "net/io/listener.h"

namespace hearth::net::admin {

inline constexpr size_t kShownValueBytesMax = 512;            // of a value's JSON; more is cut
inline constexpr size_t kShownValueMadeBytesMax = 64u << 10;  // a larger value is not even made into text

// A session, and the namespace that it is in.
using SessionIn = std::pair<std::string, db::LiveSession>;

// `relayed`: those that came by way of another node. `only_with_sessions`: connections without one are left out. `now`: by
// which ages become times.
std::string connections_text(const std::vector<http::SeenConnection>& seen,
                             const std::vector<http::SeenConnection>& relayed, uint64_t own,
                             const std::vector<SessionIn>& sessions, bool only_with_sessions, db::Timestamp now);
std::string sessions_text(const db::Live& live);
std::string listeners_text(const db::Live& live);
std::string topics_text(const db::Live& live);
std::string topic_text(const db::LiveTopic& topic);
std::string documents_text(const db::DocumentsPage& page);
std::string document_text(const db::DocumentContent& content);

}  // namespace hearth::net::admin
