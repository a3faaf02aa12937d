// Access as a condition that travels with the request, and is asked where the data is.
//
//   Session, Guard ─▶ Write{access: WriteAccess(Asker)} ─▶ shard ─▶ evaluate(): access->begin(Moment), … check(Moment)
//                     Read, Listen{check: ReadAccess}   ─▶ reader, registry: check(Moment)
//                                                                        │ Moment: tree before, after, settings, now
//                                                                        ▼
//                     Rulebook::in_force(moment.settings) ─▶ Ruleset ─▶ Decision ─▶ allowed, denied, or an error
//
// Why there and not before: between a check at the door and the commit, other writes could change what the rules
// looked at, and the rules themselves. Here data, rules and time are those of one moment. So a Moment brings its
// settings, and the Rulebook finds the compiled rules by their digest.
//
// - An admin has no Asker, and nothing is asked; an admin for a time has one, and is signed out when the time is over.
// - Whether a credential is past its time the wall clock says; `now` in a rule is the server time (db/base/clock.h,
//   Times).
// - Verdicts are counted here, once for each question, and coverage where the server is in development.
#include "rules/access.h"

#include <vector>

#include "db/base/step.h"
#include "db/model/index.h"
#include "db/model/write.h"

namespace hearth::rules {
namespace {

bool is_denied(const db::Result<void>& verdict) {
  return !verdict.ok() && verdict.error().code == db::ErrorCode::PermissionDenied;
}

std::vector<Target> targets_of(const db::Moment& moment) {
  std::vector<Target> targets;
  targets.reserve(moment.overwrites.size());
  for (const db::Overwrite& overwrite : moment.overwrites) {
    targets.push_back({&overwrite.path, overwrite.slot, &overwrite.value});
  }
  return targets;
}

// Of a write of several places the first stands for all.
const db::Path& place_of(const db::Moment& moment) {
  static const db::Path root;
  return moment.overwrites.empty() ? root : moment.overwrites.front().path;
}

// Whether the bound includes a child that has just the bound's first value. In an order by several children more
// values follow.
bool is_inclusive(const std::optional<db::Bound>& bound) {
  return bound && (bound->is_inclusive || !bound->rest.empty());
}

}  // namespace

// To the rules an order by several children is an order by the first of them.
QueryFacts facts_of(const std::optional<db::Query>& query) {
  QueryFacts facts;
  if (!query) return facts;
  facts.by_key = query->order == db::Order::Key;
  facts.by_priority = query->order == db::Order::Priority;
  facts.by_value = query->order == db::Order::Value;
  if (query->order == db::Order::Child) facts.by_child = query->child.text();
  // equalTo is how the SDKs write it: both bounds are the same.
  if (query->start && query->start == query->end) {
    facts.equal_to = query->start->value;
  } else {
    // startAfter and endBefore have no field of their own.
    if (is_inclusive(query->start)) facts.start_at = query->start->value;
    if (is_inclusive(query->end)) facts.end_at = query->end->value;
  }
  if (query->limit == db::Limit::First) facts.limit_to_first = query->count;
  if (query->limit == db::Limit::Last) facts.limit_to_last = query->count;
  return facts;
}

db::Result<void> ReadAccess::check(const db::Moment& moment) const {
  static const QueryFacts plain;
  if (expired_ == Expired::Refused && asker_ != nullptr && asker_->is_past(moment)) {
    return db::Error{db::ErrorCode::ExpiredToken, "Auth token is expired."};
  }
  if (asker_ != nullptr) RETURN_IF_ERROR(asker_->may_read(moment, path_, filter_ != nullptr ? filter_->facts : plain));
  // The index is asked for once, when the listener begins: later rules must not end it for a missing index.
  if (filter_ == nullptr || is_checked_.exchange(true, std::memory_order_relaxed)) return {};
  return check_index(moment);
}

std::optional<db::Timestamp> ReadAccess::lapses() const {
  if (asker_ == nullptr || !asker_->expires()) return {};
  return *asker_->expires();
}

db::Result<void> ReadAccess::check_index(const db::Moment& moment) const {
  const db::Query& query = *filter_->query;
  Rulebook& book = *filter_->book;
  if (query.order == db::Order::Key || query.order == db::Order::Priority) return {};
  const std::string order = query.order == db::Order::Value ? ".value" : query.child.text();
  ASSIGN_OR_RETURN(const std::shared_ptr<const Ruleset> ruleset, book.in_force(moment.settings));
  if (query.then.empty() && ruleset != nullptr && ruleset->has_index(*path_, order)) return {};
  // Orders by several children are never in the rules; the namespace's own setting may have them.
  ASSIGN_OR_RETURN(const auto text, moment.settings.text(db::kOwnIndexesSetting));
  ASSIGN_OR_RETURN(const auto own, db::parse_indexes(text.value_or(book.options().own_indexes)));
  const std::vector<std::string_view> keys = path_->keys();
  for (const db::IndexSpec& spec : own) {
    const bool is_order = spec.order == query.order && spec.child == query.child && spec.then == query.then;
    if (is_order && spec.matches(keys)) return {};
  }
  // Read by Session::take() on another thread, for the warning that SDKs print.
  no_index_.store(true, std::memory_order_relaxed);
  if (!filter_->space.empty()) book.unindexed().note(filter_->space, path_, query, moment.now.wall);
  if (unindexed_ == Unindexed::Noted || !book.options().needs_indexes) return {};
  if (!query.then.empty()) {
    db::IndexSpec spec;
    for (const std::string_view key : keys) spec.at.emplace_back(key);
    spec.child = query.child;
    spec.then = query.then;
    return db::Error{db::ErrorCode::InvalidArgument,
                     "Index not defined, add it to /.settings/indexes.json: " + db::indexes_text({spec})};
  }
  return db::Error{db::ErrorCode::InvalidArgument, "Index not defined, add \".indexOn\": \"" + order +
                                                       "\", for path \"" + path_->slashed() + "\", to the rules"};
}

db::Result<Sight> Sight::of(const SharedAsker& asker, const db::Moment& moment) {
  Sight sight(moment);
  if (asker == nullptr || (asker->is_admin_ && !asker->is_past(moment))) {
    sight.sees_everything_ = true;
    return sight;
  }
  ASSIGN_OR_RETURN(sight.ruleset_, asker->book_->in_force(moment.settings));
  if (sight.ruleset_ == nullptr) {
    sight.sees_everything_ = asker->book_->options().is_open;
    return sight;
  }
  sight.variable_ = asker->variable_;
  sight.question_ = asker->question(moment);
  sight.coverage_ = asker->book_->coverage(asker->space_, sight.ruleset_);
  sight.question_.coverage = sight.coverage_.get();
  return sight;
}

db::Result<bool> Sight::sees(const db::Path& path) const {
  if (sees_everything_ || ruleset_ == nullptr) return sees_everything_;
  const uint64_t before = db::Step::here().done().evaluations;
  auto verdict = ruleset_->may_read(moment_->before, path, question_);
  evaluated_ += db::Step::here().done().evaluations - before;
  if (evaluated_ > kStepsMax + kStepsPerRow * ++asked_) {
    return db::Error{db::ErrorCode::TooLarge, "The rules take too long for so many rows: ask for fewer at a time."};
  }
  return verdict;
}

Asker::Asker(std::shared_ptr<Rulebook> book, std::string space, const Auth& auth)
    : book_(std::move(book)),
      space_(std::move(space)),
      is_admin_(auth.kind == Auth::Kind::Admin),
      expires_(auth.expires) {
  if (auth.kind == Auth::Kind::User) variable_ = AuthVariable::parse(auth.variable);
}

std::string Asker::uid() const {
  const AuthVariable::Node* uid = variable_ != nullptr ? variable_->root().member("uid") : nullptr;
  return uid != nullptr && uid->kind == AuthVariable::Kind::String ? uid->string : std::string();
}

Question Asker::question(const db::Moment& moment) const {
  Question question;
  question.auth = is_past(moment) ? nullptr : variable_.get();
  question.now = moment.now.server;
  return question;
}

// `judge(ruleset, question)` evaluates. `at`: by which a denial is put together with its request (Activity).
template <typename Judge>
db::Result<void> Asker::ask(const db::Moment& moment, const db::Path& at, const Judge& judge) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Ruleset> ruleset, book_->in_force(moment.settings));
  if (ruleset == nullptr) {
    if (book_->options().is_open) return {};
    if (book_->activity().is_on()) book_->activity().note_denial(space_, uid(), at.slashed(), Explanation());
    return denied();
  }
  Question question = this->question(moment);
  // Held here: a new ruleset of the namespace begins counts of its own meanwhile.
  const std::shared_ptr<Coverage> coverage = book_->coverage(space_, ruleset);
  question.coverage = coverage.get();
  ASSIGN_OR_RETURN(const bool is_allowed, judge(*ruleset, question));
  if (is_allowed) return {};
  const bool is_watched = book_->activity().is_on();
  if (is_watched || book_->options().on_denied != nullptr) {
    // Judged once more, with an explanation for whoever runs the server.
    ASSIGN_OR_RETURN(const Explanation why, explain(moment, ruleset, Counted::No, judge));
    if (book_->options().on_denied != nullptr) book_->options().on_denied(space_, why);
    if (is_watched) book_->activity().note_denial(space_, uid(), at.slashed(), why);
  }
  return denied();
}

template <typename Judge>
db::Result<Explanation> Asker::explain(const db::Moment& moment, Rules ruleset, Counted counted,
                                       const Judge& judge) const {
  if (ruleset == nullptr) {
    ASSIGN_OR_RETURN(ruleset, book_->in_force(moment.settings));
  }
  Explanation explanation;
  if (ruleset == nullptr) {
    explanation.allowed = book_->options().is_open;
    return explanation;
  }
  Question question = this->question(moment);
  question.explanation = &explanation;
  const auto coverage = counted == Counted::Yes ? book_->coverage(space_, ruleset) : nullptr;
  question.coverage = coverage.get();
  ASSIGN_OR_RETURN(explanation.allowed, judge(*ruleset, question));
  return explanation;
}

db::Result<void> Asker::may_read(const db::Moment& moment, const db::Path& path, const QueryFacts& query) const {
  if (is_admin_ && !is_past(moment)) return {};
  db::Result<void> verdict = ask(moment, path, [&](const Ruleset& ruleset, Question& question) {
    question.query = &query;
    return ruleset.may_read(moment.before, path, question);
  });
  Verdicts& verdicts = book_->verdicts();
  verdicts.reads.add();
  if (is_denied(verdict)) verdicts.reads_denied.add();
  return verdict;
}

db::Result<bool> Asker::sees(const db::Moment& moment, const db::Path& path) const {
  static const QueryFacts plain;
  if (is_past(moment)) return false;
  if (is_admin_) return true;
  ASSIGN_OR_RETURN(const std::shared_ptr<const Ruleset> ruleset, book_->in_force(moment.settings));
  if (ruleset == nullptr) return book_->options().is_open;
  Question question = this->question(moment);
  question.query = &plain;
  book_->verdicts().reads.add();
  return ruleset->may_read(moment.before, path, question);
}

RowAccess::RowAccess(SharedAsker asker, const Auth& auth)
    : asker_(std::move(asker)),
      word_((auth.kind == Auth::Kind::Admin ? "admin" : auth.variable) + " " +
            std::to_string(auth.expires.value_or(std::chrono::seconds(0)).count())) {}

db::Result<void> Asker::may_speak(const db::Moment& moment, const db::Path& path) const {
  const std::vector<db::Overwrite> nothing{{path, db::Slot::Value, {}}};
  db::Moment as_write{moment.before, moment.now, moment.settings};
  as_write.after = &moment.before;
  as_write.overwrites = nothing;
  return may_write(as_write);
}

db::Result<void> Asker::may_write(const db::Moment& moment) const {
  db::invariant(moment.after != nullptr, "writes are judged on the tree before and the tree after");
  if (is_admin_ && !is_past(moment)) return {};
  bool is_invalid = false;
  db::Result<void> verdict = ask(moment, place_of(moment), [&](const Ruleset& ruleset, Question& question) {
    question.is_invalid = &is_invalid;
    question.granted = moment.granted;
    return ruleset.may_write(moment.before, *moment.after, targets_of(moment), question);
  });
  Verdicts& verdicts = book_->verdicts();
  verdicts.writes.add();
  if (is_denied(verdict)) (is_invalid ? verdicts.writes_invalid : verdicts.writes_denied).add();
  return verdict;
}

db::Result<bool> Asker::has_right_to_write(const db::Moment& moment) const {
  if (is_admin_ && !is_past(moment)) return true;
  ASSIGN_OR_RETURN(const std::shared_ptr<const Ruleset> ruleset, book_->in_force(moment.settings));
  if (ruleset == nullptr) return book_->options().is_open;
  Question question = this->question(moment);
  question.only_rights = true;
  return ruleset->may_write(moment.before, *moment.after, targets_of(moment), question);
}

db::Result<void> Asker::may_begin(const db::Moment& moment) const {
  if (is_admin_ && !is_past(moment)) return {};
  db::Result<void> verdict = ask(moment, place_of(moment), [&](const Ruleset& ruleset, Question& question) {
    question.granted = moment.granted;
    return ruleset.may_begin(moment.before, targets_of(moment), question);
  });
  // Only a no is counted here: a write that goes on is counted by may_write().
  if (!is_denied(verdict)) return verdict;
  Verdicts& verdicts = book_->verdicts();
  verdicts.writes.add();
  verdicts.writes_denied.add();
  return verdict;
}

db::Result<Explanation> Asker::explain_read(const db::Moment& moment, const db::Path& path, const QueryFacts& query,
                                            const Rules& rules) const {
  return explain(moment, rules, rules == nullptr ? Counted::Yes : Counted::No,
                 [&](const Ruleset& ruleset, Question& question) {
                   question.query = &query;
                   return ruleset.may_read(moment.before, path, question);
                 });
}

db::Result<Explanation> Asker::explain_write(const db::Moment& moment, const Rules& rules) const {
  return explain(moment, rules, rules == nullptr ? Counted::Yes : Counted::No,
                 [&](const Ruleset& ruleset, Question& question) {
                   return ruleset.may_write(moment.before, *moment.after, targets_of(moment), question);
                 });
}

}  // namespace hearth::rules
