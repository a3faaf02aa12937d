// What a REST client asks, typed: from the method, the target and the header fields (net/rest/http-api.md §1-§4, §8).
// The body is not looked at. A value; pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "db/model/json.h"
#include "db/model/past.h"
#include "db/model/path.h"
#include "db/model/projection.h"
#include "db/model/query.h"
#include "db/model/read.h"
#include "db/model/write.h"
#include "net/http/request.h"
#include "net/http/target.h"
#include "rules/space_settings.h"

namespace hearth::net::rest {

using http::Target;

inline constexpr std::chrono::minutes kTimeoutMax{15};  // of a read

enum class Endpoint : uint8_t {
  Data,        // /path.json
  Upload,      // /path/.upload, a form
  Info,        // /.info/….json; the path is what is behind .info
  Health,      // /.health
  Databases,   // /.inspect/databases.json
  Rules,       // /.settings/rules.json
  OwnIndexes,  // /.settings/indexes.json
  Setting,     // /.settings/NAME.json, a document of rules/space_settings.h
  Kick,        // /.settings/kick.json
  Dump,        // /.settings/dump
  DumpPart,    // /.settings/dump.json
  Restore,     // /.settings/restore.json
  Namespace,   // /.settings/namespace.json
  Compact,     // /.settings/compact.json
  Stats,       // /.inspect/stats.json
  Explain,     // /.inspect/explain.json (rules/trial.h)
  Coverage,    // /.inspect/coverage, or .json
  Indexes,     // /.inspect/indexes.json
  Changes,     // /.changes (change_feed.h)
  Undo,        // /.changes/undo.json (past.h)
  Purge,       // /.changes/purge.json
  Preflight,   // OPTIONS of anything
};
enum class Method : uint8_t { Get, Put, Post, Patch, Delete };
std::string_view name_of(Method method);
enum class Print : uint8_t { Compact, Pretty, Silent };

struct RestRequest {
  Endpoint endpoint = Endpoint::Data;
  Method method = Method::Get;
  std::string space;                         // as named by `ns` or the host; "": the default one
  std::optional<std::string> credential;     // from the first of three places that has one (credential_of)
  std::optional<std::string> auth_variable;  // JSON text: the user that an admin wants to be judged as
  db::Path path;
  db::Slot slot = db::Slot::Value;

  Print print = Print::Compact;
  db::JsonStyle style = db::JsonStyle::Plain;
  std::optional<db::Query> query{};
  db::Projection projection{};
  bool shallow = false;
  bool peeks = false;                            // shallow=leaves; `shallow` is then false
  std::shared_ptr<const db::Reading> reading{};  // of one that peeks (peek.h)
  const rules::SettingKind* setting = nullptr;   // of Endpoint::Setting
  bool strict = false;                           // rules: without comments
  bool dry_run = false;                          // rules: only checked
  bool as_text = false;                          // explain, coverage: for people
  std::string callback;                          // a JavaScript function; "": none
  std::string download;                          // a file's name; "": none

  bool wants_etag = false;
  std::optional<std::string> if_match;           // hashes; "" is null's
  std::optional<db::Path> if_match_at;           // of a PATCH: where if_match must hold; else at `path`
  std::optional<std::string> if_none_match;      // GET alone
  std::optional<std::string> idempotency_key{};  // of a write (idempotency.h)

  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::chrono::milliseconds> wait;  // for a value with another hash than if_none_match
  size_t write_bytes_max = SIZE_MAX;
  std::chrono::milliseconds ttl{0};  // of what a write puts at ephemeral paths; 0: it says none

  std::string since;                         // changes: an id, "0" or "now"
  bool before = false;                       // changes: what stood there before, too
  std::shared_ptr<const db::PastMoment> at;  // GET: what was there then
  size_t past_values = 0;                    // GET: so many of the values that the path had; 0: what is there

  bool streams = false;
  bool event_ids = false;
  std::optional<std::string> last_event_id;
};

// A request that is refused before anything is looked up.
struct Refusal {
  enum class Form : uint8_t { Json, Text };
  int status = 400;
  std::string text{};
  Form form = Form::Json;
  std::string callback{};  // as RestRequest's
};

std::variant<RestRequest, Refusal> parse_request(const http::Request& request);

// The credential of a request: "Authorization: Bearer", `access_token`, `auth`, in that order
// (net/rest/http-api.md §2).
std::optional<std::string> credential_of(const http::Headers& headers, const Target& target);

// ETags are exact hashes (db/model/hash.h), and "null_etag".
std::string etag_of(std::string_view hash);
std::string hash_of(std::string_view etag);

// What the request does, for the log of slow requests.
const char* deed_of(const RestRequest& request);

}  // namespace hearth::net::rest
