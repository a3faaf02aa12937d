// Compares each plan with what was seen of it before: an index that begins, or is complete, is told once.
#include "db/shard/index_watch.h"

#include <algorithm>

#include "db/model/key_order.h"
#include "db/model/path.h"
#include "db/store/row_key.h"
#include "db/store/tree_store.h"

namespace hearth::db {

void IndexWatch::look(const std::string& space, uint32_t number, const IndexPlan& plan, const OnNotice& tell,
                      const Count& count, Time now) {
  // The usual case: nothing is built and nothing was. Two look-ups, and no walk over the plan.
  const bool is_watched = begun_.lower_bound({number, 0}) != begun_.lower_bound({number + 1, 0});
  if (!tell || (!is_watched && !plan.is_building())) return;
  for (const Index& index : plan.indexes) {
    const auto found = begun_.find({number, index.id});
    Notice notice{
        .kind = Notice::Kind::IndexBegun, .what = index.spec.pattern(), .space = space, .by = index.spec.by()};
    if (!index.is_complete && found == begun_.end()) {
      begun_[{number, index.id}] = now;
      tell(notice);
    } else if (index.is_complete && found != begun_.end()) {
      notice.kind = Notice::Kind::IndexBuilt;
      notice.time = std::chrono::duration_cast<std::chrono::milliseconds>(now - found->second);
      notice.children = count(index);
      begun_.erase(found);
      tell(notice);
    }
  }
  // An index that was dropped while it was built is never told as complete.
  std::erase_if(begun_, [&](const auto& begun) {
    const auto is_it = [&](const Index& index) { return index.id == begun.first.second; };
    return begun.first.first == number && std::none_of(plan.indexes.begin(), plan.indexes.end(), is_it);
  });
}

std::optional<uint64_t> count_in(const Snapshot& snapshot, uint32_t number, const Index& index) {
  std::string path;
  for (const std::string& key : index.spec.at) {
    if (key == "$") return {};
    append_segment(key, path);
  }
  const auto row = snapshot.get(row_key(Table::Index, number, count_row(index.id, path)));
  if (!row.ok() || !row.value()) return {};
  const auto count = decode_count(*row.value());
  return count.ok() ? std::optional(count.value()) : std::nullopt;
}

}  // namespace hearth::db
