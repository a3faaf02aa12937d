// Access as conditions that db asks at the moment of commit, of a read or of a listen: the rules in force then judge
// whoever asked. Thread: any.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/model/path.h"
#include "db/model/precondition.h"
#include "db/model/query.h"
#include "db/model/row_change.h"
#include "rules/auth.h"
#include "rules/rulebook.h"

namespace hearth::rules {

inline db::Error denied() { return {db::ErrorCode::PermissionDenied, "Permission denied"}; }

// Who asks, and in which namespace: the part that all conditions of one session have in common, and share. A value.
class Asker {
 public:
  // An admin may do everything until their credential is past its time. Who has no such time needs no Asker at all. The
  // variable is JSON that has been parsed before.
  Asker(std::shared_ptr<Rulebook> book, std::string space, const Auth& auth);

  std::string uid() const;  // "" when signed out, or when the variable has none
  std::optional<std::chrono::seconds> expires() const { return expires_; }  // nothing: never
  bool is_past(const db::Moment& moment) const { return expires_ && moment.now.wall >= *expires_; }

  db::Result<void> may_read(const db::Moment& moment, const db::Path& path, const QueryFacts& query) const;
  // The same, asked of one row after the other: not counted as a denial, nor told of. Who is past their time sees
  // nothing. Errors: Io.
  db::Result<bool> sees(const db::Moment& moment, const db::Path& path) const;
  db::Result<void> may_write(const db::Moment& moment) const;
  // Whether the asker may write at a path where nothing is written: to speak in a topic that the path stands for. Rules
  // see no new data there.
  db::Result<void> may_speak(const db::Moment& moment, const db::Path& path) const;
  // Whether `.write` rules let the asker do it; `.validate` rules, which judge the data, are not asked. A no is not counted
  // as a denial, nor told of. Errors: Io.
  db::Result<bool> has_right_to_write(const db::Moment& moment) const;
  // Errors: PermissionDenied where the write would be denied whatever the tree after it is. Otherwise may_write()
  // decides (db::Precondition::begin).
  db::Result<void> may_begin(const db::Moment& moment) const;

  // The same, with all that was evaluated on the way. `rules`: these instead of those in force, and then nothing is
  // counted by the coverage; null: those in force. Errors: Io.
  using Rules = std::shared_ptr<const Ruleset>;
  db::Result<Explanation> explain_read(const db::Moment& moment, const db::Path& path, const QueryFacts& query,
                                       const Rules& rules) const;
  db::Result<Explanation> explain_write(const db::Moment& moment, const Rules& rules) const;

 private:
  template <typename Judge>
  db::Result<void> ask(const db::Moment& moment, const db::Path& at, const Judge& judge) const;
  enum class Counted : uint8_t { No, Yes };  // by the coverage
  template <typename Judge>
  db::Result<Explanation> explain(const db::Moment& moment, Rules rules, Counted counted, const Judge& judge) const;
  Question question(const db::Moment& moment) const;
  friend class Sight;

  std::shared_ptr<Rulebook> book_;
  std::string space_;
  std::shared_ptr<const AuthVariable> variable_;  // null: signed out
  bool is_admin_;
  std::optional<std::chrono::seconds> expires_;  // from then on, signed out
};

// An admin is asked nothing, unless the admin's credential has an end.
inline bool is_asked(const Auth& auth) { return auth.kind != Auth::Kind::Admin || auth.expires.has_value(); }

using SharedAsker = std::shared_ptr<const Asker>;  // null: an admin, whom nothing is asked

// What somebody may read at one moment, asked of many paths. Denials are not told to Options::on_denied and not counted:
// what is not seen is no refusal. All that is asked of one is one operation (kStepsMax, and kStepsPerRow for each path).
// Thread: one at a time. The moment outlives it.
class Sight {
 public:
  // Errors: Io.
  static db::Result<Sight> of(const SharedAsker& asker, const db::Moment& moment);
  bool sees_everything() const { return sees_everything_; }  // without a look: an admin, or open
  // Errors: TooLarge: the rules have taken too long; Io.
  db::Result<bool> sees(const db::Path& path) const;

 private:
  Sight(const db::Moment& moment) : moment_(&moment) {}
  const db::Moment* moment_;
  std::shared_ptr<const Ruleset> ruleset_;  // null: everything or nothing
  std::shared_ptr<Coverage> coverage_;
  std::shared_ptr<const AuthVariable> variable_;
  Question question_;
  bool sees_everything_ = false;
  mutable uint64_t asked_ = 0, evaluated_ = 0;
};

// A query as rules see it (rules/language.md §9).
QueryFacts facts_of(const std::optional<db::Query>& query);

// What happens to a query whose order no `.indexOn` names (net/rest/http-api.md §6). A request is refused, after it
// is known that the asker may read; for a listener the missing index is noted. Running listeners are not asked for it
// again.
enum class Unindexed : uint8_t { Noted, Refused };

// What happens to requests once the asker's credential is past its time: the asker counts as signed out, or every
// request is refused.
enum class Expired : uint8_t { SignedOut, Refused };

class ReadAccess final : public db::Precondition {
 public:
  // An admin is asked for the index alone. `space`: of the namespace; a query without an index is remembered by it.
  ReadAccess(const std::shared_ptr<Rulebook>& book, SharedAsker asker, db::SharedPath path,
             const db::SharedQuery& query = {}, Unindexed unindexed = Unindexed::Noted,
             Expired expired = Expired::SignedOut, std::string_view space = {})
      : asker_(std::move(asker)),
        path_(std::move(path)),
        filter_(query ? std::make_unique<const Filter>(Filter{book, query, facts_of(*query), std::string(space)})
                      : nullptr),
        unindexed_(unindexed),
        expired_(expired) {}
  // Errors: PermissionDenied, ExpiredToken (Expired::Refused), InvalidArgument (Unindexed::Refused), Io.
  db::Result<void> check(const db::Moment& moment) const override;
  std::optional<db::Timestamp> lapses() const override;
  bool no_index() const { return no_index_.load(std::memory_order_relaxed); }  // once it was checked

 private:
  struct Filter {
    std::shared_ptr<Rulebook> book;
    db::SharedQuery query;
    QueryFacts facts;
    std::string space;
  };
  db::Result<void> check_index(const db::Moment& moment) const;

  const SharedAsker asker_;
  const db::SharedPath path_;
  const std::unique_ptr<const Filter> filter_;  // null, as it mostly is: a plain read
  const Unindexed unindexed_;
  const Expired expired_;
  mutable std::atomic<bool> is_checked_ = false;
  mutable std::atomic<bool> no_index_ = false;
};

class WriteAccess final : public db::Precondition {
 public:
  explicit WriteAccess(SharedAsker asker, std::string memo = {}) : asker_(std::move(asker)), memo_(std::move(memo)) {}
  db::Result<void> check(const db::Moment& moment) const override { return asker_->may_write(moment); }
  db::Result<void> begin(const db::Moment& moment) const override { return asker_->may_begin(moment); }
  std::string memo() const override { return memo_; }

 private:
  const SharedAsker asker_;
  const std::string memo_;  // of writes that may have to wait for a restart: Auth as text
};

// The right to write, asked of who comes again with a key (db::Once::may_still): what would be written was written before, so
// it is not judged again.
class MayStillWrite final : public db::Precondition {
 public:
  explicit MayStillWrite(SharedAsker asker) : asker_(std::move(asker)) {}
  db::Result<void> check(const db::Moment& moment) const override {
    ASSIGN_OR_RETURN(const bool may, asker_->has_right_to_write(moment));
    return may ? db::Result<void>() : denied();
  }

 private:
  const SharedAsker asker_;
};

// A compare-and-set that tells nobody what they may not read. Askers who may read the path are told the plain
// verdict. Others may ask only whether nothing stands there (or something: it has the same code); when that does not
// hold, they are denied. Every other condition of theirs is denied without a look, because its verdict and its cost
// would tell what is there.
class ReadersOnly final : public db::Precondition {
 public:
  ReadersOnly(std::shared_ptr<const db::Precondition> condition, SharedAsker asker, db::Path path)
      : condition_(std::move(condition)), asker_(std::move(asker)), path_(std::move(path)) {}
  db::Result<void> check(const db::Moment& moment) const override {
    const bool expects_nothing = condition_->expects_nothing();
    if (!expects_nothing) RETURN_IF_ERROR(asker_->may_read(moment, path_, {}));
    db::Result<void> verdict = condition_->check(moment);
    if (!expects_nothing || verdict.ok()) return verdict;
    const db::ErrorCode code = verdict.error().code;
    if (code != db::ErrorCode::Stale && code != db::ErrorCode::InvalidArgument) return verdict;
    RETURN_IF_ERROR(asker_->may_read(moment, path_, {}));
    return verdict;
  }

 private:
  const std::shared_ptr<const db::Precondition> condition_;
  const SharedAsker asker_;
  const db::Path path_;
};

// Of rows those that the asker may read, each by itself.
class RowAccess final : public db::RowCheck {
 public:
  RowAccess(SharedAsker asker, const Auth& auth);
  db::Result<bool> may_read(const db::Moment& moment, const db::Path& row) const override {
    return asker_->sees(moment, row);
  }
  std::string_view asker() const override { return word_; }

 private:
  const SharedAsker asker_;
  const std::string word_;
};

// Asker::may_speak of somebody who is not in the topic.
class MaySpeak final : public db::Precondition {
 public:
  MaySpeak(SharedAsker asker, db::Path path) : asker_(std::move(asker)), path_(std::move(path)) {}
  db::Result<void> check(const db::Moment& moment) const override { return asker_->may_speak(moment, path_); }

 private:
  const SharedAsker asker_;
  const db::Path path_;
};

// Whether the writer may read all of these paths. Asked where the answer tells what stood there, such as an
// increment's sum.
class MayRead final : public db::Precondition {
 public:
  MayRead(SharedAsker asker, std::vector<db::Path> paths) : asker_(std::move(asker)), paths_(std::move(paths)) {}
  db::Result<void> check(const db::Moment& moment) const override {
    for (const db::Path& path : paths_) RETURN_IF_ERROR(asker_->may_read(moment, path, {}));
    return {};
  }

 private:
  const SharedAsker asker_;
  const std::vector<db::Path> paths_;
};

}  // namespace hearth::rules
