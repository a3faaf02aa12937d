// Which queries were asked for an order that no index has, and how often: what whoever writes the rules wants to know of.
// The latest kUnindexedMax of all namespaces, in memory; one that comes again moves to the front.
//
//   ReadAccess, which finds no index ─▶ note ─▶ [ latest … longest ago ] ─▶ of(space)     the admin API
//
// A query is noted after it is known that its asker may read there, so that strangers fill nothing. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "db/base/clock.h"
#include "db/model/path.h"
#include "db/model/query.h"

namespace hearth::rules {

inline constexpr size_t kUnindexedMax = 200;             // of all namespaces
inline constexpr size_t kUnindexedTextBytesMax = 2'048;  // of a path and its order; longer ones are not kept

struct UnindexedQuery {
  std::string path{};             // "/rooms/tea"
  std::vector<std::string> by{};  // "sent" or ".value"; several of an order by several children
  uint64_t times = 0;
  db::Timestamp last{};
};

class UnindexedQueries {
 public:
  void note(std::string_view space, const db::Path& path, const db::Query& query, db::Timestamp now);
  std::vector<UnindexedQuery> of(std::string_view space) const;  // the latest first

 private:
  struct Noted {
    std::string space;
    UnindexedQuery query;
  };
  using Key = std::tuple<std::string, std::string, std::vector<std::string>>;  // namespace, path, order
  mutable std::mutex mutex_;                                                   // Guards all below.
  std::list<Noted> all_;
  std::map<Key, std::list<Noted>::iterator> by_key_;
};

// {"total","queries":[{"path","by","times","last"}…]}; `by`: a text, or a list where there are several.
std::string unindexed_text(const std::vector<UnindexedQuery>& queries);

}  // namespace hearth::rules
