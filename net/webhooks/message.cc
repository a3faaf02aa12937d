// The bodies of messages, and their ids.
//
//   change    HOOK:CHANGE                   {"type":"change","timestamp":…,"namespace":…,"data":one line of the feed}
//   missed    HOOK:missed:AFTER:BEFORE      data: {"after":ID,"before":ID or null}
//   test      HOOK:test:RANDOM              data: {"webhook":HOOK}
//
// The id of a change follows from the hook and the commit. So a message that is read from the log again, after a kill
// or a rest, has the id that it had, and a receiver can tell a repetition.
//
// A body has a limit, and a commit may be larger. Then the message says what was changed and not to which value; where
// even the list of places is too long, it names the hook's path alone. A receiver always learns that it has to read,
// and where. bytes_of() comes first, so that no text of a gigabyte is made only to find out that it is too long.
//
// A purge takes a path from the past for good, also from bodies that were made before. purged_body() parses such a
// body, as nothing else knows what is in it: a place above the path says "purged" instead of its value, all places
// below become one.
#include "net/webhooks/message.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "db/base/random.h"
#include "db/model/json.h"
#include "net/rest/change_feed.h"

namespace hearth::net::webhooks {
namespace {

std::string body_of(std::string_view type, std::string_view space, db::Timestamp time, std::string_view data) {
  std::string body = fmt::format(R"({{"type":"{}","timestamp":"{}","namespace":)", type, rfc3339(time));
  db::append_json_string(space, body);
  return body.append(R"(,"data":)").append(data) += '}';
}

// About, and not too little: nothing is made into text only to be thrown away.
size_t bytes_of(const db::Change& change) {
  size_t bytes = 0;
  for (const db::PlaceChange& place : change.places) {
    bytes += place.path.text().size() + place.value.byte_count();
    if (place.before) bytes += place.before->byte_count();
  }
  return bytes;
}

std::string line_without_values(const db::Change& change) {
  std::string line;
  rest::append_commit(change.id, change.time, change.by, line);
  line += R"(,"changes":[)";
  for (const db::PlaceChange& place : change.places) {
    line += line.back() == '[' ? R"({"path":)" : R"(,{"path":)";
    std::string path = place.path.slashed();
    if (place.slot == db::Slot::Priority) path += path.ends_with('/') ? ".priority" : "/.priority";
    db::append_json_string(path, line);
    line += R"(,"tooLarge":true})";
  }
  return line += "]}";
}

}  // namespace

std::string rfc3339(db::Timestamp time) {
  const std::time_t seconds = time.count() / 1'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time.count() % 1'000);
}

WebhookMessage change_message(std::string_view hook, std::string_view space, const db::Path& path,
                              const db::Change& change, size_t body_bytes_max) {
  WebhookMessage message;
  message.id = fmt::format("{}:{}", hook, change.id);
  message.change = change.id;
  message.time = change.time;
  if (bytes_of(change) <= body_bytes_max)
    message.body = body_of("change", space, change.time, rest::change_line(change));
  if (!message.body.empty() && message.body.size() <= body_bytes_max) return message;
  message.body = body_of("change", space, change.time, line_without_values(change));
  if (message.body.size() <= body_bytes_max) return message;
  db::Change only = change;
  only.places = {{.path = path}};
  message.body = body_of("change", space, change.time, line_without_values(only));
  return message;
}

std::optional<std::string> purged_body(std::string_view body, const db::Path& path) {
  const auto document = db::JsonDocument::parse(body);
  if (!document.ok()) return {};
  const auto data = document.value().root().field("data");
  const auto changes = data ? data->field("changes") : std::nullopt;
  if (!changes) return {};
  std::string places;
  bool is_told = false, is_said = false;
  for (const db::JsonNode& change : changes->elements()) {
    const auto at = db::Path::parse(db::node_of(change.text("path")));
    const bool is_above = at.ok() && at.value().contains(path) && at.value() != path;
    const bool is_below = at.ok() && path.contains(at.value());
    std::string place = change.to_text();
    if (is_above || is_below) {
      is_said = true;
      if (is_below && std::exchange(is_told, true)) continue;  // its places below are one
      place = R"({"path":)";
      db::append_json_string(is_above ? at.value().slashed() : path.slashed(), place);
      place += R"(,"purged":true})";
    }
    places += (places.empty() ? "" : ",") + place;
  }
  if (!is_said) return {};
  const auto fields = [](const db::JsonNode& node, std::string_view other, const std::string& with) {
    std::string json = "{";
    for (const auto& [name, value] : node.fields()) {
      if (json.size() > 1) json += ',';
      db::append_json_string(name, json);
      json += ':' + (name == other ? with : value.to_text());
    }
    return json + "}";
  };
  return fields(document.value().root(), "data", fields(*data, "changes", "[" + places + "]"));
}

WebhookMessage missed_message(std::string_view hook, std::string_view space, std::string_view after,
                              std::string_view before, db::Timestamp now) {
  WebhookMessage message;
  message.id = fmt::format("{}:missed:{}:{}", hook, after, before.empty() ? "now" : before);
  message.time = now;
  std::string data = R"({"after":)";
  db::append_json_string(after, data);
  data += R"(,"before":)";
  if (before.empty()) {
    data += "null";
  } else {
    db::append_json_string(before, data);
  }
  message.body = body_of("missed", space, now, data + "}");
  return message;
}

WebhookMessage test_message(std::string_view hook, std::string_view space, db::Timestamp now) {
  WebhookMessage message;
  message.id = fmt::format("{}:test:{}", hook, db::random_hex(8));
  message.time = now;
  message.body = body_of("test", space, now, fmt::format(R"({{"webhook":"{}"}})", hook));
  return message;
}

}  // namespace hearth::net::webhooks
