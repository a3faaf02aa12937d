// Yjs documents: who has one open, its updates, and their compaction. A document stands at a path where the tree has
// nothing; it is a list of updates on disk, and a topic for those who have it open.
//
//   Open    ─▶ may it be read? may it stand there? ─▶ in the topic ─▶ a reader reads the updates ─▶ answer
//                                                          what is appended meanwhile waits behind the answer
//   Append  ─▶ may it be changed? is it news? ─▶ a row of this group ─▶ told to all, after the fsync
//   many rows ─▶ a reader joins them (documents::compact) ─▶ CompactRequest ─▶ one row instead
//
// The order of updates means nothing to Yjs, and to have one twice does no harm. So a client that opens a document gets
// all that was durable at that moment, and then hears what came since: none is missing.
//
// News. A client that comes back sends all of its deletes, and often what the server has. What the document has already
// (documents::Coverage) is answered and neither stored nor told.
#include <algorithm>
#include <utility>

#include "db/documents/update.h"
#include "db/model/key_order.h"
#include "db/shard/shard.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr Work kAppendWork{4, 0, 0};
constexpr size_t kDocumentsBelowMax = 100;  // that are looked at, when one is opened above them

// Reads all updates. Errors: Io, TooLarge.
Result<DocumentUpdates> read_updates(const TreeView& rows, const Path& path, uint64_t bytes_max) {
  const std::string base = encode_path(path);
  DocumentUpdates all;
  RETURN_IF_ERROR(rows.scan(document_row(base, 0), base + '\1', [&](std::string_view key, std::string_view update) {
    all.bytes += update.size();
    if (all.bytes > 2 * bytes_max) return false;
    all.updates.emplace_back(update);
    all.last = uint64_t{read_number(key.substr(key.size() - 8))} << 32 | read_number(key.substr(key.size() - 4));
    return true;
  }));
  if (all.bytes > 2 * bytes_max) {
    return Error{ErrorCode::TooLarge, "The document is larger than --max-document-size allows."};
  }
  return all;
}

Result<std::vector<documents::Update>> parsed(const DocumentUpdates& from) {
  std::vector<documents::Update> all;
  for (const std::string& update : from.updates) {
    ASSIGN_OR_RETURN(documents::Update one, documents::Update::parse_own(update));
    all.push_back(std::move(one));
  }
  return all;
}

Result<documents::Coverage> coverage_of(const DocumentUpdates& from) {
  ASSIGN_OR_RETURN(const auto updates, parsed(from));
  documents::Coverage coverage;
  for (const documents::Update& update : updates) coverage.add(update);
  return coverage;
}

Error is_removed() { return {ErrorCode::NotFound, "The document was removed."}; }

}  // namespace

// Whether the tree has something at the path or below it that is not the JSON of documents below it. Of very many documents
// it says so without having looked at all.
Result<bool> Shard::has_data_of_its_own(NamespaceState& space, const Path& path) {
  const TreeView& tree = committer_.view(space.tree);
  const std::string base = encode_path(path);
  std::string from = base;
  for (size_t looked = 0; looked < kDocumentsBelowMax; ++looked) {
    std::optional<std::string> found;
    RETURN_IF_ERROR(tree.scan(from, base + kPastChildren, [&](std::string_view key, std::string_view) {
      found = std::string(key);
      return false;
    }));
    if (!found) return false;
    if (!space.tree.head.has_documents) return true;
    const TreeView& documents = committer_.documents(space.tree);
    bool is_in_document = false;
    for (size_t end = base.size(); !is_in_document;) {
      const size_t length = segment_length(std::string_view(*found).substr(end));
      if (length == 0) return true;
      end += length;
      from = found->substr(0, end);
      ASSIGN_OR_RETURN(is_in_document, documents.any(document_row(from, 0), from + '\1'));
    }
    from += kPastChildren;
  }
  return true;
}

// Whether a document may stand there: nothing of the tree is at the path, above it as a leaf, or below it.
Result<void> Shard::may_have_document(NamespaceState& space, const Path& path) {
  const TreeView& tree = committer_.view(space.tree);
  const auto refusal = [](const Path& at) {
    return Error{ErrorCode::InvalidArgument,
                 "There is data at " + at.slashed() + "; a Yjs document stands where the tree has nothing."};
  };
  if (path.is_root()) return Error{ErrorCode::InvalidArgument, "A Yjs document has a path; this is the root."};
  if (const PathPlan* paths = space.tree.ephemeral_paths(); paths != nullptr && paths->is_ephemeral(encode_path(path)))
    return Error{ErrorCode::InvalidArgument,
                 "What is at " + path.slashed() + " is ephemeral, and a Yjs document is kept."};
  ASSIGN_OR_RETURN(const bool has_data, has_data_of_its_own(space, path));
  if (has_data) return refusal(path);
  for (size_t depth = 0; depth < path.depth(); ++depth) {
    const Path above = path.prefix(depth);
    ASSIGN_OR_RETURN(const auto leaf, tree.leaf(encode_path(above)));
    if (leaf) return refusal(above);
  }
  return {};
}

void Shard::handle(ShardRequest& request, OpenDocumentRequest& what) {
  NamespaceState& space = *request.space;
  TopicJoin join = what.open.join;
  join.topic = document_topic(what.open.path);
  join.hears_itself = true;
  Result<void> entered = enter(request, what.listener, join);
  if (Step::here().is_over()) return;
  if (!entered.ok()) return answer_with(request, std::move(entered));
  const Step::Whole whole;
  Result<void> fine;
  if (!space.tree.head.has_documents || !space.documents.contains(what.open.path.text())) {
    const std::string base = encode_path(what.open.path);
    Result<bool> exists = false;
    if (space.tree.head.has_documents)
      exists = committer_.documents(space.tree).any(document_row(base, 0), base + '\1');
    if (!exists.ok()) {
      fine = exists.error();
    } else if (!exists.value()) {
      fine = may_have_document(space, what.open.path);
    }
  }
  TopicPlace& place = *request.conversation->other().topics.at(what.listener);
  Answer reply;
  if (fine.ok()) reply.may_speak = may_speak(space, place).ok();
  if (!fine.ok()) {
    leave(space, *request.conversation, what.listener);
    return answer_with(request, std::move(fine));
  }
  OpenDocument& document = space.documents[what.open.path.text()];
  if (document.id == 0) document.id = ++space.documents_opened;
  document.path = what.open.path;
  ++document.members;
  place.document = what.open.path.text();
  place.is_document = true;
  reply.request = request.id;
  reply.sequence = space.tree.head.sequence;
  read_document(request, document, std::move(reply));
  greet(request, what.listener, join);
}

// Those who open a document at the same time share what is read, as long as nothing has changed.
void Shard::read_document(const ShardRequest& request, OpenDocument& document, Answer answer) {
  if (auto known = document.read.lock(); known != nullptr && known->last >= document.changed) {
    answer.document = std::move(known);
    return this->answer(request, std::move(answer));
  }
  const uint64_t place = request.conversation->story.keep_place();
  FairPool::Job job;
  job.payer = request.conversation->payer();
  job.is_unwanted = [conversation = request.conversation] { return conversation->is_gone.load(); };
  job.refuse = [conversation = request.conversation, place, id = request.id](const Error& error) {
    Answer refusal;
    refusal.request = id;
    refusal.status = error;
    conversation->story.fill(place, std::move(refusal));
  };
  job.run = [space = request.space, conversation = request.conversation, place, answer = std::move(answer),
             snapshot = committer_.durable(), path = document.path, id = document.id,
             most = with_.memory->limits.document_bytes_max](Turn& turn) mutable {
    const SnapshotView whole(snapshot, space->tree.number, Table::Document);
    auto updates = read_updates(TurnView(whole, turn), path, most);
    if (turn.is_over()) return;
    if (updates.ok()) {
      answer.document = std::make_shared<const DocumentUpdates>(std::move(updates).value());
      auto coverage = coverage_of(*answer.document);
      ReadDocumentRequest read{path.text(), id, answer.document, {}};
      if (coverage.ok()) read.coverage = std::move(coverage).value();
      // Before the answer: what the client sends then finds it known.
      space->shard.submit({.space = space, .what = std::move(read)});
    } else {
      answer.status = updates.error();
    }
    conversation->story.fill(place, answer);
  };
  with_.readers.run(std::move(job));
}

void Shard::handle(ShardRequest& request, ReadDocumentRequest& what) {
  const auto found = request.space->documents.find(what.path);
  // What was read may be of one that was removed since, and what is there now be another one of the same path.
  if (found == request.space->documents.end() || found->second.id != what.id) return;
  OpenDocument& document = found->second;
  document.read = what.updates;
  // Once it is known it is kept right by each append; a reader may have looked before the last of them.
  if (std::exchange(document.is_known, true)) return;
  document.rows += what.updates->updates.size();
  document.bytes += what.updates->bytes;
  document.rows_since += what.updates->updates.size();
  if (what.updates->last >= document.changed) document.coverage = std::move(what.coverage);
  if (document.coverage && document.coverage->bytes() > kCoverageBytesMax) document.coverage.reset();
}

void Shard::handle(ShardRequest& request, AppendRequest& what) {
  NamespaceState& space = *request.space;
  OtherListeners& others = request.conversation->other();
  const auto found = others.topics.find(what.listener);
  if (found == others.topics.end() || !found->second->is_document) {
    return answer_with(request, Error{ErrorCode::NotFound, "It has not opened the document."});
  }
  TopicPlace& place = *found->second;
  Result<void> verdict = may_speak(space, place);
  if (Step::here().is_over()) return;
  Step::here().count(kAppendWork);
  Step::here().foresee({place.topic->members.size(), what.update.size(), 0});
  if (Step::here().is_over()) return;
  if (!verdict.ok()) return answer_with(request, std::move(verdict));
  OpenDocument& document = space.documents.at(place.document);
  const auto update = documents::Update::parse_own(what.update);
  if (!update.ok()) return answer_with(request, update.error());
  if (update.value().is_empty() || (document.coverage && document.coverage->has(update.value()))) {
    return answer_with(request, {});
  }
  const uint64_t most = with_.memory->limits.document_bytes_max;
  if (document.bytes + what.update.size() > most) {
    // It may be smaller once it is compacted.
    compact(space, document);
    return answer_with(request, with_.memory->refuse(MemoryLimit::DocumentSize, "The document",
                                                     document.bytes + what.update.size(), most));
  }
  if (Result<void> room = with_.store.room(); !room.ok()) return answer_with(request, std::move(room));
  if (document.rows == 0) {
    if (Result<void> fine = may_have_document(space, document.path); !fine.ok()) {
      return answer_with(request, std::move(fine));
    }
  }
  const uint64_t number = space.tree.head.sequence + 1;
  const Size by{1, static_cast<int64_t>(document_row(encode_path(document.path), number).size() + what.update.size())};
  Result<void> fits = committer_.has_room(space.tree, by);
  if (Step::here().is_over()) return;
  if (!fits.ok()) return answer_with(request, std::move(fits));
  const Step::Whole whole;
  const bool was_named = space.tree.named;
  const auto accepted = committer_.queue(space.tree,
                                         {{.kind = Effect::Kind::Append,
                                           .path = document.path,
                                           .value = Value::integer(static_cast<int64_t>(number)),
                                           .name = what.update}},
                                         with_.clock.now());
  if (!accepted.ok()) return answer_with(request, accepted.error());
  if (!was_named && space.tree.named) named_.emplace_back(space.tree.name, space.tree.number);
  counted_.document_updates.add();
  document.changed = number;
  ++document.rows, ++document.rows_since;
  document.bytes += what.update.size();
  document.bytes_since += what.update.size();
  if (document.coverage) document.coverage->add(update.value());
  if (document.coverage && document.coverage->bytes() > kCoverageBytesMax) document.coverage.reset();
  auto message = std::make_shared<TopicMessage>();
  message->event = kUpdateSaid;
  message->bytes = std::move(what.update);
  message->is_binary = true;
  tell_topic(*place.topic, message, &place);
  Answer reply;
  reply.sequence = number;
  answer(request, std::move(reply));
  note_update(space, document.path);
  const bool is_long = document.rows_since >= kCompactRows ||
                       (document.bytes_since >= kCompactBytes && document.bytes_since * 2 >= document.bytes);
  if (is_long) compact(space, document);
}

// The document is compacted once this group is on disk.
void Shard::compact(NamespaceState& space, OpenDocument& document) {
  if (std::exchange(document.is_compacting, true)) return;
  document.rows_since = document.bytes_since = 0;
  space.compactions.push_back(document.path);
}

// What is on disk by now is joined on a thread for what takes long; what comes meanwhile stays as it is.
void Shard::start_compactions(const std::shared_ptr<NamespaceState>& space) {
  for (const Path& path : std::exchange(space->compactions, {})) {
    const auto tell = [space, path, restores = space->restores](uint64_t upto, uint64_t rows,
                                                                Result<std::string> update) {
      space->shard.submit(
          {.space = space,
           .what = CompactRequest{
               .path = path, .restores = restores, .upto = upto, .rows = rows, .update = std::move(update)}});
    };
    FairPool::Job job;
    job.payer = {space->tree.number, 0};
    job.refuse = [tell](const Error& error) { tell(0, 0, error); };
    job.run = [tell, space, snapshot = committer_.durable(), path,
               most = with_.memory->limits.document_bytes_max](Turn& turn) {
      const SnapshotView whole(snapshot, space->tree.number, Table::Document);
      const auto rows = read_updates(TurnView(whole, turn), path, most);
      if (turn.is_over()) return;
      if (!rows.ok()) return tell(0, 0, rows.error());
      const auto updates = parsed(rows.value());
      if (!updates.ok()) return tell(0, 0, updates.error());
      tell(rows.value().last, rows.value().updates.size(), documents::compact(updates.value()));
    };
    with_.scans.run(std::move(job));
  }
}

void Shard::handle(ShardRequest& request, CompactRequest& what) {
  NamespaceState& space = *request.space;
  const Path& path = what.path;
  const auto found = space.documents.find(path.text());
  OpenDocument* document = found == space.documents.end() ? nullptr : &found->second;
  if (document != nullptr) document->is_compacting = false;
  if (!what.update.ok() || what.rows < 2 || !committer_.load(space.tree).ok()) return;
  // It may have been removed since, and made anew: then no row has that number, but after a restore one may.
  if (what.restores != space.restores) return;
  const auto last = committer_.documents(space.tree).leaf(document_row(encode_path(path), what.upto));
  if (Step::here().is_over() || !last.ok() || !last.value()) return;
  (void)committer_.has_room(space.tree, {});  // what there is to be counted is, while the step can end
  Step::here().foresee({2 * what.rows, what.update.value().size(), 0});
  if (Step::here().is_over()) return;
  const Step::Whole whole;
  const size_t bytes = what.update.value().size();
  const auto done = committer_.queue(space.tree,
                                     {{.kind = Effect::Kind::Compact,
                                       .path = path,
                                       .value = Value::integer(static_cast<int64_t>(what.upto)),
                                       .name = std::move(what.update).value()}},
                                     with_.clock.now());
  if (!done.ok()) return;
  counted_.compactions.add();
  if (document == nullptr) return;
  document->rows = document->rows_since + 1;
  document->bytes = document->bytes_since + bytes;
  document->read.reset();
}

void Shard::leave_document(NamespaceState& space, TopicPlace& place) {
  place.is_document = false;
  const auto found = space.documents.find(place.document);
  if (found == space.documents.end() || --found->second.members > 0) return;
  // Also while a part of it is being joined: nobody would ask for the rest. Whichever is done last finds what it read, or nothing
  // to do.
  if (found->second.rows_since >= kCompactRowsAtEnd) space.compactions.push_back(found->second.path);
  space.documents.erase(found);
  leave_mirror(space, place.document);
}

// Those who have documents at the path or below it open hear why they have not any more.
void Shard::end_documents(NamespaceState& space, const Path& at, const Error& why) {
  std::vector<std::string> all;
  for (const auto& [text, document] : space.documents) {
    if (at.contains(document.path)) all.push_back(document_topic(document.path));
  }
  for (const std::string& name : all) {
    const Topic* topic = space.topics->find(name);
    if (topic == nullptr) continue;
    std::vector<std::pair<std::shared_ptr<Conversation>, uint64_t>> members;
    for (const TopicMember* member : topic->members) {
      const auto& place = static_cast<const TopicPlace&>(*member);
      members.emplace_back(std::static_pointer_cast<Conversation>(place.being.audience), place.id);
    }
    for (const auto& [conversation, id] : members) {
      leave(space, *conversation, id);
      Event event;
      event.kind = Event::Kind::Revoked;
      event.listener = id;
      event.sequence = space.tree.head.sequence;
      event.error = why;
      tell(conversation, std::move(event));
    }
  }
}

void Shard::end_removed_documents(NamespaceState& space, const Record& record) {
  for (const Effect& effect : record.effects) {
    if (effect.kind != Effect::Kind::Forget) continue;
    note_other_documents(space, effect.path);
    end_documents(space, effect.path, is_removed());
  }
}

}  // namespace hearth::db
