// What a shard does with a namespace's log (db/log): event streams that come back are told from it what they missed, it is
// made shorter when it has become too long, and whoever follows it hears that there is more.
//
//   Last-Event-ID LIFE:SEQUENCE
//        │   this run, and the paths since are remembered      net change from memory
//        │   else: is there a log that knows the id?           net change from the log, read by a reader
//        ▼   else                                              the whole value
//
// An id that is not known is never skipped over: it costs the client the whole value, and no change.
//
//   a listen that names a hash
//        │   it was noted, in this run or an earlier one (ResumePoints)         net change from the log
//        │   the value had it as the process began (Beginning), a reader says   net change from the log, once for all
//        ▼   else                                                               the whole value
#include <algorithm>
#include <charconv>
#include <utility>

#include "db/log/log_reader.h"
#include "db/log/versions.h"
#include "db/model/namespace_name.h"
#include "db/read/changes.h"
#include "db/read/reads.h"
#include "db/shard/shard.h"

namespace hearth::db {
namespace {

constexpr size_t kCarryRows = 200;             // of versions, that are carried over or looked at in one group
constexpr size_t kHashingMax = 8;              // values at a time that clients have left, of a shard
constexpr size_t kResumeBytesMin = 4u << 10;   // a smaller value is told again
constexpr size_t kResumeBytesMax = 64u << 20;  // a larger one is not read for a hash
constexpr size_t kUntoldMax = 3;               // commits of a path that a killed process may not have told
constexpr uint64_t kResumeLogMax = 64u << 20;  // bytes of the log; who missed more is told all of it
constexpr size_t kAwaitingMax = 1'000;         // of one namespace, that wait for its next commit

// The part of what was missed that concerns `path`. When all of it may have changed, that alone.
class MissedBelow {
 public:
  explicit MissedBelow(const Path& path) : path_(path) {}
  // Returns whether more can change anything.
  bool add(const Overwrite& overwrite) {
    if (path_.contains(overwrite.path)) {
      found_.push_back({overwrite.path, overwrite.slot, {}});
    } else if (overwrite.slot == Slot::Value && overwrite.path.contains(path_)) {
      return all();
    }
    return found_.size() <= kNetChangePathsMax || all();
  }
  bool all() {
    found_ = {{path_, Slot::Value, {}}};
    return false;
  }
  std::vector<Overwrite> take() { return std::move(found_); }

 private:
  const Path& path_;
  std::vector<Overwrite> found_;
};

// What the log says of the commits after `since`, up to `head`. Errors: those of LogReader::read (NotFound, too, where its end
// is gone, for a log that is cut loses whole files); of the turn, when it is over.
Result<std::vector<Overwrite>> missed_by_log(const LogReader& log, uint64_t since, uint64_t head, const Path& path,
                                             Turn& turn) {
  MissedBelow missed(path);
  uint64_t last = since, bytes = 0;
  bool is_all = false;
  const auto add = [&](const Overwrite& overwrite) {
    is_all = !missed.add(overwrite);
    return !is_all;
  };
  RETURN_IF_ERROR(log.read(since, [&](LogEntry&& entry, uint64_t size) {
    if (!turn.spend(work_of_row(size))) return false;
    last = entry.record.sequence;
    bytes += size;
    if (bytes > kResumeLogMax) {
      is_all = !missed.all();
      return false;
    }
    if (entry.kind == LogEntry::Kind::Restore) return add({entry.base, Slot::Value, {}});
    return std::all_of(entry.record.effects.begin(), entry.record.effects.end(), [&](const Effect& effect) {
      if (effect.kind == Effect::Kind::Set) return add({effect.path, Slot::Value, {}});
      if (effect.kind == Effect::Kind::SetPriority) return add({effect.path, Slot::Priority, {}});
      return true;
    });
  }));
  if (turn.is_over()) return turn.error();
  if (!is_all && last < head) return Error{ErrorCode::NotFound, "the log ends before its last commit"};
  return missed.take();
}

// What became of the value at `path` since that commit, as it stands in `snapshot`. Errors: Io, Corruption; of the turn.
Result<std::shared_ptr<const Body>> change_since(const std::shared_ptr<const Snapshot>& snapshot, uint32_t number,
                                                 uint64_t since, uint64_t head, const Path& path, Turn& turn) {
  auto missed = missed_by_log(LogReader(snapshot, number), since, head, path, turn);
  if (turn.is_over()) return turn.error();
  const SnapshotView whole(snapshot, number);
  // A log that was cut meanwhile, or can't be read, says nothing: then all of it may have changed.
  return net_change(TurnView(whole, turn), path,
                    missed.ok() ? std::move(missed).value() : std::vector<Overwrite>{{path, Slot::Value, {}}});
}

// Those of a value for which it is worth it to know them.
std::optional<NodeHashes> hashes_of(const TreeView& view, const Path& path) {
  const Result<Value> value = view.read(path, kResumeBytesMax);
  if (!value.ok() || value.value().byte_count() < kResumeBytesMin) return {};
  return node_hashes(value.value());
}

// The latest commits that changed something at the path, where what was there before them can be read.
std::vector<uint64_t> last_changes(const Snapshot& snapshot, uint32_t number, const Path& path, Turn& turn) {
  const auto row = snapshot.get(row_key(Table::History, number));
  if (!row.ok() || !row.value()) return {};
  const auto state = LogState::decode(*row.value());
  const auto from = state.ok() ? state.value().past_from() : std::nullopt;
  if (!from) return {};
  auto changed = versions_of(snapshot, number, path, *from, kUntoldMax,
                             [&](size_t bytes) { return turn.spend(work_of_row(bytes)); });
  return changed.ok() ? std::move(changed).value() : std::vector<uint64_t>{};
}

}  // namespace

std::optional<Shard::Missed> Shard::missed_since(NamespaceState& space, const Listen& listen) const {
  const auto id = parse_event_id(*listen.resume);
  if (!id) return {};
  const uint64_t head = space.tree.head.sequence;
  const bool is_of_this_run = id->life == with_.store.life();
  if (is_of_this_run && id->sequence > head) return {};
  if (is_of_this_run && (id->sequence == head || (space.missed_known && id->sequence >= space.missed_from))) {
    MissedBelow missed(listen.path);
    for (const auto& [sequence, overwrite] : space.missed) {
      if (sequence > id->sequence && !missed.add(overwrite)) break;
    }
    return Missed{missed.take(), {}};
  }
  // Something changed that is not remembered.
  const auto life = with_.store.life_index_of(id->life);
  if (!life || !space.tree.log.state) return {};
  const LogReader log(committer_.durable(), space.tree.number);
  const Step::Whole all;
  const Result<bool> knows = log.knows(*space.tree.log.state, head, *life, id->sequence);
  if (!knows.ok() || !knows.value()) return {};
  return Missed{{}, id->sequence};
}

void Shard::resume(ShardRequest& request, const Listen& listen, Missed missed) {
  const uint64_t place = request.conversation->story.keep_place();
  FairPool::Job job;
  job.payer = request.conversation->payer();
  job.is_unwanted = [conversation = request.conversation] { return conversation->is_gone.load(); };
  job.refuse = [conversation = request.conversation, place, id = request.id](const Error& error) {
    Answer answer;
    answer.request = id;
    answer.status = error;
    conversation->story.fill(place, std::move(answer));
  };
  job.run = [snapshot = committer_.readable(request.space->tree), conversation = request.conversation, place,
             id = request.id, path = listen.path, missed = std::move(missed),
             sequence = request.space->tree.head.sequence](Turn& turn) {
    const uint32_t number = conversation->space->tree.number;
    Answer answer;
    answer.request = id;
    answer.sequence = sequence;
    answer.resumed = true;
    Result<std::shared_ptr<const Body>> change = std::shared_ptr<const Body>();
    if (missed.logged_since) {
      change = change_since(snapshot, number, *missed.logged_since, sequence, path, turn);
    } else {
      const SnapshotView whole(snapshot, number);
      change = net_change(TurnView(whole, turn), path, missed.paths);
    }
    if (turn.is_over()) return;
    if (change.ok()) {
      answer.first = change.value();
    } else {
      answer.status = change.error();
    }
    conversation->story.fill(place, std::move(answer));
  };
  with_.readers.run(std::move(job));
}

// A client that leaves may come back with the hash of what it had. Which that is, is found out by a reader, of what is
// durable now, for a few paths at a time: whoever has something smaller is told it again, and so is whoever is not looked at.
void Shard::note_leaving(Conversation& conversation, const Subscription& subscription) {
  const std::shared_ptr<NamespaceState>& space = conversation.space;
  if (!space->tree.log.state || subscription.query || subscription.purpose != Subscription::For::Listener) return;
  const PathPlan* paths = space->tree.ephemeral_paths();
  if (paths != nullptr && paths->touches_ephemeral(subscription.path)) return;
  if (committer_.dirty(space->tree) || hashing_.size() >= kHashingMax) return;
  const std::string path = subscription.path->text();
  const uint32_t number = space->tree.number;
  const uint64_t sequence = space->tree.head.sequence;
  if (const auto first = space->firsts.find(path); first != space->firsts.end()) {
    if (const auto hashes = first->second->hashes()) {
      resume_points_.add(number, path, *hashes, {sequence, with_.store.life_index()});
      return;
    }
  }
  // One that is being hashed, or was at this sequence, is not hashed again for the next client.
  if (!hashing_.emplace(number, path).second) return;
  const auto tell = [space, path, sequence](std::optional<NodeHashes> hashes) {
    space->shard.submit({.space = space, .what = HashedRequest{path, std::move(hashes), sequence}});
  };
  FairPool::Job job;
  job.payer = {number, 0};
  job.refuse = [tell](const Error&) { tell({}); };
  job.run = [snapshot = committer_.durable(), number, at = subscription.path, tell](Turn& turn) {
    const SnapshotView whole(snapshot, number);
    const TurnView view(whole, turn);
    std::optional<NodeHashes> hashes = hashes_of(view, at);
    if (!turn.is_over()) tell(std::move(hashes));
  };
  with_.scans.run(std::move(job));
}

void Shard::handle(ShardRequest& request, HashedRequest& what) {
  const uint32_t number = request.space->tree.number;
  if (what.when == HashedRequest::When::Left) hashing_.erase({number, what.path});
  if (what.when == HashedRequest::When::Began && !what.hashes) {
    looked_back_.emplace(number, std::hash<std::string>()(what.path));
  }
  if (what.hashes) resume_points_.add(number, what.path, *what.hashes, {what.sequence, with_.store.life_index()});
}

// The commit at which the value had that hash, where the log has all that came after it.
std::optional<uint64_t> Shard::known_hash(NamespaceState& space, const Path& path, const std::string& hash) const {
  const Step::Whole all;  // a look or two, when the listener is there already
  const LogState& state = *space.tree.log.state;
  const uint64_t head = space.tree.head.sequence;
  const auto point = resume_points_.find(space.tree.number, path.text(), hash);
  if (!point || point->sequence < state.cut || point->sequence > head) return {};
  if (point->run == with_.store.life_index()) return point->sequence;
  // As for an id of another run: a folder that was put back to an older state has other commits of these numbers.
  const Result<bool> knows =
      LogReader(committer_.durable(), space.tree.number).knows(state, head, point->run, point->sequence);
  if (!knows.ok() || !knows.value()) return {};
  return point->sequence;
}

// What clients have here that were connected as the last process ended: what stood here as this one began; or before one of
// the last changes, which a process that was killed may have kept and not told, where versions are kept. Null: that is known
// already, or there is nothing to be found out.
std::shared_ptr<const FirstValue::Earlier> Shard::look_back(const std::shared_ptr<NamespaceState>& space,
                                                            const Path& path) {
  const std::shared_ptr<const Snapshot> then = with_.beginning.get();
  if (then == nullptr) {
    looked_back_.clear();
    return nullptr;
  }
  const uint32_t number = space->tree.number;
  const std::pair what{number, std::hash<std::string>()(path.text())};
  if (looked_back_.size() >= kLookedBackMax || looked_back_.contains(what)) return nullptr;
  const Step::Whole all;
  const Result<Head> began = SnapshotSettings(then, number).head();
  if (!began.ok()) return nullptr;
  const uint64_t since = began.value().sequence, head = space->tree.head.sequence;
  if (since == head || since < space->tree.log.state->cut) return nullptr;
  const auto look = [then, now = committer_.durable(), number, path, space, since, head](Turn& turn) {
    std::vector<FirstValue::Had> all;
    const auto add = [&](const TreeView& then_there, uint64_t sequence) {
      std::optional<NodeHashes> hashes = hashes_of(TurnView(then_there, turn), path);
      if (!hashes || turn.is_over()) return;
      auto change = change_since(now, number, sequence, head, path, turn);
      if (turn.is_over()) return;
      space->shard.submit(
          {.space = space, .what = HashedRequest{path.text(), hashes, sequence, HashedRequest::When::Began}});
      if (change.ok()) all.push_back({*hashes, std::move(change).value()});
    };
    add(SnapshotView(then, number), since);
    for (const uint64_t changed : last_changes(*then, number, path, turn)) {
      if (!turn.is_over()) add(PastView(then, number, changed - 1), changed - 1);
    }
    if (turn.is_over()) return all;
    // Nobody has to look here again.
    space->shard.submit({.space = space, .what = HashedRequest{path.text(), {}, since, HashedRequest::When::Began}});
    return all;
  };
  return std::make_shared<const FirstValue::Earlier>(look);
}

void Shard::handle(ShardRequest&, ResumePointsRequest& what) {
  const Step::Whole whole;
  for (const auto& [key, value] : what.rows) resume_points_.add_row(key, value);
}

// With the next commit. What a heavy shard knows is of its guests, which are at home soon.
void Shard::save_resume_points() {
  if (is_heavy()) return;
  resume_points_.take_unsaved(kPointsSavedMax, [this](const std::string& key, const std::optional<std::string>& value) {
    committer_.put_beside(key, value);
  });
}

void Shard::keep_history(const std::shared_ptr<NamespaceState>& space) {
  Tree& tree = space->tree;
  const Timestamp now = with_.clock.now();
  if (committer_.wants_carry(tree)) {
    tree.log.is_carrying = true;
    space->shard.submit({.space = space, .what = CarryRequest{}});
  }
  const bool trims_answers = !tree.answers.is_trimming && committer_.wants_trim_answers(tree, now);
  if (!trims_answers && !committer_.wants_trim(tree, now)) return;
  tree.log.trimmed = now;  // until it is done, nobody asks again
  tree.answers.is_trimming = tree.answers.is_trimming || trims_answers;
  space->shard.submit({.space = space, .what = TrimRequest{}});
}

void Shard::handle(ShardRequest& request, TrimRequest&) {
  const Step::Whole whole;  // a search by halves
  // One that can't be read stays as it is; whoever reads it is told.
  Tree& tree = request.space->tree;
  Result<void> trimmed = committer_.trim(tree, with_.clock.now());
  const Result<bool> more = committer_.trim_answers(tree, with_.clock.now());
  again_ = more.ok() && more.value();
  if (again_) return;
  tree.answers.is_trimming = false;
  if (trimmed.ok() && !more.ok()) trimmed = more.error();
  answer_with(request, trimmed);
}

void Shard::handle(ShardRequest& request, CarryRequest&) {
  const Step::Whole whole;
  // With a full disk nothing is carried over; the next commit asks again.
  if (!with_.store.room().ok()) {
    request.space->tree.log.is_carrying = false;
    return;
  }
  answer_with(request, committer_.carry(request.space->tree, kCarryRows));
}

// A step in a group of its own: the next one reads what is durable.
void Shard::handle(ShardRequest& request, PurgeRequest& what) {
  const Step::Whole whole;
  if (!request.space->tree.named) return answer_with(request, no_such_namespace());
  if (!what.purge.arrivals) resume_points_.forget(request.space->tree.number, what.purge.path);  // its first step
  if (const Result<void> done = committer_.purge(request.space->tree, what.purge); !done.ok()) {
    return answer_with(request, done);
  }
  if (!what.purge.is_done) {
    request.space->shard.submit({.space = request.space,
                                 .conversation = request.conversation,
                                 .id = request.id,
                                 .what = std::move(what),
                                 .done = std::move(request.done)});
    return;
  }
  Answer reply;
  reply.value = Value::integer(static_cast<int64_t>(what.purge.commits));
  answer(request, std::move(reply));
}

void Shard::handle(ShardRequest& request, AwaitCommitRequest& what) {
  NamespaceState& space = *request.space;
  if (const Result<void> loaded = committer_.load(space.tree); !loaded.ok()) return answer_with(request, loaded);
  if (space.tree.head.sequence > what.since) {
    Answer reply;
    reply.sequence = space.tree.head.sequence;
    return answer(request, std::move(reply));  // with its group: then it is durable
  }
  std::erase_if(space.awaiting, [](const NamespaceState::Awaiting& one) {
    const auto conversation = one.conversation.lock();
    return conversation == nullptr || conversation->is_gone;
  });
  if (space.awaiting.size() >= kAwaitingMax) {
    return answer_with(request, Error{ErrorCode::Unavailable, "Too many follow this namespace's changes already."});
  }
  space.awaiting.push_back({request.conversation, what.since, request.conversation->story.keep_place(), request.id});
}

// Whoever waits for a commit is answered with the sequence of the last one.
void Shard::tell_awaiting(NamespaceState& space, const Result<void>& status) {
  for (NamespaceState::Awaiting& one : std::exchange(space.awaiting, {})) {
    if (status.ok() && space.tree.head.sequence <= one.since) {  // its group had no commit
      space.awaiting.push_back(std::move(one));
      continue;
    }
    Answer reply;
    reply.request = one.request;
    reply.sequence = space.tree.head.sequence;
    reply.status = status;
    if (const auto conversation = one.conversation.lock()) conversation->story.fill(one.place, std::move(reply));
  }
}

}  // namespace hearth::db
