// Parameters of a query become a db::Query.
//
//   orderBy="score"  startAt=3,"k7"  endAt=9  limitToFirst=10
//      order()          bounds()                limits()
//
// Values are JSON, with two exceptions that clients rely on: a bound may be followed by a key ("3,"k7"" is no JSON),
// and a shallow read takes bare text as keys. So a bound is tried as one JSON text first, and then cut at each comma
// in turn, for a string may hold commas too. Errors are in the service's words, since people search for them.
#include "net/rest/query.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "db/model/json.h"

namespace hearth::net::rest {
namespace {

using db::Bound;
using db::Error;
using db::ErrorCode;
using db::Query;

constexpr std::array<std::string_view, 8> kParameters = {"orderBy",   "startAt", "startAfter",   "endAt",
                                                         "endBefore", "equalTo", "limitToFirst", "limitToLast"};

Error refuse(std::string text) { return {ErrorCode::InvalidArgument, std::move(text)}; }

std::optional<db::Value> primitive(std::string_view json) {
  const auto document = db::JsonDocument::parse(json);
  if (!document.ok() || document.value().root().is_object() ||
      document.value().root().kind() == db::JsonNode::Kind::Array) {
    return {};
  }
  auto value = document.value().root().to_value(db::Path());
  if (!value.ok()) return {};
  return std::move(value).value();
}

bool has_constraints(const Target& target) {
  return std::any_of(kParameters.begin(), kParameters.end(), [&](std::string_view name) { return target.has(name); });
}

class Parser {
 public:
  Parser(const Target& target, Shallow shallow) : target_(target), is_shallow_(shallow == Shallow::Yes) {}

  db::Result<Query> run() {
    for (const std::string_view name : kParameters) {
      const auto is_it = [&](const auto& parameter) { return parameter.first == name; };
      if (std::count_if(target_.parameters.begin(), target_.parameters.end(), is_it) > 1) {
        return refuse(std::string(name) + " may be specified only once");
      }
    }
    query_.counts = target_.parameter("count") == "true";
    RETURN_IF_ERROR(order());
    RETURN_IF_ERROR(bounds());
    RETURN_IF_ERROR(limits());
    return std::move(query_);
  }

 private:
  db::Result<void> order() {
    const auto text = target_.parameter("orderBy");
    if (!text) {
      const bool needs_none = is_shallow_ || (query_.counts && !has_constraints(target_));
      if (!needs_none) return refuse("orderBy must be defined when other query parameters are defined");
      query_.order = db::Order::Key;
      return {};
    }
    const std::string json(*text);
    if (json.starts_with('[')) return several(json);
    const auto value = primitive(json);
    const bool is_string = value && value->kind() == db::Value::Kind::String;
    // A shallow read takes a path without quotes too, but not one that was encoded twice, as some libraries do
    // (net/rest/http-api.md §13.3).
    if (!is_string && (!is_shallow_ || json.starts_with('%')))
      return refuse("orderBy must be a valid JSON encoded path");
    const std::string path(is_string ? std::string(value->as_string()) : json);
    if (path == "$key" || path == "$value" || path == "$priority") {
      query_.order = path == "$key" ? db::Order::Key : path == "$value" ? db::Order::Value : db::Order::Priority;
      return {};
    }
    auto child = db::Path::parse(path);
    if (!child.ok() || child.value().is_root()) return refuse("orderBy must be a valid JSON encoded path");
    query_.order = db::Order::Child;
    query_.child = std::move(child).value();
    return {};
  }

  // orderBy=["uid","sent"], ours.
  db::Result<void> several(std::string_view json) {
    query_.order = db::Order::Child;
    const auto document = db::JsonDocument::parse(json);
    if (document.ok() && db::read_order(document.value().root(), query_.child, query_.then)) return {};
    return refuse("orderBy must be a valid JSON encoded path, or a list of up to " +
                  std::to_string(db::kOrderChildrenMax) + " of them");
  }

  // Reads the bound ["ada",7] of an order by several children. A list with fewer values than children stands for
  // everything that begins so. Returns false when `json` is no such list.
  bool read_list(std::string_view json, Bound& bound) const {
    const auto document = db::JsonDocument::parse(json);
    if (!document.ok() || document.value().root().kind() != db::JsonNode::Kind::Array) return false;
    const std::vector<db::JsonNode> values = document.value().root().elements();
    if (values.empty() || values.size() > query_.then.size() + 1) return false;
    bound.rest.clear();
    for (const db::JsonNode& one : values) {
      auto value = one.is_object() || one.kind() == db::JsonNode::Kind::Array ? refuse("") : one.to_value(db::Path());
      if (!value.ok()) return false;
      if (&one == &values.front()) {
        bound.value = std::move(value).value();
      } else {
        bound.rest.push_back(std::move(value).value());
      }
    }
    return true;
  }

  db::Result<Bound> bound_of_several(std::string_view text) const {
    Bound bound;
    if (read_list(text, bound)) return bound;
    for (size_t comma = text.find("],"); comma != std::string_view::npos; comma = text.find("],", comma + 1)) {
      const auto key = primitive(text.substr(comma + 2));
      if (!key || key->kind() != db::Value::Kind::String || !read_list(text.substr(0, comma + 1), bound)) continue;
      if (bound.rest.size() != query_.then.size()) break;
      bound.key = std::string(key->as_string());
      return bound;
    }
    return refuse(
        "Constraint index field must be a list of JSON primitives, at most one for each path of orderBy; "
        "a key may follow a whole one");
  }

  // `<json>` or `<json>,<json string>`.
  db::Result<Bound> bound(std::string_view text) const {
    if (!query_.then.empty()) return bound_of_several(text);
    Bound bound;
    if (const auto whole = primitive(text)) {
      bound.value = *whole;
    } else if (!split(text, bound)) {
      if (!is_shallow_ || query_.order != db::Order::Key)
        return refuse("Constraint index field must be a JSON primitive");
      bound.value = db::Value::string(text);
    }
    if (query_.order == db::Order::Key && bound.value.kind() != db::Value::Kind::String) {
      if (!is_shallow_) return refuse("Provided key index type is invalid, must be string");
      bound.value = db::Value::string(text);
    }
    return bound;
  }

  // "3,"k7"": a value and a key. The first comma at which both sides are JSON is the right one.
  static bool split(std::string_view text, Bound& bound) {
    for (size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',', comma + 1)) {
      const auto value = primitive(text.substr(0, comma));
      const auto key = primitive(text.substr(comma + 1));
      if (!value || !key || key->kind() != db::Value::Kind::String) continue;
      bound.value = *value;
      bound.key = std::string(key->as_string());
      return true;
    }
    return false;
  }

  // `past`: the key beyond all others on this side, which makes a bound exclusive of a whole value.
  db::Result<void> side(std::string_view inclusive, std::string_view exclusive, std::string_view past,
                        std::optional<Bound>& to) {
    const auto at = target_.parameter(inclusive);
    const auto beside = target_.parameter(exclusive);
    if (at && beside) {
      return refuse("Only one of " + std::string(inclusive) + " and " + std::string(exclusive) + " may be specified");
    }
    if (!at && !beside) return {};
    ASSIGN_OR_RETURN(Bound made, bound(at ? *at : *beside));
    made.is_inclusive = at.has_value();
    // SDK: QueryParams.ts: an exclusive bound without a key leaves out every child of that value.
    if (beside && !made.key && query_.order != db::Order::Key) made.key = std::string(past);
    to = std::move(made);
    return {};
  }

  db::Result<void> bounds() {
    if (const auto text = target_.parameter("equalTo")) {
      for (const std::string_view other : {"startAt", "startAfter", "endAt", "endBefore"}) {
        if (!target_.has(other)) continue;
        return refuse("equalTo cannot be specified in addition to startAfter, startAt, endAt, or endBefore");
      }
      ASSIGN_OR_RETURN(query_.start, bound(*text));
      query_.end = query_.start;
      return {};
    }
    RETURN_IF_ERROR(side("startAt", "startAfter", db::kMaxKey, query_.start));
    return side("endAt", "endBefore", db::kMinKey, query_.end);
  }

  db::Result<void> limits() {
    const bool is_first = target_.has("limitToFirst");
    if (is_first && target_.has("limitToLast"))
      return refuse("Only one of limitToFirst and limitToLast may be specified");
    if (!is_first && !target_.has("limitToLast")) return {};
    const std::string name = is_first ? "limitToFirst" : "limitToLast";
    const std::string_view text = *target_.parameter(name);
    int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (!text.empty() && (error != std::errc() || end != text.data() + text.size()))
      return refuse(name + " must be an integer");
    if (count <= 0) return refuse(name + " must be positive");
    query_.limit = is_first ? db::Limit::First : db::Limit::Last;
    query_.count = static_cast<uint32_t>(std::min<int64_t>(count, UINT32_MAX));
    return {};
  }

  const Target& target_;
  const bool is_shallow_;
  Query query_;
};

bool has_query(const Target& target) { return has_constraints(target) || target.parameter("count") == "true"; }

}  // namespace

db::Result<std::optional<Query>> parse_query(const Target& target, Shallow shallow) {
  if (!has_query(target)) return std::optional<Query>();
  ASSIGN_OR_RETURN(Query query, Parser(target, shallow).run());
  return std::optional(std::move(query));
}

}  // namespace hearth::net::rest
