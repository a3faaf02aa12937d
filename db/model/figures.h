// What a database has done since it was opened and what it holds, at one moment: for those who watch it. A value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "db/base/metrics.h"
#include "db/model/memory_limits.h"

namespace hearth::db {

// Figures of a pool: the jobs that wait, those that run, and what became of the others (db/read/fair_pool.h).
struct PoolFigures {
  uint64_t waiting = 0;            // now
  uint64_t running = 0;            // now
  uint64_t paused = 0;             // now: begun, while it is the turn of others
  uint64_t slices = 0;             // turns that were taken
  uint64_t moved = 0;              // jobs that took longer than a slice, and began again elsewhere
  uint64_t refused = 0;            // because too many waited
  uint64_t unwanted = 0;           // not run, or not to the end: nobody waited any more
  uint64_t late = 0;               // the same, for their time was over
  uint64_t slices_waited_max = 0;  // begun for others while a namespace with nothing under way waited for its first
};

// Figures of RocksDB, as it reports them. Bytes are approximate.
struct StoreFigures {
  bool is_broken = false;        // writes are refused
  uint64_t log_syncs = 0;        // of the write-ahead log
  Distribution log_sync_time{};  // nanoseconds
  uint64_t log_bytes = 0;
  uint64_t log_files = 0;
  uint64_t memtable_bytes = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t block_cache_bytes_max = 0;
  uint64_t empty_runs = 0;  // ranges of erased rows that readers step over (db/store/empty_runs.h)
  uint64_t empty_run_bytes = 0;
  uint64_t sst_bytes = 0;
  uint64_t level_0_files = 0;
  bool is_flush_pending = false;
  bool is_compaction_pending = false;
  uint64_t flushes_running = 0;
  uint64_t compactions_running = 0;
  uint64_t compaction_bytes_pending = 0;
  uint64_t rows = 0;        // estimated; leaves, index rows and the store's own
  uint64_t snapshots = 0;   // that pin what is deleted meanwhile
  bool is_slowed = false;   // writes are, until flushes and compactions have caught up
  bool is_stopped = false;  // the same
  std::chrono::nanoseconds slowed_time{0};
  std::chrono::nanoseconds stopped_time{0};
  std::optional<uint64_t> disk_bytes_free{};
};

// Bytes of a store's files, without the log, before it was compacted and after.
struct Compacted {
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
};

struct Figures {
  // Of a shard that is no more, what it has done counts on.
  void forget_present() {
    sessions = listeners = views = 0;
    ephemeral_values = ephemeral_bytes = expiry_untaken = 0;
    leaf_cache_bytes = resume_bytes = remembered_bytes = shard_requests_waiting = 0;
  }

  // Writes that were judged: in all, and those that were not accepted.
  uint64_t writes = 0;
  uint64_t writes_denied = 0;        // by rules
  uint64_t writes_stale = 0;         // the condition of a compare-and-set did not hold
  uint64_t writes_failed = 0;        // anything else
  uint64_t writes_without_room = 0;  // part of those: the disk is as full as it may be
  uint64_t writes_over_quota = 0;    // part of those: their namespace is as large as it may be
  // Writes with a key (db::Once): those that were the first with it, those that were answered as one before them, and
  // those whose key had come with something else. Answers that were dropped before their time, for the room they took.
  uint64_t answers_kept = 0, answers_repeated = 0, keys_reused = 0, answers_dropped = 0;
  uint64_t kept_answers_bytes_max = 0;  // Database::Options
  uint64_t expired = 0;                 // children that were removed for their age (db/model/path_plan.h)
  uint64_t expiry_untaken = 0;          // namespaces, of some children of which the age is not known yet
  uint64_t ephemeral_writes = 0;        // of which nothing went to disk (db/model/path_plan.h)
  uint64_t ephemeral_values = 0, ephemeral_bytes = 0;  // now: leaves at ephemeral paths, and about what they hold
  uint64_t commits = 0;                                // durable, each a record of one namespace
  Distribution group_size{};                           // commits that became durable together
  Distribution commit_time{};                          // nanoseconds, of a write: from its acceptance to being durable
  uint64_t rows_written = 0;
  uint64_t index_rows_written = 0;  // part of them
  Distribution read_time{};         // nanoseconds, of a read: from when it was asked for until its value was there

  // First values of listeners that were read from the store, and that were hashed. All other listeners shared one of
  // these.
  uint64_t first_values_read = 0;
  uint64_t first_values_hashed = 0;

  uint64_t sessions = 0;         // now
  uint64_t listeners = 0;        // now
  uint64_t views = 0;            // now: queries that are listened to, each once for all their listeners
  uint64_t events = 0;           // told to listeners
  uint64_t revocations = 0;      // part of them
  uint64_t events_withheld = 0;  // for a throttle: told as one with others
  uint64_t slow_listeners = 0;   // sessions that were ended because too much waited for them
  uint64_t disconnect_writes_queued = 0;
  uint64_t disconnect_writes_run = 0;

  uint64_t answer_bytes = 0;     // now: of large values that clients have not taken
  uint64_t answers_refused = 0;  // because it would have been too much
  uint64_t listener_bytes = 0;   // now: about what listeners hold, with their queries and windows
  uint64_t topics = 0, topic_members = 0, topic_bytes = 0;        // now
  uint64_t topic_messages = 0;                                    // said
  uint64_t document_updates = 0, document_compactions = 0;        // of Yjs documents
  uint64_t document_json_writes = 0, document_json_failures = 0;  // of their JSON in the tree
  uint64_t disconnect_bytes = 0;                                  // now: of what sessions have queued for their end
  uint64_t event_bytes = 0;                                       // now: of events that sessions have not taken
  uint64_t resume_bytes = 0;                                      // now: of hashes of clients that may come back
  uint64_t remembered_bytes = 0;  // now: of first values, hashes and changed paths that are kept to spare work
  uint64_t leaf_cache_bytes = 0;  // now: of the tables of rows that shards know without asking the store
  uint64_t leaf_cache_hits = 0, leaf_cache_misses = 0;
  MemoryLimits memory_limits{};
  MemoryLimitsReached memory_limits_reached{};
  PoolFigures reads{}, scans{};
  uint64_t shard_requests_waiting = 0;
  uint64_t namespaces_moved = 0;  // to a heavy shard: a request took more work than one step may (db/base/step.h)
  // The longest step of a shard's thread since the start: what one request took before it was done, or moved.
  uint64_t step_rows_max = 0, step_bytes_max = 0, step_evaluations_max = 0;
  uint64_t group_rows_max = 0;  // of all requests that one commit was made of
  // The most groups of others that a namespace with nothing under way waited for at its shard, beyond the one that was
  // being written when it came.
  uint64_t groups_waited_max = 0;
  // What shards' threads have done for all requests.
  uint64_t rows_worked = 0, bytes_worked = 0, evaluations_worked = 0;
  uint64_t namespaces = 0;
  uint64_t namespaces_in_memory = 0;
  StoreFigures store{};
};

// Of backups that a server makes on a schedule.
struct BackupFigures {
  bool is_on = false;
  bool is_failing = false;  // the last try
  uint64_t done = 0;
  uint64_t failed = 0;
  uint64_t bytes = 0;   // written
  int64_t last_ms = 0;  // since 1970, when the newest was made; 0: there is none
};

}  // namespace hearth::db
