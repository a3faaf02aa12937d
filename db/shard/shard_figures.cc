// What a shard counts, and the statistics of one namespace. Counters are written by the shard's thread and read by
// any: each is right by itself, and together they may be of slightly different moments.
#include "db/shard/shard.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "db/read/stats.h"

namespace hearth::db {
namespace {

// The paths with most listeners, of the first that are found.
// A walk over the trie with a limit: statistics must not cost more than a request may.
std::vector<ListenersAt> listened(const Node& root) {
  std::vector<ListenersAt> found;
  std::vector<std::pair<const Node*, Path>> open = {{&root, Path()}};
  for (size_t looked_at = 0; !open.empty() && looked_at < kStatsListenedLookMax; ++looked_at) {
    const auto [node, path] = std::move(open.back());
    open.pop_back();
    uint64_t count = node->subscriptions.size();
    for (const auto& [query, view] : *node->views) count += view->subscriptions.size();
    if (count > 0) found.push_back({path, count});
    for (const auto& child : *node->children) {
      if (auto below = path.child(child->key); below.ok()) open.emplace_back(child.get(), std::move(below).value());
    }
  }
  const auto has_more = [](const ListenersAt& a, const ListenersAt& b) {
    return a.listeners != b.listeners ? a.listeners > b.listeners : a.path < b.path;
  };
  std::sort(found.begin(), found.end(), has_more);
  if (found.size() > kStatsListenedMax) found.resize(kStatsListenedMax);
  return found;
}

}  // namespace

void Shard::handle(ShardRequest& request, StatsRequest& what) {
  const NamespaceState& space = *request.space;
  what.to->sessions = space.sessions.size();
  what.to->listeners = space.registry.size();
  what.to->listened = listened(space.registry.root());
  FairPool::Job job;
  job.payer = {space.tree.number, 0};
  job.refuse = [done = request.done](const Error& error) {
    Answer reply;
    reply.status = error;
    done(std::move(reply));
  };
  // What only the shard knows is taken down now; the rows are read on a thread for long jobs.
  job.run = [snapshot = committer_.durable(), number = space.tree.number, path = what.path, to = what.to,
             store = &with_.store, done = request.done](Turn&) {  // it reads 200,000 rows at most, and has no view
    Answer reply;
    store->flush_for_estimates();
    Result<Stats> sizes = measure(*snapshot, number, path);
    if (sizes.ok()) {
      sizes.value().sessions = to->sessions;
      sizes.value().listeners = to->listeners;
      sizes.value().listened = std::move(to->listened);
      *to = std::move(sizes).value();
    } else {
      reply.status = sizes.error();
    }
    done(std::move(reply));
  };
  with_.scans.run(std::move(job));
}

void Shard::count(const Result<void>& verdict) {
  counted_.writes.add();
  if (verdict.ok()) return;
  switch (verdict.error().code) {
    case ErrorCode::PermissionDenied:
      return counted_.writes_denied.add();
    case ErrorCode::Stale:
      return counted_.writes_stale.add();
    // Listed and not `default`, so that a new code is a compiler's warning here.
    case ErrorCode::InvalidPath:
    case ErrorCode::InvalidData:
    case ErrorCode::InvalidArgument:
    case ErrorCode::Unsupported:
    case ErrorCode::TooLarge:
    case ErrorCode::NotFound:
    case ErrorCode::Timeout:
    case ErrorCode::Unavailable:
    case ErrorCode::Locked:
    case ErrorCode::Io:
    case ErrorCode::Corruption:
    case ErrorCode::InvalidToken:
    case ErrorCode::ExpiredToken:
    case ErrorCode::KeyReused:
    case ErrorCode::NotOwner:
      return counted_.writes_failed.add();
  }
}

void Shard::count_durable() {
  if (accepted_.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  for (const auto submitted : accepted_) counted_.commit_time.observe(now - submitted);
}

void Shard::add_to(Figures& figures) const {
  const Committer::Counted& committed = committer_.counted();
  figures.commits += committed.commits.value();
  figures.writes_over_quota += committed.over_quota.value();
  figures.answers_dropped += committed.answers_dropped.value();
  figures.ephemeral_writes += committed.ephemeral_writes.value();
  // Of a namespace that was at a heavy shard, part is counted there.
  figures.ephemeral_values += static_cast<uint64_t>(committed.ephemeral_rows.value());
  figures.ephemeral_bytes += static_cast<uint64_t>(committed.ephemeral_bytes.value());
  figures.rows_written += committed.rows.value();
  figures.index_rows_written += committed.index_rows.value();
  committed.group_size.add_to(figures.group_size);
  figures.writes += counted_.writes.value();
  figures.writes_denied += counted_.writes_denied.value();
  figures.writes_stale += counted_.writes_stale.value();
  figures.writes_failed += counted_.writes_failed.value();
  figures.writes_without_room += counted_.writes_without_room.value();
  counted_.commit_time.add_to(figures.commit_time);
  figures.answers_kept += counted_.answers_kept.value();
  figures.answers_repeated += counted_.answers_repeated.value();
  figures.keys_reused += counted_.keys_reused.value();
  figures.expired += counted_.expired.value();
  // Of one that went to a heavy shard meanwhile: one more there, one less here.
  figures.expiry_untaken += static_cast<uint64_t>(counted_.spaces_taking_up.value());
  figures.events_withheld += counted_.events_withheld.value();
  figures.events += counted_.events.value();
  figures.revocations += counted_.revocations.value();
  figures.sessions += counted_.sessions.value();
  figures.listeners += counted_.registered.listeners.value();
  figures.views += counted_.registered.views.value();
  const LeafCache& leaves = committer_.leaf_cache();
  figures.leaf_cache_bytes += leaves.byte_count();
  figures.leaf_cache_hits += leaves.hits();
  figures.leaf_cache_misses += leaves.misses();
  figures.resume_bytes += resume_points_.bytes();
  figures.remembered_bytes += static_cast<uint64_t>(std::max<int64_t>(remembered_->value(), 0));
  figures.slow_listeners += counted_.slow_listeners.value();
  figures.disconnect_writes_queued += counted_.disconnect_writes_queued.value();
  figures.document_updates += counted_.document_updates.value();
  figures.document_compactions += counted_.compactions.value();
  figures.document_json_writes += counted_.mirrors_written.value();
  figures.document_json_failures += counted_.mirrors_failed.value();
  figures.topic_messages += counted_.topic_messages.value();
  figures.disconnect_writes_run += counted_.disconnect_writes_run.value();
  figures.namespaces_moved += counted_.moved.value();
  figures.step_rows_max = std::max(figures.step_rows_max, counted_.step_rows.value());
  figures.step_bytes_max = std::max(figures.step_bytes_max, counted_.step_bytes.value());
  figures.step_evaluations_max = std::max(figures.step_evaluations_max, counted_.step_evaluations.value());
  figures.rows_worked += counted_.rows_worked.value();
  figures.bytes_worked += counted_.bytes_worked.value();
  figures.evaluations_worked += counted_.evaluations_worked.value();
  figures.group_rows_max = std::max(figures.group_rows_max, counted_.group_rows.value());
  figures.groups_waited_max = std::max(figures.groups_waited_max, counted_.groups_waited.value());
  // The inbox alone needs the lock.
  const std::lock_guard lock(mutex_);
  figures.shard_requests_waiting +=
      inbox_.size() + static_cast<uint64_t>(std::max<int64_t>(counted_.waiting.value(), 0));
}

}  // namespace hearth::db
