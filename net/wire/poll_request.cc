// A request of long polling is a GET whose query holds everything: JSONP can send nothing else. Numbers that are none
// make a request 400, since no SDK sends such. `cb` becomes part of a script that a page runs, so it is digits and
// nothing else.
#include "net/wire/poll_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

namespace hearth::net::wire {

namespace {

using db::Error;
using db::ErrorCode;

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "seg12", "ts12" and "d12" of one request belong together.
db::Result<std::vector<Segment>> segments_of(std::string_view query) {
  struct Parts {
    std::optional<std::string_view> number, count, data;
  };
  std::map<uint32_t, Parts> found;
  static constexpr std::array<std::pair<std::string_view, std::optional<std::string_view> Parts::*>, 3> kParts = {
      {{"seg", &Parts::number}, {"ts", &Parts::count}, {"d", &Parts::data}}};
  for_each_parameter(query, [&](std::string_view name, std::string_view value) {
    for (const auto& [prefix, part] : kParts) {
      const auto index = name.starts_with(prefix) ? number_of<uint32_t>(name.substr(prefix.size())) : std::nullopt;
      if (index) found[*index].*part = value;
    }
  });
  std::vector<Segment> segments;
  for (const auto& [index, parts] : found) {
    const auto number = number_of<uint64_t>(parts.number.value_or(""));
    const auto count = number_of<uint32_t>(parts.count.value_or(""));
    if (!number || !count || !parts.data) {
      return Error{
          ErrorCode::InvalidArgument,
          fmt::format("`seg{0}`, `ts{0}` and `d{0}` belong together: two numbers and a piece of a message.", index)};
    }
    segments.push_back({*number, *count, std::string(*parts.data)});
  }
  return segments;
}

}  // namespace

std::string poll_id(const std::string& session, const std::string& node) {
  return node.empty() ? session : session + "." + node;
}

bool is_poll_target(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  return path == "/.lp" || path == "/.lp/";
}

db::Result<PollRequest> parse_poll(std::string_view target, std::string_view host) {
  const size_t question = target.find('?');
  const std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
  PollRequest request;
  if (query_parameter(query, "start")) {
    request.kind = PollRequest::Kind::Start;
    request.upgrade = upgrade_of(query, host);
    request.callback = query_parameter(query, "cb").value_or("");
    // `cb` becomes part of a script.
    if (!is_digits(request.callback))
      return Error{ErrorCode::InvalidArgument, "`cb` must be a number: the client's functions are named by it."};
    return request;
  }
  const std::string_view id = query_parameter(query, "id").value_or("");
  request.id = id.substr(0, id.find('.'));
  if (request.id.size() < id.size()) request.node = id.substr(request.id.size() + 1);
  request.password = query_parameter(query, "pw").value_or("");
  if (request.id.empty() || request.password.empty()) {
    return Error{ErrorCode::InvalidArgument,
                 "Long polling begins with `start=t`, and goes on with the `id` and the `pw` that it gives."};
  }
  if (query_parameter(query, "dframe")) {
    request.kind = PollRequest::Kind::Frame;
  } else if (query_parameter(query, "disconn")) {
    request.kind = PollRequest::Kind::Disconnect;
  } else {
    request.serial = number_of<uint64_t>(query_parameter(query, "ser").value_or("")).value_or(0);
    ASSIGN_OR_RETURN(request.segments, segments_of(query));
  }
  return request;
}

}  // namespace hearth::net::wire
