// The committer's part in writes with a key (db::Once): what they were answered is rows of the commit's own batch, so that
// neither is on disk without the other.
//
//   first_answer()   by key ─▶ arrival ─▶ KeptAnswer        before the write is judged; nothing: it is the first
//   keep_answer()    ▤▤▤▤▤▤▤▤▤◀ next                        once it is accepted
//   trim_answers()   first ▶▤▤▤▤▤▤▤▤▤                       in the background: what is too old, or too much
//
// A key is read where a later write of the same group would find it: what waits for commit() comes before what is durable.
#include <algorithm>

#include "db/base/step.h"
#include "db/commit/kept_answer.h"
#include "db/commit/pending_tree.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

// The queue is looked at when it may be an eighth too long, or has something that is too old by an hour: so the answers of
// a busy namespace go some at a time. Whether one is too old to be told is looked at when it is asked for.
constexpr uint64_t kAnswersTrimPart = 8;
constexpr Timestamp kAnswersTrimPause = std::chrono::hours(1);
constexpr size_t kAnswersDroppedMax = 500;  // in one step

// What the rows of one hold beside the answer itself: table, number, and keys.
constexpr uint64_t kAnswerRowsBytes = 2 * kTableAndNumber + (1 + 8) + (1 + 16 + 8);

bool is_too_old(const KeptAnswer& kept, Timestamp now) { return now - kept.wall >= kAnswerAge; }

}  // namespace

Result<std::optional<std::string>> Committer::row(const std::string& key) const {
  if (const auto* pending = rows_.find(key)) return *pending;
  return durable()->get(key);
}

// Two seeks, once, and only in namespaces where keys are used.
Result<void> Committer::load_answers(Tree& tree) {
  if (tree.answers.is_loaded) return {};
  TreeAnswers answers;
  answers.is_loaded = true;
  Result<void> read;
  const SnapshotView rows(durable(), tree.number, Table::Answer);
  RETURN_IF_ERROR(rows.scan(kAnswersFrom, kAnswersUpto, [&](std::string_view key, std::string_view bytes) {
    const Result<KeptAnswer> oldest = KeptAnswer::decode(bytes);
    if (!oldest.ok()) {
      read = oldest.error();
      return false;
    }
    answers.first = arrival_of(key);
    answers.first_offset = oldest.value().offset;
    answers.oldest = oldest.value().wall;
    return false;
  }));
  RETURN_IF_ERROR(read);
  ASSIGN_OR_RETURN(const auto last, rows.last(kAnswersFrom, kAnswersUpto));
  if (last) {
    ASSIGN_OR_RETURN(const KeptAnswer newest, KeptAnswer::decode(last->second));
    answers.next = arrival_of(last->first) + 1;
    answers.offset = newest.offset + last->second.size() + kAnswerRowsBytes;
  }
  tree.answers = answers;
  return {};
}

Result<std::optional<KeptAnswer>> Committer::first_answer(Tree& tree, const Write& write, Timestamp now) {
  const auto nothing = std::optional<KeptAnswer>();
  RETURN_IF_ERROR(store_.health());
  RETURN_IF_ERROR(load(tree));
  RETURN_IF_ERROR(load_answers(tree));
  if (tree.answers.first == tree.answers.next) return nothing;
  ASSIGN_OR_RETURN(const auto arrival, row(row_key(Table::Answer, tree.number, answer_key_row(write.once->key))));
  if (!arrival || arrival->size() != 8) return nothing;
  ASSIGN_OR_RETURN(const auto bytes, row(row_key(Table::Answer, tree.number, answer_row(read_sequence(*arrival)))));
  if (!bytes) return nothing;
  ASSIGN_OR_RETURN(KeptAnswer kept, KeptAnswer::decode(*bytes));
  if (is_too_old(kept, now)) return nothing;
  RETURN_IF_ERROR(may_hear(tree, write, kept, now));
  if (kept.asked != write.once->asked) {
    return Error{ErrorCode::KeyReused, "This idempotency key was used before, for another request."};
  }
  return std::optional(std::move(kept));
}

// The right to write is judged anew, for the write as it was done: at the first one's place. Its own doing must not take it:
// where a rule lets things be made and not be changed, the tree as it is refuses whoever has made something.
Result<void> Committer::may_hear(Tree& tree, const Write& write, const KeptAnswer& kept, Timestamp now) {
  const Once& once = *write.once;
  Write trial;
  trial.base = kept.base;
  trial.selection = write.selection;
  trial.access = once.may_still;
  if (once.may_select != nullptr) trial.preconditions.push_back(once.may_select);
  if (trial.access == nullptr && trial.preconditions.empty()) return {};
  for (const Overwrite& overwrite : write.overwrites) {
    trial.overwrites.push_back(overwrite);
    if (!write.base.contains(overwrite.path)) continue;
    ASSIGN_OR_RETURN(trial.overwrites.back().path, kept.base.join(overwrite.path.relative_to(write.base)));
  }
  PendingTree& at = pending(tree);
  const Times times = Times::after(tree.head.time, now);
  const Result<void> verdict = db::judge(trial, {at.view, at.settings, tree.head.has_priorities, nullptr}, times);
  if (verdict.ok() || write.selection || Step::here().is_over()) return verdict;
  Overlay bare(static_cast<const TreeView&>(at.view));
  for (const Overwrite& overwrite : trial.overwrites) {
    const std::string place = encode_path(overwrite.path);
    if (overwrite.slot == Slot::Value) bare.replace(place, place + kPastChildren, place, Value());
  }
  const bool is_allowed = db::judge(trial, {bare, at.settings, tree.head.has_priorities, nullptr}, times).ok();
  return is_allowed ? Result<void>() : verdict;
}

void Committer::keep_answer(Tree& tree, KeptAnswer kept) {
  TreeAnswers& answers = tree.answers;
  invariant(answers.is_loaded, "first_answer() was asked before");
  name(tree);  // also where nothing changed: rows of a number without a name would be another namespace's one day
  if (answers.first == answers.next) {
    answers.first_offset = answers.offset;
    answers.oldest = kept.wall;
  }
  kept.offset = answers.offset;
  const std::string bytes = kept.encode();
  if (logs_ != nullptr) {
    BatchEntry entry;
    entry.kind = BatchEntry::Kind::Answer;
    entry.answer = bytes;
    seal(tree, std::move(entry));
  }
  std::string arrival;
  append_sequence(answers.next, arrival);
  rows_.put(row_key(Table::Answer, tree.number, answer_row(answers.next)), bytes);
  rows_.put(row_key(Table::Answer, tree.number, answer_key_row(kept.key)), arrival);
  ++answers.next;
  answers.offset += bytes.size() + kAnswerRowsBytes;
}

bool Committer::wants_trim_answers(const Tree& tree, Timestamp now) const {
  const TreeAnswers& answers = tree.answers;
  if (answers.first == answers.next) return false;
  return answers.offset - answers.first_offset > answers_bytes_max_ + answers_bytes_max_ / kAnswersTrimPart ||
         now - answers.oldest > kAnswerAge + kAnswersTrimPause;
}

Result<bool> Committer::trim_answers(Tree& tree, Timestamp now) {
  RETURN_IF_ERROR(load_answers(tree));
  TreeAnswers& answers = tree.answers;
  for (size_t dropped = 0; answers.first != answers.next; ++answers.first, ++dropped) {
    const std::string place = row_key(Table::Answer, tree.number, answer_row(answers.first));
    ASSIGN_OR_RETURN(const auto bytes, row(place));
    if (!bytes) continue;
    ASSIGN_OR_RETURN(const KeptAnswer kept, KeptAnswer::decode(*bytes));
    answers.first_offset = kept.offset;
    answers.oldest = kept.wall;
    const bool is_old = is_too_old(kept, now);
    const bool is_too_much = answers.offset - kept.offset > answers_bytes_max_ && answers.first + 1 != answers.next;
    if (!is_old && !is_too_much) return false;
    if (dropped == kAnswersDroppedMax) return true;
    if (!is_old) counted_.answers_dropped.add();
    rows_.erase(place);
    // The key may have come again since this answer was too old.
    const std::string by_key = row_key(Table::Answer, tree.number, answer_key_row(kept.key));
    ASSIGN_OR_RETURN(const auto arrival, row(by_key));
    if (arrival && arrival->size() == 8 && read_sequence(*arrival) == answers.first) rows_.erase(by_key);
  }
  return false;
}

// What was answered to a write at or below the path, and of a write above it what only the tree knew, is of the path's past too:
// a retry of such a write is done again.
Result<void> Committer::purge_answers(Tree& tree, Purge& purge) {
  RETURN_IF_ERROR(load_answers(tree));
  if (!purge.arrivals) purge.arrivals = tree.answers.next;
  uint64_t at = std::max(purge.arrival.value_or(0), tree.answers.first);
  for (size_t seen = 0; at < *purge.arrivals; ++at) {
    if (seen++ == kAnswersDroppedMax) {
      purge.arrival = at;
      return {};
    }
    const std::string place = row_key(Table::Answer, tree.number, answer_row(at));
    ASSIGN_OR_RETURN(const auto bytes, row(place));
    if (!bytes) continue;
    ASSIGN_OR_RETURN(const KeptAnswer kept, KeptAnswer::decode(*bytes));
    const bool is_above = kept.base.contains(purge.path) && !kept.value.is_null();
    if (!is_above && !purge.path.contains(kept.base)) continue;
    rows_.erase(place);
    const std::string by_key = row_key(Table::Answer, tree.number, answer_key_row(kept.key));
    ASSIGN_OR_RETURN(const auto arrival, row(by_key));
    if (arrival && arrival->size() == 8 && read_sequence(*arrival) == at) rows_.erase(by_key);
  }
  purge.has_answers = false;
  return {};
}

}  // namespace hearth::db
