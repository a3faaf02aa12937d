// The one door: whoever serves the network holds a Guard and nothing else of the database. Every read, write and listen
// names who asks (an Auth) and is judged by the namespace's rules, inside the commit where that matters. Embedders
// may use it too. Where no rules are set, everyone may do everything in `dev`, otherwise only an admin may.
//
// Thread: any, unless said otherwise. No call waits for the disk; answers come by callback or by Session::take.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/id_map.h"
#include "db/base/lazy.h"
#include "db/base/result.h"
#include "db/base/wake.h"
#include "db/model/beside.h"
#include "db/model/change.h"
#include "db/model/dump_request.h"
#include "db/model/event.h"
#include "db/model/figures.h"
#include "db/model/live.h"
#include "db/model/read.h"
#include "db/model/stats.h"
#include "db/model/write.h"
#include "rules/access.h"
#include "rules/activity.h"
#include "rules/auth.h"
#include "rules/identity.h"
#include "rules/language/explanation.h"
#include "rules/revoked.h"
#include "rules/row_access.h"
#include "rules/rulebook.h"
#include "rules/space_settings.h"
#include "rules/topic_access.h"
#include "rules/trial.h"

namespace hearth::db {
class Client;
class Host;
}  // namespace hearth::db

namespace hearth::rules {

// One client's ordered conversation with one namespace, with the rights of its Auth. Requests take effect in the order
// of the calls; what comes back is one story, in commit order. Thread: its owner's, one at a time.
class Session {
 public:
  Session(std::unique_ptr<db::Client> client, SharedIdentity who, Unindexed unindexed, Expired expired);
  ~Session();  // as end()

  const std::string& space() const { return who_->space; }  // the namespace
  std::string id() const;                                   // unguessable, URL-safe: a capability for `ls=`

  // How it came, for those who run the server.
  void came_by(const db::Origin& origin);

  // From here on requests, and what on_disconnect has queued, are judged as `auth`'s; listeners that it may not
  // have get Revoked.
  void set_auth(Auth auth);
  const Auth& auth() const { return who_->auth; }

  // Each is answered exactly once, by an Answer of that `request`, unless the session ends before.
  void write(uint64_t request, db::Write write);
  void read(uint64_t request, db::Read read);
  void listen(uint64_t request, uint64_t listener, db::Listen listen);  // `listener`: chosen by the caller, unique here
  void unlisten(uint64_t request, uint64_t listener);                   // or leaves; no event of it follows the answer
  // Rows of tables: those that `auth` may read, at each change. No first value: read, once this is answered.
  void listen_rows(uint64_t request, uint64_t listener, db::RowListen listen);
  // Topics. `judged_by`: the path whose `.read` says who may be there, and whose `.write` says who may speak there, by
  // the settings of the moment. All of this is asked again as it changes, the settings too; who may not be there any more
  // hears Revoked.
  void join(uint64_t request, uint64_t listener, db::TopicJoin join, JudgedBy judged_by);
  void say(uint64_t request, uint64_t listener, std::shared_ptr<db::TopicMessage> message);
  void announce(uint64_t request, uint64_t listener, std::vector<db::TopicAnnouncement> announcements);
  void hear_entries(uint64_t listener);  // of a topic it is in, from here on; Present first
  // A Yjs document, judged by the rules of its path: `.read` to open it, `.write` to change it and to announce. Where the
  // settings allow no documents it is PermissionDenied. It is a topic (db/model/document_updates.h), left by unlisten().
  void open_document(uint64_t request, uint64_t listener, db::Path path);
  void append(uint64_t request, uint64_t listener, std::string update);  // well-formed
  void on_disconnect(uint64_t request, db::Disconnect disconnect);
  // Answered once a commit after `since` is durable, with its sequence. For admins, whose session does nothing else:
  // what comes behind it waits. Errors: PermissionDenied; Unavailable, too many wait.
  void await_commit(uint64_t request, uint64_t since);
  void reply(uint64_t request, db::Result<void> status);  // an answer in its turn that needs nothing from the database

  db::Wake waker() const;  // calls `wake` as long as the session lasts; any thread

  // What has come, in order, as far as it is ready, some at a time: when that is not all, `wake` is called again.
  // Empty when nothing is there. The last item of a story may be Ended.
  std::vector<db::Item> take();

  // The client is gone: its listeners go and what it queued by on_disconnect is written. Once; nothing is told after.
  void end();

 private:
  struct Listening {
    db::SharedPath path;
    db::SharedQuery query;  // none, as it mostly is
  };
  // What is under way while somebody looks (activity.h).
  struct Watched {
    ActivityEntry entry;
    std::chrono::steady_clock::time_point since;
  };
  static constexpr size_t kWatchedMax = 1'000;
  using Queries = db::IdMap<std::shared_ptr<const ReadAccess>>;
  // What few sessions have.
  struct Beside {
    db::IdMap<JudgedBy> topics;  // of listeners that are topics
    std::set<uint64_t> rows;     // listeners to rows
    Queries queries;             // by request, until it is answered
    db::IdMap<Watched> watched;  // the same
    bool empty() const { return topics.empty() && rows.empty() && queries.empty() && watched.empty(); }
  };
  const std::shared_ptr<Rulebook>& book() const { return who_->among->book(); }
  void watch(uint64_t request, ActivityEntry::Kind kind, const db::Path& path, std::string_view topic = {});
  ActivityEntry entry_of(ActivityEntry::Kind kind) const;
  void tell_watched(db::IdMap<Watched>& watched, const std::vector<db::Item>& items);
  static void tell_of_indexes(Queries& queries, std::vector<db::Item>& items);

  std::shared_ptr<const ReadAccess> read_access(const db::SharedPath& path, const db::SharedQuery& query) const;
  std::shared_ptr<const db::RowCheck> row_access() const;
  std::shared_ptr<const TopicRight> topic_right(const JudgedBy& judged_by) const;
  std::shared_ptr<const db::Precondition> lasting_write_access() const;  // also after a restart
  void label();

  std::unique_ptr<db::Client> client_;
  SharedIdentity who_;
  const Unindexed unindexed_;
  const Expired expired_;
  bool is_labelled_ = false;  // by the user's name, so that kick() finds it
  db::IdMap<Listening> listeners_;
  db::Lazy<Beside> beside_;
};

// What the server has done since its start, and what there is now.
struct Figures {
  db::Figures database{};
  // Operations that rules were asked about: also listeners that were asked again. Admins are not asked.
  uint64_t reads_judged = 0, writes_judged = 0;
  uint64_t reads_denied = 0;
  uint64_t writes_denied = 0;   // no .write rule granted them
  uint64_t writes_invalid = 0;  // a .validate rule did not hold
};

enum class Install : uint8_t { Yes, OnlyCheck };

class Guard {
 public:
  struct Options {
    bool dev = false;               // open, and namespaces spring into being
    std::string admin_secret;       // whoever knows it is an admin; empty: nobody is
    std::string default_namespace;  // for clients that name none
    std::string own_indexes{};      // of namespaces that have not set theirs; as db::Database::Options::indexes
    // Queries without an index are refused where the protocol can say so (net/rest/http-api.md §6).
    bool needs_indexes = true;
    std::shared_ptr<const Ruleset> rules{};  // of namespaces that have none of their own; may be null
    // Is told why something was denied: for the eyes of whoever runs the server. Any thread; may be empty.
    std::function<void(std::string_view space, const Explanation&)> on_denied{};
    size_t activity_bytes_max = kActivityBytesMax;  // of requests that are kept while somebody looks (activity.h)
  };
  Guard(db::Host& database, Options options);

  bool dev() const { return options_.dev; }
  bool is_admin_secret(std::string_view text) const;  // in constant time
  std::string_view sync_mode() const;                 // "group" or "os"
  db::Result<void> health() const;                    // ok, or why writes are refused

  // The name as it is stored: lower case; empty becomes the default one.
  // Errors: InvalidArgument (a name that cannot be), NotFound (not in dev, and nobody made it).
  db::Result<std::string> resolve(std::string_view name) const;
  // The same without looking whether there is one: in a cluster that may be known elsewhere. Errors: InvalidArgument.
  db::Result<std::string> stored_name(std::string_view name) const;

  // One request by itself, answered on any thread, once. Name as resolve() gave it.
  using Done = std::function<void(db::Answer)>;
  void read(const std::string& name, const Auth& auth, db::Read read, Done done);
  void write(const std::string& name, const Auth& auth, db::Write write, Done done);

  // Says something in a topic without being in it, judged as Session::join says. `is_kept`: for those who come later.
  void say(const std::string& name, const Auth& auth, std::string topic, std::optional<db::Path> judged_by,
           std::shared_ptr<db::TopicMessage> message, bool is_kept, Done done);
  // Rows of the table `read.path` that `auth` may read: the answer's value is db::to_value(FoundRows). Of `read` the path,
  // the limits, `client` and `is_unwanted` count. Errors: of db::find_rows.
  void read_rows(const std::string& name, const Auth& auth, db::Read read, db::RowQuery query, Done done);
  // A write of rows of one table, when they are as expected. Errors: of RowsAre (rules/row_access.h), and of the write.
  void write_rows(const std::string& name, const Auth& auth, db::Write write, ExpectedRows expected, Done done);

  // `wake` is called, on any thread, when take() has gone from nothing to something; it must only pass the word on.
  // `expired`: what becomes of its reads and listeners once `auth` is past its time; who sees to it in time hears
  // nothing of it. `replaces`: the session this client had before ("" for none), ended first if it lives
  // (net/wire/protocol.md §8.3).
  db::Result<std::unique_ptr<Session>> open(const std::string& name, Auth auth, std::string_view replaces,
                                            db::Wake wake, Unindexed unindexed = Unindexed::Noted,
                                            Expired expired = Expired::SignedOut);

  // For admins. The text of the rules in force, as it was set: a string, the answer's value. Errors:
  // PermissionDenied, Io.
  void rules(const std::string& name, const Auth& auth, Done done);
  // From one commit to the next the namespace has these rules; listeners that they refuse get Revoked. Compiles on the
  // calling thread. Errors: PermissionDenied; InvalidData, the text is all that is wrong, as lines "LINE:COLUMN: …\n";
  // TooLarge.
  void set_rules(const std::string& name, const Auth& auth, std::string text, Install install, Done done);

  // For admins. The namespace's own indexes, as they were set: the answer's value, a string. Errors:
  // PermissionDenied, Io; of setting InvalidData, TooLarge.
  void own_indexes(const std::string& name, const Auth& auth, Done done);
  void set_own_indexes(const std::string& name, const Auth& auth, std::string text, Done done);

  // For admins. A document of rules/space_settings.h as it was set, or the one that holds: the answer's value, a
  // string. Setting one checks it; "null" unsets. Errors: PermissionDenied, Io; of setting InvalidData, the text is
  // all that is wrong, TooLarge.
  void setting(const std::string& name, const Auth& auth, const SettingKind& kind, Done done);
  void set_setting(const std::string& name, const Auth& auth, const SettingKind& kind, std::string text, Done done);
  // What all these documents of a namespace say: for whoever serves it, not for its clients. `done` is called at once
  // where that is known, else once, on any thread. Whoever asks after a set was answered gets what was set. Errors:
  // Io, Corruption.
  using SettingsDone = std::function<void(db::Result<std::shared_ptr<const SpaceSettings>>)>;
  void space_settings(const std::string& name, SettingsDone done);

  // For admins. Ends all sessions of that user here, with InvalidToken, and has tokens refused that were issued up to
  // now, also after a restart. The answer's value: how many sessions. Errors: PermissionDenied, InvalidArgument, Io.
  void kick(const std::string& name, const Auth& auth, const std::string& uid, Done done);
  // Whether a user's token, issued then, is from before a kick. Costs nothing where nobody was kicked.
  bool is_revoked(std::string_view name, std::string_view uid, std::optional<std::chrono::seconds> issued) const;
  bool is_revoked(std::string_view name, const Auth& auth) const {
    return auth.kind == Auth::Kind::User && !auth.name.empty() && is_revoked(name, auth.name, auth.issued);
  }
  // Reads who was kicked before this process. Blocks; before anyone is served. Errors: Io, Corruption.
  db::Result<void> load_revoked();

  // Whether `as` might do what `trial` says, and why: in `to` once `done` is called with an ok answer. For admins,
  // and in `dev` for everyone. Errors: PermissionDenied; what else would refuse the write.
  void explain(const std::string& name, const Auth& auth, const Auth& as, Trial trial, std::shared_ptr<Explanation> to,
               Done done);

  // For admins, and in `dev` for everyone: a list of {at, by, complete, built}, the answer's value. `built`: the last
  // path that has its row, until it is complete. Errors: PermissionDenied, Io.
  void indexes(const std::string& name, const Auth& auth, Done done);

  // The latest queries that were asked for an order that no index has. For whoever serves the namespace: rights are not asked here.
  std::vector<UnindexedQuery> unindexed(const std::string& name) const { return book_->unindexed().of(name); }

  // How often each part of the rules was evaluated since they were set or the server was started; null: nothing was
  // counted. Counted in `dev` alone.
  std::shared_ptr<const Coverage> coverage(const std::string& name) const { return book_->coverage(name); }

  // For admins. Blocks on the disk; holds up neither reads nor writes. Errors: PermissionDenied.
  db::Result<Figures> figures(const Auth& auth) const;

  // For admins: db::Host's functions of these names. Errors: PermissionDenied, theirs.
  void dump(const Auth& auth, db::DumpRequest request, std::function<void(db::Result<db::DumpPieces>)> done);
  db::Result<double> dump_part(const Auth& auth, const std::string& name) const;  // Errors: NotFound: none is under way
  db::Result<std::string> begin_upload(const Auth& auth);
  db::Result<void> upload(const Auth& auth, const std::string& id, uint64_t at, std::string_view bytes);
  db::Result<db::UploadState> upload_state(const Auth& auth, const std::string& id) const;  // Errors: NotFound
  db::Result<void> give_up_upload(const Auth& auth, const std::string& id);
  using Restored = db::Result<std::vector<db::RestoredTree>>;
  void restore(const Auth& auth, const std::string& id, db::RestoreRequest request, std::function<void(Restored)> done);

  // For admins: a namespace is there from then on, or is not. Blocks on the disk. Errors: PermissionDenied, those of
  // db::Database::create and remove. `create` is false where there is one already.
  db::Result<bool> create(const Auth& auth, std::string_view name);
  db::Result<void> remove(const Auth& auth, std::string_view name);
  // For admins: db::Host's functions of these names.
  void stats(const std::string& name, const Auth& auth, db::Path path, std::function<void(db::Result<db::Stats>)> done);
  void purge(const std::string& name, const Auth& auth, db::Path path, Done done);
  // Whoever keeps something of the past beside a tree lets go of it with a purge: called when the past is gone, before its
  // `done`; calls its own `done` once. Null: nobody does. One that was replaced may still be called once more.
  using Purged =
      std::function<void(const std::string& name, const db::Path& path, std::function<void(db::Result<void>)> done)>;
  void when_purged(Purged purged);
  void undo(const std::string& name, const Auth& auth, db::EventId id, Done done);
  // For admins, and where /.settings/history.json opens the path for whoever may read it now; the same of Read::at.
  void history(const std::string& name, const Auth& auth, db::HistoryRead read,
               std::function<void(db::Result<db::PathHistory>)> done);
  void changes(const std::string& name, const Auth& auth, db::ChangesRead read,
               std::function<void(db::Result<db::ChangesPage>)> done);
  db::Result<db::BesideRows> beside(const std::string& name, const Auth& auth, const db::BesideRead& read) const;
  db::Result<void> keep_beside(const std::string& name, const Auth& auth, const db::BesideWrite& write);
  db::Result<std::vector<std::string>> with_rows_beside(const Auth& auth) const;
  void compact(const Auth& auth, std::function<void(db::Result<db::Compacted>)> done);

  // The id of an event for Listen::resume.
  std::string event_id(uint64_t sequence) const;

  // What lives in a namespace beside its tree, and what is asked of the server. For admins: db::Host's functions of these
  // names. `activity`: whoever shows it asks first whether it is for an admin.
  std::vector<std::string> names_in_use(const Auth& auth, size_t most) const;
  void live(const std::string& name, const Auth& auth, db::LiveAsk ask, std::function<void(db::Result<db::Live>)> done);
  void documents(const std::string& name, const Auth& auth, db::Path after, size_t most,
                 std::function<void(db::Result<db::DocumentsPage>)> done);
  void document(const std::string& name, const Auth& auth, db::Path path,
                std::function<void(db::Result<db::DocumentContent>)> done);
  Activity& activity() const { return book_->activity(); }

  // Names of all namespaces that exist, sorted. Errors: PermissionDenied.
  db::Result<std::vector<std::string>> namespaces(const Auth& auth) const;

 private:
  struct SettingsRead;
  void if_past_is_open(const std::string& name, const Auth& auth, const db::Path& path,
                       std::function<void(db::Result<void>)> done);
  db::Result<void> load_revoked(const std::vector<std::string>& names);
  Done watched(const std::string& name, const Auth& auth, const SharedAsker& asker, ActivityEntry::Kind kind,
               std::string path, Done done) const;
  void put(const std::string& name, db::Write write, Done done);
  void tell_setting(const std::string& name, std::string_view which, std::string unset, Done done);

  db::Host& database_;
  const Options options_;
  std::mutex purges_;  // Guards purged_.
  Purged purged_;
  const std::shared_ptr<Rulebook> book_;
  std::mutex kicks_;  // One kick after the other, so that the row that is written last knows of all.
  mutable Revoked revoked_;
  const std::shared_ptr<KnownSettings> settings_;
  const std::shared_ptr<Identities> identities_;
};

}  // namespace hearth::rules
