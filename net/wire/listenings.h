// What one client listens to. Events name a listener by an id of ours; the client names it by its path or, a filtered
// one, by a tag. Most clients have one or few: then this is one list, and has an index only while there are many.
// Thread: its session's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "db/base/id_map.h"
#include "db/model/path.h"

namespace hearth::net::wire {

class Listenings {
 public:
  struct Listening {
    struct Filtered {
      std::optional<int64_t> tag;
      std::string query_json;  // as the client sent it
    };
    db::SharedPath path{};
    std::unique_ptr<const Filtered> filtered{};  // null, as it mostly is

    std::optional<int64_t> tag() const { return filtered != nullptr ? filtered->tag : std::nullopt; }
    std::string_view query_json() const { return filtered != nullptr ? filtered->query_json : std::string_view(); }
  };

  size_t size() const { return all_.size(); }
  const Listening* find(uint64_t listener) const;  // null: there is none
  // The id of the one that the client means; 0: there is none.
  uint64_t named(const db::Path& path, std::optional<int64_t> tag) const;

  // `listener` is above all before it. Precondition: no other is named so.
  void add(uint64_t listener, db::SharedPath path, std::optional<int64_t> tag, std::string query_json);
  void erase(uint64_t listener);  // or does nothing

 private:
  static constexpr size_t kFewMax = 8;
  struct Index {
    std::unordered_map<std::string_view, uint64_t> by_path;  // of those without a tag; the text is the listening's
    std::unordered_map<int64_t, uint64_t> by_tag;
  };
  static void put(Index& index, uint64_t listener, const Listening& one);

  db::IdMap<Listening> all_;
  std::unique_ptr<Index> index_;  // null while there were never more than kFewMax
};

}  // namespace hearth::net::wire
