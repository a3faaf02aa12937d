// The one door. Whatever comes from the network comes through here, with an Auth, and leaves with a condition on it:
//
//   read, listen ─▶ ReadAccess   at the snapshot that answers; again when what it looked at changes
//   write        ─▶ WriteAccess  inside the commit, on the trees before and after (guard_write)
//                   ReadersOnly  around a compare-and-set: its verdict is for those who may read
//                   MayStillWrite  instead of both, where a key says that it was done before
//                   MayRead      before a sum is shown: the answer to an increment tells what stood there
//   rows         ─▶ RowReading, RowsAre, RowsAccess: a row that may not be read is as if it were not there
//   topics       ─▶ TopicAccess  the settings say which path's rules judge; again when either changes
//   onDisconnect ─▶ WriteAccess with a memo: it may be asked by a process that has never seen the session
//   for admins   ─▶ denied here, at once
//
// Nothing in this file asks a rule itself: rules are asked where the data is (access.cc). A Session keeps what is
// needed to ask again: the paths and queries of its listeners, for the day on which its Auth changes.
#include "rules/guard.h"

#include <algorithm>
#include <future>

#include "db/base/text.h"
#include "db/client.h"
#include "db/host.h"
#include "db/model/index.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "rules/guarding.h"

namespace hearth::rules {
namespace {

// What is told for a namespace that has no rules: the rules that would say the same as what happens then.
constexpr std::string_view kOpenRules =
    "{\n    \"rules\": {\n        \".read\": true,\n        \".write\": true\n    }\n}\n";
constexpr std::string_view kClosedRules =
    "{\n    \"rules\": {\n        \".read\": false,\n        \".write\": false\n    }\n}\n";

db::Answer answer_of(db::Result<void> status) {
  db::Answer answer;
  answer.status = std::move(status);
  return answer;
}

// Signed out when the memo can't be read, which only damage causes.
Auth auth_of(const std::string& memo) {
  Auth auth;
  const auto document = db::JsonDocument::parse(memo);
  if (!document.ok() || !document.value().root().is_object()) return auth;
  const auto variable = document.value().root().field("auth");
  if (variable && variable->is_object()) auth = {Auth::Kind::User, variable->to_text(), {}};
  if (document.value().root().field("admin")) auth = Auth::admin();
  const auto expires = document.value().root().field("expires");
  if (expires && expires->integer()) auth.expires = std::chrono::seconds(*expires->integer());
  return auth;
}

// Takes down what the rules say of a trial.
// A condition that never refuses: it is asked on the real trees, and only writes down what the rules say of them.
class Explainer final : public db::Precondition {
 public:
  Explainer(SharedAsker asker, Trial trial, std::shared_ptr<Explanation> to)
      : asker_(std::move(asker)), trial_(std::move(trial)), to_(std::move(to)) {}
  db::Result<void> check(const db::Moment& moment) const override {
    ASSIGN_OR_RETURN(*to_, trial_.kind == Trial::Kind::Read
                               ? asker_->explain_read(moment, trial_.path, trial_.query, trial_.rules)
                               : asker_->explain_write(moment, trial_.rules));
    return {};
  }

 private:
  const SharedAsker asker_;
  const Trial trial_;
  const std::shared_ptr<Explanation> to_;
};

}  // namespace

Guard::Guard(db::Host& database, Options options)
    : database_(database),
      options_(std::move(options)),
      book_(std::make_shared<Rulebook>(Rulebook::Options{.is_open = options_.dev,
                                                         .fallback = options_.rules,
                                                         .covers = options_.dev,
                                                         .needs_indexes = options_.needs_indexes,
                                                         .own_indexes = options_.own_indexes,
                                                         .on_denied = options_.on_denied,
                                                         .activity_bytes_max = options_.activity_bytes_max})),
      settings_(std::make_shared<KnownSettings>(options_.dev)),
      identities_(std::make_shared<Identities>(book_, settings_)) {
  database_.revive_by([book = book_](const std::string& name, const std::string& memo) {
    return std::make_shared<const WriteAccess>(std::make_shared<const Asker>(book, name, auth_of(memo)));
  });
}

bool Guard::is_admin_secret(std::string_view text) const {
  const std::string& secret = options_.admin_secret;
  return !secret.empty() && db::equal_in_constant_time(text, secret);
}

std::string_view Guard::sync_mode() const {
  switch (database_.sync()) {
    case db::SyncMode::Group:
      return "group";
    case db::SyncMode::Os:
      return "os";
  }
  return "";
}

db::Result<void> Guard::health() const { return database_.health(); }

db::Result<std::string> Guard::stored_name(std::string_view name) const {
  if (name.empty()) name = options_.default_namespace;
  if (!name.empty()) return db::check_namespace_name(name);
  return db::Error{
      db::ErrorCode::InvalidArgument,
      "This server has no namespace for clients that name none: name one by ns=NAME in the URL, or start the server "
      "with --namespace NAME."};
}

db::Result<std::string> Guard::resolve(std::string_view name) const {
  ASSIGN_OR_RETURN(std::string stored, stored_name(name));
  // In development any name is a namespace as soon as somebody writes to it.
  if (options_.dev || database_.exists(stored)) return stored;
  return db::Error{db::ErrorCode::NotFound, "There is no namespace " + stored +
                                                " on this server: its operator makes it with " + "--namespace " +
                                                stored + ", or by `hearth namespace create " + stored + "`."};
}

void Guard::read(const std::string& name, const Auth& auth, db::Read read, Done done) {
  const auto asker = asker_of(book_, name, auth);
  if (activity().is_on()) {
    done = watched(name, auth, asker, ActivityEntry::Kind::Read, read.path.slashed(), std::move(done));
  }
  if (asker != nullptr || read.query) {
    // A request can still be refused for its missing index; a listener that runs cannot.
    read.check = std::make_shared<const ReadAccess>(book_, asker, read.path, read.query, Unindexed::Refused,
                                                    Expired::SignedOut, name);
  }
  if (read.at == nullptr) return database_.read(name, std::move(read), std::move(done));
  const db::Path path = read.path;
  if_past_is_open(name, auth, path,
                  [this, name, read = std::move(read), done = std::move(done)](const db::Result<void>& open) {
                    if (!open.ok()) return done(answer_of(open.error()));
                    database_.read(name, read, done);
                  });
}

// Outside of development a write makes no namespace: it may come after the namespace was removed.
void Guard::put(const std::string& name, db::Write write, Done done) {
  write.only_existing = !options_.dev;
  database_.write(name, std::move(write), std::move(done));
}

void Guard::write(const std::string& name, const Auth& auth, db::Write write, Done done) {
  const auto asker = asker_of(book_, name, auth);
  if (activity().is_on()) {
    const db::Path& at = write.overwrites.empty() ? write.base : write.overwrites.front().path;
    done = watched(name, auth, asker, ActivityEntry::Kind::Write, at.slashed(), std::move(done));
  }
  guard_write(write, asker);
  write.by = auth.user();
  if (write.selection) {
    // What it removes tells what is there, so it is for those who may read that; before anything is looked for.
    const auto may_select = std::make_shared<const ReadAccess>(book_, asker, write.base, write.selection,
                                                               Unindexed::Refused, Expired::SignedOut, name);
    write.preconditions.insert(write.preconditions.begin(), may_select);
    if (write.once != nullptr) write.once->may_select = may_select;
  }
  put(name, std::move(write), std::move(done));
}

void Guard::say(const std::string& name, const Auth& auth, std::string topic, std::optional<db::Path> judged_by,
                std::shared_ptr<db::TopicMessage> message, bool is_kept, Done done) {
  std::shared_ptr<const db::Precondition> may_speak;
  const auto asker = asker_of(book_, name, auth);
  if (activity().is_on()) done = watched(name, auth, asker, ActivityEntry::Kind::Topic, topic, std::move(done));
  if (judged_by && asker != nullptr) may_speak = std::make_shared<const MaySpeak>(asker, std::move(*judged_by));
  database_.say(name, std::move(topic), std::move(may_speak), std::move(message), is_kept, std::move(done));
}

void Guard::read_rows(const std::string& name, const Auth& auth, db::Read read, db::RowQuery query, Done done) {
  const auto asker = asker_of(book_, name, auth);
  if (activity().is_on()) {
    done = watched(name, auth, asker, ActivityEntry::Kind::Rows, read.path.slashed(), std::move(done));
  }
  read.reading = std::make_shared<const RowReading>(asker, read.path, std::move(query));
  database_.read(name, std::move(read), std::move(done));
}

void Guard::write_rows(const std::string& name, const Auth& auth, db::Write write, ExpectedRows expected, Done done) {
  const auto asker = asker_of(book_, name, auth);
  if (activity().is_on()) {
    done = watched(name, auth, asker, ActivityEntry::Kind::Rows, expected.table.slashed(), std::move(done));
  }
  const auto rows = std::make_shared<const ExpectedRows>(std::move(expected));
  guard_write(write, asker);
  write.by = auth.user();
  write.preconditions.push_back(std::make_shared<const RowsAre>(asker, rows));
  if (asker != nullptr && !rows->shown.empty()) write.access = std::make_shared<const RowsAccess>(asker, rows);
  put(name, std::move(write), std::move(done));
}

db::Result<std::unique_ptr<Session>> Guard::open(const std::string& name, Auth auth, std::string_view replaces,
                                                 db::Wake wake, Unindexed unindexed, Expired expired) {
  ASSIGN_OR_RETURN(auto client, database_.client(name, replaces, std::move(wake)));
  return std::make_unique<Session>(std::move(client), identities_->of(name, std::move(auth)), unindexed, expired);
}

void Guard::rules(const std::string& name, const Auth& auth, Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  std::string unset(options_.rules != nullptr ? options_.rules->text() : options_.dev ? kOpenRules : kClosedRules);
  tell_setting(name, db::kRulesSetting, std::move(unset), std::move(done));
}

void Guard::tell_setting(const std::string& name, std::string_view which, std::string unset, Done done) {
  database_.setting(name, std::string(which),
                    [unset = std::move(unset), done = std::move(done)](db::Result<std::optional<std::string>> text) {
                      db::Answer answer;
                      if (text.ok()) {
                        answer.value = db::Value::string(text.value().value_or(unset));
                      } else {
                        answer.status = text.error();
                      }
                      done(std::move(answer));
                    });
}

void Guard::own_indexes(const std::string& name, const Auth& auth, Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  tell_setting(name, db::kOwnIndexesSetting, options_.own_indexes.empty() ? "[]" : options_.own_indexes,
               std::move(done));
}

void Guard::set_own_indexes(const std::string& name, const Auth& auth, std::string text, Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  const auto specs = db::parse_indexes(text);
  if (!specs.ok()) return done(answer_of(specs.error()));
  if (specs.value().size() > db::kIndexesMax || text.size() > db::kSettingBytesMax) {
    return done(answer_of(db::Error{db::ErrorCode::TooLarge,
                                    "A namespace has at most " + std::to_string(db::kIndexesMax) + " indexes, in " +
                                        std::to_string(db::kSettingBytesMax) + " bytes of text."}));
  }
  db::Write write;
  write.settings.push_back({std::string(db::kOwnIndexesSetting), std::move(text)});
  put(name, std::move(write), std::move(done));
}

void Guard::setting(const std::string& name, const Auth& auth, const SettingKind& kind, Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  tell_setting(name, kind.name, std::string(settings_->unset(kind)), std::move(done));
}

void Guard::set_setting(const std::string& name, const Auth& auth, const SettingKind& kind, std::string text,
                        Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  db::Write write;
  if (text == "null") {
    write.settings.push_back({std::string(kind.name), std::nullopt});
    if (kind.name == kHistoryKind) write.settings.push_back({std::string(db::kHistorySetting), std::nullopt});
    if (kind.name == kDocumentsKind) write.settings.push_back({std::string(db::kMirrorsSetting), std::nullopt});
    if (kind.name == kPathsKind) write.settings.push_back({std::string(db::kPathPlanSetting), std::nullopt});
  } else {
    SpaceSettings checked;
    if (const auto read = read_setting(kind, text, checked); !read.ok()) return done(answer_of(read.error()));
    write.settings.push_back({std::string(kind.name), std::move(text)});
    // What the database goes by, in the same commit.
    if (kind.name == kHistoryKind) {
      auto plan = checked.history ? std::optional(db::history_text(*checked.history)) : std::nullopt;
      write.settings.push_back({std::string(db::kHistorySetting), std::move(plan)});
    }
    if (kind.name == kDocumentsKind) {
      std::string plan = db::document_plan_text(checked.documents.plan);
      write.settings.push_back({std::string(db::kMirrorsSetting), plan.empty() ? std::nullopt : std::optional(plan)});
    }
    if (kind.name == kPathsKind) {
      auto plan = checked.paths != nullptr ? std::optional(checked.paths->text()) : std::nullopt;
      write.settings.push_back({std::string(db::kPathPlanSetting), std::move(plan)});
    }
  }
  put(name, std::move(write), [known = settings_, name, done = std::move(done)](db::Answer answer) {
    known->forget(name);
    done(std::move(answer));
  });
}

// One document after the other is read into `to`; then it is known.
struct Guard::SettingsRead {
  db::Host& database;
  const std::shared_ptr<KnownSettings> known;
  const std::string name;
  const uint64_t epoch;
  SettingsDone done;
  std::shared_ptr<SpaceSettings> to = std::make_shared<SpaceSettings>();
  size_t bytes = 0;

  static void go_on(const std::shared_ptr<SettingsRead>& self, size_t kind) {
    if (kind == setting_kinds().size()) {
      self->known->add(self->name, self->to, self->bytes, self->epoch);
      return self->done(std::shared_ptr<const SpaceSettings>(self->to));
    }
    const SettingKind& one = setting_kinds()[kind];
    self->database.setting(
        self->name, std::string(one.name), [self, kind, &one](const db::Result<std::optional<std::string>>& text) {
          if (!text.ok()) return self->done(text.error());
          const std::string_view says = text.value() ? std::string_view(*text.value()) : self->known->unset(one);
          self->bytes += says.size();
          if (const auto read = read_setting(one, says, *self->to); !read.ok()) {
            return self->done(db::Error{db::ErrorCode::Corruption, "The setting " + std::string(one.name) + " of " +
                                                                       self->name + ": " + read.error().message});
          }
          go_on(self, kind + 1);
        });
  }
};

void Guard::space_settings(const std::string& name, SettingsDone done) {
  if (auto known = settings_->find(name); known != nullptr) return done(std::move(known));
  SettingsRead read{
      .database = database_, .known = settings_, .name = name, .epoch = settings_->epoch(), .done = std::move(done)};
  SettingsRead::go_on(std::make_shared<SettingsRead>(std::move(read)), 0);
}

void Guard::set_rules(const std::string& name, const Auth& auth, std::string text, Install install, Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  auto compiled = Ruleset::compile(text);
  if (!compiled.ok()) return done(answer_of(compiled.error()));
  if (install == Install::OnlyCheck) return done(answer_of({}));
  if (text.size() > kRulesBytesMax) {
    return done(answer_of(
        db::Error{db::ErrorCode::TooLarge, "The rules are larger than " + std::to_string(kRulesBytesMax) + " bytes."}));
  }
  // Compiled on this thread; the shard finds it by its digest and need not compile.
  book_->keep(compiled.value());
  db::Write write;
  write.settings.push_back({std::string(db::kRulesSetting), std::move(text)});
  // Rules and indexes in one commit: no query may find the one without the other.
  write.settings.push_back({std::string(db::kIndexesSetting), db::indexes_text(compiled.value()->index_specs())});
  put(name, std::move(write), std::move(done));
}

void Guard::kick(const std::string& name, const Auth& auth, const std::string& uid, Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  if (uid.empty() || uid.size() > kRevokedUidBytesMax) {
    return done(
        answer_of(db::Error{db::ErrorCode::InvalidArgument,
                            "uid must name a user, in at most " + std::to_string(kRevokedUidBytesMax) + " bytes."}));
  }
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(database_.clock().now());
  const std::lock_guard lock(kicks_);
  db::Write write;
  // From here on none of the old tokens opens a session. It is told once that is on disk.
  write.settings.push_back({std::string(db::kRevokedSetting), revoked_.add(name, uid, now)});
  put(name, std::move(write), [&database = database_, name, uid, done = std::move(done)](db::Answer written) {
    if (!written.status.ok()) return done(std::move(written));
    database.end_conversations(
        name, uid, {db::ErrorCode::InvalidToken, "Auth token was revoked: an administrator has signed its user out."},
        done);
  });
}

bool Guard::is_revoked(std::string_view name, std::string_view uid, std::optional<std::chrono::seconds> issued) const {
  return revoked_.covers(name, uid, issued, std::chrono::duration_cast<std::chrono::seconds>(database_.clock().now()));
}

// As many at a time as may wait to be read.
db::Result<void> Guard::load_revoked() {
  const std::vector<std::string> names = database_.namespaces();
  for (auto at = names.begin(); at != names.end();) {
    const auto upto = at + std::min<std::ptrdiff_t>(names.end() - at, 1'000);
    RETURN_IF_ERROR(load_revoked({at, upto}));
    at = upto;
  }
  return {};
}

db::Result<void> Guard::load_revoked(const std::vector<std::string>& names) {
  std::vector<std::promise<db::Result<std::optional<std::string>>>> texts(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    database_.setting(names[i], std::string(db::kRevokedSetting),
                      [&to = texts[i]](db::Result<std::optional<std::string>> text) { to.set_value(std::move(text)); });
  }
  db::Result<void> status;
  for (size_t i = 0; i < names.size(); ++i) {
    const db::Result<std::optional<std::string>> text = texts[i].get_future().get();  // all: they are answered to here
    db::Result<void> loaded = text.ok() ? db::Result<void>() : text.error();
    if (text.ok() && text.value()) loaded = revoked_.load(names[i], *text.value());
    if (!loaded.ok()) status = std::move(loaded);
  }
  return status;
}

void Guard::explain(const std::string& name, const Auth& auth, const Auth& as, Trial trial,
                    std::shared_ptr<Explanation> to, Done done) {
  if (auth.kind != Auth::Kind::Admin && !options_.dev) return done(answer_of(denied()));
  const SharedAsker asker = asker_of(book_, name, as);
  if (asker == nullptr) {
    to->allowed = true;
    return done({});
  }
  db::Write write = trial.write;
  // A trial asks of rules alone; what else could refuse the write would hide their answer.
  write.preconditions.clear();
  write.access = std::make_shared<const Explainer>(asker, std::move(trial), std::move(to));
  database_.judge(name, std::move(write), std::move(done));
}

void Guard::indexes(const std::string& name, const Auth& auth, Done done) {
  if (auth.kind != Auth::Kind::Admin && !options_.dev) return done(answer_of(denied()));
  database_.indexes(name, [done = std::move(done)](const db::Result<db::IndexPlan>& plan) {
    if (!plan.ok()) return done(answer_of(plan.error()));
    std::vector<std::pair<std::string, db::Value>> all;
    for (const db::Index& index : plan.value().indexes) {
      std::vector<std::pair<std::string, db::Value>> one = {{"at", db::Value::string(index.spec.pattern())},
                                                            {"by", db::Value::string(index.spec.by())},
                                                            {"complete", db::Value::boolean(index.is_complete)}};
      if (index.spec.covers) one.emplace_back("covers", db::Value::boolean(true));
      if (index.id == 0) one.emplace_back("planned", db::Value::boolean(true));
      if (!index.built.empty()) {
        const auto built = db::decode_path(std::string_view(index.built).substr(0, index.built.size() - 1));
        if (built.ok()) one.emplace_back("built", db::Value::string(built.value().slashed()));
      }
      all.emplace_back(std::to_string(all.size()), db::Value::object(one));
    }
    db::Answer answer;
    answer.value = db::Value::object(all);
    done(std::move(answer));
  });
}

db::Result<Figures> Guard::figures(const Auth& auth) const {
  if (auth.kind != Auth::Kind::Admin) return denied();
  Figures figures;
  figures.database = database_.figures();
  book_->all_verdicts().each([&](const Verdicts& verdicts) {
    figures.reads_judged += verdicts.reads.value();
    figures.writes_judged += verdicts.writes.value();
    figures.reads_denied += verdicts.reads_denied.value();
    figures.writes_denied += verdicts.writes_denied.value();
    figures.writes_invalid += verdicts.writes_invalid.value();
  });
  return figures;
}

db::Result<bool> Guard::create(const Auth& auth, std::string_view name) {
  if (auth.kind != Auth::Kind::Admin) return denied();
  ASSIGN_OR_RETURN(const std::string stored, db::check_namespace_name(name));
  // Two callers at once may both hear true: making what is there is no error.
  if (database_.exists(stored)) return false;
  RETURN_IF_ERROR(database_.create(stored));
  return true;
}

db::Result<void> Guard::remove(const Auth& auth, std::string_view name) {
  if (auth.kind != Auth::Kind::Admin) return denied();
  ASSIGN_OR_RETURN(const std::string stored, db::check_namespace_name(name));
  const std::lock_guard lock(kicks_);  // the row of one goes with it, and what is known of it
  RETURN_IF_ERROR(database_.remove(stored));
  // Only now: until it is removed, its tokens stay revoked.
  revoked_.forget(stored);
  settings_->forget(stored);
  return {};
}

void Guard::stats(const std::string& name, const Auth& auth, db::Path path,
                  std::function<void(db::Result<db::Stats>)> done) {
  if (auth.kind != Auth::Kind::Admin) return done(denied());
  database_.stats(name, std::move(path), std::move(done));
}

void Guard::purge(const std::string& name, const Auth& auth, db::Path path, Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  Purged purged;
  {
    const std::lock_guard lock(purges_);
    purged = purged_;
  }
  if (purged == nullptr) return database_.purge(name, std::move(path), std::move(done));
  database_.purge(
      name, path, [name, path, purged = std::move(purged), done = std::move(done)](const db::Answer& answer) {
        if (!answer.status.ok()) return done(answer);
        purged(name, path,
               [answer, done](const db::Result<void>& rest) { done(rest.ok() ? answer : answer_of(rest.error())); });
      });
}

void Guard::when_purged(Purged purged) {
  const std::lock_guard lock(purges_);
  purged_ = std::move(purged);
}

void Guard::undo(const std::string& name, const Auth& auth, db::EventId id, Done done) {
  if (auth.kind != Auth::Kind::Admin) return done(answer_of(denied()));
  database_.undo(name, std::move(id), auth.user(), std::move(done));
}

// The past may show what was deleted, and what was there before somebody was let in. So it is for admins, and where an
// operator has said so for whoever may read the present.
void Guard::if_past_is_open(const std::string& name, const Auth& auth, const db::Path& path,
                            std::function<void(db::Result<void>)> done) {
  if (auth.kind == Auth::Kind::Admin) return done({});
  space_settings(name, [path,
                        done = std::move(done)](const db::Result<std::shared_ptr<const SpaceSettings>>& settings) {
    if (!settings.ok()) return done(settings.error());
    const auto& open = settings.value()->past_open;
    const bool is_open = std::any_of(open.begin(), open.end(), [&](const db::Path& one) { return one.contains(path); });
    done(is_open ? db::Result<void>() : db::Result<void>(denied()));
  });
}

void Guard::history(const std::string& name, const Auth& auth, db::HistoryRead read,
                    std::function<void(db::Result<db::PathHistory>)> done) {
  if (auth.kind == Auth::Kind::Admin) return database_.history(name, std::move(read), std::move(done));
  // Whoever reads the past has to be one who may read the present: asked by a read that answers nothing.
  db::Read trial;
  trial.path = read.path;
  trial.shallow = true;
  trial.query = db::Query::by_key();
  trial.query->limit = db::Limit::First;
  trial.query->count = 1;
  trial.check = std::make_shared<const ReadAccess>(book_, asker_of(book_, name, auth), read.path, std::nullopt,
                                                   Unindexed::Refused);
  if_past_is_open(name, auth, read.path, [this, name, trial, read, done](const db::Result<void>& open) {
    if (!open.ok()) return done(open.error());
    database_.read(name, trial, [this, name, read, done](const db::Answer& may) {
      if (!may.status.ok()) return done(may.status.error());
      database_.history(name, read, done);
    });
  });
}

void Guard::changes(const std::string& name, const Auth& auth, db::ChangesRead read,
                    std::function<void(db::Result<db::ChangesPage>)> done) {
  if (auth.kind != Auth::Kind::Admin) return done(denied());
  database_.changes(name, std::move(read), std::move(done));
}

db::Result<db::BesideRows> Guard::beside(const std::string& name, const Auth& auth, const db::BesideRead& read) const {
  if (auth.kind != Auth::Kind::Admin) return denied();
  return database_.beside(name, read);
}

db::Result<void> Guard::keep_beside(const std::string& name, const Auth& auth, const db::BesideWrite& write) {
  if (auth.kind != Auth::Kind::Admin) return denied();
  return database_.keep_beside(name, write);
}

db::Result<std::vector<std::string>> Guard::with_rows_beside(const Auth& auth) const {
  if (auth.kind != Auth::Kind::Admin) return denied();
  return database_.with_rows_beside();
}

void Guard::compact(const Auth& auth, std::function<void(db::Result<db::Compacted>)> done) {
  if (auth.kind != Auth::Kind::Admin) return done(denied());
  database_.compact(std::move(done));
}

std::string Guard::event_id(uint64_t sequence) const { return database_.life() + ":" + std::to_string(sequence); }

db::Result<std::vector<std::string>> Guard::namespaces(const Auth& auth) const {
  if (!options_.dev && auth.kind != Auth::Kind::Admin) {
    return db::Error{db::ErrorCode::PermissionDenied, "Permission denied"};
  }
  return database_.namespaces();
}

}  // namespace hearth::rules
