// A shard's part in writes with a key (db::Once): who comes again is answered as the first one was, and what the first one
// was answered is kept with its commit (db/commit/kept_answer.h).
//
// Requests of a namespace are done one after the other, so there is no moment at which a write is done and its key is not
// known. One that comes while the first waits for its commit is answered with the same group: neither is told anything
// unless both are true.
#include <algorithm>
#include <utility>

#include "db/base/step.h"
#include "db/shard/shard.h"

namespace hearth::db {
namespace {

// What only the tree knew of the write: what its increments came to.
bool is_summing(const Write& write) {
  return std::any_of(write.overwrites.begin(), write.overwrites.end(),
                     [](const Overwrite& overwrite) { return overwrite.value.has_increments(); });
}

}  // namespace

bool Shard::is_answered_before(const ShardRequest& request, const Write& write) {
  NamespaceState& space = *request.space;
  Answer reply;
  Result<std::optional<KeptAnswer>> first = committer_.first_answer(space.tree, write, with_.clock.now());
  if (Step::here().is_over()) return true;
  if (first.ok() && !first.value()) {
    if (!is_summing(write) || request.bytes <= kKeptSumsBytesMax) return false;
    reply.status = Error{ErrorCode::TooLarge, "A write with an idempotency key that increments may have 1 MB."};
  } else if (!first.ok()) {
    reply.status = first.error();
    if (first.error().code == ErrorCode::KeyReused) counted_.keys_reused.add();
  } else {
    KeptAnswer& kept = *first.value();
    reply.sequence = kept.sequence;
    reply.time = kept.time;
    reply.first_base = std::make_shared<const Path>(std::move(kept.base));
    const Times now = Times::after(space.tree.head.time, with_.clock.now());
    const bool is_shown = kept.value.is_null() || write.shows == nullptr ||
                          write.shows->check({committer_.view(space.tree), now, committer_.settings(space.tree)}).ok();
    if (Step::here().is_over()) return true;
    if (is_shown) reply.value = std::move(kept.value);
    counted_.answers_repeated.add();
  }
  count(reply.status);
  answer(request, std::move(reply));
  return true;
}

void Shard::keep_answer(NamespaceState& space, const Write& write, const Answer& reply) {
  KeptAnswer kept;
  kept.key = write.once->key;
  kept.asked = write.once->asked;
  kept.wall = with_.clock.now();
  kept.sequence = reply.sequence;
  kept.time = reply.time;
  kept.base = write.base;
  if (is_summing(write)) kept.value = reply.value;
  committer_.keep_answer(space.tree, std::move(kept));
  counted_.answers_kept.add();
}

}  // namespace hearth::db
