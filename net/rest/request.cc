// A REST request becomes a typed Request, or a refusal.
//
//   method ─▶ output ─▶ endpoint ─▶ path, query, select ─▶ parameters ─▶ conditions, key ─▶ limits ─▶ stream
//
// The steps run in this order because each relies on the ones before: how an error is told (JSONP, output()) must be
// known before anything can be refused, and what a parameter means depends on the endpoint. A step that refuses ends
// it. Nothing of the database is asked, so a malformed request costs no more than its parsing.
//
// Leniency follows the service and its clients: methods in any case, a method override for clients that can only
// POST, tokens in three places. Strictness is ours where a misunderstanding would do harm: unknown parameters of
// writes (parameters.h), a DELETE whose query selects everything, conditions whose ETag would tell more than the
// asker may read.
#include "net/rest/request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "db/base/text.h"
#include "net/host_namespace.h"
#include "net/rest/idempotency.h"
#include "net/rest/parameters.h"
#include "net/rest/peek.h"
#include "net/rest/query.h"

namespace hearth::net::rest {
namespace {

constexpr std::string_view kNullEtag = "null_etag";
constexpr std::string_view kNoSuffix = "append .json to your request URI to use the REST API.";

std::optional<Method> method_named(std::string_view name) {
  using http::equals_ignoring_case;
  if (equals_ignoring_case(name, "GET")) return Method::Get;
  if (equals_ignoring_case(name, "PUT")) return Method::Put;
  if (equals_ignoring_case(name, "POST")) return Method::Post;
  if (equals_ignoring_case(name, "PATCH")) return Method::Patch;
  if (equals_ignoring_case(name, "DELETE")) return Method::Delete;
  return {};
}

bool contains_ignoring_case(std::string_view text, std::string_view wanted) {
  for (size_t i = 0; i + wanted.size() <= text.size(); ++i) {
    if (http::equals_ignoring_case(text.substr(i, wanted.size()), wanted)) return true;
  }
  return false;
}

// "250ms", "3s", "2min".
std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text) {
  uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (error != std::errc() || count == 0) return {};
  std::chrono::milliseconds timeout{};
  if (unit == "ms") {
    timeout = std::chrono::milliseconds(count);
  } else if (unit == "s") {
    timeout = std::chrono::seconds(count);
  } else if (unit == "min") {
    timeout = std::chrono::minutes(count);
  } else {
    return {};
  }
  if (timeout > kTimeoutMax) return {};
  return timeout;
}

// net/rest/http-api.md §4: what one write may bring.
std::optional<std::chrono::milliseconds> parse_ttl(std::string_view text) {
  const auto seconds = db::whole_number(text);
  constexpr auto kMost = std::chrono::duration_cast<std::chrono::seconds>(db::kEphemeralTtlMax);
  if (!seconds || *seconds == 0 || *seconds > static_cast<uint64_t>(kMost.count())) return {};
  return std::chrono::seconds(*seconds);
}

std::optional<size_t> parse_write_size_limit(std::string_view name) {
  if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
  if (name == "tiny") return size_t{1} << 20;
  if (name == "small") return size_t{16} << 20;
  if (name == "medium") return size_t{64} << 20;
  if (name == "large") return size_t{256} << 20;
  if (name == "unlimited") return SIZE_MAX;
  return {};
}

// The name of a JavaScript function, which becomes part of a script: [A-Za-z_$][\w$.\[\]]{0,127}
bool is_callback(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '$';
  };
  if (name.empty() || name.size() > 128 || !is_letter(name.front())) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '[' || c == ']';
  });
}

// For Content-Disposition: leaves out what could end the quoted name, add a header or leave the folder.
std::string file_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool is_harmful = static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"' || c == '\\' || c == '/';
    if (!is_harmful) name += c;
  }
  return name;
}

// Takes `.json` off the last segment. Returns false when it is not there.
bool take_suffix(std::vector<std::string>& segments) {
  constexpr std::string_view kSuffix = ".json";
  if (segments.empty() || !segments.back().ends_with(kSuffix)) return false;
  segments.back().resize(segments.back().size() - kSuffix.size());
  if (segments.back().empty()) segments.pop_back();
  return true;
}

// One step for each part of a request; nothing means that the step has no objection.
class RequestParser {
 public:
  explicit RequestParser(const http::Request& from) : from_(from) {}
  std::variant<RestRequest, Refusal> parse();

 private:
  using Step = std::optional<Refusal>;
  Step method();
  Step endpoint();
  Step path(std::vector<std::string> segments);
  Step changes();
  Step past();
  Step parameters();
  Step output();
  Step conditions();
  Step idempotency();
  Step limits();
  Step stream();

  Refusal refuse(int status, std::string text) const { return {.status = status, .text = std::move(text)}; }
  bool is(std::string_view parameter, std::string_view value) const { return target_.parameter(parameter) == value; }

  const http::Request& from_;
  Target target_;
  RestRequest to_;
};

std::variant<RestRequest, Refusal> RequestParser::parse() {
  if (from_.method == "OPTIONS") {
    to_.endpoint = Endpoint::Preflight;
    return std::move(to_);
  }
  auto target = http::parse_target(from_.target);
  if (!target.ok()) return refuse(400, target.error().message);
  target_ = std::move(target).value();
  Step refused = method();
  if (!refused) refused = output();
  for (const auto step :
       {&RequestParser::endpoint, &RequestParser::parameters, &RequestParser::conditions, &RequestParser::idempotency,
        &RequestParser::limits, &RequestParser::stream, &RequestParser::past}) {
    if (!refused) refused = (this->*step)();
  }
  if (refused) {
    refused->callback = to_.callback;
    return std::move(*refused);
  }
  to_.space = target_.parameter("ns").value_or("");
  if (to_.space.empty()) to_.space = namespace_of_host(from_.host());
  to_.credential = credential_of(from_.headers, target_);
  if (const auto variable = target_.parameter("auth_variable_override")) to_.auth_variable = *variable;
  return std::move(to_);
}

RequestParser::Step RequestParser::method() {
  static constexpr std::string_view kUnknown =
      "Method not allowed; use GET, PUT, POST, PATCH, DELETE, HEAD or OPTIONS.";
  auto method = method_named(from_.method == "HEAD" ? "GET" : from_.method);
  if (!method) return refuse(405, std::string(kUnknown));
  if (method == Method::Post) {
    // Docs, "X-HTTP-Method-Override": for clients that can only POST.
    std::optional<std::string_view> other = from_.header("X-HTTP-Method-Override");
    for (const auto& [name, value] : target_.parameters) {
      if (!other && http::equals_ignoring_case(name, "x-http-method-override")) other = value;
    }
    if (other) method = method_named(*other);
    if (!method) return refuse(405, std::string(kUnknown));
  }
  to_.method = *method;
  return {};
}

RequestParser::Step RequestParser::output() {
  if (is("print", "pretty")) to_.print = Print::Pretty;
  if (is("print", "silent")) to_.print = Print::Silent;
  if (is("format", "export")) to_.style = db::JsonStyle::Export;
  to_.strict = is("format", "strict");
  if (to_.method != Method::Get) return {};
  to_.shallow = is("shallow", "true");
  to_.peeks = is("shallow", "leaves");
  // Clients take the keys of the answer: it is never an array.
  if (to_.shallow || to_.peeks) to_.style = db::JsonStyle::Export;
  if (const auto name = target_.parameter("download")) to_.download = file_name(*name);
  if (const auto name = target_.parameter("callback")) {
    if (!is_callback(*name)) return refuse(400, "callback must be the name of a JavaScript function.");
    to_.callback = *name;
  }
  return {};
}

namespace {

// Targets that are no data, as folder and name, with the methods that they take.
struct Fixed {
  std::string_view folder, name;
  Endpoint endpoint;
  std::array<std::optional<Method>, 4> methods;
};
constexpr Fixed kFixed[] = {
    {".health", "", Endpoint::Health, {Method::Get}},
    {".inspect", "databases.json", Endpoint::Databases, {Method::Get}},
    {".inspect", "stats.json", Endpoint::Stats, {Method::Get}},
    {".inspect", "explain.json", Endpoint::Explain, {Method::Post}},
    {".inspect", "coverage", Endpoint::Coverage, {Method::Get}},
    {".inspect", "coverage.json", Endpoint::Coverage, {Method::Get}},
    {".inspect", "indexes.json", Endpoint::Indexes, {Method::Get}},
    {".settings", "rules.json", Endpoint::Rules, {Method::Get, Method::Put}},
    {".settings", "indexes.json", Endpoint::OwnIndexes, {Method::Get, Method::Put}},
    {".settings", "kick.json", Endpoint::Kick, {Method::Post}},
    {".settings", "dump", Endpoint::Dump, {Method::Get, Method::Post}},
    {".settings", "dump.json", Endpoint::DumpPart, {Method::Get}},
    {".settings", "restore.json", Endpoint::Restore, {Method::Post, Method::Put, Method::Get, Method::Delete}},
    {".settings", "namespace.json", Endpoint::Namespace, {Method::Put, Method::Delete}},
    {".settings", "compact.json", Endpoint::Compact, {Method::Post}},
    {".changes", "", Endpoint::Changes, {Method::Get}},
    {".changes", "undo.json", Endpoint::Undo, {Method::Post}},
    {".changes", "purge.json", Endpoint::Purge, {Method::Post}},
};

}  // namespace

RequestParser::Step RequestParser::endpoint() {
  std::vector<std::string> segments = target_.segments;
  const std::string first = segments.empty() ? "" : segments.front();
  const auto only = [&](Endpoint endpoint, bool allowed) -> Step {
    to_.endpoint = endpoint;
    if (!allowed) return refuse(405, "Method not allowed here.");
    return {};
  };
  if (first == ".settings" && segments.size() == 2 && segments[1].ends_with(".json")) {
    const std::string_view name = segments[1];
    to_.setting = rules::find_setting_kind(name.substr(0, name.size() - 5));
    if (to_.setting != nullptr) {
      to_.endpoint = Endpoint::Setting;
      if (to_.method == Method::Get || to_.method == Method::Put) return {};
      return refuse(405, "Method not allowed here; use GET or PUT.");
    }
  }
  for (const Fixed& one : kFixed) {
    if (segments.size() != (one.name.empty() ? 1 : 2) || first != one.folder ||
        (segments.size() == 2 && segments[1] != one.name))
      continue;
    to_.as_text = one.endpoint == Endpoint::Explain
                      ? contains_ignoring_case(from_.header("Accept").value_or(""), "text/plain")
                      : one.endpoint == Endpoint::Coverage && one.name == "coverage";
    to_.endpoint = one.endpoint;
    if (one.endpoint == Endpoint::Changes && to_.method == Method::Get) return changes();
    std::string taken;
    for (const std::optional<Method>& method : one.methods) {
      if (!method) break;
      if (to_.method == *method) return {};
      taken += (taken.empty() ? "" : " or ") + std::string(name_of(*method));
    }
    return refuse(405, "Method not allowed here; use " + taken + ".");
  }
  if (first == ".inspect") return refuse(404, "Not found.");
  if (first == ".settings") return refuse(501, "This setting is not supported by this server.");
  if (!segments.empty() && segments.back() == ".upload") {
    segments.pop_back();
    if (auto refused = only(Endpoint::Upload, to_.method == Method::Post)) return refused;
    return path(std::move(segments));
  }
  if (!take_suffix(segments)) {
    const int status = to_.method == Method::Get ? 404 : 405;
    return Refusal{.status = status, .text = std::string(kNoSuffix), .form = Refusal::Form::Text};
  }
  if (!segments.empty() && segments.front() == ".info") {
    segments.erase(segments.begin());
    if (to_.method != Method::Get) return refuse(400, "Invalid path: .info is read-only.");
    to_.endpoint = Endpoint::Info;
  }
  return path(std::move(segments));
}

// What the change feed is asked. Only a stream sends Last-Event-ID, which is newer than its URL.
RequestParser::Step RequestParser::changes() {
  to_.streams = contains_ignoring_case(from_.header("Accept").value_or(""), "text/event-stream");
  for (const std::string_view known : {"since", "path", "wait", "before"}) {
    if (std::count_if(target_.parameters.begin(), target_.parameters.end(),
                      [&](const auto& one) { return one.first == known; }) > 1)
      return refuse(400, std::string(known) + " is there twice.");
  }
  std::optional<std::string> since;
  if (to_.streams) since = from_.header("Last-Event-ID");
  if (!since || since->empty()) since = target_.parameter("since");
  if (!since || since->empty()) {
    return refuse(400, "since is missing: 0 for all that the log has, or the id of the last change that was seen.");
  }
  to_.since = *since;
  const std::string_view before = target_.parameter("before").value_or("false");
  to_.before = before == "true";
  if (!to_.before && before != "false") return refuse(400, "before must be true or false.");
  if (const auto text = target_.parameter("path")) {
    auto path = db::Path::parse(*text);
    if (!path.ok()) return refuse(400, path.error().message);
    to_.path = std::move(path).value();
  }
  if (const auto text = target_.parameter("wait")) {
    to_.wait = parse_timeout(*text);
    if (!to_.wait || to_.streams)
      return refuse(400, "wait must be a positive duration of at most 15min, as 25s; a stream waits anyway");
  }
  return {};
}

// The path, and for reads and deletes what selects and shapes the value. What excludes each other is refused by name.
RequestParser::Step RequestParser::path(std::vector<std::string> segments) {
  if (!segments.empty() && segments.back() == ".priority" && to_.endpoint == Endpoint::Data) {
    segments.pop_back();
    to_.slot = db::Slot::Priority;
    if (to_.method == Method::Post || to_.method == Method::Patch) {
      return refuse(400, "A .priority can be read, set and deleted; it has no children.");
    }
  }
  for (const std::string& segment : segments) {
    auto deeper = to_.path.child(segment);
    if (!deeper.ok()) return refuse(400, deeper.error().message);
    to_.path = std::move(deeper).value();
  }
  if (to_.method != Method::Get && to_.method != Method::Delete) return {};
  if (to_.endpoint != Endpoint::Data) return {};
  auto query = parse_query(target_, to_.shallow || to_.peeks ? Shallow::Yes : Shallow::No);
  if (!query.ok()) return refuse(400, query.error().message);
  to_.query = std::move(query).value();
  if (to_.query && to_.query->counts && (to_.shallow || to_.peeks || to_.method != Method::Get)) {
    return refuse(400, "count is for GET requests, without shallow.");
  }
  // A query that only orders selects everything. A client that means to delete everything can do so without a query.
  if (to_.query && to_.method == Method::Delete && !to_.query->is_filtered()) {
    return refuse(400, "DELETE with orderBy takes a bound or a limit too.");
  }
  if (const auto text = target_.parameter("select"); text && to_.method == Method::Get) {
    auto projection = db::parse_projection(*text);
    if (!projection.ok()) return refuse(400, projection.error().message);
    if (to_.shallow || to_.peeks || to_.slot == db::Slot::Priority || (to_.query && to_.query->counts)) {
      return refuse(400, "select is for values; it can't be used with shallow, count or a .priority.");
    }
    to_.projection = std::move(projection).value();
  }
  if (to_.peeks && to_.slot == db::Slot::Priority) return refuse(400, "A .priority has no children to look at.");
  if (to_.peeks) to_.reading = peek_of(to_.path, to_.query);
  if (to_.query && to_.slot == db::Slot::Priority) return refuse(400, "A .priority can't be queried.");
  return {};
}

RequestParser::Step RequestParser::parameters() {
  if (auto text = refused_parameter(target_, to_.endpoint, to_.method)) return refuse(400, std::move(*text));
  if (to_.endpoint != Endpoint::Rules || to_.method != Method::Put) return {};
  const std::string_view dry = target_.parameter("dryRun").value_or("false");
  to_.dry_run = dry == "true";
  if (!to_.dry_run && dry != "false") return refuse(400, "dryRun must be true or false.");
  return {};
}

// net/rest/http-api.md §8, the matrix.
RequestParser::Step RequestParser::conditions() {
  if (const auto wants = from_.header("X-Firebase-ETag")) to_.wants_etag = http::equals_ignoring_case(*wants, "true");
  const auto at = to_.method == Method::Patch ? target_.parameter("ifMatchAt") : std::nullopt;
  if (at) {
    auto path = db::Path::parse(to_.path.text() + "/" + std::string(*at));
    if (!path.ok()) return refuse(400, path.error().message);
    to_.if_match_at = std::move(path).value();
    if (!from_.header("If-Match")) return refuse(400, "ifMatchAt says where if-match must hold, and there is none.");
  }
  if (const auto tag = from_.header("If-Match")) {
    if (to_.method != Method::Put && to_.method != Method::Delete && !at) {
      return refuse(400, "if-match is not supported for " + std::string(name_of(to_.method)) + " requests.");
    }
    if (tag->empty() || *tag == "*") return refuse(400, "if-match must be exactly one ETag.");
    if (to_.slot == db::Slot::Priority) return refuse(400, "if-match is not supported for a .priority.");
    // The ETag is that of the whole value: comparing with it would tell a client that may read a part about the rest.
    if (to_.query) {
      return refuse(400, "if-match is not supported with a query: ETags of queries are those of what they select.");
    }
    to_.if_match = hash_of(*tag);
  }
  if (to_.wants_etag && to_.method == Method::Patch) {
    return refuse(400, "X-Firebase-ETag is not supported for PATCH requests.");
  }
  if (to_.query && to_.query->counts && (to_.wants_etag || from_.header("If-None-Match"))) {
    return refuse(400, "ETags are not supported for counts.");
  }
  if (to_.query && to_.method == Method::Delete && to_.wants_etag) {
    return refuse(400, "X-Firebase-ETag is not supported for DELETE with a query.");
  }
  const auto tag = from_.header("If-None-Match");
  if (tag && !tag->empty() && to_.method == Method::Get) to_.if_none_match = hash_of(*tag);
  return {};
}

// Reads of the past (tools/manual/history.md).
RequestParser::Step RequestParser::past() {
  if (to_.method != Method::Get || to_.endpoint != Endpoint::Data) return {};
  const auto at = target_.parameter("at");
  const bool wants_history = is("history", "true");
  if (!at && !wants_history) return {};
  if (to_.wait || to_.streams)
    return refuse(400, "The past does not change: at and history take no wait, and can't be streamed.");
  if (at) {
    auto moment = db::parse_moment(*at);
    if (!moment.ok()) return refuse(400, moment.error().message);
    to_.at = std::make_shared<const db::PastMoment>(std::move(moment).value());
  }
  if (!wants_history) return {};
  if (at || to_.query || to_.shallow || to_.peeks || to_.slot == db::Slot::Priority || !to_.projection.empty() ||
      to_.wants_etag) {
    return refuse(400, "history is of a whole value: it takes no at, query, select, shallow, ETag or .priority.");
  }
  to_.past_values = 100;
  if (const auto text = target_.parameter("values")) {
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), to_.past_values);
    if (failed != std::errc() || end != text->data() + text->size() || to_.past_values == 0 ||
        to_.past_values > db::kPastValuesMax)
      return refuse(400, "values must be a number from 1 to 1000.");
  }
  return {};
}

// A promise that is not kept must not be taken: a key is refused where nothing would come of it. A GET changes nothing.
RequestParser::Step RequestParser::idempotency() {
  if (to_.method == Method::Get) return {};
  auto key = idempotency_key_of(from_.headers);
  if (!key.ok()) return refuse(400, key.error().message);
  to_.idempotency_key = std::move(key).value();
  if (!to_.idempotency_key || to_.endpoint == Endpoint::Data || to_.endpoint == Endpoint::Upload) return {};
  return refuse(400, "Idempotency-Key is for writes of data; this request has no use for it.");
}

RequestParser::Step RequestParser::limits() {
  // Clients for small devices send `timeout` with writes too, where it means nothing.
  if (const auto text = target_.parameter("timeout"); text && to_.method == Method::Get) {
    to_.timeout = parse_timeout(*text);
    if (!to_.timeout) return refuse(400, "timeout must be a positive duration of at most 15min");
  }
  if (const auto text = target_.parameter("wait");
      text && to_.method == Method::Get && to_.endpoint == Endpoint::Data) {
    to_.wait = parse_timeout(*text);
    if (!to_.wait) return refuse(400, "wait must be a positive duration of at most 15min, as 25s");
    if (to_.slot == db::Slot::Priority || (to_.query && to_.query->counts) || target_.parameter("callback")) {
      return refuse(400, "wait is for values; it can't be used with count, callback or a .priority.");
    }
    if (to_.peeks) return refuse(400, "shallow=leaves takes no wait.");
    to_.wants_etag = true;  // the client needs it for its next wait
  }
  if (const auto name = target_.parameter("writeSizeLimit"); name && to_.method != Method::Get) {
    const auto limit = parse_write_size_limit(*name);
    if (!limit) return refuse(400, "writeSizeLimit must be tiny, small, medium, large or unlimited");
    to_.write_bytes_max = *limit;
  }
  if (const auto text = target_.parameter("ttl"); text && to_.method != Method::Get) {
    const auto seconds = parse_ttl(*text);
    if (!seconds) return refuse(400, "ttl must be a whole number of seconds, from 1 to 60");
    to_.ttl = *seconds;
  }
  return {};
}

RequestParser::Step RequestParser::stream() {
  const bool asks = contains_ignoring_case(from_.header("Accept").value_or(""), "text/event-stream");
  if (!asks || from_.method == "HEAD" || to_.method != Method::Get) return {};
  if (to_.endpoint == Endpoint::Rules || to_.endpoint == Endpoint::Info || to_.endpoint == Endpoint::Coverage ||
      to_.endpoint == Endpoint::Indexes || to_.endpoint == Endpoint::OwnIndexes || to_.endpoint == Endpoint::Setting) {
    return refuse(400, "This location can't be streamed.");
  }
  if (to_.endpoint != Endpoint::Data) return {};
  if (to_.peeks) return refuse(400, "shallow=leaves can't be streamed; shallow=true can.");
  if (to_.shallow) {
    if (!to_.query) to_.query = db::Query::by_key();
    to_.query->keys_only = true;
  }
  if (to_.slot == db::Slot::Priority) return refuse(400, "A .priority can't be streamed; stream what it belongs to.");
  to_.streams = true;
  // The parameter is for clients that cannot set a header: a new EventSource cannot. When it reconnects by itself it
  // sends the header, which is the newer one.
  for (const auto id : {from_.header("Last-Event-ID"), target_.parameter("lastEventId")}) {
    if (!id) continue;
    to_.event_ids = true;
    if (!id->empty() && !to_.last_event_id) to_.last_event_id = *id;
  }
  to_.event_ids |= is("eventIds", "true") || is("resume", "true");
  return {};
}

}  // namespace

std::string_view name_of(Method method) {
  switch (method) {
    case Method::Get:
      return "GET";
    case Method::Put:
      return "PUT";
    case Method::Post:
      return "POST";
    case Method::Patch:
      return "PATCH";
    case Method::Delete:
      return "DELETE";
  }
  return "";
}

std::variant<RestRequest, Refusal> parse_request(const http::Request& request) {
  return RequestParser(request).parse();
}

std::optional<std::string> credential_of(const http::Headers& headers, const Target& target) {
  if (const auto token = http::bearer_token(headers)) return std::string(*token);
  for (const std::string_view name : {"access_token", "auth"}) {
    if (const auto value = target.parameter(name); value && !value->empty()) return std::string(*value);
  }
  return {};
}

std::string etag_of(std::string_view hash) { return std::string(hash.empty() ? kNullEtag : hash); }
std::string hash_of(std::string_view etag) { return std::string(etag == kNullEtag ? "" : etag); }

const char* deed_of(const RestRequest& request) {
  switch (request.endpoint) {
    case Endpoint::Dump:
    case Endpoint::DumpPart:
      return "dump";
    case Endpoint::Restore:
      return "restore";
    case Endpoint::Rules:
      return "rules";
    case Endpoint::Indexes:
    case Endpoint::OwnIndexes:
    case Endpoint::Setting:
      return "indexes";
    case Endpoint::Explain:
    case Endpoint::Coverage:
      return "explain";
    case Endpoint::Kick:
      return "kick";
    case Endpoint::Namespace:
      return "namespace";
    case Endpoint::Stats:
      return "stats";
    case Endpoint::Compact:
      return "compact";
    case Endpoint::Changes:
      return "changes";
    case Endpoint::Undo:
      return "undo";
    case Endpoint::Purge:
      return "purge";
    case Endpoint::Info:
    case Endpoint::Health:
    case Endpoint::Databases:
    case Endpoint::Preflight:
      return "information";
    case Endpoint::Data:
    case Endpoint::Upload:
      break;
  }
  const bool selects = request.query.has_value();
  if (request.streams) return selects ? "listen with a query" : "listen";
  switch (request.method) {
    case Method::Get:
      return selects ? "read with a query" : request.shallow || request.peeks ? "shallow read" : "read";
    case Method::Delete:
      return selects ? "remove with a query" : "remove";
    case Method::Patch:
      return "merge";
    case Method::Post:
      return "push";
    case Method::Put:
      break;
  }
  return request.if_match ? "conditional overwrite" : "overwrite";
}

}  // namespace hearth::net::rest
