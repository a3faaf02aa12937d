// Tells when the building of an index begins and when it has ended, of the namespaces of one shard. Looks at a plan
// after each commit; while nothing is built, that costs nothing. Thread: its shard's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "db/model/index.h"
#include "db/model/notice.h"

namespace hearth::db {

class Snapshot;

class IndexWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // How many children the index has, when that is known at once.
  using Count = std::function<std::optional<uint64_t>(const Index&)>;

  // `plan`: of the namespace, as it is now.
  void look(const std::string& space, uint32_t number, const IndexPlan& plan, const OnNotice& tell, const Count& count,
            Time now = std::chrono::steady_clock::now());

 private:
  std::map<std::pair<uint32_t, uint32_t>, Time> begun_;  // by number of the namespace, and id
};

// The number of children of an index whose pattern has no variables, from its count row. Nothing: there is no such
// row, or it cannot be read.
std::optional<uint64_t> count_in(const Snapshot& snapshot, uint32_t number, const Index& index);

}  // namespace hearth::db
