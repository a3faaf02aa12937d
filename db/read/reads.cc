// Reads on the threads of the pools.
//
//   Read ─▶ check (rules, on the same snapshot) ─▶ value ─▶ hash, if it is wanted ─▶ lease for a large answer ─▶ done
//              once                                 └ each row is work of the turn (TurnView); over: again on `scans`
//
// Everything comes from one snapshot: the verdict, the sequence, the value. A read that is begun again elsewhere
// keeps its snapshot and its verdict, so it answers of the same moment, however long it takes.
#include "db/read/reads.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>

#include "db/commit/evaluate.h"
#include "db/log/versions.h"
#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/model/select.h"
#include "db/read/past.h"
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

// A read on its way through the pools. Thread: one at a time.
struct ReadJob {
  Read read;
  std::shared_ptr<const Snapshot> snapshot;
  uint32_t number;
  Timestamp now;
  std::function<void(Answer)> done;
  ReadTimes& times;
  Budget& budget;
  std::chrono::steady_clock::time_point begin;
  const TreeStore* store;  // for a moment of the past
  // A second try on another pool does not ask again: the same snapshot gives the same verdict, and verdicts are
  // counted.
  bool is_allowed = false;  // its check has been asked, of this snapshot
};

// Whether nothing but the size of what is at the path bounds what is read.
// With bytes_at() this foresees a long read after its first rows, before a slice of it is done in vain.
bool reads_all(const ReadJob& job, bool has_priorities) {
  if (job.read.shallow || job.read.slot == Slot::Priority || job.read.reading != nullptr) return false;
  if (!job.read.query || !job.read.query->is_filtered()) return true;
  const auto seeks =
      selects_by_seek(SnapshotView(job.snapshot, job.number), job.read.path, *job.read.query, has_priorities);
  return seeks.ok() &&
         (!seeks.value() || (job.read.query->limit != Limit::None && job.read.query->count >= kReadSliceRows));
}

uint64_t bytes_at(const ReadJob& job) {
  const std::string from = row_key(Table::Data, job.number, encode_path(job.read.path));
  return job.snapshot->bytes_between(from, from + kPastChildren);
}

// The answer of a job's read from `view`, which is `whole` or counts what is read of it. `on_allowed(head)` is called
// before the value is read.
template <typename OnAllowed>
Answer answer_read(ReadJob& job, const SnapshotView& whole, const TreeView& view, const OnAllowed& on_allowed) {
  const Read& read = job.read;
  Answer answer;
  const SnapshotSettings settings(job.snapshot, job.number);
  const Result<Head> head = settings.head();
  if (!head.ok()) {
    answer.status = head.error();
    return answer;
  }
  // The check reads outside of a turn: rules have bounds of their own. A verdict is given once.
  if (read.check != nullptr && !job.is_allowed) {
    answer.status = read.check->check({whole, Times::after(head.value().time, job.now), settings});
  }
  if (!answer.status.ok()) return answer;
  answer.sequence = head.value().sequence;
  on_allowed(head.value());
  const bool has_priorities = head.value().has_priorities;
  Result<Value> value = read.reading != nullptr
                            ? read.reading->read({view, Times::after(head.value().time, job.now), settings},
                                                 has_priorities, read.bytes_max)
                            : read_value(view, read, has_priorities);
  if (!value.ok()) {
    answer.status = value.error();
    return answer;
  }
  answer.value = std::move(value).value();
  return answer;
}

// What was there at a moment of the past. The check is asked of the present: who may read it there now.
Answer answer_past(ReadJob& job, Turn& turn) {
  Answer answer;
  const SnapshotView whole(job.snapshot, job.number);
  const Result<uint64_t> sequence = sequence_at(*job.read.at, *job.store, job.snapshot, job.number);
  if (!sequence.ok()) {
    answer.status = sequence.error();
    return answer;
  }
  const PastView past(job.snapshot, job.number, sequence.value());
  const TurnView view(past, turn);
  answer = answer_read(job, whole, view, [&job](const Head&) { job.is_allowed = true; });
  answer.sequence = sequence.value();
  return answer;
}

// The answer must not be told when the turn is over.
Answer answer_read(ReadJob& job, Turn& turn) {
  if (job.read.at != nullptr) return answer_past(job, turn);
  const SnapshotView whole(job.snapshot, job.number);
  const TurnView view(whole, turn);
  return answer_read(job, whole, view, [&job, &turn](const Head& head) {
    job.is_allowed = true;
    turn.set_foresight([&job, has_priorities = head.has_priorities] {
      return reads_all(job, has_priorities) && bytes_at(job) > kReadSliceBytes;
    });
  });
}

void tell(ReadJob& job, Answer answer) {
  if (job.read.wants_hash && answer.status.ok()) answer.hash = exact_hash(answer.value);
  job.times.mine().observe(std::chrono::steady_clock::now() - job.begin);
  // A large answer needs room in the budget; without it the value is dropped here, and the client is told to try again.
  if (auto lease = lease_for(answer.value, job.budget); lease.ok()) {
    answer.lease = std::move(lease).value();
  } else {
    answer = Answer();
    answer.status = lease.error();
  }
  job.done(std::move(answer));
}

// Most reads are of a leaf or a few, and the store has them in memory. These cost less than the two changes of thread
// that a pool would take, so they are answered where they were asked. Returns whether the read was. A read that turns
// out longer, or that needs a file, has cost kReadHereMax in vain. Its verdict stands, for the snapshot is the same.
bool answer_here(ReadJob& job) {
  if (job.read.query || job.read.at != nullptr)
    return false;  // its check asks for an index once, and a trial may be given up
  // A client may ask many times in one go; whatever is beyond this share of the thread's step waits its turn in the pool.
  if (Step::here().done().exceeds(kReadsHereMax)) return false;
  Answer answer;
  {
    const Step::Trial trial(kReadHereMax);
    const SnapshotView whole(job.snapshot, job.number);
    answer = answer_read(job, whole, whole, [&job](const Head&) { job.is_allowed = !Step::here().is_over(); });
    if (Step::here().is_over()) return false;
  }
  tell(job, std::move(answer));
  return true;
}

}  // namespace

Result<void> TurnView::scan(std::string_view from, std::string_view upto, const RowFunction& row) const {
  if (!turn_.spend(kSeekWork)) return turn_.error();
  RETURN_IF_ERROR(view_.scan(from, upto, [&](std::string_view key, std::string_view leaf) {
    return turn_.spend(work_of_row(key.size() + leaf.size())) && row(key, leaf);
  }));
  if (turn_.is_over()) return turn_.error();
  return {};
}

Result<void> TurnView::scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const {
  if (!turn_.spend(kSeekWork)) return turn_.error();
  RETURN_IF_ERROR(view_.scan_down(from, upto, [&](std::string_view key, std::string_view leaf) {
    return turn_.spend(work_of_row(key.size() + leaf.size())) && row(key, leaf);
  }));
  if (turn_.is_over()) return turn_.error();
  return {};
}

// Counted as a seek; the row itself is one.
Result<TreeView::Row> TurnView::last(std::string_view from, std::string_view upto) const {
  if (!turn_.spend(kSeekWork)) return turn_.error();
  return view_.last(from, upto);
}

Result<std::optional<std::string>> TurnView::leaf(std::string_view key) const {
  if (!turn_.spend(kGetWork)) return turn_.error();
  return view_.leaf(key);
}

Result<std::optional<TreeView::IndexRows>> TurnView::index(const Path& collection, const Query& query) const {
  // The rows of the index, counted too.
  struct Rows final : TreeView {
    Rows(std::shared_ptr<const TreeView> of, Turn& turn) : rows(std::move(of)), counted(*rows, turn) {}
    Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
      return counted.scan(from, upto, row);
    }
    Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override {
      return counted.scan_down(from, upto, row);
    }
    Result<Row> last(std::string_view from, std::string_view upto) const override { return counted.last(from, upto); }
    Result<std::optional<std::string>> leaf(std::string_view key) const override { return counted.leaf(key); }
    const std::shared_ptr<const TreeView> rows;
    const TurnView counted;
  };
  if (!turn_.spend(kGetWork)) return turn_.error();
  ASSIGN_OR_RETURN(auto found, view_.index(collection, query));
  if (found) found->rows = std::make_shared<const Rows>(std::move(found->rows), turn_);
  return found;
}

Result<Lease> lease_for(const Value& value, Budget& budget) {
  const size_t bytes = value.byte_count();
  if (bytes < kLargeAnswerBytes) return Lease();
  if (Lease lease = budget.take(bytes)) return lease;
  return Error{ErrorCode::Unavailable, "Too many large answers wait for clients that do not read them; try again."};
}

void run_read(FairPool& readers, ReadTimes& times, Budget& budget, Read read, std::shared_ptr<const Snapshot> snapshot,
              uint32_t number, Timestamp now, std::function<void(Answer)> done, const TreeStore* store) {
  const auto begin = std::chrono::steady_clock::now();
  FairPool::Job job;
  job.payer = {number, read.client};
  job.is_unwanted = read.is_unwanted;
  if (read.timeout) job.deadline = begin + *read.timeout;
  const auto one = std::make_shared<ReadJob>(ReadJob{.read = std::move(read),
                                                     .snapshot = std::move(snapshot),
                                                     .number = number,
                                                     .now = now,
                                                     .done = std::move(done),
                                                     .times = times,
                                                     .budget = budget,
                                                     .begin = begin,
                                                     .store = store});
  if (one->read.is_here_if_short && answer_here(*one)) return;
  job.run = [one](Turn& turn) {
    Answer answer = answer_read(*one, turn);
    if (!turn.is_over()) tell(*one, std::move(answer));
  };
  job.refuse = [one](const Error& error) {
    Answer answer;
    answer.status = error;
    one->done(std::move(answer));
  };
  readers.run(std::move(job));
}

Answer answer_judge(const Write& write, const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Timestamp now,
                    Turn& turn) {
  const SnapshotView whole(snapshot, number);
  const TurnView view(whole, turn);
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

Result<Value> read_written(const TreeView& view, const Write& write) {
  const std::string base = encode_path(write.base);
  std::map<std::string, Slot> places;
  for (const Overwrite& one : write.overwrites) {
    // The writer of an update knows what it sent; only what the server made of it is news.
    if (write.overwrites.size() > 1 && !one.value.has_server_values()) continue;
    std::string place = encode_path(one.path);
    if (place.starts_with(base)) places.emplace(std::move(place), one.slot);
  }
  ValueBuilder builder;
  for (const auto& [place, slot] : places) {
    const std::string_view below = std::string_view(place).substr(base.size());
    if (slot == Slot::Priority) {
      ASSIGN_OR_RETURN(const auto leaf, view.leaf(place + kPriorityMark));
      builder.add(below, encode_leaf(Value::boolean(true)));
      if (leaf) builder.add(std::string(below) + kPriorityMark, *leaf);
      continue;
    }
    RETURN_IF_ERROR(view.scan(place, place + kPastChildren, [&](std::string_view key, std::string_view leaf) {
      builder.add(key.substr(base.size()), leaf);
      return true;
    }));
  }
  return std::move(builder).build();
}

// `changed` are paths whose values were left out; what is told is what stands there now, so many changes of one place
// are one entry, and a place that was restored is told although nothing differs.
Result<std::shared_ptr<const Body>> net_change(const TreeView& view, const Path& path,
                                               const std::vector<Overwrite>& changed) {
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
