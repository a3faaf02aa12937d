// What a shard does with a namespace's log (db/log): event streams that come back are told from it what they missed, it is
// made shorter when it has become too long, and whoever follows it hears that there is more.
//
//   Last-Event-ID LIFE:SEQUENCE
//        │   this run, and the paths since are remembered      net change from memory
//        │   else: is there a log that knows the id?           net change from the log, read by a reader
//        ▼   else                                              the whole value
//
// An id that is not known is never skipped over: it costs the client the whole value, and no change.
#include <algorithm>
#include <charconv>
#include <utility>

#include "db/log/log_reader.h"
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

// Errors: those of LogReader::read; of the turn, when it is over.
Result<std::vector<Overwrite>> missed_by_log(const LogReader& log, uint64_t since, const Path& path, Turn& turn) {
  MissedBelow missed(path);
  RETURN_IF_ERROR(log.read(since, [&](LogEntry&& entry, uint64_t size) {
    if (!turn.spend(work_of_row(size))) return false;
    if (entry.kind == LogEntry::Kind::Restore) return missed.add({entry.base, Slot::Value, {}});
    return std::all_of(entry.record.effects.begin(), entry.record.effects.end(), [&](const Effect& effect) {
      if (effect.kind == Effect::Kind::Set) return missed.add({effect.path, Slot::Value, {}});
      if (effect.kind == Effect::Kind::SetPriority) return missed.add({effect.path, Slot::Priority, {}});
      return true;
    });
  }));
  if (turn.is_over()) return turn.error();
  return missed.take();
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
    const SnapshotView whole(snapshot, number);
    const TurnView view(whole, turn);
    Answer answer;
    answer.request = id;
    answer.sequence = sequence;
    answer.resumed = true;
    std::vector<Overwrite> paths = missed.paths;
    if (missed.logged_since) {
      auto logged = missed_by_log(LogReader(snapshot, number), *missed.logged_since, path, turn);
      if (turn.is_over()) return;
      // A log that was cut meanwhile, or can't be read, says nothing: then all of it may have changed.
      paths = logged.ok() ? std::move(logged).value() : std::vector<Overwrite>{{path, Slot::Value, {}}};
    }
    Result<std::shared_ptr<const Body>> change = net_change(view, path, paths);
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
  const auto& paths = space->tree.expiry.plan->paths;
  if (paths != nullptr && paths->touches_ephemeral(subscription.path)) return;
  if (committer_.dirty(space->tree) || hashing_.size() >= kHashingMax) return;
  const std::string path = subscription.path.text();
  const uint32_t number = space->tree.number;
  const uint64_t sequence = space->tree.head.sequence;
  if (const auto first = space->firsts.find(path); first != space->firsts.end()) {
    if (const auto hashes = first->second->hashes()) {
      resume_points_.add(number, path, *hashes, sequence);
      return;
    }
  }
  // One that is being hashed, or was at this sequence, is not hashed again for the next client.
  if (!hashing_.emplace(number, path).second) return;
  const auto tell = [space, path, sequence](std::optional<NodeHashes> hashes) {
    space->shard.submit({space, nullptr, 0, HashedRequest{path, std::move(hashes), sequence}, nullptr});
  };
  FairPool::Job job;
  job.payer = {number, 0};
  job.refuse = [tell](const Error&) { tell({}); };
  job.run = [snapshot = committer_.durable(), number, at = subscription.path, tell](Turn& turn) {
    const SnapshotView whole(snapshot, number);
    const TurnView view(whole, turn);
    const Result<Value> value = view.read(at, kResumeBytesMax);
    if (turn.is_over()) return;
    const bool is_worth_it = value.ok() && value.value().byte_count() >= kResumeBytesMin;
    tell(is_worth_it ? std::optional(node_hashes(value.value())) : std::nullopt);
  };
  with_.scans.run(std::move(job));
}

void Shard::handle(ShardRequest& request, HashedRequest& what) {
  const uint32_t number = request.space->tree.number;
  hashing_.erase({number, what.path});
  if (!what.hashes) return;
  resume_points_.add(number, what.path, *what.hashes, what.sequence);
}

void Shard::keep_history(const std::shared_ptr<NamespaceState>& space) {
  Tree& tree = space->tree;
  const Timestamp now = with_.clock.now();
  if (committer_.wants_carry(tree)) {
    tree.log.is_carrying = true;
    space->shard.submit({space, nullptr, 0, CarryRequest{}, nullptr});
  }
  const bool trims_answers = !tree.answers.is_trimming && committer_.wants_trim_answers(tree, now);
  if (!trims_answers && !committer_.wants_trim(tree, now)) return;
  tree.log.trimmed = now;  // until it is done, nobody asks again
  tree.answers.is_trimming = tree.answers.is_trimming || trims_answers;
  space->shard.submit({space, nullptr, 0, TrimRequest{}, nullptr});
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
  if (const Result<void> done = committer_.purge(request.space->tree, what.purge); !done.ok()) {
    return answer_with(request, done);
  }
  if (!what.purge.is_done) {
    request.space->shard.submit(
        {request.space, request.conversation, request.id, std::move(what), std::move(request.done)});
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
