// Everything that this server counts, as the text of /.metrics. The only file that knows the names.
//
//   http::Stats, Wire, Verifier::Counts, db::Figures, rules::Figures, /proc ─▶ add_…(…, Families&) ─▶ TextSerializer
//
// The layers below count in plain atomics and know nothing of Prometheus; so a figure has its name, its help and its
// labels in one place, and a test can read the page as a list. The library's registry is not used: it would keep a
// second copy of every number, with a lock, where ours are read when somebody asks.
//
// Counters end with _total and only grow; gauges are what is there now. A histogram's buckets are cumulative, as the
// format demands, while ours (db::Distribution) are not; histogram() adds them up. The number of series is bounded:
// labels have values that this file names.
//
// The page has no window. Figures count from the start of the process, and a rate is the difference between two looks
// of the same reader. So several readers do not disturb each other, and a look that is missed loses nothing but detail.
// The "longest" gauges are the exception: the most since the start, for a peak between two looks would not be seen
// otherwise. They never fall. Who wants the last 15 minutes without a Prometheus has net/admin/api/chart.h.
//
// Whoever watches polls, perhaps often, so the page is made by a worker, and no lock is held for longer than a copy
// takes.
#include "net/admin/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "net/admin/process.h"
#include "net/http/origin.h"

namespace hearth::net::admin {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kNanosecondsPerSecond = 1e9;

double seconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / kNanosecondsPerSecond; }

// Collects families of metrics, in the order in which they are added.
class Families {
 public:
  using Labels = std::vector<ClientMetric::Label>;
  struct Sample {
    Labels labels;
    double value;
  };

  template <typename Number>
  void counter(std::string name, std::string help, Number value) {
    counters(std::move(name), std::move(help), {{{}, static_cast<double>(value)}});
  }
  template <typename Number>
  void gauge(std::string name, std::string help, Number value) {
    gauges(std::move(name), std::move(help), {{{}, static_cast<double>(value)}});
  }
  void counters(std::string name, std::string help, std::vector<Sample> samples) {
    MetricFamily& family = begin(std::move(name), std::move(help), MetricType::Counter);
    for (Sample& sample : samples) add(family, std::move(sample.labels)).counter.value = sample.value;
  }
  void gauges(std::string name, std::string help, std::vector<Sample> samples) {
    MetricFamily& family = begin(std::move(name), std::move(help), MetricType::Gauge);
    for (Sample& sample : samples) add(family, std::move(sample.labels)).gauge.value = sample.value;
  }
  // `unit`: how many units of the distribution make one unit of the family, as nanoseconds and seconds.
  void histogram(std::string name, std::string help, const db::Distribution& seen, double unit = 1) {
    ClientMetric::Histogram& to = add(begin(std::move(name), std::move(help), MetricType::Histogram), {}).histogram;
    for (size_t i = 0; i < seen.counts.size(); ++i) {
      to.sample_count += seen.counts[i];
      const bool is_last = i == seen.bounds.size();
      const double bound =
          is_last ? std::numeric_limits<double>::infinity() : static_cast<double>(seen.bounds[i]) / unit;
      to.bucket.push_back({to.sample_count, bound});
    }
    to.sample_sum = static_cast<double>(seen.sum) / unit;
  }

  const std::vector<MetricFamily>& all() const { return all_; }

 private:
  MetricFamily& begin(std::string name, std::string help, MetricType type) {
    all_.push_back({std::move(name), std::move(help), type, {}});
    return all_.back();
  }
  static ClientMetric& add(MetricFamily& family, Labels labels) {
    family.metric.emplace_back();
    family.metric.back().label = std::move(labels);
    return family.metric.back();
  }

  std::vector<MetricFamily> all_;
};

Families::Sample sample(std::string label, std::string value, uint64_t number) {
  return {{{std::move(label), std::move(value)}}, static_cast<double>(number)};
}

void add_traffic(const http::Stats& stats, const MetricsPage::Wire& wire, Families& to) {
  to.gauge("hearth_connections", "TCP connections that are open.", stats.connections);
  to.counter("hearth_connections_accepted_total", "TCP connections that were accepted.", stats.accepted);
  to.counters("hearth_connections_refused_total", "TCP connections that were refused; limit: too many were open.",
              {sample("reason", "limit", stats.refused)});
  to.counter("hearth_accept_pauses_total",
             "Times that accepting paused because the process had no file descriptor left.", stats.no_descriptors);
  to.gauges(
      "hearth_transports", "What is open of each transport that tells clients of changes.",
      {sample("transport", "websocket", stats.websockets_open), sample("transport", "event_stream", stats.streams_open),
       sample("transport", "long_poll", wire.polls_open)});
  to.counters("hearth_transports_opened_total", "What was opened of each transport that tells clients of changes.",
              {sample("transport", "websocket", stats.websockets), sample("transport", "event_stream", stats.streams),
               sample("transport", "long_poll", wire.polls_opened)});
  to.counters("hearth_greetings_total",
              "TLS handshakes and PROXY headers; failed: broken, or too slow. With neither there are none.",
              {sample("result", "done", stats.greeted), sample("result", "failed", stats.bad_greetings)});
  std::vector<Families::Sample> steps;
  for (size_t thread = 0; thread < stats.longest_steps.size(); ++thread) {
    const db::Work& step = stats.longest_steps[thread];
    const auto add = [&](const char* of, uint64_t number) {
      steps.push_back({{{"thread", std::to_string(thread)}, {"of", of}}, static_cast<double>(number)});
    };
    add("rows", step.rows);
    add("bytes", step.bytes);
    add("evaluations", step.evaluations);
  }
  to.gauges(
      "hearth_longest_io_step",
      "The most that an io thread did in one go, since the start. Rows: requests, messages and events; bytes: read, "
      "inflated, copied and sent.",
      std::move(steps));
  to.gauge("hearth_requests_in_flight",
           "HTTP requests that are being answered; streams and WebSockets, once open, are not.", stats.requests_open);
  std::vector<Families::Sample> answers;
  for (size_t method = 0; method < http::kCountedMethods.size(); ++method) {
    for (size_t status = 0; status < http::kStatusClasses; ++status) {
      answers.push_back(
          {{{"method", std::string(http::kCountedMethods[method])}, {"status", std::to_string(status + 1) + "xx"}},
           static_cast<double>(stats.answers[method][status])});
    }
  }
  to.counters("hearth_requests_total", "HTTP requests that were answered, by method and class of the answer's status.",
              std::move(answers));
  to.counter("hearth_bad_requests_total",
             "HTTP requests that were refused for their form: no HTTP, too large, too slow.", stats.bad_requests);
  to.counter("hearth_received_bytes_total", "Bytes that clients sent.", stats.bytes_in);
  to.counter("hearth_sent_bytes_total", "Bytes that clients were sent.", stats.bytes_out);
  to.counter("hearth_sends_total", "System calls that sent them.", stats.sends);
  to.gauge("hearth_pending_bytes", "Bytes that clients have sent of what is not whole yet, or not answered.",
           stats.half_received_bytes);
  to.gauge("hearth_outbox_bytes", "Bytes that wait to be sent on all connections.", stats.outbox_bytes);
}

// Each limit twice, under one name: what it is set to, and how often it was reached. An alert on the second names the
// flag to change.
void add_limits(const MetricsPage::Limits& limits, const http::Stats& stats, const MetricsPage::Wire& wire,
                const Verifier::Counts& counts, const db::Figures& figures, Families& to) {
  std::vector<Families::Sample> most;
  for (const auto& [name, value] : limits) most.push_back(sample("limit", std::string(name), value));
  const auto memory_limits = db::values_of(figures.memory_limits);
  for (size_t i = 0; i < memory_limits.size(); ++i) {
    most.push_back(sample("limit", std::string(db::kMemoryLimitNames[i]), memory_limits[i]));
  }
  most.push_back(sample("limit", "idempotency_size", figures.kept_answers_bytes_max));
  to.gauges("hearth_limit",
            "What there may be at most, by the flag that sets it (--max-…): a number, bytes or seconds; 0: any number.",
            std::move(most));
  std::vector<Families::Sample> reached;
  for (size_t limit = 0; limit < http::kLimitNames.size(); ++limit) {
    // net/wire limits a message of several frames, net/websocket one frame: to an operator it is one limit.
    const uint64_t by_wire = static_cast<http::Limit>(limit) == http::Limit::MessageSize ? wire.messages_refused : 0;
    reached.push_back(sample("limit", std::string(http::kLimitNames[limit]), stats.limits_reached[limit] + by_wire));
  }
  reached.push_back(sample("limit", "listeners", wire.listens_refused));
  reached.push_back(sample("limit", "long_polls", wire.polls_refused));
  reached.push_back(sample("limit", "failed_logins", counts.refused[static_cast<size_t>(Reason::Blocked)].load()));
  reached.push_back(sample("limit", "verify_time", counts.refused[static_cast<size_t>(Reason::Busy)].load()));
  reached.push_back(sample("limit", "answers_size", figures.answers_refused));
  reached.push_back(sample("limit", "waiting_reads", figures.reads.refused + figures.scans.refused));
  reached.push_back(sample("limit", "listener_backlog", figures.slow_listeners));
  reached.push_back(sample("limit", "namespace", figures.writes_over_quota));
  reached.push_back(sample("limit", "idempotency_size", figures.answers_dropped));
  reached.push_back(sample("limit", "disk_reserve", figures.writes_without_room));
  for (size_t i = 0; i < db::kMemoryLimitNames.size(); ++i) {
    reached.push_back(sample("limit", std::string(db::kMemoryLimitNames[i]), figures.memory_limits_reached[i]));
  }
  to.counters("hearth_limit_reached_total",
              "Times that a client came up against a limit, by the same names and those that have no flag: "
              "request_rate slows it down, all others refuse or end something.",
              std::move(reached));
  to.gauges("hearth_memory_bytes", "Bytes that are held in memory, about, of what has a limit (hearth help limits).",
            {sample("of", "listeners", figures.listener_bytes), sample("of", "disconnect", figures.disconnect_bytes),
             sample("of", "topics", figures.topic_bytes), sample("of", "remembered", figures.remembered_bytes),
             sample("of", "resume", figures.resume_bytes), sample("of", "answers", figures.answer_bytes),
             sample("of", "events", figures.event_bytes), sample("of", "outbound", stats.outbox_bytes),
             sample("of", "leaf_cache", figures.leaf_cache_bytes), sample("of", "ephemeral", figures.ephemeral_bytes)});
  to.counters("hearth_leaf_cache_lookups_total",
              "Rows that a write or its rules asked for: known to the shard (hit), or looked up in the store (miss).",
              {sample("result", "hit", figures.leaf_cache_hits), sample("result", "miss", figures.leaf_cache_misses)});
  to.gauge("hearth_answer_bytes", "Bytes of large values that clients have asked for and not taken yet.",
           figures.answer_bytes);
}

void add_clients(const db::Figures& figures, const http::Stats& stats, uint64_t serialised, Families& to) {
  to.counters("hearth_slow_readers_total",
              "Clients that were cut off because they did not read; socket: bytes waited, session: events did.",
              {sample("where", "socket", stats.slow_readers), sample("where", "session", figures.slow_listeners)});
  to.gauge("hearth_sessions", "Conversations with clients: one for each WebSocket session and event stream.",
           figures.sessions);
  to.gauge("hearth_listeners", "Listeners: one for each path or query that a session listens to.", figures.listeners);
  to.gauge("hearth_views", "Queries that are listened to, each once for all its listeners.", figures.views);
  to.counter("hearth_events_total", "Events that listeners were told.", figures.events);
  to.counter("hearth_events_withheld_total", "Events that a throttle has made one with others.",
             figures.events_withheld);
  to.counter("hearth_revocations_total", "Part of the events: listeners that lost the right to read.",
             figures.revocations);
  to.counter("hearth_event_bodies_serialised_total",
             "Event bodies that were turned into text. Far fewer than events: listeners share them.", serialised);
  to.gauge("hearth_topics", "Topics that somebody is in, or that keep what was said.", figures.topics);
  to.gauge("hearth_topic_members", "Places that clients have in topics.", figures.topic_members);
  to.counter("hearth_topic_messages_total", "Messages that were said in topics.", figures.topic_messages);
  to.counter("hearth_document_updates_total", "Updates of Yjs documents that were stored.", figures.document_updates);
  to.counter("hearth_document_compactions_total", "Times that a document's updates were joined.",
             figures.document_compactions);
  to.counter("hearth_document_json_writes_total", "Commits that brought a document's JSON up to date.",
             figures.document_json_writes);
  to.counter("hearth_document_json_failures_total",
             "Documents whose JSON could not stand in the tree, and was removed.", figures.document_json_failures);
  to.counter("hearth_on_disconnect_queued_total", "Writes that clients queued for the end of their connection.",
             figures.disconnect_writes_queued);
  to.counter("hearth_on_disconnect_run_total", "Writes that were run at the end of connections.",
             figures.disconnect_writes_run);
}

void add_credentials(const Verifier::Counts& counts, Families& to) {
  to.counter("hearth_credentials_accepted_total", "Credentials that were believed.", counts.accepted.load());
  std::vector<Families::Sample> refused;
  for (size_t reason = 0; reason < kReasons; ++reason) {
    refused.push_back(
        sample("reason", std::string(name_of(static_cast<Reason>(reason))), counts.refused[reason].load()));
  }
  to.counters("hearth_credentials_refused_total",
              "Credentials that were refused, by why; blocked: guesses of an address that had guessed too often, busy: "
              "tokens of "
              "one whose time for verifying was used up.",
              std::move(refused));
  to.counters("hearth_token_signatures_total", "Signatures of tokens; known: they had been verified before.",
              {sample("how", "verified", counts.signatures.load()), sample("how", "known", counts.known_good.load())});
  to.counter("hearth_token_verify_seconds_total", "Time of threads that verifying them took.",
             static_cast<double>(counts.verify_nanoseconds.load()) / kNanosecondsPerSecond);
}

void add_writes(const db::Figures& figures, Families& to) {
  const uint64_t refused = figures.writes_denied + figures.writes_stale + figures.writes_failed;
  to.counters("hearth_writes_total",
              "Writes that were judged; denied: by rules, stale: a conditional write found another value, failed: "
              "anything else.",
              {sample("result", "accepted", figures.writes - std::min(refused, figures.writes)),
               sample("result", "denied", figures.writes_denied), sample("result", "stale", figures.writes_stale),
               sample("result", "failed", figures.writes_failed)});
  to.counters("hearth_idempotency_total",
              "Writes with an Idempotency-Key, by what became of them; first: done, and the answer is kept; repeated: "
              "answered as the first one; refused: the key had come with something else.",
              {sample("result", "first", figures.answers_kept), sample("result", "repeated", figures.answers_repeated),
               sample("result", "refused", figures.keys_reused)});
  to.counter("hearth_expired_total", "Children that were removed for their age.", figures.expired);
  to.counter("hearth_ephemeral_writes_total", "Writes at ephemeral paths, of which nothing went to disk.",
             figures.ephemeral_writes);
  to.gauge("hearth_ephemeral_values", "Leaves at ephemeral paths.", figures.ephemeral_values);
  to.gauge("hearth_expiry_untaken", "Namespaces in which some children have no age yet.", figures.expiry_untaken);
  to.counter("hearth_commits_total", "Commits that are durable, each of one namespace.", figures.commits);
  to.histogram("hearth_commit_group_size", "How many commits became durable together, by one sync of the log.",
               figures.group_size);
  to.histogram("hearth_commit_seconds", "Time of an accepted write, from when it was asked for until it was durable.",
               figures.commit_time, kNanosecondsPerSecond);
  to.counter("hearth_rows_written_total", "Rows that commits put or erased.", figures.rows_written);
  to.counter("hearth_index_rows_written_total", "Part of them: rows of indexes.", figures.index_rows_written);
  to.gauge("hearth_shard_requests_waiting", "Requests that no shard has begun.", figures.shard_requests_waiting);
  to.counter("hearth_namespaces_moved_total",
             "Times that a namespace went to a heavy thread, for a request took more than --max-step-rows.",
             figures.namespaces_moved);
  to.counters("hearth_shard_work_total", "What the threads of shards have done for requests.",
              {sample("of", "rows", figures.rows_worked), sample("of", "bytes", figures.bytes_worked),
               sample("of", "evaluations", figures.evaluations_worked)});
  to.gauges(
      "hearth_longest_step", "The most that one request took of a thread that namespaces share, since the start.",
      {sample("of", "rows", figures.step_rows_max), sample("of", "bytes", figures.step_bytes_max),
       sample("of", "evaluations", figures.step_evaluations_max), sample("of", "group_rows", figures.group_rows_max)});
  to.gauges("hearth_longest_wait",
            "The most that a namespace with nothing under way waited for others, since the start: groups of a shard "
            "beyond the "
            "one that was being written, slices of reads, slices of long reads.",
            {sample("of", "groups", figures.groups_waited_max), sample("of", "reads", figures.reads.slices_waited_max),
             sample("of", "scans", figures.scans.slices_waited_max)});
}

void add_reads(const db::Figures& figures, Families& to) {
  to.histogram("hearth_read_seconds", "Time of a read, from when it was asked for until its value was there.",
               figures.read_time, kNanosecondsPerSecond);
  to.gauge("hearth_reads_waiting", "Reads that no thread has begun.", figures.reads.waiting);
  to.gauge("hearth_reads_running", "Reads that threads are at.", figures.reads.running);
  to.counter("hearth_first_values_read_total",
             "First values of listeners that were read. Far fewer than listeners when these share them.",
             figures.first_values_read);
  to.counter("hearth_first_values_hashed_total",
             "First values that were hashed, for clients that came back and may have them.",
             figures.first_values_hashed);
  to.gauge("hearth_scans_waiting",
           "Reads longer than a slice that have not begun: large values, queries that no index serves.",
           figures.scans.waiting);
  to.gauge("hearth_scans_running", "Reads longer than a slice that threads are at.", figures.scans.running);
  to.gauge("hearth_scans_paused", "Those that were begun, and stand still while others have their turn.",
           figures.scans.paused);
  to.counter("hearth_reads_moved_total", "Reads that took longer than a slice, and began again among the long ones.",
             figures.reads.moved);
  to.counters("hearth_read_slices_total", "Turns that reads were given; scan: long ones.",
              {sample("kind", "read", figures.reads.slices), sample("kind", "scan", figures.scans.slices)});
  to.counters("hearth_reads_dropped_total",
              "Reads that were not begun or not ended; unwanted: nobody waited for them any more, late: their timeout "
              "was over.",
              {sample("reason", "unwanted", figures.reads.unwanted + figures.scans.unwanted),
               sample("reason", "late", figures.reads.late + figures.scans.late)});
  to.gauge("hearth_namespaces", "Namespaces that exist.", figures.namespaces);
  to.gauge("hearth_namespaces_in_memory", "Namespaces that something is remembered of.", figures.namespaces_in_memory);
}

void add_rules(const rules::Figures& figures, Families& to) {
  to.counters("hearth_rule_evaluations_total",
              "Operations that rules were asked about. Admins are not asked; listeners are, again and again.",
              {sample("kind", "read", figures.reads_judged), sample("kind", "write", figures.writes_judged)});
  to.counters(
      "hearth_rule_denials_total",
      "Operations that rules denied; validate: a .validate rule did not hold, else no .read or .write rule granted it.",
      {sample("kind", "read", figures.reads_denied), sample("kind", "write", figures.writes_denied),
       sample("kind", "validate", figures.writes_invalid)});
}

void add_cluster(const db::ClusterFigures& cluster, Families& to) {
  to.gauge("hearth_cluster_good", "1: this node's lease runs, and the engine is as it has to be.",
           cluster.is_good ? 1 : 0);
  to.gauge("hearth_cluster_stale_seconds", "For how long it has not been so; what is read here may be as old.",
           seconds(cluster.stale));
  to.gauge("hearth_cluster_nodes", "Nodes that are registered.", cluster.nodes);
  to.gauge("hearth_cluster_nodes_alive", "Nodes whose beat this one sees move.", cluster.alive);
  to.gauge("hearth_cluster_shards", "Shards of the cluster.", cluster.shards);
  to.gauges("hearth_cluster_shards_here", "Shards by what this node does with them; the others are followed.",
            {sample("is", "owned", cluster.owned), sample("is", "stopped", cluster.stopped),
             sample("is", "seeding", cluster.seeding)});
  to.gauge("hearth_cluster_behind_batches", "Batches of the log that this node has not applied.", cluster.behind);
  to.gauge("hearth_cluster_inbox_bytes", "Of batches that were told and wait to be applied.", cluster.inbox_bytes);
  to.counters("hearth_cluster_owner_changes_total", "Changes of an owner that this node has part in.",
              {sample("what", "taken", cluster.taken), sample("what", "given_up", cluster.given_up),
               sample("what", "lost", cluster.lost)});
  to.counter("hearth_cluster_seeded_total", "Shards that were taken whole from another node.", cluster.seeded);
  to.counters("hearth_cluster_batches_total", "Batches of others, by how they came.",
              {sample("by", "bus", cluster.told), sample("by", "log", cluster.from_log)});
  to.counters("hearth_cluster_renewals_total", "Renewals of the lease.",
              {sample("result", "done", cluster.renewals), sample("result", "failed", cluster.renewals_failed)});
  to.gauge("hearth_cluster_renewal_seconds", "How long the last one took.", seconds(cluster.renewal_took));
  to.gauge("hearth_cluster_engine_wrong", "What the last check found wrong with the engine; 0: it is as it has to be.",
           cluster.wrong);
  const db::GuardFigures& guard = cluster.guard;
  to.counters("hearth_cluster_appends_total",
              "Batches that were appended, and of those: held until the lease ran again, released then, in doubt, "
              "never answered, cut off.",
              {sample("what", "begun", guard.appends), sample("what", "held", guard.held),
               sample("what", "released", guard.released), sample("what", "doubted", guard.doubted),
               sample("what", "unanswered", guard.unanswered), sample("what", "cut_off", guard.cut_off)});
  to.counter("hearth_cluster_rounds_total", "Transactions that batches were sent to the engine in.",
             cluster.engine.rounds);
  to.counter("hearth_cluster_rounds_batches_total", "Batches that the engine has accepted in them.",
             cluster.engine.batches);
  to.counter("hearth_cluster_rounds_bytes_total", "Bytes of those batches, as they are stored.", cluster.engine.bytes);
  to.histogram("hearth_cluster_append_seconds", "Time from a shard's asking to the engine's acceptance of its batch.",
               cluster.engine.append_time, kNanosecondsPerSecond);
  uint64_t up = 0, queued = 0, sent = 0, dropped = 0;
  for (const auto& [_, peer] : cluster.bus.peers) {
    up += peer.is_up ? 1 : 0;
    queued += peer.queued_bytes;
    sent += peer.sent;
    dropped += peer.dropped;
  }
  to.gauge("hearth_cluster_peers_up", "Nodes that this one is connected to.", up);
  to.gauge("hearth_cluster_peer_queue_bytes", "Of batches that wait to be sent to other nodes.", queued);
  to.counters("hearth_cluster_peer_batches_total",
              "Batches for other nodes; dropped: for one that did not keep up or was not there, and reads the log.",
              {sample("what", "sent", sent), sample("what", "dropped", dropped)});
}

void add_backups(const db::BackupFigures& backups, Families& families) {
  families.counter("hearth_backups_total", "Backups that --backup has written.", backups.done);
  families.counter("hearth_backup_failures_total", "Backups that failed; they were tried again.", backups.failed);
  families.counter("hearth_backup_bytes_total", "Bytes of the backups that were written.", backups.bytes);
  families.gauge("hearth_backup_failing", "1: the last try to make a backup failed.", backups.is_failing ? 1 : 0);
  families.gauge("hearth_backup_last_success_seconds",
                 "When the newest backup of the target was made, in seconds since 1970; 0: there is none.",
                 static_cast<double>(backups.last_ms) / 1'000);
}

// RocksDB's own figures and what we time around it. Look first at write stalls and long syncs when writes are slow.
void add_store(const db::StoreFigures& store, Families& to) {
  to.gauge("hearth_store_broken", "1: a write to disk failed, and all are refused until a restart.",
           store.is_broken ? 1 : 0);
  to.histogram("hearth_fsync_seconds", "Time of a sync of the write-ahead log.", store.log_sync_time,
               kNanosecondsPerSecond);
  to.gauges("hearth_store_write_stall", "1: writes are held up until the store has caught up.",
            {sample("state", "slowed", store.is_slowed ? 1 : 0), sample("state", "stopped", store.is_stopped ? 1 : 0)});
  to.counters(
      "hearth_store_write_stall_seconds_total", "For how long writes were held up.",
      {{{{"state", "slowed"}}, seconds(store.slowed_time)}, {{{"state", "stopped"}}, seconds(store.stopped_time)}});
  to.gauge("hearth_store_wal_bytes", "Bytes of the write-ahead log: what a start after a kill has to replay.",
           store.log_bytes);
  to.gauge("hearth_store_wal_files", "Files of the write-ahead log.", store.log_files);
  to.gauge("hearth_store_memtable_bytes", "Bytes of rows in memory that are in no table file yet.",
           store.memtable_bytes);
  to.gauge("hearth_store_block_cache_bytes", "Bytes of table files that are kept in memory.", store.block_cache_bytes);
  to.gauge("hearth_store_block_cache_max_bytes", "Limit of the same.", store.block_cache_bytes_max);
  to.gauge("hearth_store_sst_bytes", "Bytes of table files.", store.sst_bytes);
  to.gauge("hearth_store_empty_runs", "Ranges of erased rows that readers know of and step over.", store.empty_runs);
  to.gauge("hearth_store_empty_run_bytes", "Bytes of the keys of these.", store.empty_run_bytes);
  to.gauge("hearth_store_level0_files", "Table files that compaction has not sorted in.", store.level_0_files);
  to.gauge("hearth_store_flush_pending", "1: rows in memory wait to become a table file.",
           store.is_flush_pending ? 1 : 0);
  to.gauge("hearth_store_flushes_running", "Flushes of memory to table files that are running.", store.flushes_running);
  to.gauge("hearth_store_compaction_pending", "1: table files wait to be compacted.",
           store.is_compaction_pending ? 1 : 0);
  to.gauge("hearth_store_compactions_running", "Compactions that are running.", store.compactions_running);
  to.gauge("hearth_store_compaction_pending_bytes", "Bytes that compactions have to rewrite, estimated.",
           store.compaction_bytes_pending);
  to.gauge("hearth_store_rows", "Rows: leaves, index rows and some of the store's own, estimated.", store.rows);
  to.gauge("hearth_store_snapshots",
           "Snapshots: one of each shard, and those that reads hold; what is deleted meanwhile stays.",
           store.snapshots);
  if (store.disk_bytes_free)
    to.gauge("hearth_store_disk_free_bytes", "Bytes free on the disk of the data folder.", *store.disk_bytes_free);
}

// Figures of the process have the names that Prometheus' own clients give them, because dashboards expect those.
void add_process(const ProcessFigures& process, Families& to) {
  to.counter("process_cpu_seconds_total", "CPU time of all threads, user and system.", seconds(process.cpu_time));
  to.gauge("process_resident_memory_bytes", "Resident memory.", process.resident_bytes);
  to.gauge("process_virtual_memory_bytes", "Virtual memory.", process.virtual_bytes);
  to.gauge("process_threads", "Threads.", process.threads);
  to.gauge("process_open_fds", "File descriptors that are open.", process.open_descriptors);
  to.gauge("process_max_fds", "Limit of the same.", process.descriptors_max);
  to.gauge("process_start_time_seconds", "When the process started, in seconds since the epoch.",
           static_cast<double>(process.started.count()) / 1e3);
}

void add_webhooks(const MetricsPage::Webhooks& webhooks, Families& families) {
  families.gauge("hearth_webhooks", "Webhooks that there are, also those that are paused.", webhooks.hooks);
  families.gauge("hearth_webhook_attempts", "Messages of webhooks that are being sent.", webhooks.under_way);
  families.counter("hearth_webhook_delivered_total", "Messages of webhooks that their receivers took.",
                   webhooks.delivered);
  families.counter("hearth_webhook_failures_total", "Attempts to deliver a message that failed; it is tried again.",
                   webhooks.failed);
  families.counter("hearth_webhook_dead_total", "Messages of webhooks that were given up.", webhooks.dead);
  families.counter("hearth_webhook_missed_total",
                   "Times that changes were cut from the log before a webhook was told of them.", webhooks.missed);
  families.counter("hearth_webhook_dead_dropped_total", "Dead letters that went, for there were too many.",
                   webhooks.dropped);
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  const bool waits = webhooks.waiting_since.count() > 0 && now > webhooks.waiting_since;
  families.gauge("hearth_webhook_lag_seconds", "Age of the oldest change that waits for a webhook's receiver.",
                 waits ? seconds(now - webhooks.waiting_since) : 0.0);
}

void add_relay(const MetricsPage::Relay& relay, Families& families) {
  families.counter("hearth_relay_requests_total", "Requests that were passed on to the node that owns their namespace.",
                   relay.requests);
  families.counter("hearth_relay_sockets_total", "WebSockets that were passed on, ever.", relay.sockets);
  families.gauge("hearth_relay_sockets", "WebSockets that are passed on.", relay.sockets_open);
  families.gauge("hearth_relay_waiting", "Requests that wait for a node to own their namespace.", relay.waiting);
  families.counter("hearth_relay_asked_again_total", "Requests that were for another node than they first went to.",
                   relay.asked_again);
  families.counter("hearth_relay_redirected_total", "Sockets of SDKs that were told the owner's host.",
                   relay.redirected);
  families.counters("hearth_relay_failures_total", "What ended for want of an owner: requests, answers and sockets.",
                    {sample("reason", "unowned", relay.unowned), sample("reason", "unsure", relay.unsure),
                     sample("reason", "unknown", relay.unknown), sample("reason", "cut", relay.cut)});
  families.counters(
      "hearth_relay_bytes_total", "Bytes between this node and others, by who began the connection.",
      {sample("way", "out", relay.lines.bytes_out), sample("way", "back", relay.lines.bytes_in),
       sample("way", "in", relay.from_nodes.bytes_in), sample("way", "answered", relay.from_nodes.bytes_out)});
  families.gauge("hearth_relay_waiting_bytes", "Bytes that wait to be sent to other nodes.",
                 relay.lines.outbox_bytes + relay.from_nodes.outbox_bytes);
  families.gauge("hearth_relay_lines", "Connections to other nodes for clients' requests.", relay.lines.connections);
  families.gauge("hearth_relay_from_nodes", "Connections from other nodes for their clients' requests.",
                 relay.from_nodes.connections);
}

}  // namespace

// Figures are read one after the other while the server works, so they are not of one moment.
std::string MetricsPage::text() const {
  const http::Stats stats = from_.traffic();
  const rules::Figures figures = from_.guard.figures(rules::Auth::admin()).value();  // nobody refuses an admin
  const db::Figures& database = figures.database;
  Families families;
  families.gauges("hearth_build_info", "1, of this version.", {sample("version", HEARTH_VERSION, 1)});
  const Wire wire = from_.wire();
  const OtherClients others = from_.other_clients();
  families.gauge("hearth_realtime_channels", "Channels that Supabase clients have joined.", others.channels);
  families.counter("hearth_realtime_joins_total", "Joins of channels, also those that were refused.",
                   others.channels_joined);
  families.counter("hearth_realtime_messages_refused_total",
                   "Messages of Supabase clients that were none, or found no room.", others.channel_messages_refused);
  families.gauge("hearth_documents_open", "Yjs documents that clients have open, each client's.", others.documents);
  families.counter("hearth_documents_refused_total",
                   "Yjs documents that a client was not given, or was taken away from.", others.documents_refused);
  families.gauge("hearth_activity_bytes", "Bytes of requests that are kept while somebody looks at them.",
                 from_.guard.activity().byte_count());
  families.counter("hearth_activity_total", "Requests that were kept while somebody looked at them.",
                   from_.guard.activity().recorded());
  add_webhooks(from_.webhooks(), families);
  add_traffic(stats, wire, families);
  add_limits(from_.limits, stats, wire, from_.verifier.counts(), database, families);
  families.gauge("hearth_worker_tasks_waiting", "Tasks that take long (parsing, compressing) that no thread has begun.",
                 from_.workers.waiting());
  add_clients(database, stats, from_.serialised.value(), families);
  add_credentials(from_.verifier.counts(), families);
  add_writes(database, families);
  add_reads(database, families);
  add_rules(figures, families);
  add_store(database.store, families);
  if (from_.backups) add_backups(from_.backups(), families);
  if (from_.cluster != nullptr) add_cluster(from_.cluster->figures(), families);
  if (from_.relay) add_relay(from_.relay(), families);
  add_process(process_figures(), families);
  return prometheus::TextSerializer().Serialize(families.all());
}

// verify() and not verify_late(): a page for operators does not wait for an issuer. In development this machine needs
// no credential, but a page of another site must not use the browser of whoever sits there.
bool is_for_admin(const http::Request& request, const rules::Guard& guard, const Verifier& verifier) {
  if (const auto token = http::bearer_token(request.headers)) {
    const bool is_elsewhere = http::whence_of(request) != http::Whence::Here;
    if (*token == kOwner && guard.dev() && is_elsewhere) return false;
    const auto auth = verifier.verify(*token, "", Asker(request.peer, request.is_behind_stranger));
    return auth && auth->ok() && auth->value().kind == rules::Auth::Kind::Admin;
  }
  return guard.dev() && request.peer_is_loopback && http::whence_of(request) == http::Whence::Here;
}

bool MetricsPage::accept(const std::shared_ptr<http::Exchange>& exchange, For whom) const {
  const http::Request& request = exchange->request();
  if (!is_for(request, kMetricsPath)) return false;
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response reply = http::error_response(405, "Method not allowed here.");
    reply.headers.emplace_back("Allow", "GET, HEAD");
    exchange->respond(std::move(reply));
    return true;
  }
  if (whom == For::Admins && !is_for_admin(request, from_.guard, from_.verifier)) {
    http::Response reply =
        http::error_response(401, "Metrics are for admins: send the admin secret as Authorization: Bearer.");
    reply.headers.emplace_back("WWW-Authenticate", "Bearer");
    exchange->respond(std::move(reply));
    return true;
  }
  from_.workers.run([this, exchange] {
    http::Response reply;
    reply.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}, {"Cache-Control", "no-store"}};
    reply.body = text();
    exchange->respond(std::move(reply));
  });
  return true;
}

bool is_for(const http::Request& request, std::string_view path) {
  const std::string_view target = request.target;
  return target.substr(0, target.find('?')) == path;
}

}  // namespace hearth::net::admin
