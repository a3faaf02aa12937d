// Server values, resolved when a write is evaluated and never later: a record must hold nothing that is left to decide.
#include "db/model/server_value.h"

#include <limits>

namespace hearth::db {

// On overflow the sum is a double, as the service has it; an increment of something that is no number starts from
// nothing.
Value add_increment(const Value& existing, const Value& by) {
  if (!existing.is_number()) return by;
  if (existing.kind() == Value::Kind::Integer && by.kind() == Value::Kind::Integer) {
    int64_t sum = 0;
    if (!__builtin_add_overflow(existing.as_integer(), by.as_integer(), &sum)) return Value::integer(sum);
  }
  return Value::real(existing.as_double() + by.as_double());
}

Result<Value> resolve_server_values(const Value& value, Timestamp now, const StoredValues& stored) {
  if (!value.has_server_values()) return value;
  ValueBuilder builder;
  for (size_t i = 0; i < value.row_count(); ++i) {
    const Value::Row row = value.row(i);
    ASSIGN_OR_RETURN(const Value leaf, decode_leaf(row.leaf));
    if (leaf.kind() != Value::Kind::Timestamp && leaf.kind() != Value::Kind::Increment) {
      builder.add(row.key, row.leaf);
      continue;
    }
    // An increment needs what is stored at its own place, which for a priority is one byte shorter than the row's key.
    const bool priority = is_priority_key(row.key);
    Value resolved = Value::integer(now.count());
    if (leaf.kind() == Value::Kind::Increment) {
      const std::string_view place = priority ? row.key.substr(0, row.key.size() - 1) : row.key;
      ASSIGN_OR_RETURN(const Value old, priority ? stored.priority(place) : stored.leaf(place));
      resolved = add_increment(old, leaf.increment_by());
      if (resolved.as_double() > std::numeric_limits<double>::max() ||
          resolved.as_double() < std::numeric_limits<double>::lowest()) {
        return Error{ErrorCode::InvalidData, "Invalid data; the sum of an increment is not a finite number."};
      }
    }
    // with_priority() knows the stored form, and a leaf that carries the priority is the shortest way to it.
    if (priority) {  // stored as a double
      const Value carrier = Value::boolean(true).with_priority(resolved);
      builder.add(row.key, carrier.row(1).leaf);
    } else {
      builder.add(row.key, encode_leaf(resolved));
    }
  }
  return std::move(builder).build();
}

}  // namespace hearth::db
