// Text of a client becomes typed requests.
//
//   text ─ parse_text ─▶ {"t":"d","d":{"r":7,"a":"p","b":{…}}} ─ kParsers["p"] ─▶ Request{7, Put{…}}
//            │                                                       └ wrong in any way ─▶ Request{7, Refuse{error}}
//            ├ too large, broken, no room ─ request_number ─▶ Request{7, Refuse} or Broken
//            └ control: Ping, EndOfTransmission, Nothing
//
// Two rules make this file:
// - Everything is checked here, so that nothing behind it meets a wrong type. Each parser reads what its action
//   needs, and names the member that is wrong.
// - A request that has a number is answered by that number. An SDK that waits for an answer which never comes keeps
//   its user's promise open for ever. So the number is looked for even in text that is broken or was dropped:
//   number_at_head() and number_at_tail() read only what is certain from the brackets around, and else say nothing.
//
// Where SDKs differ (names, keys of bounds, which members they leave out) the comment beside it says whose it is. `q`
// of a tagged listen is kept as it was sent, since a revocation must quote it.
#include "net/wire/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "db/model/json.h"
#include "net/wire/compound_hash.h"

namespace hearth::net::wire {

namespace {

using db::Error;
using db::ErrorCode;
using db::JsonNode;
using db::Path;
using db::Result;

Error bad_request(std::string text) { return {ErrorCode::InvalidArgument, std::move(text)}; }

std::string_view without_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// `.info` lives in the client. SDK: core/util/validation.ts, "Can't modify data under /.info/".
Result<void> check_not_info(std::string_view path) {
  path = without_slashes(path);
  if (path == ".info" || path.starts_with(".info/")) {
    return Error{ErrorCode::InvalidPath, "Can't modify data under /.info/"};
  }
  return {};
}

Result<std::string_view> path_text(const JsonNode& body) {
  const auto path = body.field("p");
  if (!path || !path->string()) return bad_request("The request has no path: `p` must be a string.");
  return *path->string();
}

Result<JsonNode> data_of(const JsonNode& body) {
  const auto data = body.field("d");
  if (!data) return bad_request("The request has no data: `d` is missing.");
  return *data;
}

// The member `h`, if there is one: the C++ SDK sends none with a listen.
Result<std::optional<std::string>> hash_of(const JsonNode& body) {
  const auto hash = body.field("h");
  if (!hash || hash->is_null()) return std::optional<std::string>();
  if (!hash->string()) return bad_request("`h` must be a string.");
  return std::optional<std::string>(*hash->string());
}

// A hash beside a write makes it a compare-and-set: transactions of SDKs send it.
Result<void> expect(const JsonNode& body, const Path& path, std::vector<std::shared_ptr<const db::Precondition>>& to) {
  ASSIGN_OR_RETURN(auto hash, hash_of(body));
  if (hash) to.push_back(std::make_shared<db::HashIs>(path, std::move(*hash)));
  return {};
}

Result<db::Overwrite> overwrite_of(const JsonNode& body) {
  ASSIGN_OR_RETURN(const std::string_view text, path_text(body));
  RETURN_IF_ERROR(check_not_info(text));
  const std::string_view place = without_slashes(text);
  const db::Slot slot = db::node_of(place) == place ? db::Slot::Value : db::Slot::Priority;
  ASSIGN_OR_RETURN(Path node, Path::parse(db::node_of(place)));
  ASSIGN_OR_RETURN(const JsonNode data, data_of(body));
  ASSIGN_OR_RETURN(db::Value value, data.to_value(node));
  return db::make_overwrite(std::move(node), slot, std::move(value));
}

// Demands that a value stands at the path, without which a priority has no place. Costs a look at one row.
class Exists final : public db::Precondition {
 public:
  explicit Exists(Path path) : path_(std::move(path)) {}
  Result<void> check(const db::Moment& moment) const override {
    ASSIGN_OR_RETURN(const bool exists, moment.before.exists(path_));
    if (exists) return {};
    return bad_request("could not set priority on non-existent node");  // so says the service
  }
  bool expects_nothing() const override { return true; }

 private:
  const Path path_;
};

struct Locations {
  Path base;
  std::vector<db::Overwrite> overwrites;
};

// The user's object as it is: keys are paths, may start with "/" and end in "/.priority" (§5.4).
Result<Locations> locations_of(const JsonNode& body) {
  ASSIGN_OR_RETURN(const std::string_view text, path_text(body));
  RETURN_IF_ERROR(check_not_info(text));
  Locations to;
  ASSIGN_OR_RETURN(to.base, Path::parse(text));
  ASSIGN_OR_RETURN(const JsonNode data, data_of(body));
  if (to.base.is_root() && data.is_object()) {
    for (const auto& [path, value] : data.fields()) RETURN_IF_ERROR(check_not_info(path));
  }
  ASSIGN_OR_RETURN(auto entries, data.to_entries(to.base));
  to.overwrites.reserve(entries.size());
  for (db::JsonEntry& entry : entries) {
    ASSIGN_OR_RETURN(auto overwrite, db::make_overwrite(to.base.text() + "/" + entry.path, std::move(entry.value)));
    to.overwrites.push_back(std::move(overwrite));
  }
  RETURN_IF_ERROR(db::check_overlap(to.overwrites));
  return to;
}

Result<Action> parse_put(const JsonNode& body) {
  ASSIGN_OR_RETURN(auto overwrite, overwrite_of(body));
  db::Write write;
  write.base = overwrite.path;
  RETURN_IF_ERROR(expect(body, overwrite.path, write.preconditions));
  if (overwrite.slot == db::Slot::Priority && !write.preconditions.empty()) {
    return Error{ErrorCode::Unsupported, "A priority can't be compared by hash."};
  }
  if (overwrite.slot == db::Slot::Priority && !overwrite.value.is_null()) {
    write.preconditions.push_back(std::make_shared<Exists>(overwrite.path));
  }
  write.overwrites.push_back(std::move(overwrite));
  return Action(Put{std::move(write)});
}

Result<Action> parse_merge(const JsonNode& body) {
  ASSIGN_OR_RETURN(auto locations, locations_of(body));
  db::Write write;
  write.merge = true;
  RETURN_IF_ERROR(expect(body, locations.base, write.preconditions));
  write.base = std::move(locations.base);
  write.overwrites = std::move(locations.overwrites);
  if (write.overwrites.empty() && write.preconditions.empty()) return Action(Acknowledge{});
  return Action(Put{std::move(write)});
}

// Android has words of its own for what comes before and behind every key (SDK: ChildKey.java). No key may contain
// brackets, so these words cannot be keys.
std::string_view bound_key(std::string_view text) {
  if (text == "[MIN_KEY]") return db::kMinKey;
  if (text == "[MAX_KEY]") return db::kMaxKey;
  return text;
}

// One side of a query's range: a value, a key and whether it is inclusive (§6.4).
Result<std::optional<db::Bound>> bound_of(const JsonNode& query, std::string_view value, std::string_view key,
                                          std::string_view inclusive, db::Order order) {
  const auto at = query.field(value);
  const auto name = query.field(key);
  if (!at) {
    if (name) return bad_request(fmt::format("`{}` needs a `{}`.", key, value));
    return std::optional<db::Bound>();
  }
  const bool is_scalar = !at->is_object() && at->kind() != JsonNode::Kind::Array;
  if (!is_scalar) return bad_request(fmt::format("`{}` must be null, a boolean, a number or a string.", value));
  db::Bound bound;
  ASSIGN_OR_RETURN(bound.value, at->to_value(Path()));
  if (order == db::Order::Key && !at->string())
    return bad_request(fmt::format("`{}` must be a key: the order is that of keys.", value));
  if (name && !name->is_null()) {
    if (!name->string()) return bad_request(fmt::format("`{}` must be a string.", key));
    bound.key = std::string(bound_key(*name->string()));
  }
  if (order == db::Order::Key) bound.value = db::Value::string(bound_key(bound.value.as_string()));
  const auto is_inclusive = query.field(inclusive);
  if (is_inclusive && !is_inclusive->boolean()) return bad_request(fmt::format("`{}` must be a boolean.", inclusive));
  if (is_inclusive) bound.is_inclusive = *is_inclusive->boolean();
  return std::optional(std::move(bound));
}

Result<std::optional<db::Query>> query_of(const JsonNode& body) {
  const auto node = body.field("q");
  if (!node || node->is_null()) return std::optional<db::Query>();
  if (!node->is_object()) return bad_request("`q` must be an object.");
  db::Query query;
  if (const auto index = node->field("i")) {
    if (!index->string()) return bad_request("`i` must be a string.");
    const std::string_view name = *index->string();
    if (name == ".key") {
      query.order = db::Order::Key;
    } else if (name == ".value") {
      query.order = db::Order::Value;
    } else if (name != ".priority") {
      query.order = db::Order::Child;
      ASSIGN_OR_RETURN(query.child, Path::parse(name));
      if (query.child.is_root()) return bad_request("`i` must name a child.");
    }
  }
  ASSIGN_OR_RETURN(query.start, bound_of(*node, "sp", "sn", "sin", query.order));
  ASSIGN_OR_RETURN(query.end, bound_of(*node, "ep", "en", "ein", query.order));
  if (const auto limit = node->field("l")) {
    if (!limit->integer() || *limit->integer() < 1) return bad_request("`l` must be a positive integer.");
    query.count = static_cast<uint32_t>(std::min<int64_t>(*limit->integer(), UINT32_MAX));
    const auto from = node->field("vf");
    if (from && (!from->string() || (*from->string() != "l" && *from->string() != "r"))) {
      return bad_request("`vf` must be \"l\" or \"r\".");
    }
    const bool is_left = from ? *from->string() == "l" : query.start.has_value();
    query.limit = is_left ? db::Limit::First : db::Limit::Last;
  }
  return std::optional(std::move(query));
}

Result<std::optional<int64_t>> tag_of(const JsonNode& body) {
  const auto tag = body.field("t");
  if (!tag || tag->is_null()) return std::optional<int64_t>();
  if (!tag->integer()) return bad_request("`t` must be an integer.");
  return tag->integer();
}

Result<Action> parse_listen(const JsonNode& body) {
  Listen to;
  ASSIGN_OR_RETURN(const std::string_view text, path_text(body));
  ASSIGN_OR_RETURN(to.listen.path, Path::parse(text));
  ASSIGN_OR_RETURN(to.listen.query, query_of(body));
  ASSIGN_OR_RETURN(to.tag, tag_of(body));
  if (to.listen.query && !to.listen.query->is_filtered()) to.listen.query.reset();  // the client does the ordering
  if (to.listen.query && !to.tag) return bad_request("A filtered listen has a tag: `t` must be an integer.");
  if (to.tag) {
    const auto query = body.field("q");
    to.query_json = query && query->is_object() ? query->to_text() : "{}";
  }
  ASSIGN_OR_RETURN(to.listen.hash, hash_of(body));
  if (const auto known = body.field("ch")) to.known = parse_compound_hash(*known);
  return Action(std::move(to));
}

Result<Action> parse_unlisten(const JsonNode& body) {
  Unlisten to;
  ASSIGN_OR_RETURN(const std::string_view text, path_text(body));
  ASSIGN_OR_RETURN(to.path, Path::parse(text));
  ASSIGN_OR_RETURN(to.tag, tag_of(body));
  return Action(std::move(to));
}

Result<Action> parse_get(const JsonNode& body) {
  db::Read read;
  ASSIGN_OR_RETURN(const std::string_view text, path_text(body));
  ASSIGN_OR_RETURN(read.path, Path::parse(text));
  ASSIGN_OR_RETURN(read.query, query_of(body));
  return Action(Get{std::move(read)});
}

Result<Action> parse_disconnect_put(const JsonNode& body) {
  ASSIGN_OR_RETURN(auto overwrite, overwrite_of(body));
  db::Disconnect disconnect;
  disconnect.path = overwrite.path;
  disconnect.overwrites.push_back(std::move(overwrite));
  return Action(OnDisconnect{std::move(disconnect)});
}

Result<Action> parse_disconnect_merge(const JsonNode& body) {
  ASSIGN_OR_RETURN(auto locations, locations_of(body));
  db::Disconnect disconnect;
  disconnect.kind = db::Disconnect::Kind::Merge;
  disconnect.path = std::move(locations.base);
  disconnect.overwrites = std::move(locations.overwrites);
  if (disconnect.overwrites.empty()) return Action(Acknowledge{});
  return Action(OnDisconnect{std::move(disconnect)});
}

Result<Action> parse_disconnect_cancel(const JsonNode& body) {
  ASSIGN_OR_RETURN(const std::string_view text, path_text(body));
  RETURN_IF_ERROR(check_not_info(text));
  db::Disconnect disconnect;
  disconnect.kind = db::Disconnect::Kind::Cancel;
  ASSIGN_OR_RETURN(disconnect.path, Path::parse(text));
  return Action(OnDisconnect{std::move(disconnect)});
}

Result<Action> parse_auth(const JsonNode& body) {
  const auto credential = body.field("cred");
  if (!credential || !credential->string()) {
    return Error{ErrorCode::InvalidToken, "The request has no credential: `cred` must be a string."};
  }
  Authenticate authenticate{std::string(*credential->string()), std::nullopt};
  if (const auto variable = body.field("authvar"); variable && !variable->is_null()) {
    authenticate.act_as = variable->to_text();
  }
  if (const auto nobody = body.field("noauth"); nobody && nobody->boolean() == true) authenticate.act_as = "null";
  return Action(std::move(authenticate));
}

Result<Action> parse_acknowledge(const JsonNode&) { return Action(Acknowledge{}); }
Result<Action> parse_unauth(const JsonNode&) { return Action(Unauthenticate{}); }

struct Parser {
  std::string_view action;
  Result<Action> (*parse)(const JsonNode& body);
};

constexpr std::array<Parser, 15> kParsers = {{
    {"p", parse_put},
    {"m", parse_merge},
    {"q", parse_listen},
    {"n", parse_unlisten},
    {"g", parse_get},
    {"o", parse_disconnect_put},
    {"om", parse_disconnect_merge},
    {"oc", parse_disconnect_cancel},
    {"auth", parse_auth},
    {"gauth", parse_auth},
    {"unauth", parse_unauth},
    {"s", parse_acknowledge},
    {"appcheck", parse_acknowledge},
    {"unappeck", parse_acknowledge},    // SDK: so spelled by JavaScript
    {"unappcheck", parse_acknowledge},  // and so by Android
}};

constexpr size_t kShownBytesMax = 64;
constexpr std::string_view kNumberMember = R"("r":)";

Result<Action> parse_action(const JsonNode& data) {
  const auto name = data.field("a");
  if (!name || !name->string()) return bad_request("The request has no action: `a` must be a string.");
  const std::string_view action = *name->string();
  for (const Parser& parser : kParsers) {
    if (parser.action != action) continue;
    const auto body = data.field("b");
    if (!body || !body->is_object()) return bad_request("The request has no body: `b` must be an object.");
    return parser.parse(*body);
  }
  return Error{ErrorCode::Unsupported, action.size() <= kShownBytesMax ? fmt::format("Unknown action: {}", action)
                                                                       : std::string("Unknown action.")};
}

Incoming parse_data(const JsonNode& data) {
  const auto number = data.field("r");
  if (!number || !number->integer()) return Broken{"The request has no number: `r` must be an integer."};
  auto action = parse_action(data);
  if (!action.ok()) return ClientRequest{.number = *number->integer(), .action = Refuse{action.error()}};
  return ClientRequest{.number = *number->integer(), .action = std::move(action).value()};
}

// The integer that `text` starts with.
std::optional<int64_t> integer_at(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size()) return std::nullopt;
  return *end == ',' || *end == '}' ? std::optional(number) : std::nullopt;
}

// The first member `"r":` of the object within the outermost object. Gives up at the first bracket that could lead
// elsewhere.
std::optional<int64_t> number_at_head(std::string_view head) {
  int depth = 0;
  for (size_t at = 0; at < head.size(); ++at) {
    if (head[at] == '{') {
      ++depth;
    } else if (head[at] == '}' || head[at] == '[') {
      return std::nullopt;
    } else if (head[at] == '"') {
      if (depth == 2 && head.substr(at).starts_with(kNumberMember))
        return integer_at(head.substr(at + kNumberMember.size()));
      for (++at; at < head.size() && head[at] != '"'; ++at) {
        if (head[at] == '\\') ++at;
      }
    }
    if (depth > 2) return std::nullopt;
  }
  return std::nullopt;
}

// The same member at the end of the text, when it is the last of its object: only the closing brackets of the two
// outermost objects may follow.
std::optional<int64_t> number_at_tail(std::string_view tail) {
  static constexpr std::array<std::string_view, 2> kEnds = {"}}", R"(},"t":"d"})"};
  for (const std::string_view end : kEnds) {
    if (!tail.ends_with(end)) continue;
    const size_t at = tail.rfind(kNumberMember);
    if (at == std::string_view::npos) continue;
    const size_t digits = at + kNumberMember.size();
    const auto number = integer_at(tail.substr(digits));
    if (number && tail.find_first_not_of("-0123456789", digits) == tail.size() - end.size()) return number;
  }
  return std::nullopt;
}

Incoming refuse_unread(std::string_view head, std::string_view tail, Error error) {
  const auto number = request_number(head, tail);
  if (!number) return Broken{std::move(error.message)};
  return ClientRequest{.number = *number, .action = Refuse{std::move(error)}};
}

Incoming parse_text(MessageReader::Message&& message) {
  if (message.too_large) {
    return refuse_unread(
        message.text, message.tail,
        {ErrorCode::TooLarge, "Data to write exceeds the maximum size that can be modified with a single request."});
  }
  if (message.no_room) {
    return refuse_unread(message.text, message.tail,
                         {ErrorCode::Unavailable, "Too much waits to be done for clients at this moment; try again."});
  }
  // Kept for what is broken: the document takes the text.
  std::array<char, kDroppedEndBytes> room;
  const std::string_view head(room.data(), message.text.copy(room.data(), room.size()));
  const auto document = db::JsonDocument::parse(std::move(message.text));
  // The brackets of broken text can't be trusted at its end.
  if (!document.ok()) return refuse_unread(head, "", document.error());

  const JsonNode root = document.value().root();
  const auto type = root.is_object() ? root.field("t") : std::nullopt;
  const auto data = root.is_object() ? root.field("d") : std::nullopt;
  if (!type || !type->string() || !data || !data->is_object()) {
    return Broken{"Not a message of this protocol: `t` must be a string and `d` an object."};
  }
  if (*type->string() == "d") return parse_data(*data);
  if (*type->string() != "c") return Broken{"Not a message of this protocol: `t` must be \"c\" or \"d\"."};
  const auto command = data->field("t");
  if (command && command->string() && *command->string() == "p") return Ping{};
  if (command && command->string() && *command->string() == "n") return EndOfTransmission{};
  return Nothing{};
}

}  // namespace

Incoming parse_message(MessageReader::Message&& message) {
  const size_t bytes = message.text.size();
  Incoming incoming = parse_text(std::move(message));
  if (auto* request = std::get_if<ClientRequest>(&incoming)) request->bytes = bytes;
  return incoming;
}

std::optional<int64_t> request_number(std::string_view head, std::string_view tail) {
  // SDKs write "r" before the body (JavaScript), or after it (C++ sorts the members by name).
  if (const auto number = number_at_head(head)) return number;
  return number_at_tail(tail);
}

}  // namespace hearth::net::wire
