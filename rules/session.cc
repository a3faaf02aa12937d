// A client's conversation with the rights of its Auth (the drawing is in guard.cc). Each request gets its check here, and the
// shard asks it: a write's when it is committed, a read's at the snapshot that answers it, a listener's again and again.
//
//   write         ReadersOnly around each condition, MayRead for what is shown, WriteAccess behind all of them
//   read, listen  ReadAccess: the path, the query, and whether an index is missed
//   rows          RowAccess: each row by itself
//   topics        TopicRight: settings and rules of the moment decide; two preconditions, to be there and to speak
//   on_disconnect WriteAccess with a memo of the Auth, as the queue may run when this process is gone
//
// set_auth() puts other checks in the place of all that stand. So a session keeps what is needed to make them anew: the paths
// and queries of its listeners, and what its topics are judged by. The shard takes them up in order with the requests, so no
// request is judged by an Auth that came later. An admin has no check at all, but for one whose credential ends some day.
#include <algorithm>
#include <utility>

#include "db/client.h"
#include "rules/guard.h"
#include "rules/guarding.h"

namespace hearth::rules {
namespace {

// Auth as text, for what is judged after a restart: {"auth": the variable or null, "admin": true, "expires": seconds}.
std::string memo_of(const Auth& auth) {
  // On disk, with the session's queue: names may be added here, and none may change its meaning.
  std::string memo = R"({"auth":)" + (auth.variable.empty() ? "null" : auth.variable);
  if (auth.kind == Auth::Kind::Admin) memo += R"(,"admin":true)";
  if (auth.expires) memo += R"(,"expires":)" + std::to_string(auth.expires->count());
  return memo + "}";
}

std::shared_ptr<const db::Precondition> to_be(const std::shared_ptr<const TopicRight>& right) {
  return std::make_shared<const TopicAccess>(TopicAccess::To::Be, right);
}
std::shared_ptr<const db::Precondition> to_speak(const std::shared_ptr<const TopicRight>& right) {
  return std::make_shared<const TopicAccess>(TopicAccess::To::Speak, right);
}

}  // namespace

SharedAsker asker_of(const std::shared_ptr<Rulebook>& book, const std::string& space, const Auth& auth) {
  if (!is_asked(auth)) return nullptr;
  return std::make_shared<const Asker>(book, space, auth);
}

// The order matters: preconditions are wrapped, not replaced, and `access` comes after them (db/commit/evaluate.cc).
void guard_write(db::Write& write, const SharedAsker& asker) {
  if (asker == nullptr) return;
  for (auto& condition : write.preconditions) {
    condition = std::make_shared<const ReadersOnly>(std::move(condition), asker, write.base);
  }
  if (write.wants_value) {
    std::vector<db::Path> sums;
    for (const db::Overwrite& overwrite : write.overwrites) {
      if (overwrite.value.has_increments()) sums.push_back(overwrite.path);
    }
    if (!sums.empty()) write.shows = std::make_shared<const MayRead>(asker, std::move(sums));
  }
  write.access = std::make_shared<const WriteAccess>(asker);
  if (write.once != nullptr) write.once->may_still = std::make_shared<const MayStillWrite>(asker);
}

Session::Session(std::unique_ptr<db::Client> client, SharedIdentity who, Unindexed unindexed, Expired expired)
    : client_(std::move(client)), who_(std::move(who)), unindexed_(unindexed), expired_(expired) {
  label();
  if (auth().kind == Auth::Kind::Admin) client_->set_admin(true);
}
Session::~Session() = default;

std::string Session::id() const { return client_->id(); }

std::shared_ptr<const ReadAccess> Session::read_access(const db::SharedPath& path, const db::SharedQuery& query) const {
  // An admin's plain read needs no check. With a query there is one, for the missing index.
  if (!who_->asker && !query) return nullptr;
  return std::make_shared<const ReadAccess>(book(), asker_of(who_), path, query, unindexed_, expired_, space());
}

std::shared_ptr<const db::Precondition> Session::lasting_write_access() const {
  return who_->asker ? std::make_shared<const WriteAccess>(asker_of(who_), memo_of(auth())) : nullptr;
}

void Session::set_auth(Auth auth) {
  who_ = who_->among->of(who_->space, std::move(auth));
  for (const auto& [listener, one] : listeners_) {
    client_->recheck(listener, read_access(one.path, one.query));
  }
  for (const auto& [listener, judged_by] : beside_->topics) {
    const auto right = topic_right(judged_by);
    client_->recheck_topic(listener, to_be(right), to_speak(right));
  }
  for (const uint64_t listener : beside_->rows) client_->recheck_rows(listener, row_access());
  client_->recheck_disconnect(lasting_write_access());
  client_->set_admin(this->auth().kind == Auth::Kind::Admin);
  label();
}

void Session::came_by(const db::Origin& origin) { client_->set_origin(origin); }

void Session::label() {
  std::string uid = who_->asker ? who_->asker->uid() : std::string();
  if (uid.empty() && !is_labelled_) return;
  is_labelled_ = !uid.empty();
  // In its turn among the requests: a kick that comes now finds the session by its old or its new name, not by none.
  client_->set_label(std::move(uid));
}

void Session::write(uint64_t request, db::Write write) {
  if (book()->activity().is_on()) {
    watch(request, ActivityEntry::Kind::Write, write.overwrites.empty() ? write.base : write.overwrites.front().path);
  }
  guard_write(write, asker_of(who_));
  write.by = auth().user();
  // A session of a removed namespace must not make it again.
  write.only_existing = !book()->options().is_open;
  client_->write(request, std::move(write));
}

void Session::read(uint64_t request, db::Read read) {
  if (book()->activity().is_on()) watch(request, ActivityEntry::Kind::Read, read.path);
  const auto access = read_access(read.path, read.query);
  if (read.query) beside_.make().queries[request] = access;
  read.check = access;
  client_->read(request, std::move(read));
}

void Session::listen(uint64_t request, uint64_t listener, db::Listen listen) {
  if (book()->activity().is_on()) watch(request, ActivityEntry::Kind::Listen, listen.path);
  const auto access = read_access(listen.path, listen.query);
  if (listen.query) beside_.make().queries[request] = access;
  listen.check = access;
  listeners_[listener] = {listen.path, listen.query};
  client_->listen(request, listener, std::move(listen));
}

std::shared_ptr<const db::RowCheck> Session::row_access() const {
  return who_->asker ? std::make_shared<const RowAccess>(asker_of(who_), auth()) : nullptr;
}

std::shared_ptr<const TopicRight> Session::topic_right(const JudgedBy& judged_by) const {
  return std::make_shared<const TopicRight>(TopicRight{who_->among->settings(), asker_of(who_), judged_by});
}

void Session::listen_rows(uint64_t request, uint64_t listener, db::RowListen listen) {
  if (book()->activity().is_on()) watch(request, ActivityEntry::Kind::Rows, db::Path());
  beside_.make().rows.insert(listener);
  listen.check = row_access();
  client_->listen_rows(request, listener, std::move(listen));
}

void Session::join(uint64_t request, uint64_t listener, db::TopicJoin join, JudgedBy judged_by) {
  if (book()->activity().is_on()) watch(request, ActivityEntry::Kind::Topic, db::Path(), join.topic);
  const auto right = topic_right(judged_by);
  join.may_be = to_be(right);
  join.may_speak = to_speak(right);
  beside_.make().topics[listener] = std::move(judged_by);
  client_->join(request, listener, std::move(join));
}

void Session::say(uint64_t request, uint64_t listener, std::shared_ptr<db::TopicMessage> message) {
  if (book()->activity().is_on()) watch(request, ActivityEntry::Kind::Topic, db::Path(), message->event);
  client_->say(request, listener, std::move(message));
}

void Session::announce(uint64_t request, uint64_t listener, std::vector<db::TopicAnnouncement> announcements) {
  client_->announce(request, listener, std::move(announcements));
}

void Session::open_document(uint64_t request, uint64_t listener, db::Path path) {
  if (book()->activity().is_on()) watch(request, ActivityEntry::Kind::Document, path);
  JudgedBy judged_by = [path](const SpaceSettings& settings) -> db::Result<std::optional<db::Path>> {
    if (settings.documents.allows(path)) return std::optional(path);
    return db::Error{db::ErrorCode::PermissionDenied, "No documents are at " + path.slashed() +
                                                          "; the operator allows them in /.settings/documents.json."};
  };
  const auto right = topic_right(judged_by);
  db::DocumentOpen open;
  open.join.may_be = to_be(right);
  open.join.may_speak = to_speak(right);
  beside_.make().topics[listener] = std::move(judged_by);
  open.path = std::move(path);
  client_->open_document(request, listener, std::move(open));
}

void Session::hear_entries(uint64_t listener) { client_->hear_entries(listener); }

void Session::append(uint64_t request, uint64_t listener, std::string update) {
  client_->append(request, listener, std::move(update));
}

void Session::unlisten(uint64_t request, uint64_t listener) {
  listeners_.erase(listener);
  if (!beside_.empty()) {
    beside_.make().topics.erase(listener);
    beside_.make().rows.erase(listener);
    beside_.tidy();
  }
  client_->unlisten(request, listener);
}

void Session::on_disconnect(uint64_t request, db::Disconnect disconnect) {
  if (book()->activity().is_on()) {
    const bool is_of_one = disconnect.overwrites.empty();
    watch(request, ActivityEntry::Kind::OnDisconnect, is_of_one ? disconnect.path : disconnect.overwrites.front().path);
  }
  client_->on_disconnect(request, std::move(disconnect), lasting_write_access());
}

void Session::reply(uint64_t request, db::Result<void> status) { client_->reply(request, std::move(status)); }
void Session::await_commit(uint64_t request, uint64_t since) {
  if (auth().kind != Auth::Kind::Admin) return client_->reply(request, denied());
  client_->await_commit(request, since);
}

db::Wake Session::waker() const { return client_->waker(); }

std::vector<db::Item> Session::take() {
  std::vector<db::Item> items = client_->take();
  if (beside_.empty()) return items;
  Beside& beside = beside_.make();
  if (!beside.watched.empty()) tell_watched(beside.watched, items);
  if (!beside.queries.empty()) tell_of_indexes(beside.queries, items);
  beside_.tidy();
  return items;
}

// An answer itself does not know of indexes; the check that was asked for it does.
void Session::tell_of_indexes(Queries& queries, std::vector<db::Item>& items) {
  for (db::Item& item : items) {
    auto* answer = std::get_if<db::Answer>(&item);
    if (answer == nullptr) continue;
    const auto query = queries.find(answer->request);
    if (query == queries.end()) continue;
    answer->no_index = query->value->no_index();
    queries.erase(query);
  }
}
void Session::end() { client_->end(); }

ActivityEntry Session::entry_of(ActivityEntry::Kind kind) const {
  const db::Origin origin = client_->origin();
  ActivityEntry entry;
  entry.time = db::SystemClock().now();
  entry.space = space();
  entry.protocol = origin.protocol;
  entry.connection = origin.connection;
  entry.user = who_->asker ? who_->asker->uid() : "";
  entry.is_admin = auth().kind == Auth::Kind::Admin;
  entry.kind = kind;
  return entry;
}

// `topic`: instead of a path, of what has none.
void Session::watch(uint64_t request, ActivityEntry::Kind kind, const db::Path& path, std::string_view topic) {
  auto& watched = beside_.make().watched;
  if (watched.size() >= kWatchedMax) return;
  Watched one{entry_of(kind), std::chrono::steady_clock::now()};
  one.entry.path = topic.empty() ? path.slashed() : std::string(topic);
  watched[request] = std::move(one);
}

void Session::tell_watched(db::IdMap<Watched>& watched, const std::vector<db::Item>& items) {
  Activity& activity = book()->activity();
  for (const db::Item& item : items) {
    if (const auto* answer = std::get_if<db::Answer>(&item)) {
      const auto found = watched.find(answer->request);
      if (found == watched.end()) continue;
      ActivityEntry entry = std::move(found->value.entry);
      entry.took = std::chrono::steady_clock::now() - found->value.since;
      watched.erase(found);
      activity.add(std::move(entry), answer->status);
    } else if (const auto* event = std::get_if<db::Event>(&item);
               event != nullptr && event->kind == db::Event::Kind::Revoked && event->error) {
      const auto listening = listeners_.find(event->listener);
      if (listening == listeners_.end()) continue;
      ActivityEntry entry = entry_of(ActivityEntry::Kind::Listen);
      entry.path = listening->value.path->slashed();
      activity.add(std::move(entry), *event->error);
    }
  }
}

}  // namespace hearth::rules
