// A list in the order of the latest use, and a map that finds an entry by namespace, path and order. splice() moves an
// entry to the front without touching it, so the map's iterators stay right. The last entry of the list is the one that
// goes, and its key is made again from what the list has of it.
//
// Two queries that differ in bounds or limits alone are one entry: the same index would serve both.
#include "rules/unindexed.h"

#include <utility>

#include "db/model/json.h"

namespace hearth::rules {
namespace {

std::vector<std::string> order_of(const db::Query& query) {
  std::vector<std::string> by = {query.order == db::Order::Value ? ".value" : query.child.text()};
  for (const db::Path& child : query.then) by.push_back(child.text());
  return by;
}

}  // namespace

void UnindexedQueries::note(std::string_view space, const db::Path& path, const db::Query& query, db::Timestamp now) {
  UnindexedQuery asked{path.slashed(), order_of(query), 1, now};
  size_t bytes = asked.path.size();
  for (const std::string& child : asked.by) bytes += child.size();
  if (bytes > kUnindexedTextBytesMax) return;
  Key key(space, asked.path, asked.by);
  const std::lock_guard lock(mutex_);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    ++known->second->query.times;
    known->second->query.last = now;
    return all_.splice(all_.begin(), all_, known->second);
  }
  all_.push_front({std::string(space), std::move(asked)});
  by_key_.emplace(std::move(key), all_.begin());
  if (all_.size() <= kUnindexedMax) return;
  const Noted& oldest = all_.back();
  by_key_.erase({oldest.space, oldest.query.path, oldest.query.by});
  all_.pop_back();
}

std::vector<UnindexedQuery> UnindexedQueries::of(std::string_view space) const {
  std::vector<UnindexedQuery> found;
  const std::lock_guard lock(mutex_);
  for (const Noted& one : all_) {
    if (one.space == space) found.push_back(one.query);
  }
  return found;
}

std::string unindexed_text(const std::vector<UnindexedQuery>& queries) {
  std::string text = R"({"total":)" + std::to_string(queries.size()) + R"(,"queries":[)";
  for (const UnindexedQuery& one : queries) {
    text += &one == queries.data() ? R"({"path":)" : R"(,{"path":)";
    db::append_json_string(one.path, text);
    text += R"(,"by":)";
    if (one.by.size() > 1) text += '[';
    for (const std::string& child : one.by) {
      if (&child != one.by.data()) text += ',';
      db::append_json_string(child, text);
    }
    if (one.by.size() > 1) text += ']';
    text += R"(,"times":)" + std::to_string(one.times) + R"(,"last":)" + std::to_string(one.last.count()) + '}';
  }
  return text + "]}";
}

}  // namespace hearth::rules
