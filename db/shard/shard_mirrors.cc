// Mirrors: Yjs documents that stand in the tree as JSON, where /.settings/documents.json asks for it. The tree's own readers,
// rules and listeners see them as they see all data; nobody but the server writes there (Write::is_mirror).
//
//   Append ─▶ a mark on disk, in the update's batch                      (the first one that the JSON lacks)
//      └ end of the group ─▶ a job: new updates ─▶ DocumentReplica ─▶ places that changed ─▶ their JSON − what stands there
//   MirrorRequest ◀──────────┘                                            = a few writes
//      └ one commit, and the mark goes with it, unless an update came meanwhile: then the next job begins
//
// So the shard's thread does nothing of Yjs, a burst of edits costs one job, and a job costs what changed: for a text that is
// the text, which is one leaf; for a map the keys that were set; for a list its length to be read, and what is another to be
// written. The JSON comes a moment after the edit, in a commit of its own.
//
// A job that has no replica reads the document anew and compares all of it. That heals whatever was there: after a crash
// (marks), a restore, and where the setting is another than before: then a pass goes through all documents, and notes on disk by
// which plan it has done so. What begins before a document is removed or restored is thrown away (Mirrors::epoch).
// What fails for a moment (the disk has no room, the pool is full) is tried again by an alarm, after kMirrorRetryMin and then
// ever later; an edit of the document tries it at once.
//
// Where the JSON cannot stand in the tree (it is too deep, too large, or the namespace is full) there is none: better no value
// than an old one.
#include <algorithm>
#include <set>
#include <utility>

#include "db/documents/tree_value.h"
#include "db/documents/update.h"
#include "db/model/key_order.h"
#include "db/read/reads.h"
#include "db/shard/shard.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr size_t kMirrorBytesMax = 32u << 20;  // of a document's JSON

// What a job works with.
struct MirrorJob {
  const TreeView& documents;  // rows
  const TreeView& tree;
  const Path& path;
  const MirrorRoots* roots;  // null: none
};

documents::RootKinds kinds_of(const MirrorRoots& roots) {
  documents::RootKinds kinds;
  for (const auto& [root, kind] : roots) {
    kinds.emplace(root, documents::root_kind_named(kind).value_or(documents::RootKind::Guess));
  }
  return kinds;
}

// Reads the updates that the replica lacks. Returns whether there are any at all.
Result<bool> bring_up(const MirrorJob& job, DocumentReplica& replica) {
  const std::string base = encode_path(job.path);
  bool exists = false;
  Result<void> applied;
  RETURN_IF_ERROR(job.documents.scan(
      document_row(base, replica.upto), base + '\1', [&](std::string_view key, std::string_view bytes) {
        exists = true;
        const uint64_t number = read_sequence(key.substr(key.size() - 8));
        if (number == replica.upto) return true;  // it has that one
        const auto update = documents::Update::parse_own(bytes);
        applied = update.ok() ? replica.document.apply(update.value()) : Result<void>(update.error());
        replica.upto = number;
        return applied.ok();
      }));
  RETURN_IF_ERROR(applied);
  return exists;
}

Result<Value> value_of(const documents::Document& document, std::string_view root, documents::RootKind kind) {
  ASSIGN_OR_RETURN(const std::string json, document.to_json(root, kind, kMirrorBytesMax));
  return documents::tree_value(json);
}

Result<void> append_place(const MirrorJob& job, const documents::Document& document, const documents::RootKinds& kinds,
                          const documents::DocumentPlace& place, std::vector<Overwrite>& writes) {
  const auto kind = kinds.find(place.root);
  if (kind == kinds.end()) return {};
  ASSIGN_OR_RETURN(Path at, job.path.child(documents::tree_key(place.root)));
  ASSIGN_OR_RETURN(const bool is_others, job.documents.exists(at));
  if (is_others) return {};
  for (const std::string& key : place.keys) {
    ASSIGN_OR_RETURN(at, at.child(documents::tree_key(key)));
  }
  Value now;
  if (place.keys.empty()) {
    ASSIGN_OR_RETURN(now, value_of(document, place.root, kind->second));
  } else {
    ASSIGN_OR_RETURN(const std::string json, document.to_json(place, kMirrorBytesMax));
    ASSIGN_OR_RETURN(now, documents::tree_value(json));
  }
  ASSIGN_OR_RETURN(const Value old, job.tree.read(at, kReadBytesMax));
  return documents::append_differences(old, now, at, writes);
}

// All of the document is compared with what stands there. A child where another document stands, or something of one, is not
// touched.
Result<void> append_all(const MirrorJob& job, const Value& now, std::vector<Overwrite>& writes) {
  ASSIGN_OR_RETURN(const Value old, job.tree.read(job.path, kReadBytesMax));
  std::set<std::string> keys;
  for (const Value* one : {&old, &now}) {
    for (auto child = one->children(); !child.done(); child.next()) keys.insert(child.key());
  }
  for (const std::string& key : keys) {
    ASSIGN_OR_RETURN(const Path at, job.path.child(key));
    ASSIGN_OR_RETURN(const bool is_others, job.documents.exists(at));
    if (!is_others) RETURN_IF_ERROR(documents::append_differences(old.child(key), now.child(key), at, writes));
  }
  return {};
}

// The writes that bring the tree up to the document. `replica`: null is made.
Result<std::vector<Overwrite>> writes_of(const MirrorJob& job, std::shared_ptr<DocumentReplica>& replica) {
  std::vector<Overwrite> writes;
  const bool is_new = replica == nullptr;
  if (is_new) replica = std::make_shared<DocumentReplica>();
  const std::string base = encode_path(job.path);
  if (job.roots == nullptr) {
    replica.reset();
    ASSIGN_OR_RETURN(const bool exists, job.documents.any(document_row(base, 0), base + '\1'));
    if (exists) RETURN_IF_ERROR(append_all(job, {}, writes));
    return writes;
  }
  ASSIGN_OR_RETURN(const bool exists, bring_up(job, *replica));
  if (!exists) {
    replica.reset();
    return writes;  // what stands there is somebody's data
  }
  const documents::RootKinds kinds = kinds_of(*job.roots);
  const auto places = replica->document.take_changed(kinds);
  if (!is_new) {  // what stands there is what the replica had
    for (const auto& place : places) {
      RETURN_IF_ERROR(append_place(job, replica->document, kinds, place, writes));
    }
  } else {
    std::vector<std::pair<std::string, Value>> roots;
    for (const auto& [root, kind] : kinds) {
      ASSIGN_OR_RETURN(Value value, value_of(replica->document, root, kind));
      roots.emplace_back(documents::tree_key(root), std::move(value));
    }
    RETURN_IF_ERROR(append_all(job, Value::object(roots), writes));
  }
  for (const Overwrite& write : writes) RETURN_IF_ERROR(check_fits(write.path, write.value));
  return writes;
}

// Some documents from `from` on, and where to go on.
Result<std::optional<std::string>> documents_from(const TreeView& rows, std::string from, std::vector<Path>& found) {
  while (found.size() < kMirrorSlice) {
    std::optional<Path> path;
    Result<void> read;
    RETURN_IF_ERROR(rows.scan(from, "\xff", [&](std::string_view key, std::string_view) {
      const auto row = read_document_row(key);
      Result<Path> decoded = row ? decode_path(row->path) : Error{ErrorCode::Corruption, "A row is no document's."};
      if (decoded.ok()) {
        from = std::string(row->path) + '\1';
        path = std::move(decoded).value();
      } else {
        read = decoded.error();
      }
      return false;
    }));
    RETURN_IF_ERROR(read);
    if (!path) return std::optional<std::string>();
    found.push_back(std::move(*path));
  }
  return std::optional(from);
}

// Of a moment, and not of the document.
bool is_passing(const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::Io || error.code == ErrorCode::Timeout;
}

}  // namespace

// What is known of the namespace's mirrors; null: nobody asks for any, and there are none.
Mirrors* Shard::mirrors_of(NamespaceState& space) {
  if (std::exchange(space.mirrors_known, true)) return space.mirrors.get();
  const auto text = committer_.settings(space.tree).text(kMirrorsSetting);
  const auto done = committer_.mirrored_by(space.tree);
  if (!text.ok() || !done.ok()) {
    space.mirrors_known = false;
    put_off_mirrors(space);
    return space.mirrors.get();
  }
  const std::string wanted = text.value().value_or("");
  // Another setting was set.
  if (space.mirrors != nullptr && space.mirrors->text == wanted && done.value() == wanted) return space.mirrors.get();
  auto plan = parse_document_plan(wanted);
  if (!plan.ok()) return space.mirrors.get();
  const uint64_t epoch = space.mirrors == nullptr ? 1 : space.mirrors->epoch + 1;
  space.mirrors.reset();
  if (wanted.empty() && !done.value()) return nullptr;
  space.mirrors = std::make_unique<Mirrors>(Mirrors{std::move(plan).value(), wanted, epoch});
  const auto marked = committer_.marked_mirrors(space.tree, kMirrorMarksMax);
  if (done.value() != wanted || !marked.ok() || marked.value().size() == kMirrorMarksMax) {
    space.mirrors->pass.emplace();
    return space.mirrors.get();
  }
  for (const Path& path : marked.value()) {
    Mirror& mirror = space.mirrors->all[path.text()];
    mirror.path = path;
    mirror.is_behind = true;
    begin_mirror(*space.mirrors, mirror);
  }
  return space.mirrors.get();
}

void Shard::begin_mirror(Mirrors& mirrors, Mirror& mirror) {
  if (mirror.is_queued || mirror.job != 0) return;
  mirror.is_queued = true;
  mirrors.starts.push_back(mirror.path.text());
}

// An update was accepted, and is in this group.
void Shard::note_update(NamespaceState& space, const Path& document) {
  Mirrors* mirrors = mirrors_of(space);
  if (mirrors == nullptr || mirrors->plan.of(document) == nullptr) return;
  Mirror& mirror = mirrors->all[document.text()];
  mirror.path = document;
  ++mirror.changes;
  if (!std::exchange(mirror.is_behind, true)) committer_.mark_mirror(space.tree, document, true);
  begin_mirror(*mirrors, mirror);
}

// Documents at the path and below it are others from here on, or gone.
void Shard::note_other_documents(NamespaceState& space, const Path& at) {
  if (space.mirrors == nullptr) return;
  Mirrors& mirrors = *space.mirrors;
  ++mirrors.epoch;  // whatever is under way is thrown away
  for (auto& [text, mirror] : mirrors.all) {
    if (!at.contains(mirror.path)) continue;
    drop_replica(mirrors, mirror);
    if (mirror.is_behind) begin_mirror(mirrors, mirror);
  }
}

void Shard::drop_replica(Mirrors& mirrors, Mirror& mirror) {
  mirror.replica.reset();
  mirrors.replica_bytes -= std::exchange(mirror.replica_bytes, 0);
}

void Shard::handle(ShardRequest& request, MirrorsRequest&) {
  const Step::Whole whole;
  NamespaceState& space = *request.space;
  if (!space.tree.named) return;
  if (!committer_.load(space.tree).ok()) return put_off_mirrors(space);
  Mirrors* mirrors = mirrors_of(space);
  if (mirrors == nullptr) return;
  if (mirrors->pass) mirrors->pass->is_put_off = false;
  for (auto& [text, mirror] : mirrors->all) {
    if (mirror.is_behind || mirror.is_of_pass) begin_mirror(*mirrors, mirror);
  }
}

void Shard::put_off_mirrors(NamespaceState& space) {
  auto retry = kMirrorRetryMin;
  if (space.mirrors != nullptr) {
    retry = std::clamp(2 * space.mirrors->retry, kMirrorRetryMin, kMirrorRetryMax);
    space.mirrors->retry = retry;
  }
  with_.alarms.set(space.tree.name, Alarms::For::Mirrors, retry);
}

// From the end of a group on, so that a job sees all that was accepted.
void Shard::start_mirrors(const std::shared_ptr<NamespaceState>& space) {
  if (space->mirrors == nullptr) return;
  Mirrors& mirrors = *space->mirrors;
  read_slice(space);
  while (mirrors.running < kMirrorJobsMax && !mirrors.starts.empty()) {
    const auto found = mirrors.all.find(mirrors.starts.front());
    mirrors.starts.pop_front();
    if (found == mirrors.all.end()) continue;
    Mirror& mirror = found->second;
    mirror.is_queued = false;
    mirror.job = ++space->mirror_jobs;
    ++mirrors.running;
    const auto tell = [space, path = mirror.path, job = mirror.job, epoch = mirrors.epoch, restores = space->restores,
                       changes = mirror.changes](std::shared_ptr<DocumentReplica> replica,
                                                 Result<std::vector<Overwrite>> writes) {
      space->shard.submit({.space = space,
                           .what = MirrorRequest{.path = path,
                                                 .job = job,
                                                 .epoch = epoch,
                                                 .restores = restores,
                                                 .changes = changes,
                                                 .replica = std::move(replica),
                                                 .writes = std::move(writes)}});
    };
    std::shared_ptr<DocumentReplica> kept = std::move(mirror.replica);
    drop_replica(mirrors, mirror);
    const MirrorRoots* roots = mirrors.plan.of(mirror.path);
    FairPool::Job job;
    job.payer = {space->tree.number, 0};
    job.refuse = [tell](const Error& error) { tell(nullptr, error); };
    job.run = [tell, space, snapshot = committer_.durable(), path = mirror.path,
               roots = roots == nullptr ? std::optional<MirrorRoots>() : std::optional(*roots),
               replica = std::move(kept)](Turn& turn) mutable {
      const SnapshotView documents(snapshot, space->tree.number, Table::Document);
      const SnapshotView tree(snapshot, space->tree.number);
      const TurnView documents_in_turn(documents, turn), tree_in_turn(tree, turn);
      auto writes = writes_of({documents_in_turn, tree_in_turn, path, roots ? &*roots : nullptr}, replica);
      if (turn.is_over()) return tell(nullptr, turn.error());
      if (!writes.ok()) replica.reset();
      tell(std::move(replica), std::move(writes));
    };
    with_.scans.run(std::move(job));
  }
}

void Shard::read_slice(const std::shared_ptr<NamespaceState>& space) {
  Mirrors& mirrors = *space->mirrors;
  if (!mirrors.pass || mirrors.pass->is_reading || mirrors.pass->is_at_end || mirrors.pass->waiting > 0) return;
  if (mirrors.pass->is_put_off) return;
  mirrors.pass->is_reading = true;
  const auto tell = [space, epoch = mirrors.epoch](std::vector<Path> documents, std::optional<std::string> next,
                                                   Result<void> status) {
    space->shard.submit(
        {.space = space, .what = MirrorSliceRequest{epoch, std::move(documents), std::move(next), std::move(status)}});
  };
  FairPool::Job job;
  job.payer = {space->tree.number, 0};
  job.refuse = [tell](const Error& error) { tell({}, {}, error); };
  job.run = [tell, space, snapshot = committer_.durable(), from = mirrors.pass->next](Turn& turn) {
    const SnapshotView documents(snapshot, space->tree.number, Table::Document);
    std::vector<Path> found;
    auto next = documents_from(TurnView(documents, turn), from, found);
    if (turn.is_over()) return tell({}, {}, turn.error());
    if (!next.ok()) return tell({}, {}, next.error());
    tell(std::move(found), std::move(next).value(), {});
  };
  with_.scans.run(std::move(job));
}

void Shard::handle(ShardRequest& request, MirrorSliceRequest& what) {
  const Step::Whole whole;
  NamespaceState& space = *request.space;
  if (space.mirrors == nullptr || !space.mirrors->pass) return;
  Mirrors& mirrors = *space.mirrors;
  Mirrors::Pass& pass = *mirrors.pass;
  pass.is_reading = false;
  if (!what.status.ok()) {
    pass.is_put_off = true;
    return put_off_mirrors(space);
  }
  mirrors.retry = {};
  if (what.epoch != mirrors.epoch) return;  // the slice is read again
  for (const Path& path : what.documents) {
    Mirror& mirror = mirrors.all[path.text()];
    mirror.path = path;
    drop_replica(mirrors, mirror);
    if (!std::exchange(mirror.is_of_pass, true)) ++pass.waiting;
    if (mirror.job != 0) ++mirror.changes;  // what it compares with is not known: once more
    begin_mirror(mirrors, mirror);
  }
  pass.is_at_end = !what.next;
  pass.next = what.next.value_or("");
  end_pass_if_done(space);
}

void Shard::end_pass_if_done(NamespaceState& space) {
  Mirrors& mirrors = *space.mirrors;
  if (!mirrors.pass || !mirrors.pass->is_at_end || mirrors.pass->waiting > 0) return;
  committer_.set_mirrored_by(space.tree, mirrors.text);
  mirrors.pass.reset();
}

// What a job found is written, unless the document is another by now.
void Shard::handle(ShardRequest& request, MirrorRequest& what) {
  NamespaceState& space = *request.space;
  if (space.mirrors == nullptr) return;
  Mirrors& mirrors = *space.mirrors;
  const auto found = mirrors.all.find(what.path.text());
  if (found == mirrors.all.end() || found->second.job != what.job) return;  // of mirrors that there were before
  Mirror& mirror = found->second;
  const bool is_current = what.epoch == mirrors.epoch && what.restores == space.restores;
  Result<void> written = what.writes.ok() ? Result<void>() : what.writes.error();
  if (is_current) {
    if (written.ok()) written = committer_.load(space.tree);
    const bool is_new = written.ok() && !what.writes.value().empty();
    if (is_new) written = write_mirror(space, what.path, what.writes.value());
    if (Step::here().is_over()) return;
    if (is_new && written.ok()) counted_.mirrors_written.add();
    if (!written.ok() && !is_passing(written.error())) {
      counted_.mirrors_failed.add();
      what.replica.reset();
      written = remove_mirror(space, what.path);
      if (Step::here().is_over()) return;
    }
  }
  const Step::Whole whole;
  --mirrors.running;
  mirror.job = 0;
  if (!is_current) return begin_mirror(mirrors, mirror);  // of another document, or by another plan
  if (!written.ok()) return put_off_mirrors(space);       // its mark stays
  mirrors.retry = {};
  const bool is_done = mirror.changes == what.changes;
  if (is_done) {
    committer_.mark_mirror(space.tree, what.path, false);
    mirror.is_behind = false;
    if (std::exchange(mirror.is_of_pass, false) && mirrors.pass) --mirrors.pass->waiting;
    end_pass_if_done(space);
  }
  const bool is_open = space.documents.contains(what.path.text());
  if (is_done && !is_open) {
    mirrors.all.erase(found);
    if (mirrors.text.empty() && !mirrors.pass && mirrors.all.empty()) space.mirrors.reset();
    return;
  }
  if (what.replica != nullptr) {
    mirror.replica = std::move(what.replica);
    mirror.replica_bytes = mirror.replica->document.bytes();
    mirrors.replica_bytes += mirror.replica_bytes;
  }
  if (!is_done) begin_mirror(mirrors, mirror);
}

Result<void> Shard::remove_mirror(NamespaceState& space, const Path& at) {
  std::vector<Overwrite> writes;
  const MirrorRoots* roots = space.mirrors->plan.of(at);
  if (roots == nullptr) return {};
  for (const auto& [root, kind] : *roots) {
    ASSIGN_OR_RETURN(Path below, at.child(documents::tree_key(root)));
    ASSIGN_OR_RETURN(const bool is_others, committer_.documents(space.tree).exists(below));
    if (!is_others) writes.push_back({std::move(below), Slot::Value, {}});
  }
  return write_mirror(space, at, std::move(writes));
}

Result<void> Shard::write_mirror(NamespaceState& space, const Path& at, std::vector<Overwrite> overwrites) {
  RETURN_IF_ERROR(with_.store.room());
  Write write;
  write.overwrites = std::move(overwrites);
  write.merge = true;
  write.base = at;
  write.is_mirror = true;
  const size_t told = releases_.size();
  const Result<Accepted> accepted =
      committer_.write(space.tree, write, with_.clock.now(), teller(space, true, write.base));
  if (Step::here().is_over()) return {};
  if (accepted.ok()) return {};
  releases_.resize(told);
  end_listeners_if_unmatched(space);
  return accepted.error();
}

// A document that nobody edits any more.
void Shard::leave_mirror(NamespaceState& space, const std::string& document) {
  if (space.mirrors == nullptr) return;
  const auto found = space.mirrors->all.find(document);
  if (found == space.mirrors->all.end()) return;
  drop_replica(*space.mirrors, found->second);
  if (!found->second.is_behind && found->second.job == 0 && !found->second.is_queued) space.mirrors->all.erase(found);
}

}  // namespace hearth::db
