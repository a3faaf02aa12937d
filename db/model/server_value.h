// Server values become plain ones (db/model/data-model.md §10).
#pragma once

#include <functional>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/value.h"

namespace hearth::db {

// `existing + by` as the service adds: int64 when both are and it fits, else doubles; `by` when existing is no number.
Value add_increment(const Value& existing, const Value& by);

// What is stored now at a path below the written place, or its priority.
struct StoredValues {
  std::function<Result<Value>(std::string_view encoded_path)> leaf;  // a scalar without priority, or null
  std::function<Result<Value>(std::string_view encoded_path)> priority;
};

// `value` with every server value replaced. A value without any is returned as it is, at no cost.
Result<Value> resolve_server_values(const Value& value, Timestamp now, const StoredValues& stored);

}  // namespace hearth::db
