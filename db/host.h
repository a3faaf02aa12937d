// A Database for servers: the conversations behind rules::Guard, requests with their conditions, uploads, and figures. An
// app that keeps its tree in its own process needs none of it: db/database.h is the manual of the library.
//
//   net ─▶ rules::Guard ─▶ Host ─▶ Engine ─▶ shards, readers, backups
//
// Thread: any; callbacks come on threads of the database and must only pass the word on. After close() as Database says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/client.h"
#include "db/database.h"
#include "db/model/beside.h"
#include "db/model/change.h"
#include "db/model/dump_request.h"
#include "db/model/figures.h"
#include "db/model/live.h"

namespace hearth::db {

class Replica;

class Host final : public Database {
 public:
  // As Database::open.
  static Result<std::unique_ptr<Host>> open(const Options& options);

  Result<std::unique_ptr<Client>> client(std::string_view name, std::string_view replaces, Wake wake);
  // All conversations of that label (Client::set_label) hear Ended with the reason, once what came before is done; the
  // answer's value is their number.
  void end_conversations(const std::string& name, std::string label, Error reason, std::function<void(Answer)> done);
  void read(const std::string& name, Read read, std::function<void(Answer)> done);
  void write(const std::string& name, Write write, std::function<void(Answer)> done);
  // Says something in a topic without being in it. `may_speak`: null: it may. Errors: PermissionDenied, Unavailable.
  void say(const std::string& name, std::string topic, std::shared_ptr<const Precondition> may_speak,
           std::shared_ptr<TopicMessage> message, bool is_kept, std::function<void(Answer)> done);
  // Would it be taken? Writes nothing.
  void judge(const std::string& name, Write write, std::function<void(Answer)> done);
  // After a restart, what sessions of the killed process had queued is judged by the condition that `revive` makes of
  // its memo (Precondition::memo). Until `revive` is set it is not judged again: it was judged when it was queued.
  // `revive`: any thread.
  void revive_by(Revive revive);
  void setting(const std::string& name, std::string which,
               std::function<void(Result<std::optional<std::string>>)> done);
  // What happened in a namespace that keeps history, a page at a time (db/read/changes.h has its errors).
  void changes(const std::string& name, ChangesRead read, std::function<void(Result<ChangesPage>)> done);
  // Takes one commit back, as an ordinary write. Errors: of undo_of (db/read/past.h); Stale: something has changed since.
  void undo(const std::string& name, EventId id, std::string by, std::function<void(Answer)> done);
  // Removes what was at and below a path from the log and from the past, for good, also on disk; what is there now stays. The
  // answer's value: commits that said something of it. Errors: NotFound, Io.
  void purge(const std::string& name, Path path, std::function<void(Answer)> done);
  // The values that a path had, where versions are kept (db/read/past.h has its errors). Read::at reads one moment.
  void history(const std::string& name, HistoryRead read, std::function<void(Result<PathHistory>)> done);
  // Rows beside a namespace's tree (db/model/beside.h), and the names of those that have any. Block on the disk. Errors:
  // NotFound (no such namespace), Io, Unavailable.
  Result<BesideRows> beside(const std::string& name, const BesideRead& read) const;
  Result<void> keep_beside(const std::string& name, const BesideWrite& write);
  Result<std::vector<std::string>> with_rows_beside() const;
  // The indexes of a namespace, and how far they are built. Those that the settings ask for and that are not planned
  // yet have the id 0.
  void indexes(const std::string& name, std::function<void(Result<IndexPlan>)> done);

  // Namespaces that somebody uses now, in the order of their names; some of them.
  std::vector<std::string> names_in_use(size_t most) const;
  // What lives in a namespace beside its tree. Errors: NotFound: no such topic; Unavailable.
  void live(const std::string& name, LiveAsk ask, std::function<void(Result<Live>)> done);
  // The Yjs documents that are stored, in the order of their rows, some behind `after` (the root: from the first on); and
  // what one says. Errors: NotFound, TooLarge (kLiveDocumentBytesMax), Io, Unavailable.
  void documents(const std::string& name, Path after, size_t most, std::function<void(Result<DocumentsPage>)> done);
  void document(const std::string& name, Path path, std::function<void(Result<DocumentContent>)> done);

  // A dump of what was committed before the call, taken piece by piece while writes go on. Errors: NotFound,
  // InvalidArgument, Unavailable (too many at a time).
  void dump(DumpRequest request, std::function<void(Result<DumpPieces>)> done);
  // How much of it is taken, 0 to 1; nothing: none is under way.
  std::optional<double> dump_part(const std::string& name) const;
  // A file comes in pieces, each where the last one ended, and then becomes part of the tree, all or nothing; whoever
  // listens is told as of a set. The first two block on disk. Errors: db/upkeep/backups.h.
  Result<std::string> begin_upload();
  Result<void> upload(const std::string& id, uint64_t at, std::string_view bytes);
  std::optional<UploadState> upload_state(const std::string& id) const;  // how far it is; nothing: there is none
  Result<void> give_up_upload(const std::string& id);                    // and its restore
  void restore(const std::string& id, RestoreRequest request,
               std::function<void(Result<std::vector<RestoredTree>>)> done);

  // This database as a node of a cluster (db/cluster/replica.h); null: Options::follows is not set. Of shards that are not
  // owned all requests are refused as NotOwner.
  Replica* replica();

  // For a server that is about to stop: whoever waits for a compaction is told, and there will be none.
  void give_up_compaction();

  const std::string& life()
      const;  // unguessable, new at every open, or a cluster's: sequences are resumable within one
  const std::string& store_id() const;
  SyncMode sync() const;
  const Clock& clock() const;
  Figures figures() const;  // blocks on the disk; holds up neither reads nor writes

 private:
  explicit Host(std::shared_ptr<Engine> engine) : Database(std::move(engine)) {}
};

}  // namespace hearth::db
