#include "db/reads.h"

#include <algorithm>
#include <chrono>

#include "db/commit/evaluate.h"
#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/model/select.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

Result<Value> read_priority(const TreeView& view, const Path& path) {
  ASSIGN_OR_RETURN(const auto leaf, view.leaf(encode_path(path) + kPriorityMark));
  if (!leaf) return Value();
  return decode_leaf(*leaf);
}

Result<Value> read_value(const TreeView& view, const Read& read, bool has_priorities) {
  if (read.slot == Slot::Priority) return read_priority(view, read.path);
  if (read.query && read.query->is_filtered()) {
    if (!read.shallow) return read_query(view, read.path, *read.query, has_priorities, read.bytes_max, read.projection);
    ASSIGN_OR_RETURN(const auto positions, select(view, read.path, *read.query, has_priorities));
    return keys_of(positions);
  }
  if (read.shallow) return view.shallow(read.path, read.bytes_max);
  return read_query(view, read.path, Query(), has_priorities, read.bytes_max, read.projection);
}

// A view that gives up when its time is over.
class TimedView final : public TreeView {
 public:
  TimedView(const TreeView& view, std::optional<std::chrono::milliseconds> timeout) : view_(view) {
    if (timeout) deadline_ = std::chrono::steady_clock::now() + *timeout;
  }
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    if (!deadline_) return view_.scan(from, upto, row);
    bool late = false;
    RETURN_IF_ERROR(view_.scan(from, upto, [&](std::string_view key, std::string_view leaf) {
      late = (++rows_ & 255) == 0 && std::chrono::steady_clock::now() > *deadline_;
      return !late && row(key, leaf);
    }));
    if (late) return Error{ErrorCode::Timeout, "The read took longer than the timeout it asked for."};
    return {};
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override { return view_.leaf(key); }
  Result<Row> last(std::string_view from, std::string_view upto) const override { return view_.last(from, upto); }
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return view_.scan_down(from, upto, row);  // of rows that are limited, or an index's
  }
  Result<std::optional<IndexRows>> index(const Path& collection, const Query& query) const override {
    return view_.index(collection, query);
  }

 private:
  const TreeView& view_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  mutable size_t rows_ = 0;
};

}  // namespace

Answer answer_read(const Read& read, const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Timestamp now) {
  const SnapshotView whole(snapshot, number);
  const TimedView view(whole, read.timeout);
  Answer answer;
  const SnapshotSettings settings(snapshot, number);
  const Result<Head> head = settings.head();
  if (!head.ok()) {
    answer.status = head.error();
    return answer;
  }
  if (read.check != nullptr) {
    answer.status = read.check->check({view, Times::after(head.value().time, now), settings});
  }
  if (!answer.status.ok()) return answer;
  answer.sequence = head.value().sequence;
  Result<Value> value = read_value(view, read, head.value().has_priorities);
  if (!value.ok()) {
    answer.status = value.error();
    return answer;
  }
  answer.value = std::move(value).value();
  const bool is_part = (read.query && read.query->is_filtered()) || !read.projection.empty();
  if (read.wants_hash && !is_part) answer.hash = node_hash(answer.value);
  if (read.wants_hash && is_part) {
    Result<std::string> hash = view.hash(read.path, kReadBytesMax);
    if (!hash.ok()) answer.status = hash.error();
    if (hash.ok()) answer.hash = std::move(hash).value();
  }
  return answer;
}

Result<Lease> lease_for(const Value& value, Budget& budget) {
  const size_t bytes = value.byte_count();
  if (bytes < kLargeAnswerBytes) return Lease();
  if (Lease lease = budget.take(bytes)) return lease;
  return Error{ErrorCode::Unavailable, "Too many large answers wait for clients that do not read them; try again."};
}

void run_read(ReaderPool& readers, ReaderPool& scans, ReadTimes& times, Budget& budget, Read read,
              std::shared_ptr<const Snapshot> snapshot, uint32_t number, Timestamp now,
              std::function<void(Answer)> done) {
  const auto begin = std::chrono::steady_clock::now();
  const auto finish = [&times, &budget, begin, number, now](const Read& what, const std::shared_ptr<const Snapshot>& from,
                                                   const std::function<void(Answer)>& tell) {
    Answer answer = answer_read(what, from, number, now);
    times.mine().observe(std::chrono::steady_clock::now() - begin);
    if (auto lease = lease_for(answer.value, budget); lease.ok()) {
      answer.lease = std::move(lease).value();
    } else {
      answer = Answer();
      answer.status = lease.error();
    }
    tell(std::move(answer));
  };
  readers.run([&scans, finish, read = std::move(read), snapshot = std::move(snapshot), number,
               done = std::move(done)]() mutable {
    if (read.query && read.query->is_filtered()) {
      const Result<Head> head = SnapshotSettings(snapshot, number).head();
      const bool has_priorities = head.ok() && head.value().has_priorities;
      const Result<bool> seeks = selects_by_seek(SnapshotView(snapshot, number), read.path, *read.query, has_priorities);
      if (seeks.ok() && !seeks.value()) {
        scans.run([finish, read = std::move(read), snapshot = std::move(snapshot), done = std::move(done)] {
          finish(read, snapshot, done);
        });
        return;
      }
    }
    finish(read, snapshot, done);
  });
}

Answer answer_judge(const Write& write, const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Timestamp now) {
  const SnapshotView view(snapshot, number);
  const SnapshotSettings settings(snapshot, number);
  Answer answer;
  const Result<Head> head = settings.head();
  if (!head.ok()) {
    answer.status = head.error();
    return answer;
  }
  answer.sequence = head.value().sequence;
  answer.status = judge(write, {view, settings, head.value().has_priorities}, Times::after(head.value().time, now));
  return answer;
}

Result<std::shared_ptr<const Body>> net_change(const TreeView& view, const Path& path, const std::vector<Overwrite>& changed) {
  if (changed.empty()) return std::shared_ptr<const Body>();
  // Each place once, and none below another.
  std::vector<std::pair<std::string, const Overwrite*>> sorted;
  for (const Overwrite& overwrite : changed) {
    sorted.emplace_back(encode_path(overwrite.path), &overwrite);
    if (overwrite.slot == Slot::Priority) sorted.back().first += kPriorityMark;
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<const Overwrite*> places;
  const std::string* covering = nullptr;
  std::string_view last;
  for (const auto& [key, overwrite] : sorted) {
    if ((covering != nullptr && key.starts_with(*covering)) || (!places.empty() && key == last)) continue;
    places.push_back(overwrite);
    last = key;
    if (overwrite->slot == Slot::Value) covering = &key;
  }
  const bool all = places.front()->path == path && places.front()->slot == Slot::Value;
  if (all || places.size() > kNetChangePathsMax) {
    ASSIGN_OR_RETURN(const Value value, view.read(path, kReadBytesMax));
    return Body::put(path, Slot::Value, value);
  }
  std::vector<std::pair<std::string, Value>> entries;
  for (const Overwrite* place : places) {
    std::string name = place->path.relative_to(path).text();
    ASSIGN_OR_RETURN(Value value, view.read(place->path, kReadBytesMax));
    if (place->slot == Slot::Priority) {
      name += name.empty() ? ".priority" : "/.priority";
      value = value.priority();
    }
    entries.emplace_back(std::move(name), std::move(value));
  }
  return Body::merge(path, std::move(entries));
}

}  // namespace hearth::db
