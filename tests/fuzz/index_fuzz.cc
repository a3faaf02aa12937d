// Indexes as an administrator asks for them, and their rows on the disk.
#include "db/model/index.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::db;

namespace {

bool is_same(const IndexPlan& a, const IndexPlan& b) {
  if (a.indexes.size() != b.indexes.size() || a.next_id != b.next_id) return false;
  for (size_t i = 0; i < a.indexes.size(); ++i) {
    if (!(a.indexes[i].spec == b.indexes[i].spec) || a.indexes[i].id != b.indexes[i].id) return false;
  }
  return true;
}

}  // namespace

FUZZ_TARGET(index_list) {
  const auto specs = parse_indexes(bytes);
  if (!specs.ok()) return;
  const auto again = parse_indexes(indexes_text(specs.value()));
  invariant(again.ok() && again.value() == specs.value(), "indexes are their text");
  IndexPlan plan;
  for (const IndexSpec& spec : specs.value()) plan.indexes.push_back({spec, plan.next_id++});
  const auto stored = IndexPlan::decode(plan.encode());
  invariant(stored.ok() && is_same(stored.value(), plan), "a plan is its bytes");
}

FUZZ_TARGET(index_row) {
  (void)IndexPlan::decode(bytes).ok();
  for (size_t values = 1; values <= 3; ++values) {
    const auto entry = decode_index_entry(bytes, values);
    if (!entry.ok() || entry.value().cut_bytes > 0) continue;
    std::string encoded;
    for (const Value& value : entry.value().values) append_index_value(value, encoded);
    encoded += entry.value().segment;
    const auto again = decode_index_entry(encoded, values);
    if (!again.ok()) continue;  // a text that is longer than one of ours is cut now
    for (size_t i = 0; i < values; ++i) {
      const bool same =
          again.value().is_cut[i] || compare_values(again.value().values[i], entry.value().values[i]) == 0;
      invariant(same, "a value stands where its bytes do");
    }
  }
}
